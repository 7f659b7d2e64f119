"""Turn what tools return into JSON: the plain values, attrs classes, dataclasses, enums, dates."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import cast
from uuid import UUID

import attrs

from par._json import Json

__all__ = ["to_json"]


def to_json(value: object) -> Json:
    """Return the JSON form of ``value``; bytes become base64, sets become sorted lists.

    Raises:
        TypeError: for what has no JSON form; the message names the type.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return cast("Json", value)  # the line above says so
    if isinstance(value, Enum):  # before str and int, which an enum may also be
        return to_json(cast("object", value.value))
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(key): to_json(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, (set, frozenset)):
        return sorted((to_json(item) for item in cast("AbstractSet[object]", value)), key=repr)
    return _structured(value)


def _finite(value: float) -> Json:
    if not isfinite(value):
        raise TypeError(f"{value} has no JSON form")
    return value


def _key(key: object) -> str:
    plain = to_json(key)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, (int, float)) and not isinstance(plain, bool):
        return str(plain)
    raise TypeError(f"a JSON object cannot have a key of type {type(key).__name__}")


def _structured(value: object) -> Json:
    kind = type(value)
    if attrs.has(kind):
        return {field.name: to_json(getattr(value, field.name)) for field in attrs.fields(kind)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (UUID, Decimal, PurePath)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(
        f"{type(value).__name__} has no JSON form: return text, numbers, lists, dicts, attrs classes or dataclasses"
    )
