"""From a decoded JSON value to a command: what the object may hold, and refusals that teach."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar, cast

import attrs

from par.tools.bash._commands.examples import INSTEAD, KIN, SHELLS, example
from par.tools.bash._commands.kinds import kind_of
from par.tools.bash._commands.refusals import Problem, describe, nearest, quote

__all__ = ["built", "checked", "class_of"]

K = TypeVar("K", bound=attrs.AttrsInstance)
K_co = TypeVar("K_co", bound=attrs.AttrsInstance, covariant=True)

_SHELL_KEYS = frozenset({"command", "cmd", "argv"})


class _Make(Protocol[K_co]):
    def __call__(self, **fields: object) -> K_co: ...


def built(kind: type[K], fields: Mapping[str, object]) -> K:
    """Return a command of ``kind``; its own checks look at every field.

    Raises:
        CommandRefused: if a field breaks a rule.
    """
    make = cast("_Make[K]", kind)  # the constructor checks at run time what no checker can know
    return make(**fields)


def class_of(value: object, table: Mapping[str, type[K]], offered: Sequence[str]) -> type[K] | Problem:
    """Return the class that the tag of ``value`` names, or what is wrong with the value or its tag."""
    if type(value) is not dict:
        problem = f"a command is a JSON object, got {describe(value)}."
        remedy = f"Send an object such as {example('list_dir')}; no text inside text, no list."
        return Problem(code="wrong_type", field="command", problem=problem, remedy=remedy)
    given = cast("dict[object, object]", value)
    there_are = f"Commands: {', '.join(offered)}."
    if "op" not in given:
        if not _SHELL_KEYS.isdisjoint(given):
            return _raw_shell()
        remedy = f"There is no shell here; pick a command, e.g. {example('git_status')}. {there_are}"
        return Problem(code="missing_op", field="op", problem='every command needs "op".', remedy=remedy)
    tag = given["op"]
    if type(tag) is not str:
        problem = f"op must be the name of a command, got {describe(tag)}."
        return Problem(code="wrong_type", field="op", problem=problem, remedy=there_are)
    kind = table.get(tag)
    if kind is not None:
        return kind
    if tag.casefold() in SHELLS:
        return _raw_shell()
    if tag.casefold() in INSTEAD:
        remedy = f"{INSTEAD[tag.casefold()]} {there_are}"
        return Problem(code="unknown_op", field="op", problem=f"op {quote(tag)} is not a command.", remedy=remedy)
    near = KIN.get(tag.casefold()) or nearest(tag, offered) or ""
    problem = f"op {quote(tag)} is not a command." + (f" Nearest: {near}." if near in offered else "")
    remedy = f"{there_are} Example: {example(near if near in offered else 'read_file')}"
    return Problem(code="unknown_op", field="op", problem=problem, remedy=remedy)


def checked(kind: type[K], value: object) -> list[Problem]:
    """Return what is wrong with the fields of a JSON object that has the tag of ``kind``."""
    given = cast("dict[object, object]", value)  # class_of looked
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
    return problems


def _op(kind: type[attrs.AttrsInstance]) -> str:
    return cast("str", getattr(kind, "op", kind.__name__))  # every class in the tables has one


def _raw_shell() -> Problem:
    return Problem(
        code="raw_shell",
        field="op",
        problem="free shell text and argv are not accepted.",
        remedy='"ls -la src" is {"op":"list_dir","path":"src","all":true,"long":true}',
    )


def _extra(kind: type[attrs.AttrsInstance], key: object) -> Problem:
    names = [field.name for field in attrs.fields(kind)]
    shown = quote(key) if isinstance(key, str) else describe(key)
    near = nearest(key, names) if isinstance(key, str) else None
    did_you = f"Did you mean {near}? " if near else ""
    return Problem(
        code="extra_key",
        field=key[:40] if isinstance(key, str) and key[:40].isidentifier() else _op(kind),
        problem=f"{shown} is not a field of {_op(kind)}.",
        remedy=f"{did_you}Fields: {', '.join(names)}. Options are typed fields; flags cannot be passed.",
    )


def _missing(kind: type[attrs.AttrsInstance], name: str) -> Problem:
    remedy = f"For example {example(_op(kind))}"
    return Problem(code="missing_field", field=name, problem=f'{_op(kind)} needs "{name}".', remedy=remedy)
