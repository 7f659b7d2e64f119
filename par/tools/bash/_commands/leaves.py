"""The table of the commands that stand alone or in a pipeline, and where each may stand."""

from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from par.tools.bash._commands.examples import example
from par.tools.bash._commands.filters import Cut, EmitText, GrepFilter, Sort, Translate, Uniq
from par.tools.bash._commands.git_history import GitBlame, GitLsFiles, GitRefs, GitRevParse
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.git_writing import (
    GitAdd,
    GitApply,
    GitBranch,
    GitCommit,
    GitReset,
    GitRestore,
    GitStash,
    GitSwitch,
)
from par.tools.bash._commands.looking import (
    Checksum,
    Diff,
    DiskUsage,
    FileType,
    HexDump,
    JsonQuery,
    Stat,
    SystemInfo,
    Tree,
    Which,
)
from par.tools.bash._commands.reading import Find, Grep, Head, ListDir, ReadFile, Tail, WordCount
from par.tools.bash._commands.refusals import Problem
from par.tools.bash._commands.running import RunLinter, RunPython, RunTask, RunTests
from par.tools.bash._commands.writing import (
    ArchiveExtract,
    ArchiveList,
    Copy,
    MakeDir,
    Move,
    Remove,
    SetExecutable,
    Touch,
    WriteFile,
)

__all__ = [
    "FILTERS",
    "LEAVES",
    "SOURCES",
    "Filter",
    "GitRead",
    "GitWrite",
    "Leaf",
    "Place",
    "Read",
    "Run",
    "Write",
    "place_problem",
]

Filter: TypeAlias = GrepFilter | Head | Tail | Sort | Uniq | Cut | Translate | WordCount | JsonQuery
Read: TypeAlias = (
    ListDir
    | ReadFile
    | Grep
    | Find
    | Tree
    | Diff
    | Stat
    | DiskUsage
    | Which
    | SystemInfo
    | EmitText
    | Checksum
    | FileType
    | HexDump
    | ArchiveList
    | Filter
)
GitRead: TypeAlias = GitStatus | GitDiff | GitLog | GitShow | GitBlame | GitRefs | GitLsFiles | GitRevParse
Write: TypeAlias = MakeDir | Touch | WriteFile | Copy | Move | Remove | SetExecutable | ArchiveExtract
GitWrite: TypeAlias = GitAdd | GitCommit | GitRestore | GitSwitch | GitBranch | GitStash | GitReset | GitApply
Run: TypeAlias = RunTests | RunLinter | RunPython | RunTask
Leaf: TypeAlias = Read | GitRead | Write | GitWrite | Run

Place: TypeAlias = Literal["alone", "first", "later"]
"""Alone, or which stage of a pipeline."""

# written out: a search for subclasses would let any import add a command
LEAVES: Final[MappingProxyType[str, type[Leaf]]] = MappingProxyType({
    "list_dir": ListDir,
    "read_file": ReadFile,
    "head": Head,
    "tail": Tail,
    "grep": Grep,
    "grep_filter": GrepFilter,
    "find": Find,
    "tree": Tree,
    "word_count": WordCount,
    "sort": Sort,
    "uniq": Uniq,
    "cut": Cut,
    "translate": Translate,
    "diff": Diff,
    "stat": Stat,
    "disk_usage": DiskUsage,
    "json_query": JsonQuery,
    "which": Which,
    "system_info": SystemInfo,
    "emit_text": EmitText,
    "checksum": Checksum,
    "file_type": FileType,
    "hex_dump": HexDump,
    "archive_list": ArchiveList,
    "git_status": GitStatus,
    "git_log": GitLog,
    "git_diff": GitDiff,
    "git_show": GitShow,
    "git_blame": GitBlame,
    "git_refs": GitRefs,
    "git_ls_files": GitLsFiles,
    "git_rev_parse": GitRevParse,
    "make_dir": MakeDir,
    "touch": Touch,
    "write_file": WriteFile,
    "copy": Copy,
    "move": Move,
    "remove": Remove,
    "set_executable": SetExecutable,
    "archive_extract": ArchiveExtract,
    "git_add": GitAdd,
    "git_commit": GitCommit,
    "git_restore": GitRestore,
    "git_switch": GitSwitch,
    "git_branch": GitBranch,
    "git_stash": GitStash,
    "git_reset": GitReset,
    "git_apply": GitApply,
    "run_tests": RunTests,
    "run_linter": RunLinter,
    "run_python": RunPython,
    "run_task": RunTask,
})

FILTERS: Final = frozenset([
    "grep_filter",
    "head",
    "tail",
    "sort",
    "uniq",
    "cut",
    "translate",
    "word_count",
    "json_query",
])
_ONLY_FILTERS: Final = frozenset({"grep_filter", "translate"})
SOURCES: Final = frozenset([
    "list_dir",
    "read_file",
    "head",
    "tail",
    "grep",
    "find",
    "tree",
    "word_count",
    "sort",
    "uniq",
    "cut",
    "diff",
    "stat",
    "disk_usage",
    "json_query",
    "which",
    "system_info",
    "emit_text",
    "checksum",
    "file_type",
    "hex_dump",
    "archive_list",
    "git_status",
    "git_log",
    "git_diff",
    "git_show",
    "git_blame",
    "git_refs",
    "git_ls_files",
    "git_rev_parse",
    "run_tests",
])


def place_problem(command: Leaf, place: Place) -> Problem | None:
    """Say why a command may not stand there: filters take their input from the stage before, others do not."""
    op = command.op
    if place == "later":
        if op not in FILTERS:
            hint = "Use grep_filter there." if op == "grep" else f"Later stages are {', '.join(sorted(FILTERS))}."
            return Problem(
                code="bad_stage", field="op", problem=f"{op} cannot read what the stage before writes.", remedy=hint
            )
        given = next((name for name in ("path", "paths") if getattr(command, name, None) is not None), None)
        if given is None:
            return None
        return Problem(
            code="bad_stage",
            field=given,
            problem=f"{op} reads what the stage before writes, and no file.",
            remedy=f"Leave {given} out, or make {op} the first stage.",
        )
    if op in _ONLY_FILTERS:
        remedy = f"For example {example('pipeline')}" + (" To search files use grep." if op == "grep_filter" else "")
        return Problem(
            code="bad_stage", field="op", problem=f"{op} stands after another stage of a pipeline.", remedy=remedy
        )
    if place == "first" and op not in SOURCES:
        return Problem(
            code="bad_stage",
            field="op",
            problem=f"{op} cannot begin a pipeline.",
            remedy="A pipeline begins with a command that reads.",
        )
    if op in FILTERS and all(getattr(command, name, None) is None for name in ("path", "paths")):
        name = "paths" if op == "word_count" else "path"
        problem = f'{op} needs "{name}", unless it stands in a pipeline after another command.'
        return Problem(code="missing_field", field=name, problem=problem, remedy=f"For example {example(op)}")
    return None
