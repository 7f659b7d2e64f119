"""What a shape is, and the words in which problems are told."""

import re
from collections.abc import Callable
from typing import Protocol, final

from par._json import Json, JsonObject, dump_json

__all__ = [
    "ALL_KINDS",
    "DECIMAL",
    "MAX_PROBLEMS",
    "SchemaWriter",
    "Shape",
    "at",
    "clip",
    "describe",
    "fits",
    "inside",
    "mismatch",
]

MAX_PROBLEMS = 5
"""More sentences than these teach a model nothing more."""
ALL_KINDS = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
"""What JSON Schema calls the kinds of JSON."""
DECIMAL = "decimal"
"""A kind of our own, beside "string": text that is a number."""
_QUOTE_CHARS = 80
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")


@final
class SchemaWriter:
    """Collects the definitions that recursive types refer to while a schema is written.

    Types are told apart by what they are, not by their names: two classes of one name get two definitions.
    """

    def __init__(self) -> None:
        self._open: list[object] = []
        self._names: dict[object, str] = {}
        self._definitions: JsonObject = {}

    def define(self, key: object, name: str, write: Callable[[], JsonObject]) -> JsonObject:
        """Return the schema that ``write`` writes, or a reference to it if it contains itself."""
        if key not in self._names:
            if key not in self._open:
                self._open.append(key)
                schema = write()
                self._open.pop()
                if key not in self._names:
                    return schema
                self._definitions[self._names[key]] = schema
            else:
                self._names[key] = self._unique(_NO_NAME.sub("_", name) or "Object")
        return {"$ref": f"#/$defs/{self._names[key]}"}

    def _unique(self, name: str) -> str:
        taken = set(self._names.values())
        number = 1
        candidate = name
        while candidate in taken:
            number += 1
            candidate = f"{name}{number}"
        return candidate

    def finish(self, schema: JsonObject) -> JsonObject:
        """Return ``schema`` with its definitions, if any were needed."""
        return {**schema, "$defs": self._definitions} if self._definitions else schema


class Shape(Protocol):
    """One type, read once.

    ``expected`` names it in errors ("a whole number"). ``kinds`` are the kinds of JSON it may be written as.
    ``structure`` turns JSON into a value and appends a sentence to ``problems`` for each thing that is wrong (its
    return value is then meaningless). ``relax`` mends slips that have one meaning, and leaves alone what fits.
    ``matches`` tells whether a Python value is of the type.
    """

    @property
    def expected(self) -> str: ...
    @property
    def kinds(self) -> frozenset[str]: ...
    def schema(self, writer: SchemaWriter, /) -> JsonObject: ...
    def structure(self, value: Json, path: str, problems: list[str], /) -> object: ...
    def relax(self, value: Json, /) -> Json: ...
    def matches(self, value: object, /) -> bool: ...


def fits(shape: Shape, value: Json) -> bool:
    """Tell whether ``value`` structures without a problem."""
    problems: list[str] = []
    shape.structure(value, "", problems)
    return not problems


def describe(value: Json) -> str:
    """Say what arrived, in a few words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {clip(str(value))}"
    if isinstance(value, str):
        return f"the text {clip(dump_json(value))}"
    if isinstance(value, list):
        return "an empty list" if not value else f"a list of {len(value)}"
    return f"an object with the keys {clip(', '.join(value))}" if value else "an empty object"


def clip(text: str, most: int = _QUOTE_CHARS) -> str:
    """Cut a quotation to a readable length."""
    return text if len(text) <= most else text[:most] + "..."


def at(path: str) -> str:
    """Begin a sentence about the value at ``path``."""
    return f"{path}: " if path else ""


def inside(path: str, key: str) -> str:
    """Return the path of a key; keys of free objects are the model's, so they are cut like quotations."""
    return f"{path}.{clip(key)}" if path else clip(key)


def mismatch(path: str, expected: str, value: Json, hint: str = "") -> str:
    """Say that ``value`` at ``path`` is not what was expected."""
    return f"{at(path)}expected {expected}, got {describe(value)}." + (f" {hint}" if hint else "")
