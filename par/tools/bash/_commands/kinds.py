"""What a field of a command may hold: the check of the value, and its JSON Schema.

A kind never converts: a value either is exactly of its type or is a problem.
"""

from collections.abc import Callable
from typing import Protocol, cast

import attrs

from par._json import Json, JsonObject
from par.tools.bash._commands.refusals import Problem, describe
from par.tools.bash._commands.texts import glob_problem, path_problem, pattern_problem, revision_problem, words_problem

__all__ = ["KIND", "Choice", "Flag", "Kind", "Many", "One", "Whole", "glob", "kind_of", "path", "pattern", "revision"]
__all__ += ["words"]

KIND = "par.bash.kind"
_MAX_ITEMS = 256

Check = Callable[[str, str], Problem | None]


class Kind(Protocol):
    """What one field may hold."""

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        ...

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        ...

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        ...


def kind_of(attribute: "attrs.Attribute[object]") -> Kind:
    """Return the kind that the field was declared with."""
    return cast("Kind", attribute.metadata[KIND])  # every field of every command has one; a test looks


def _wrong(field: str, wanted: str, value: object, hint: str = "") -> Problem:
    return Problem(
        code="wrong_type", field=field, problem=f"{field} must be {wanted}, got {describe(value)}.", remedy=hint
    )


@attrs.frozen
class _Documented:
    doc: str

    def at(self) -> dict[str, object]:
        """Return attrs metadata that carries the kind."""
        return {KIND: self}


@attrs.frozen
class Flag(_Documented):
    """``true`` or ``false``."""

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "boolean", "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is bool:
            return None
        return _wrong(field, "true or false", value, "Send it without quotes." if isinstance(value, str) else "")


@attrs.frozen
class Whole(_Documented):
    """A whole number within bounds."""

    low: int
    high: int

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high, "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is int and self.low <= value <= self.high:
            return None
        hint = ""
        if isinstance(value, str) and len(value) < 20 and value.isascii() and value.isdigit():
            hint = f"Send {value} without quotes."
        return _wrong(field, f"a whole number between {self.low} and {self.high}", value, hint)


@attrs.frozen
class Choice(_Documented):
    """One of some words."""

    options: tuple[str, ...]

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "string", "enum": [*self.options], "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is str and value in self.options:
            return None
        return _wrong(field, f"one of {', '.join(self.options)}", value)


@attrs.frozen
class One(_Documented):
    """A text that passes a check."""

    what: str
    check: Check
    longest: int
    is_path: bool = False

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        return {"type": "string", "minLength": 1, "maxLength": self.longest, "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is not str:  # a subclass could answer differently at the second look
            return _wrong(field, self.what, value)
        if len(value) > self.longest:
            return Problem(
                code="too_long",
                field=field,
                problem=f"{field} has {len(value)} characters; at most {self.longest} are allowed.",
            )
        return self.check(field, value)


@attrs.frozen
class Many(_Documented):
    """A list of texts that pass a check; at least one."""

    item: One
    most: int = _MAX_ITEMS

    def schema(self) -> JsonObject:
        """Return the JSON Schema of the field."""
        item: JsonObject = {"type": "string", "minLength": 1, "maxLength": self.item.longest}
        return {"type": "array", "items": item, "minItems": 1, "maxItems": self.most, "description": self.doc}

    def problem(self, field: str, value: object) -> Problem | None:
        """Say what is wrong with ``value``, if anything is."""
        if type(value) is not list and type(value) is not tuple:
            hint = "Put it in a list: [...]." if isinstance(value, str) else ""
            return _wrong(field, f"a list of texts, each {self.item.what}", value, hint)
        items = cast("list[object]", value)  # checked above; the items are checked below
        if not 1 <= len(items) <= self.most:
            return Problem(
                code="wrong_size",
                field=field,
                problem=f"{field} has {len(items)} entries; 1 to {self.most} are allowed.",
            )
        for number, item in enumerate(items):
            found = self.item.problem(f"{field}[{number}]", item)
            if found is not None:
                return found
        return None


def path(doc: str) -> One:
    """Return the kind of one path below the workspace."""
    return One(doc, "a relative path", path_problem, 4096, is_path=True)


def glob(doc: str) -> One:
    """Return the kind of one pattern of names with ``*``, ``?`` and ``[...]``."""
    return One(doc, "a pattern of names such as *.py", glob_problem, 256)


def pattern(doc: str) -> One:
    """Return the kind of a regular expression or a text to look for."""
    return One(doc, "a text", pattern_problem, 1000)


def revision(doc: str) -> One:
    """Return the kind of a git revision."""
    return One(doc, "a revision such as HEAD~1, main or abc1234", revision_problem, 256)


def words(doc: str) -> One:
    """Return the kind of a short text in one line."""
    return One(doc, "a text", words_problem, 500)


def json_value(value: object) -> Json:
    """Return the JSON form of a field's value: tuples become lists, nested values objects."""
    if isinstance(value, tuple):
        return [json_value(item) for item in cast("tuple[object, ...]", value)]
    kind = type(value)
    if attrs.has(kind):
        return {field.name: json_value(getattr(value, field.name)) for field in attrs.fields(kind)}
    return cast("Json", value)  # what kinds let through is text, whole numbers, booleans and None
