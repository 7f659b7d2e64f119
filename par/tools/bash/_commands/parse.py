"""From JSON to a command: bounded, strict, and with refusals that teach."""

from collections.abc import Sequence
from typing import cast

import attrs

from par._json import JsonSyntaxError, load_json
from par.tools.bash._commands.kinds import kind_of
from par.tools.bash._commands.refusals import Problem, describe, nearest, quote, refusal
from par.tools.bash._commands.table import COMMANDS, PLANNED, Command, built, example

__all__ = ["command_from_json", "parse_command"]

_MAX_CHARS = 2 * 1024 * 1024
_MAX_DEPTH = 8
_SHELLS = frozenset([
    "bash",
    "sh",
    "zsh",
    "dash",
    "fish",
    "exec",
    "run",
    "shell",
    "command",
    "cmd",
    "powershell",
    "system",
    "eval",
    "terminal",
])
_SHELL_KEYS = frozenset({"command", "cmd", "argv"})
_KIN = {
    "cat": "read_file", "less": "read_file", "more": "read_file", "nl": "read_file", "sed": "read_file",
    "ls": "list_dir", "dir": "list_dir", "rg": "grep", "ag": "grep", "search": "grep", "fd": "find",
    "wc": "word_count", "git": "git_status", "tree": "find", "diff": "git_diff", "git_blame": "git_log",
}  # fmt: skip
_NO_PIPES = "There are no pipelines here, so it cannot read what another command writes."


def parse_command(json_text: str) -> Command:
    """Return the command that ``json_text`` says, a JSON object with the tag ``op``.

    At most 2 MiB and eight levels are read. Nothing is converted: ``"5"`` is no number, ``true`` is no number,
    a text is no list; unknown and repeated keys are refused.

    Raises:
        CommandRefused: with up to five problems, each with what to send instead.
    """
    if type(json_text) is not str:
        raise refusal([
            Problem(code="bad_json", field="command", problem=f"it must be text, got {describe(json_text)}.")
        ])
    try:
        value = load_json(json_text, max_chars=_MAX_CHARS, max_depth=_MAX_DEPTH)
    except JsonSyntaxError as error:
        shown = quote(str(error))[1:-1]
        problem = Problem(
            code="bad_json", field="command", problem=f"this is not acceptable JSON: {shown}.",
            remedy=f"Send one object such as {example('list_dir')}",
        )  # fmt: skip
        raise refusal([problem]) from None
    return command_from_json(value)


def command_from_json(value: object, *, offered: Sequence[str] | None = None) -> Command:
    """Return the command that a decoded JSON value says; the same rules as ``parse_command``.

    ``offered`` are the tags that refusals name as the ones there are, all of them unless given.

    Raises:
        CommandRefused: with up to five problems, each with what to send instead.
    """
    if type(value) is not dict:
        problem = f"a command is a JSON object, got {describe(value)}."
        remedy = f"Send an object such as {example('list_dir')}; no text inside text, no list."
        raise refusal([Problem(code="wrong_type", field="command", problem=problem, remedy=remedy)])
    given = cast("dict[object, object]", value)
    kind = _class_of(given, tuple(COMMANDS) if offered is None else tuple(offered))
    fields = {field.name: field for field in attrs.fields(kind)}
    problems: list[Problem] = []
    for key, held in given.items():
        if key == "op":
            continue
        if type(key) is not str or key not in fields:
            problems.append(_extra(kind, key))
        else:
            found = kind_of(fields[key]).problem(key, held)
            if found is not None:
                problems.append(found)
    problems.extend(
        _missing(kind, name) for name, field in fields.items() if field.default is attrs.NOTHING and name not in given
    )
    if problems:
        raise refusal(problems)
    return built(kind, {cast("str", key): held for key, held in given.items() if key != "op"})  # keys checked above


def _class_of(given: dict[object, object], offered: tuple[str, ...]) -> type[Command]:
    there_are = f"Commands: {', '.join(offered)}."
    if "op" not in given:
        if not _SHELL_KEYS.isdisjoint(given):
            raise refusal([_raw_shell()])
        remedy = f"There is no shell here; pick a command, e.g. {example('git_status')}. {there_are}"
        raise refusal([Problem(code="missing_op", field="op", problem='every command needs "op".', remedy=remedy)])
    tag = given["op"]
    if type(tag) is not str:
        problem = f"op must be the name of a command, got {describe(tag)}."
        raise refusal([Problem(code="wrong_type", field="op", problem=problem, remedy=there_are)])
    kind = COMMANDS.get(tag)
    if kind is not None:
        return kind
    if tag.casefold() in _SHELLS:
        raise refusal([_raw_shell()])
    near = _KIN.get(tag) or nearest(tag, offered) or ""
    there = "is not available here" if tag in PLANNED else "is not a command"
    problem = f"op {quote(tag)} {there}." + (f" Nearest: {near}." if near in offered else "")
    remedy = f"{there_are} Example: {example(near if near in COMMANDS else 'read_file')}"
    raise refusal([Problem(code="unknown_op", field="op", problem=problem, remedy=remedy)])


def _raw_shell() -> Problem:
    return Problem(
        code="raw_shell",
        field="op",
        problem="free shell text and argv are not accepted.",
        remedy='"ls -la src" is {"op":"list_dir","path":"src","all":true,"long":true}',
    )


def _extra(kind: type[Command], key: object) -> Problem:
    names = [field.name for field in attrs.fields(kind)]
    shown = quote(key) if isinstance(key, str) else describe(key)
    near = nearest(key, names) if isinstance(key, str) else None
    did_you = f"Did you mean {near}? " if near else ""
    return Problem(
        code="extra_key",
        field=key[:40] if isinstance(key, str) and key[:40].isidentifier() else kind.op,
        problem=f"{shown} is not a field of {kind.op}.",
        remedy=f"{did_you}Fields: {', '.join(names)}. Options are typed fields; flags cannot be passed.",
    )


def _missing(kind: type[Command], name: str) -> Problem:
    remedy = f"For example {example(kind.op)}"
    if kind.op in {"head", "tail", "word_count"}:
        remedy = f"{_NO_PIPES} {remedy}"
    return Problem(code="missing_field", field=name, problem=f'{kind.op} needs "{name}".', remedy=remedy)
