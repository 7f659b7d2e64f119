"""Limits and descriptions that ``Annotated`` puts on a type."""

import re
from collections.abc import Callable, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Protocol, cast, final

import attrs

from par._json import Json, JsonObject
from par._shape.shape import DECIMAL, SchemaWriter, Shape, at, describe

__all__ = ["Bounds", "Constrained", "Param"]

_LENGTHS: Mapping[str, str] = {"string": "Length", "array": "Items", "object": "Properties"}


class _Limits(Protocol):
    @property
    def ge(self) -> float | None: ...
    @property
    def gt(self) -> float | None: ...
    @property
    def le(self) -> float | None: ...
    @property
    def lt(self) -> float | None: ...
    @property
    def multiple_of(self) -> float | None: ...
    @property
    def min_length(self) -> int | None: ...
    @property
    def max_length(self) -> int | None: ...
    @property
    def pattern(self) -> str | None: ...


def _check_limits(limits: _Limits) -> None:
    for name in ("ge", "gt", "le", "lt", "multiple_of"):
        number: object = getattr(limits, name)
        if number is None:
            continue
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not isfinite(number):
            raise ValueError(f"{name} must be a finite number, got {number!r}")
    if limits.multiple_of is not None and limits.multiple_of <= 0:
        raise ValueError(f"multiple_of must be greater than 0, got {limits.multiple_of!r}")
    for name in ("min_length", "max_length"):
        length: object = getattr(limits, name)
        if length is not None and (type(length) is not int or length < 0):
            raise ValueError(f"{name} must be a whole number, 0 or more, got {length!r}")
    _check_room(limits)
    if limits.pattern is not None:
        try:
            re.compile(limits.pattern)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from None


def _check_room(limits: _Limits) -> None:
    pairs = (("ge", "le"), ("gt", "le"), ("ge", "lt"), ("gt", "lt"), ("min_length", "max_length"))
    for lower, upper in pairs:
        least: float | None = getattr(limits, lower)
        most: float | None = getattr(limits, upper)
        if least is None or most is None:
            continue
        if least > most or (least == most and (lower, upper) not in {("ge", "le"), ("min_length", "max_length")}):
            raise ValueError(f"nothing is between {lower}={least!r} and {upper}={most!r}")


@attrs.frozen(kw_only=True)
class Param:
    """What ``Annotated`` can tell of a parameter: ``city: Annotated[str, Param(description="...", max_length=80)]``.

    A plain string in ``Annotated`` is a description too. The limits of annotated-types (``Ge``, ``Interval``,
    ``MultipleOf``, ``Len``...) and the texts of ``Doc`` and ``DocInfo`` work as well. Lengths count characters, items
    or keys. ``pattern`` is searched for, so anchor it if all must match. Where several limits of one kind meet, the
    narrowest holds.

    Raises:
        ValueError: for a limit that is no limit, and for limits that nothing can keep.
    """

    description: str | None = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def __attrs_post_init__(self) -> None:
        _check_limits(self)


@attrs.frozen(kw_only=True)
class Bounds:
    """The limits on a type; names as JSON Schema and annotated-types have them."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def __attrs_post_init__(self) -> None:
        _check_limits(self)

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the limits that there are."""
        return tuple(field.name for field in attrs.fields(Bounds) if getattr(self, field.name) is not None)


_COMPARISONS: tuple[tuple[str, str, str, Callable[[Fraction, Fraction], bool]], ...] = (
    ("ge", "minimum", "at least", lambda value, limit: value >= limit),
    ("gt", "exclusiveMinimum", "greater than", lambda value, limit: value > limit),
    ("le", "maximum", "at most", lambda value, limit: value <= limit),
    ("lt", "exclusiveMaximum", "less than", lambda value, limit: value < limit),
    ("multiple_of", "multipleOf", "a multiple of", lambda value, limit: value % limit == 0),
)
"""Numbers are compared by their digits: 19.99 is a multiple of 0.01, whatever the binary fractions are."""
_NUMERIC = frozenset(name for name, _, _, _ in _COMPARISONS)


@final
class Constrained:
    """A shape with limits and with a description for the model.

    Each limit holds for the kinds of JSON that it can hold for, as in JSON Schema; on a ``Decimal``, which JSON writes
    as text, the numeric ones hold too.

    Raises:
        ValueError: for a limit that could never hold for anything of this type.
    """

    def __init__(self, inner: Shape, bounds: Bounds, description: str | None) -> None:
        self._inner = inner
        self._bounds = bounds
        self._pattern = None if bounds.pattern is None else re.compile(bounds.pattern)
        self._description = description
        self.kinds = inner.kinds
        for name in bounds.given:
            if name in _NUMERIC:
                applies = not self.kinds.isdisjoint({"integer", "number", DECIMAL})
            elif name == "pattern":
                applies = "string" in self.kinds
            else:
                applies = not self.kinds.isdisjoint(_LENGTHS)
            if not applies:
                raise ValueError(f"{name} limits nothing of {inner.expected}")
        limits = [
            f"{words} {_plain(limit)}" for name, _, words, _ in _COMPARISONS if (limit := self._limit(name)) is not None
        ]
        self.expected = inner.expected + (" " + " and ".join(limits) if limits else "")

    def _limit(self, name: str) -> float | None:
        limit: float | None = getattr(self._bounds, name)
        return limit

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        schema: JsonObject = dict(self._inner.schema(writer))
        for name, keyword, _, _ in _COMPARISONS:
            if (limit := self._limit(name)) is not None:
                schema[keyword] = limit
        for kind, unit in _LENGTHS.items():
            if kind in self.kinds:
                if self._bounds.min_length is not None:
                    schema[f"min{unit}"] = self._bounds.min_length
                if self._bounds.max_length is not None:
                    schema[f"max{unit}"] = self._bounds.max_length
        if self._bounds.pattern is not None:
            if "pattern" in schema:  # the type has one of its own
                inner: list[Json] = [schema]
                schema = dict[str, Json](allOf=inner)
            schema["pattern"] = self._bounds.pattern
        if self._description:
            schema["description"] = self._description
        return schema

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        before = len(problems)
        built = self._inner.structure(value, path, problems)
        if len(problems) == before:
            problems.extend(f"{at(path)}{broken}, got {describe(value)}." for broken in self._broken(value, built))
        return built

    def _broken(self, value: Json, built: object) -> list[str]:
        number = built if isinstance(built, Decimal) else value
        broken: list[str] = []
        if isinstance(number, (int, float, Decimal)) and not isinstance(number, bool):
            for name, _, words, holds in _COMPARISONS:
                limit = self._limit(name)
                if limit is not None and not holds(_exact(number), _exact(limit)):
                    broken.append(f"must be {words} {_plain(limit)}")
        if isinstance(value, (str, list, dict)):
            broken.extend(self._broken_length(len(value), "characters" if isinstance(value, str) else "items"))
        if self._pattern is not None and isinstance(value, str) and not self._pattern.search(value):
            broken.append(f"must match the pattern {self._pattern.pattern}")
        return broken

    def _broken_length(self, length: int, unit: str) -> list[str]:
        least, most = self._bounds.min_length, self._bounds.max_length
        broken: list[str] = []
        if least is not None and length < least:
            broken.append(f"must have at least {least} {unit}")
        if most is not None and length > most:
            broken.append(f"must have at most {most} {unit}")
        return broken

    def relax(self, value: Json, /) -> Json:
        return self._inner.relax(value)

    def matches(self, value: object, /) -> bool:
        if not self._inner.matches(value):
            return False
        if isinstance(value, (str, int)) or (isinstance(value, float) and isfinite(value)):
            return not self._broken(value, value)
        if isinstance(value, Decimal) and value.is_finite():
            return not self._broken(None, value)
        if isinstance(value, (Sequence, AbstractSet, Mapping)):
            return not self._broken_length(len(cast("Sized", value)), "items")
        return True


def _exact(number: float | Decimal) -> Fraction:
    return Fraction(number) if isinstance(number, int) else Fraction(str(number))


def _plain(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else repr(limit)
