"""Shapes with parts of one kind: lists, tuples, sets and mappings."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast, final

from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par._shape.shape import MAX_PROBLEMS, SchemaWriter, Shape, at, fits, inside, mismatch

__all__ = ["ArrayOf", "FixedTuple", "MapOf", "from_text"]


def from_text(value: Json, wanted: type) -> Json:
    """Read a list or an object that a model wrote as text."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            inner = load_json(value)
        except JsonSyntaxError:
            return value
        return inner if isinstance(inner, wanted) else value
    return value


@final
class ArrayOf:
    """A list of any length; text is never split into characters.

    Sets are lists whose values differ. ``["a", "./a"]`` is no set of paths: what counts is the Python value.
    """

    kinds = frozenset({"array"})

    def __init__(self, item: Shape, build: Callable[[Iterable[object]], object], kind: type) -> None:
        self._item = item
        self._build = build
        self._kind = kind
        self._unique = issubclass(kind, AbstractSet)
        self.expected = "a list, each item " + item.expected

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        schema: JsonObject = {"type": "array", "items": self._item.schema(writer)}
        return {**schema, "uniqueItems": True} if self._unique else schema

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, list):
            problems.append(mismatch(path, self.expected, value, "Send a JSON array."))
            return value
        before = len(problems)
        items: list[object] = []
        for index, item in enumerate(value):
            items.append(self._item.structure(item, f"{path}[{index}]", problems))
            if len(problems) >= MAX_PROBLEMS:
                return value
        if len(problems) > before:
            return value
        if self._unique:
            return self._set(items, path, problems)
        return self._build(items)

    def _set(self, items: list[object], path: str, problems: list[str]) -> object:
        try:
            # 1, 1.0 and true are one member of a set, and three values in JSON
            built = cast("Collection[object]", self._build(items))
        except TypeError:  # lists and dicts, which only an untyped set lets through to here
            problems.append(f"{at(path)}expected a list of plain values, got a list or an object in it.")
            return items
        if len(built) != len(items):
            problems.append(f"{at(path)}an item appears twice. Send each item once.")
        return built

    def relax(self, value: Json, /) -> Json:
        value = from_text(value, list)
        if isinstance(value, list):
            return [self._item.relax(item) for item in value]
        alone = self._item.relax(value)
        return [alone] if value is not None and fits(self._item, alone) else value

    def matches(self, value: object, /) -> bool:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(
            value, (self._kind, list, tuple) if not self._unique else AbstractSet
        ):
            return False
        return all(self._item.matches(item) for item in cast("Iterable[object]", value))


@final
class FixedTuple:
    """A list of a known length with a type for each place."""

    kinds = frozenset({"array"})

    def __init__(self, items: Sequence[Shape]) -> None:
        self._items = tuple(items)
        parts = ", ".join(item.expected for item in self._items)
        self.expected = f"a list of exactly {len(self._items)}: {parts}" if self._items else "an empty list"

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        count = len(self._items)
        if not count:  # prefixItems may not be empty
            return {"type": "array", "maxItems": 0}
        return {
            "type": "array",
            "prefixItems": [item.schema(writer) for item in self._items],
            "minItems": count,
            "maxItems": count,
        }

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, list) or len(value) != len(self._items):
            problems.append(mismatch(path, self.expected, value))
            return value
        return tuple(
            item.structure(part, f"{path}[{index}]", problems)
            for index, (item, part) in enumerate(zip(self._items, value, strict=True))
        )

    def relax(self, value: Json, /) -> Json:
        value = from_text(value, list)
        if not isinstance(value, list) or len(value) != len(self._items):
            return value
        return [item.relax(part) for item, part in zip(self._items, value, strict=True)]

    def matches(self, value: object, /) -> bool:
        if not isinstance(value, tuple):
            return False
        parts = cast("tuple[object, ...]", value)
        return len(parts) == len(self._items) and all(
            item.matches(part) for item, part in zip(self._items, parts, strict=True)
        )


@final
class MapOf:
    """An object with free keys and values of one type."""

    kinds = frozenset({"object"})

    def __init__(self, item: Shape) -> None:
        self._item = item
        self.expected = "an object, each value " + item.expected

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        return {"type": "object", "additionalProperties": self._item.schema(writer)}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, dict):
            problems.append(mismatch(path, self.expected, value))
            return value
        built: dict[str, object] = {}
        for key, item in value.items():
            built[key] = self._item.structure(item, inside(path, key), problems)
            if len(problems) >= MAX_PROBLEMS:
                break
        return built

    def relax(self, value: Json, /) -> Json:
        value = from_text(value, dict)
        return {key: self._item.relax(item) for key, item in value.items()} if isinstance(value, dict) else value

    def matches(self, value: object, /) -> bool:
        if not isinstance(value, Mapping):
            return False
        items = cast("Mapping[object, object]", value).items()
        return all(isinstance(key, str) and self._item.matches(item) for key, item in items)
