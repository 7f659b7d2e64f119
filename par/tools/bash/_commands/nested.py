"""The values inside commands that have fields of their own."""

import re
from collections.abc import Mapping
from typing import Generic, Literal, TypeAlias, TypeVar, cast

import attrs

from par._json import Json, JsonObject
from par.tools.bash._commands.kinds import KIND, Choice, Whole, kind_of
from par.tools.bash._commands.refusals import Problem, describe
from par.tools.bash._commands.texts import text_problem
from par.tools.bash._commands.values import check, field_problems, joined

__all__ = ["Age", "Key", "Param", "Params", "ParamsKind", "Unit", "age", "as_age", "as_key", "as_params", "key"]

T = TypeVar("T", bound=attrs.AttrsInstance)

Unit: TypeAlias = Literal["minutes", "hours", "days", "weeks", "months", "years"]
Param: TypeAlias = str | int | bool
_UNITS = ("minutes", "hours", "days", "weeks", "months", "years")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MAX_PARAMS = 32
_MAX_TEXT = 4096


@attrs.frozen(kw_only=True)
class Age:
    """A span of time back from now."""

    unit: Unit = attrs.field(metadata=Choice("The unit.", _UNITS).at())
    count: int = attrs.field(metadata=Whole("How many of them.", 1, 100_000).at())

    def __attrs_post_init__(self) -> None:
        check(self)

    @property
    def seconds(self) -> int:
        """The span in seconds; a month counts 30 days and a year 365."""
        each = (60, 3600, 86_400, 604_800, 2_592_000, 31_536_000)
        return self.count * each[_UNITS.index(self.unit)]


@attrs.frozen(kw_only=True)
class Key:
    """The fields of a line that it is sorted by, counted from 1."""

    start: int = attrs.field(metadata=Whole("The first field.", 1, 10_000).at())
    end: int | None = attrs.field(
        default=None, metadata=Whole("The last; to the line's end unless given.", 1, 10_000).at()
    )

    def __attrs_post_init__(self) -> None:
        turned = type(self.end) is int and type(self.start) is int and self.end < self.start
        check(self, joined("end is before start.", "end") if turned else None)


@attrs.frozen
class Record(Generic[T]):
    """The kind of a field that holds a value of a class with fields of its own, or its JSON object."""

    doc: str
    kind: type[T]
    example: str

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        return {KIND: self}

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        fields = attrs.fields(self.kind)
        properties: JsonObject = {field.name: kind_of(field).schema() for field in fields}
        required: list[Json] = [field.name for field in fields if field.default is attrs.NOTHING]
        return {
            "type": "object",
            "description": self.doc,
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        wanted = f"{field} must be an object such as {self.example}"
        if type(value) is self.kind:
            inner = field_problems(value)
            return attrs.evolve(inner[0], field=f"{field}.{inner[0].field}") if inner else None
        if type(value) is not dict:
            return Problem(code="wrong_type", field=field, problem=f"{wanted}, got {describe(value)}.")
        given = cast("dict[object, object]", value)
        fields = {attribute.name: attribute for attribute in attrs.fields(self.kind)}
        absent = [
            name for name, attribute in fields.items() if attribute.default is attrs.NOTHING and name not in given
        ]
        if absent or not set(given) <= set(fields):
            return Problem(
                code="wrong_type", field=field, problem=f"{wanted}; its fields are {', '.join(fields)} and no other."
            )
        for name, attribute in fields.items():
            if name in given:
                found = kind_of(attribute).problem(f"{field}.{name}", given[name])
                if found is not None:
                    return found
        return None


def _made(kind: type[T], value: object) -> T:
    """Make a value of its JSON object where that has nothing wrong; the check refuses everything else."""
    fields = cast("dict[str, object]", value)  # as the next line looks
    if type(value) is dict and Record("", kind, "").problem("", fields) is None:
        return kind(**fields)
    return cast("T", value)  # checked after building


def as_age(value: "Age | Mapping[str, object] | None") -> Age | None:
    """Make the JSON object of an age an ``Age``."""
    return None if value is None else _made(Age, value)


def as_key(value: "Key | Mapping[str, object] | None") -> Key | None:
    """Make the JSON object of a key a ``Key``."""
    return None if value is None else _made(Key, value)


def age(doc: str) -> Record[Age]:
    """Return the kind of a span of time."""
    return Record(doc, Age, '{"unit": "days", "count": 2}')


def key(doc: str) -> Record[Key]:
    """Return the kind of the fields to sort by."""
    return Record(doc, Key, '{"start": 2, "end": 2}')


@attrs.frozen
class Params:
    """The parameters of a task: names with texts, whole numbers or truth values. The host says which a task has."""

    items: tuple[tuple[str, Param], ...] = ()

    def get(self, name: str) -> Param | None:
        """Return the value of a parameter, if it was given."""
        return dict(self.items).get(name)

    def to_json(self) -> JsonObject:
        """Return the parameters as a JSON object."""
        return dict(self.items)


def as_params(value: "Params | Mapping[str, Param]") -> Params:
    """Make a mapping ``Params``; leave everything else for the check to refuse."""
    if type(value) is not dict:
        return cast("Params", value)  # checked after building
    return Params(tuple(cast("dict[str, Param]", value).items()))  # as above


@attrs.frozen
class ParamsKind:
    """The kind of a field that holds parameters."""

    doc: str

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        return {KIND: self}

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {
            "type": "object",
            "description": self.doc,
            "maxProperties": _MAX_PARAMS,
            "additionalProperties": {"type": ["string", "integer", "boolean"]},
        }

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        items = value.items if type(value) is Params else value
        if type(items) is dict:
            items = tuple(cast("dict[object, object]", items).items())
        if type(items) is not tuple:
            return Problem(code="wrong_type", field=field, problem=f"{field} must be an object, got {describe(value)}.")
        pairs = cast("tuple[tuple[object, object], ...]", items)  # of Params or of a dict
        if len(pairs) > _MAX_PARAMS:
            return Problem(code="wrong_size", field=field, problem=f"{field} has more than {_MAX_PARAMS} entries.")
        for name, held in pairs:
            found = _param_problem(field, name, held)
            if found is not None:
                return found
        return None


def _param_problem(field: str, name: object, held: object) -> Problem | None:
    if type(name) is not str or not _NAME.fullmatch(name):
        return Problem(code="wrong_type", field=field, problem="names have letters, digits and _ only.")
    place = f"{field}.{name}"
    if type(held) is str:
        if len(held) > _MAX_TEXT:
            return Problem(code="too_long", field=place, problem=f"at most {_MAX_TEXT} characters are allowed.")
        if held.startswith("-") or "=" in held:
            problem = "a parameter does not begin with - and has no =: it could be taken for an option."
            return Problem(code="bad_text", field=place, problem=problem, remedy="Send the plain value.")
        return text_problem(place, held, lines=False)
    if type(held) is bool or (type(held) is int and abs(held) < 2**53):
        return None
    wanted = "a text, a whole number, true or false"
    return Problem(code="wrong_type", field=place, problem=f"{place} must be {wanted}, got {describe(held)}.")
