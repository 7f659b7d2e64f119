"""Turn what tools return into JSON: the plain values, attrs classes, dataclasses, enums, dates."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence, Set
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
    if value is None or isinstance(value, (str, bool)):
        # an enum that is also a string must lose its class, or it would not survive JSON
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return to_json(cast("object", value.value))
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(key): to_json(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in cast("Sequence[object]", value)]
    if isinstance(value, (set, frozenset)):
        return sorted((to_json(item) for item in cast("Set[object]", value)), key=repr)
    return _structured(value)


def _number(value: float) -> Json:
    if isinstance(value, float) and not isfinite(value):
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
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return {field.name: to_json(getattr(value, field.name)) for field in fields}
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
    raise TypeError(f"{type(value).__name__} has no JSON form: return text, numbers, lists, dicts, attrs classes or dataclasses")
