"""The shapes that stand for others: unions, and aliases that contain themselves."""

from collections.abc import Sequence
from typing import final

from par._json import Json, JsonObject
from par._shape.scalars import Boolean, Nothing
from par._shape.shape import ALL_KINDS, SchemaWriter, Shape, at, fits, mismatch

__all__ = ["Alias", "OneOf"]

_ARRAY = frozenset({"array"})
_NUMBER = frozenset({"number"})


@final
class OneOf:
    """A union: the first branch that fits without a problem wins."""

    def __init__(self, branches: Sequence[Shape]) -> None:
        # whole numbers first, so that 3 stays 3 where both int and float will do
        self._branches = tuple(sorted(branches, key=lambda branch: branch.kinds == _NUMBER))
        # a list of one, "1" for true and "" for null are guesses that the other branches go before
        self._by_certainty = tuple(sorted(self._branches, key=_guesses))
        self.expected = " or ".join(branch.expected for branch in self._branches)
        self.kinds = frozenset[str]().union(*(branch.kinds for branch in self._branches))

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        return {"anyOf": [branch.schema(writer) for branch in self._branches]}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        nearest: list[str] = []
        for branch in self._branches:
            found: list[str] = []
            built = branch.structure(value, path, found)
            if not found:
                return built
            # a problem deeper than the value itself means that this branch was meant, the fewer the likelier
            if not found[0].startswith(f"{at(path)}expected") and (not nearest or len(found) < len(nearest)):
                nearest = found
        problems.extend(nearest or [mismatch(path, self.expected, value)])
        return value

    def relax(self, value: Json, /) -> Json:
        if fits(self, value):
            return value
        for branch in self._by_certainty:
            relaxed = branch.relax(value)
            if fits(branch, relaxed):
                return relaxed
        return value

    def matches(self, value: object, /) -> bool:
        return any(branch.matches(value) for branch in self._branches)


def _guesses(shape: Shape) -> int:
    if isinstance(shape, Nothing):
        return 3
    if shape.kinds == _ARRAY:
        return 2
    return 1 if isinstance(shape, Boolean) else 0


@final
class Alias:
    """A named type alias, which may contain itself; ``complete`` sets what it stands for."""

    def __init__(self, name: str, key: object) -> None:
        self._name = name
        self._key = key
        self._inner: Shape | None = None
        self.contains_itself = False
        """Set by the reader when it meets the name again."""

    @property
    def is_complete(self) -> bool:
        """Whether what the name stands for has been read."""
        return self._inner is not None

    def complete(self, inner: Shape) -> None:
        """Set what the name stands for."""
        self._inner = inner

    @property
    def _shape(self) -> Shape:
        if self._inner is None:
            raise RuntimeError(f"the alias {self._name} was used before it was read")
        return self._inner

    @property
    def expected(self) -> str:
        return f"a {self._name}"

    @property
    def kinds(self) -> frozenset[str]:
        return ALL_KINDS if self._inner is None else self._inner.kinds

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        return writer.define(self._key, self._name, lambda: self._shape.schema(writer))

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        return self._shape.structure(value, path, problems)

    def relax(self, value: Json, /) -> Json:
        return self._shape.relax(value)

    def matches(self, value: object, /) -> bool:
        return self._shape.matches(value)
