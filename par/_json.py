"""JSON as a type, and a strict reader for text that a model or a stranger wrote."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import TypeAliasType

__all__ = ["Json", "JsonObject", "JsonSyntaxError", "dump_json", "load_json"]

if TYPE_CHECKING:
    Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
else:  # a name of its own at run time, so that those who read annotations recognise it
    Json = TypeAliasType("Json", "bool | int | float | str | list[Json] | dict[str, Json] | None")
JsonObject: TypeAlias = dict[str, Json]

_MAX_DEPTH = 64


class JsonSyntaxError(ValueError):
    """The text is not JSON as RFC 8259 has it (duplicate keys, NaN, too deep and too long count)."""


def _no_duplicates(pairs: list[tuple[str, Json]]) -> JsonObject:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonSyntaxError(f"the key {key[:80]!r} appears twice in one object")
            seen.add(key)
    return result


def _no_constant(name: str) -> Json:
    raise JsonSyntaxError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):  # 1e999 is correct JSON, and infinity is none
        raise JsonSyntaxError(f"the number {digits[:80]} is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite)


def load_json(text: str, *, max_chars: int | None = None, max_depth: int = _MAX_DEPTH) -> Json:
    """Read one JSON document.

    Refuses what ``json.loads`` lets through: duplicate keys, ``NaN``, ``Infinity`` and ``1e999``, and documents that
    nest deeper than ``max_depth`` or are longer than ``max_chars`` characters.

    Raises:
        JsonSyntaxError: with a sentence that says where and why.
    """
    if max_chars is not None and len(text) > max_chars:
        raise JsonSyntaxError(f"the document has {len(text)} characters; at most {max_chars} are read")
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise JsonSyntaxError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise JsonSyntaxError(f"the document nests deeper than {max_depth} levels") from None
    except JsonSyntaxError:
        raise
    except ValueError as error:  # an integer of more digits than the interpreter converts
        raise JsonSyntaxError(str(error)) from None
    if deeper_than(value, max_depth):
        raise JsonSyntaxError(f"the document nests deeper than {max_depth} levels")
    return value


def deeper_than(value: Json, limit: int) -> bool:
    """Tell whether ``value`` nests deeper than ``limit`` levels; a scalar has depth 0, an empty list depth 1."""
    level = _containers([value])
    for _ in range(limit):
        if not level:
            return False
        level = _containers([
            item for container in level for item in (container.values() if isinstance(container, dict) else container)
        ])
    return bool(level)


def _containers(values: list[Json]) -> list[dict[str, Json] | list[Json]]:
    return [value for value in values if isinstance(value, (dict, list))]


def dump_json(value: Json | Mapping[str, Json]) -> str:
    """Write compact JSON with the keys in the order they have; text is kept as it is, not escaped to ASCII.

    Raises:
        ValueError: for NaN and infinities, which JSON cannot express.
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
