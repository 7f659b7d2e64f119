"""The closed set of commands, and the table from tag to class."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias, cast

import attrs

from par._json import JsonObject
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.kinds import json_value, kind_of
from par.tools.bash._commands.reading import Find, Grep, Head, ListDir, ReadFile, Tail, WordCount
from par.tools.bash._commands.refusals import Problem, refusal

__all__ = ["COMMANDS", "EXAMPLES", "PLANNED", "Command", "built", "command_to_json", "example", "rebuilt", "schema_of"]

Command: TypeAlias = ListDir | ReadFile | Head | Tail | Grep | Find | WordCount | GitStatus | GitLog | GitDiff | GitShow

# written out: a search for subclasses would let any import add a command
COMMANDS: Final[MappingProxyType[str, type[Command]]] = MappingProxyType({
    "list_dir": ListDir,
    "read_file": ReadFile,
    "head": Head,
    "tail": Tail,
    "grep": Grep,
    "find": Find,
    "word_count": WordCount,
    "git_status": GitStatus,
    "git_log": GitLog,
    "git_diff": GitDiff,
    "git_show": GitShow,
})

EXAMPLES: Final[MappingProxyType[str, str]] = MappingProxyType({
    "list_dir": '{"op":"list_dir","path":"src"}',
    "read_file": '{"op":"read_file","path":"README.md"}',
    "head": '{"op":"head","path":"README.md","lines":20}',
    "tail": '{"op":"tail","path":"build.log","lines":20}',
    "grep": '{"op":"grep","pattern":"TODO","paths":["src"]}',
    "find": '{"op":"find","name":"*.py"}',
    "word_count": '{"op":"word_count","paths":["README.md"],"lines":true}',
    "git_status": '{"op":"git_status"}',
    "git_log": '{"op":"git_log","max_count":10,"format":"oneline"}',
    "git_diff": '{"op":"git_diff"}',
    "git_show": '{"op":"git_show","rev":"HEAD"}',
})

# names that a model may well try, and that are refused as not being here
PLANNED: Final = frozenset([
    "tree",
    "sort",
    "uniq",
    "cut",
    "translate",
    "diff",
    "stat",
    "disk_usage",
    "json_query",
    "which",
    "system_info",
    "emit_text",
    "grep_filter",
    "make_dir",
    "touch",
    "write_file",
    "copy",
    "move",
    "remove",
    "git_blame",
    "git_refs",
    "git_ls_files",
    "git_rev_parse",
    "git_add",
    "git_commit",
    "git_restore",
    "git_switch",
    "git_branch",
    "run_tests",
    "run_linter",
    "run_python",
    "run_task",
    "pipeline",
    "set_executable",
    "checksum",
    "file_type",
    "hex_dump",
    "git_stash",
    "git_reset",
    "git_apply",
    "archive_list",
    "archive_extract",
])


def example(op: str) -> str:
    """Return a small valid command of ``op``."""
    return EXAMPLES[op]


class _Make(Protocol):
    def __call__(self, **fields: object) -> Command: ...


def built(kind: type[Command], fields: Mapping[str, object]) -> Command:
    """Return a command of ``kind``; its own checks look at every field.

    Raises:
        CommandRefused: if a field breaks a rule.
    """
    make = cast("_Make", kind)  # the constructor checks at run time what no checker can know
    return make(**fields)


def rebuilt(command: object) -> Command:
    """Return ``command`` built anew from its fields, so that one forged without its checks is refused.

    Raises:
        CommandRefused: if it is none of the commands, or breaks a rule.
    """
    kind = type(command)
    for known in COMMANDS.values():
        if kind is known:
            absent = [field.name for field in attrs.fields(known) if not hasattr(command, field.name)]
            if absent:
                raise refusal([Problem(code="missing_field", field=absent[0], problem="the command lacks a field.")])
            return built(known, {field.name: getattr(command, field.name) for field in attrs.fields(known)})
    raise refusal([Problem(code="unknown_op", field="command", problem=f"a {kind.__name__} is not a command.")])


def command_to_json(command: Command) -> JsonObject:
    """Return the JSON form of a command: its tag and every field that differs from its default."""
    shown: JsonObject = {"op": command.op}
    for field in attrs.fields(type(command)):
        value: object = getattr(command, field.name)
        if value != field.default:
            shown[field.name] = json_value(value)
    return shown


def schema_of(kind: type[Command]) -> JsonObject:
    """Return the JSON Schema of one command, with its tag as a constant."""
    properties: JsonObject = {"op": {"type": "string", "const": kind.op}}
    required = ["op"]
    for field in attrs.fields(kind):
        properties[field.name] = kind_of(field).schema()
        if field.default is attrs.NOTHING:
            required.append(field.name)
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }
