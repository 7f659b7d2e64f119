"""What commands have in common: how they are checked when built, and the values inside them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

import attrs

from par._json import JsonObject
from par.tools.bash._commands.kinds import KIND, Choice, Whole, kind_of
from par.tools.bash._commands.refusals import Problem, refusal

__all__ = ["Age", "AgeKind", "Unit", "as_age", "as_tuple", "check", "field_problems"]

Unit: TypeAlias = Literal["minutes", "hours", "days", "weeks", "months", "years"]


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


@attrs.frozen(kw_only=True)
class Age:
    """A span of time back from now."""

    unit: Unit = attrs.field(
        metadata=Choice("The unit.", ("minutes", "hours", "days", "weeks", "months", "years")).at()
    )
    count: int = attrs.field(metadata=Whole("How many of them.", 1, 100_000).at())

    def __attrs_post_init__(self) -> None:
        check(self)

    @property
    def seconds(self) -> int:
        """The span in seconds; a month counts 30 days and a year 365."""
        each = {
            "minutes": 60,
            "hours": 3600,
            "days": 86_400,
            "weeks": 604_800,
            "months": 2_592_000,
            "years": 31_536_000,
        }
        return self.count * each[self.unit]


@attrs.frozen
class AgeKind:
    """The kind of a field that holds an ``Age``."""

    doc: str

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        return {KIND: self}

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        properties: JsonObject = {field.name: kind_of(field).schema() for field in attrs.fields(Age)}
        return {
            "type": "object",
            "description": self.doc,
            "properties": properties,
            "required": ["unit", "count"],
            "additionalProperties": False,
        }

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, an ``Age`` or its JSON object."""
        wanted = f'{field} must be an object such as {{"unit": "days", "count": 2}}'
        if type(value) is Age:
            inner = field_problems(value)
            return attrs.evolve(inner[0], field=f"{field}.{inner[0].field}") if inner else None
        if not isinstance(value, dict):
            return Problem(code="wrong_type", field=field, problem=f"{wanted}.")
        given = cast("dict[object, object]", value)
        if set(given) != {"unit", "count"}:
            return Problem(code="wrong_type", field=field, problem=f"{wanted}, with these two fields and no other.")
        for attribute in attrs.fields(Age):
            found = kind_of(attribute).problem(f"{field}.{attribute.name}", given[attribute.name])
            if found is not None:
                return found
        return None


def as_age(value: "Age | Mapping[str, object] | None") -> Age | None:
    """Make the JSON object of an age an ``Age``; leave everything else for the check to refuse."""
    if isinstance(value, dict) and AgeKind("").problem("age", value) is None:
        return Age(unit=cast("Unit", value["unit"]), count=cast("int", value["count"]))  # checked in the line above
    return cast("Age | None", value)  # checked after building


def joined(problem: str, *fields: str) -> Problem:
    """Return the problem of two fields that do not go together."""
    return Problem(code="bad_combination", field=fields[0], problem=problem)


def sequence(value: Sequence[str] | None) -> tuple[str, ...]:
    """Return the entries of a list that may be absent."""
    return () if value is None else tuple(value)
