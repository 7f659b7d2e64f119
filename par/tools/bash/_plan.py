"""What a command would start: the argvs of its processes, from the builders that make the real ones.

What only the run knows stands in angle brackets, such as ``<commit of main>`` or ``<file a.txt>``. The second look
at an argv is taken when it is run, not here.
"""

from typing import Final, TypeAlias, cast, get_args

import attrs

from par._json import Json, JsonObject, load_json
from par.errors import CommandRefused
from par.tools.bash._commands.examples import example
from par.tools.bash._commands.filters import Cut
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
from par.tools.bash._commands.kinds import json_value
from par.tools.bash._commands.leaves import FILTERS, SOURCES, GitRead, GitWrite, Leaf, Run
from par.tools.bash._commands.looking import Diff, FileType, SystemInfo
from par.tools.bash._commands.reading import Grep
from par.tools.bash._commands.running import RunLinter, RunPython, RunTask, RunTests
from par.tools.bash._commands.table import COMMANDS, Command, rebuilt, schema_of, stages_of
from par.tools.bash._git.argv import Pathspecs, diff_argv, log_argv, planned, show_argv, status_argv
from par.tools.bash._git.argv_history import blame_argv, ls_files_argv, reflog_argv, refs_argv
from par.tools.bash._git.argv_writing import (
    NUMSTAT,
    STAGE,
    apply_argv,
    branch_argv,
    candidates_argv,
    commit_argv,
    reset_argv,
    restore_argv,
    stash_argv,
    switch_argv,
)
from par.tools.bash._git.prefix import GIT_PREFIX
from par.tools.bash._native.diff import diff_arguments
from par.tools.bash._native.filter_argv import ProgramFilter, filter_arguments, program_of
from par.tools.bash._native.grep import grep_argv
from par.tools.bash._policy.policy import Policy
from par.tools.bash._run.hosted_argv import linter_argv, module_argv, script_argv, task_argv, tests_argv
from par.tools.bash._run.programs import find_program

__all__ = ["planned_argv", "schema_of_op"]

Argvs: TypeAlias = tuple[tuple[str, ...], ...]
_Look: TypeAlias = GitBlame | GitRefs | GitLsFiles | GitRevParse
_STREAM: Final = "<what comes in>"


def planned_argv(command: Command, policy: Policy) -> Argvs:
    """Return the argvs that a command would start, one for each process that does its work, in order.

    A command that needs no process is ``("<native read_file>",)``. Left out are git's look at the configuration,
    the lookups that turn names into object ids (a command of nothing else is ``("<lookups git_refs>",)``), and the
    limits and the wall around a process. A git command is planned for a repository in the workspace's own folder.

    Raises:
        CommandRefused: for a program that is absent, and for what its builder refuses, such as an option that a
            test runner does not have. Whether the policy allows the command is not looked at.
    """
    checked = rebuilt(command)
    found: list[tuple[str, ...]] = []
    for stage in stages_of(checked):
        found += _leaf(stage, policy)
    return tuple(found)


def schema_of_op(op: str) -> JsonObject:
    """Return the JSON Schema of a command by its tag, with the defaults of its fields and an example that is valid.

    Raises:
        KeyError: if there is no such command.
    """
    kind = COMMANDS[op]
    schema = schema_of(kind)
    properties = cast("dict[str, JsonObject]", schema["properties"])  # a schema per field
    for field in attrs.fields(kind):
        default: object = field.default
        if default is not None and isinstance(default, (bool, int, str, tuple)):
            properties[field.name]["default"] = json_value(cast("object", default))
    return {**schema, "examples": [_example(op)]}


def _example(op: str) -> Json:
    shown = load_json(example(op))
    if op in FILTERS and op not in SOURCES:
        return {"op": "pipeline", "stages": [load_json(example("read_file")), shown]}
    return shown


def _leaf(command: Leaf, policy: Policy) -> Argvs:
    if isinstance(command, (*get_args(GitRead), *get_args(GitWrite))):
        program = find_program("git", policy)
        git = cast("GitRead | GitWrite", command)  # as the line above the last says
        argvs = tuple((program, *GIT_PREFIX, *arguments) for arguments in _git(git, policy))
        return argvs or ((f"<lookups {command.op}>",),)
    if isinstance(command, get_args(Run)):
        return (_hosted(cast("Run", command), policy),)  # as above
    if isinstance(command, Grep):
        found = grep_argv(find_program("grep", policy), command, ())
        return ((*found, *(f"<files of {path}>" for path in command.paths)),)
    if isinstance(command, Diff):
        arguments = diff_arguments(command, command.left, command.right, (0, 0))[:-2]
        return ((find_program("diff", policy), *arguments, f"<file {command.left}>", f"<file {command.right}>"),)
    if isinstance(command, get_args(ProgramFilter)) and not (isinstance(command, Cut) and command.chars is not None):
        filter_ = cast("ProgramFilter", command)  # as above
        return ((find_program(program_of(filter_), policy), *filter_arguments(filter_), _source(command)),)
    return _looking(command, policy) or _native(command)


def _native(command: Leaf) -> Argvs:
    return ((f"<native {command.op}>",),)


def _source(command: Leaf) -> str:
    path: object = getattr(command, "path", None)
    return f"< <file {path}>" if isinstance(path, str) else f"< {_STREAM}"


def _looking(command: Leaf, policy: Policy) -> Argvs:
    if isinstance(command, FileType):
        try:
            program = find_program("file", policy)
        except CommandRefused:
            return ()  # its work is done without, then
        return tuple((program, "-b", "--mime", "-", f"< <file {path}>") for path in command.paths)
    if isinstance(command, SystemInfo) and command.what == "git_version":
        return ((find_program("git", policy), "--version"),)
    return ()


def _admitted(path: str, field: str) -> str:
    del field
    return f"./{path}"


def _hosted(command: Run, policy: Policy) -> tuple[str, ...]:
    absent = policy.hosted.problem(command)
    if absent is not None:
        raise absent
    if isinstance(command, RunTests):
        return tests_argv(policy.hosted.runners[command.runner], command, _admitted)
    if isinstance(command, RunLinter):
        return linter_argv(policy.hosted.linters[command.tool], command, _admitted)
    if isinstance(command, RunTask):
        return task_argv(policy.hosted.tasks[command.name], command, _admitted)
    return _python(command, policy)


def _python(command: RunPython, policy: Policy) -> tuple[str, ...]:
    if policy.python is None:
        raise CommandRefused("not_offered", "no Python is set up here.", field="op", remedy="Ask the user.")
    if command.script is None:
        return module_argv(policy.python, command)
    return script_argv(policy.python, command, held=f"<file {command.script}>", shown=f"./{command.script}")


def _git(command: GitRead | GitWrite, policy: Policy) -> Argvs:
    paths = Pathspecs(policy=policy, repository=".", cwd=command.cwd or ".")
    if isinstance(command, (GitStatus, GitDiff, GitLog, GitShow)):
        return _git_read(command, paths)
    if isinstance(command, (GitBlame, GitRefs, GitLsFiles, GitRevParse)):
        return _git_look(command, paths)
    if isinstance(command, GitAdd):
        return (candidates_argv(paths.given(command.paths), untracked=not command.update), (*STAGE, "< <names>"))
    if isinstance(command, GitCommit):
        return (commit_argv(command),)
    if isinstance(command, GitStash):
        return (stash_argv(command),)
    if isinstance(command, GitApply):
        return ((*NUMSTAT, "< <patch>"), (*apply_argv(command), "< <patch>"))
    return (_git_move(command, paths),)


def _commit(rev: str | None) -> str:
    return f"<commit of {rev or 'HEAD'}>"


def _git_read(command: GitStatus | GitDiff | GitLog | GitShow, paths: Pathspecs) -> Argvs:
    revs = {rev: _commit(rev) for rev in planned(command)}
    if isinstance(command, GitStatus):
        return (status_argv(command, paths),)
    if isinstance(command, GitDiff):
        return (diff_argv(command, revs, paths),)
    if isinstance(command, GitLog):
        return (log_argv(command, revs, paths),)
    if command.path is None:
        return (show_argv(command, revs, paths),)
    name = paths.inside(command.path)
    return (
        ("ls-tree", "-z", "--full-tree", revs[command.rev], "--", *paths.marked([name])),
        ("cat-file", "blob", f"<blob of {name}>"),
    )


def _git_look(command: _Look, paths: Pathspecs) -> Argvs:
    if isinstance(command, GitBlame):
        return (blame_argv(command, _commit(command.rev), paths.inside(command.path)),)
    if isinstance(command, GitLsFiles):
        starred = any(character in path for path in command.paths or () for character in "*?[")
        return (ls_files_argv(command, () if starred else paths.given(command.paths)),)
    if isinstance(command, GitRefs):
        if command.kind in {"current", "remotes", "worktrees"}:
            return ()
        if command.kind in {"stashes", "reflog"}:
            return (reflog_argv(command),)
        return (refs_argv(command, {rev: _commit(rev) for rev in (command.contains, command.merged) if rev}),)
    if command.what == "short_oid":
        return (("rev-parse", "--verify", "--short", _commit(command.rev)),)
    if command.what == "abbrev_ref" and command.rev != "HEAD":
        return (("rev-parse", "--verify", "--quiet", "--abbrev-ref", "--end-of-options", command.rev),)
    if command.what == "merge_base":
        return (("merge-base", _commit(command.rev), _commit(command.other)),)
    return ()


def _git_move(command: GitRestore | GitSwitch | GitBranch | GitReset, paths: Pathspecs) -> tuple[str, ...]:
    if isinstance(command, GitRestore):
        source = command.source or ("HEAD" if command.staged else None)
        return restore_argv(command, source and _commit(source), paths.given(command.paths))
    if isinstance(command, GitSwitch):
        return switch_argv(command, command.start and _commit(command.start))
    if isinstance(command, GitBranch):
        return branch_argv(command, _commit(command.start))
    return reset_argv(command, _commit(command.rev))
