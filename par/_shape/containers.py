"""Shapes with parts of one kind: lists, tuples, sets, mappings, unions, and constrained shapes."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast, final

import attrs

from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par._shape.scalars import Nothing
from par._shape.shape import MAX_PROBLEMS, SchemaWriter, Shape, describe, mismatch

__all__ = ["ArrayOf", "Bounds", "Constrained", "FixedTuple", "MapOf", "OneOf"]


def _from_text(value: Json, wanted: type) -> Json:
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
    """A list of any length; text is never split into characters."""

    def __init__(self, item: Shape, build: Callable[[Iterable[object]], object], kind: type) -> None:
        self._item = item
        self._build = build
        self._kind = kind
        self._unique = kind in (set, frozenset)
        self.expected = "a list, each item " + item.expected

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        schema: JsonObject = {"type": "array", "items": self._item.schema(writer)}
        return {**schema, "uniqueItems": True} if self._unique else schema

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        if not isinstance(value, list):
            problems.append(mismatch(path, self.expected, value, "Send a JSON array."))
            return value
        items: list[object] = []
        for index, item in enumerate(value):
            items.append(self._item.structure(item, f"{path}[{index}]", problems))
            if len(problems) >= MAX_PROBLEMS:
                return value
        if problems:
            return value
        built = self._build(items)
        if self._unique and len(cast("Collection[object]", built)) != len(items):
            problems.append(f"{path}: an item appears twice.")
        return built

    def relax(self, value: Json, /) -> Json:
        value = _from_text(value, list)
        if not isinstance(value, list):
            return value if value is None else [self._item.relax(value)]
        return [self._item.relax(item) for item in value]

    def matches(self, value: object, /) -> bool:
        if isinstance(value, (str, bytes)) or not isinstance(
            value, (self._kind, list, tuple) if not self._unique else AbstractSet
        ):
            return False
        return all(self._item.matches(item) for item in cast("Iterable[object]", value))


@final
class FixedTuple:
    """A list of a known length with a type for each place."""

    def __init__(self, items: Sequence[Shape]) -> None:
        self._items = tuple(items)
        self.expected = f"a list of exactly {len(self._items)}: " + ", ".join(item.expected for item in self._items)

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        count = len(self._items)
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
        value = _from_text(value, list)
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
            built[key] = self._item.structure(item, f"{path}.{key}", problems)
            if len(problems) >= MAX_PROBLEMS:
                break
        return built

    def relax(self, value: Json, /) -> Json:
        value = _from_text(value, dict)
        return {key: self._item.relax(item) for key, item in value.items()} if isinstance(value, dict) else value

    def matches(self, value: object, /) -> bool:
        if not isinstance(value, Mapping):
            return False
        items = cast("Mapping[object, object]", value).items()
        return all(isinstance(key, str) and self._item.matches(item) for key, item in items)


@final
class OneOf:
    """A union: the first branch that fits without a problem wins."""

    def __init__(self, branches: Sequence[Shape]) -> None:
        self._branches = tuple(branches)
        self.expected = " or ".join(branch.expected for branch in self._branches)

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        return {"anyOf": [branch.schema(writer) for branch in self._branches]}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        nearest: list[str] = []
        for branch in self._branches:
            found: list[str] = []
            built = branch.structure(value, path, found)
            if not found:
                return built
            # a problem deeper than the value itself means that this branch was meant
            if not found[0].startswith(f"{path}: expected"):
                nearest = nearest or found
        problems.extend(nearest or [mismatch(path, self.expected, value)])
        return value

    def relax(self, value: Json, /) -> Json:
        for branch in self._branches:
            if not self._problems(branch, value):
                return value
        for branch in self._branches:
            relaxed = branch.relax(value)
            if not isinstance(branch, Nothing) and not self._problems(branch, relaxed):
                return relaxed
        return value

    @staticmethod
    def _problems(branch: Shape, value: Json) -> list[str]:
        problems: list[str] = []
        branch.structure(value, "", problems)
        return problems

    def matches(self, value: object, /) -> bool:
        return any(branch.matches(value) for branch in self._branches)


@attrs.frozen(kw_only=True)
class Bounds:
    """The limits that ``Annotated`` may put on a type; names as JSON Schema and annotated-types have them."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(getattr(self, field.name) is not None for field in attrs.fields(Bounds))


_COMPARISONS: tuple[tuple[str, str, str, Callable[[float, float], bool]], ...] = (
    ("ge", "minimum", "at least", lambda value, limit: value >= limit),
    ("gt", "exclusiveMinimum", "greater than", lambda value, limit: value > limit),
    ("le", "maximum", "at most", lambda value, limit: value <= limit),
    ("lt", "exclusiveMaximum", "less than", lambda value, limit: value < limit),
    ("multiple_of", "multipleOf", "a multiple of", lambda value, limit: value % limit == 0),
)


@final
class Constrained:
    """A shape with limits and with a description for the model."""

    def __init__(self, inner: Shape, bounds: Bounds, description: str | None) -> None:
        self._inner = inner
        self._bounds = bounds
        self._pattern = None if bounds.pattern is None else re.compile(bounds.pattern)
        self._description = description
        limits = [
            f"{words} {limit:g}" for name, _, words, _ in _COMPARISONS if (limit := self._limit(name)) is not None
        ]
        self.expected = inner.expected + (" " + " and ".join(limits) if limits else "")

    def _limit(self, name: str) -> float | None:
        limit: float | None = getattr(self._bounds, name)
        return limit

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        schema = dict(self._inner.schema(writer))
        for name, keyword, _, _ in _COMPARISONS:
            if (limit := self._limit(name)) is not None:
                schema[keyword] = limit
        unit = {"array": "Items", "object": "Properties"}.get(str(schema.get("type")), "Length")
        if self._bounds.min_length is not None:
            schema[f"min{unit}"] = self._bounds.min_length
        if self._bounds.max_length is not None:
            schema[f"max{unit}"] = self._bounds.max_length
        if self._bounds.pattern is not None:
            schema["pattern"] = self._bounds.pattern
        if self._description:
            schema["description"] = self._description
        return schema

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        before = len(problems)
        built = self._inner.structure(value, path, problems)
        if len(problems) == before and built is not None:
            problems.extend(f"{path}: {broken}, got {describe(value)}." for broken in self._broken(value))
        return built

    def _broken(self, value: Json) -> list[str]:
        broken: list[str] = []
        if isinstance(value, (int, float)):
            for name, _, words, holds in _COMPARISONS:
                limit = self._limit(name)
                if limit is not None and not holds(value, limit):
                    broken.append(f"must be {words} {limit:g}")
        elif isinstance(value, (str, list, dict)):
            least, most = self._bounds.min_length, self._bounds.max_length
            unit = "characters" if isinstance(value, str) else "items"
            if least is not None and len(value) < least:
                broken.append(f"must have at least {least} {unit}")
            if most is not None and len(value) > most:
                broken.append(f"must have at most {most} {unit}")
            if self._pattern is not None and isinstance(value, str) and not self._pattern.search(value):
                broken.append(f"must match the pattern {self._pattern.pattern}")
        return broken

    def relax(self, value: Json, /) -> Json:
        return self._inner.relax(value)

    def matches(self, value: object, /) -> bool:
        if not self._inner.matches(value):
            return False
        return not isinstance(value, (str, int, float)) or not self._broken(value)
