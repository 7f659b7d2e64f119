"""What commands have in common: how they are checked when they are built."""

from collections.abc import Iterable, Sequence
from typing import cast

import attrs

from par.tools.bash._commands.kinds import kind_of
from par.tools.bash._commands.refusals import Problem, refusal

__all__ = ["as_optional_tuple", "as_tuple", "check", "field_problems", "joined", "sequence"]


def field_problems(value: attrs.AttrsInstance) -> list[Problem]:
    """Return the problems of all fields; a field that holds its default of ``None`` was not given."""
    found: list[Problem] = []
    for field in attrs.fields(type(value)):
        held: object = getattr(value, field.name, field)  # a forged object may lack it
        if held is None and field.default is None:
            continue
        problem = kind_of(field).problem(field.name, held)
        if problem is not None:
            found.append(problem)
    return found


def check(value: attrs.AttrsInstance, *more: Problem | None) -> None:
    """Refuse ``value`` if a field is wrong, or if ``more`` names problems between fields.

    Raises:
        CommandRefused: with up to five problems.
    """
    problems = [*field_problems(value), *(problem for problem in more if problem is not None)]
    if problems:
        raise refusal(problems)


def as_tuple(value: Iterable[str]) -> tuple[str, ...]:
    """Make a list a tuple; leave everything else for the check to refuse, a text above all."""
    return tuple(value) if isinstance(value, list) else cast("tuple[str, ...]", value)  # checked after building


def as_optional_tuple(value: Iterable[str] | None) -> tuple[str, ...] | None:
    """The same for a field that may be absent."""
    return None if value is None else as_tuple(value)


def joined(problem: str, *fields: str) -> Problem:
    """Return the problem of two fields that do not go together."""
    return Problem(code="bad_combination", field=fields[0], problem=problem)


def sequence(value: Sequence[str] | None) -> tuple[str, ...]:
    """Return the entries of a list that may be absent."""
    return () if value is None else tuple(value)
