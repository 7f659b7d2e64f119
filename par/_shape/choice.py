"""The shape of a few given values: a ``Literal`` or an ``Enum``."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import cast, final

from par._json import Json, JsonObject, dump_json
from par._shape.shape import SchemaWriter, mismatch

__all__ = ["Choice"]

_SHOWN = 40
"""So many choices are told in an error; the schema has them all."""
_KINDS: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", type(None): "null"}


@final
class Choice:
    """One of a few given values."""

    def __init__(self, members: Mapping[str, tuple[Json, object]]) -> None:
        # keyed by the JSON text, because 1, 1.0 and True are one dictionary key
        self._members = dict(members)
        more = len(self._members) - _SHOWN
        self.expected = f"one of {', '.join(list(self._members)[:_SHOWN])}" + (f" and {more} more" if more > 0 else "")
        self.kinds = frozenset(_KINDS[type(value)] for value, _ in self._members.values())

    @classmethod
    def of(cls, values: Iterable[object]) -> "Choice":
        """Read the values of a ``Literal``, or the members of an enum by their values.

        Raises:
            TypeError: for a value that is neither text, a whole number, a boolean nor ``None``, and for no value.
        """
        members: dict[str, tuple[Json, object]] = {}
        for member in values:
            value = cast("object", member.value) if isinstance(member, Enum) else member
            plain: Json
            if value is None or isinstance(value, bool):
                plain = value
            elif isinstance(value, str):
                plain = str(value)
            elif isinstance(value, int):
                plain = int(value)
            else:
                raise TypeError(f"{member!r} is neither text nor a whole number")
            members[dump_json(plain)] = (plain, member)
        if not members:
            raise TypeError("there is nothing to choose from")
        return cls(members)

    def schema(self, writer: SchemaWriter, /) -> JsonObject:
        del writer
        values = [value for value, _ in self._members.values()]
        return {"const": values[0]} if len(values) == 1 else {"enum": values}

    def structure(self, value: Json, path: str, problems: list[str], /) -> object:
        member = None if isinstance(value, (list, dict, float)) else self._members.get(dump_json(value))
        if member is None:
            problems.append(mismatch(path, self.expected, value))
            return value
        return member[1]

    def relax(self, value: Json, /) -> Json:
        if isinstance(value, (list, dict)) or (not isinstance(value, float) and dump_json(value) in self._members):
            return value
        wanted = _word(value)
        candidates = [candidate for candidate, _ in self._members.values() if _word(candidate) == wanted]
        return candidates[0] if len(candidates) == 1 else value

    def matches(self, value: object, /) -> bool:
        return any(
            value is member or (type(value) is type(member) and value == member) for _, member in self._members.values()
        )


def _word(value: Json) -> str:
    if isinstance(value, str):
        return value.strip().casefold()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if isinstance(value, (list, dict, float)) else dump_json(value)
