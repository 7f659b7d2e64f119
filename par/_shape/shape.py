"""What a shape is, and the words in which problems are told."""

from typing import Protocol, final

from par._json import Json, JsonObject, dump_json

__all__ = ["MAX_PROBLEMS", "SchemaWriter", "Shape", "describe", "mismatch"]

MAX_PROBLEMS = 5
_QUOTE_CHARS = 80


@final
class SchemaWriter:
    """Collects the definitions that recursive types refer to while a schema is written."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.used: set[str] = set()
        self.definitions: JsonObject = {}

    def finish(self, schema: JsonObject) -> JsonObject:
        """Return ``schema`` with its definitions, if any were needed."""
        return {**schema, "$defs": self.definitions} if self.definitions else schema


class Shape(Protocol):
    """One type, read once.

    ``expected`` names it in errors ("a whole number"). ``structure`` turns JSON into a value and appends a
    sentence to ``problems`` for each thing that is wrong (its return value is then meaningless).
    """

    @property
    def expected(self) -> str: ...
    def schema(self, writer: SchemaWriter, /) -> JsonObject: ...
    def structure(self, value: Json, path: str, problems: list[str], /) -> object: ...
    def relax(self, value: Json, /) -> Json: ...
    def matches(self, value: object, /) -> bool: ...


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


def clip(text: str) -> str:
    """Cut a quotation to a readable length."""
    return text if len(text) <= _QUOTE_CHARS else text[:_QUOTE_CHARS] + "..."


def mismatch(path: str, expected: str, value: Json, hint: str = "") -> str:
    """Say that ``value`` at ``path`` is not what was expected."""
    return f"{path}: expected {expected}, got {describe(value)}." + (f" {hint}" if hint else "")
