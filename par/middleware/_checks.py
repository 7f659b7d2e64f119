"""Validators of configuration fields: they refuse at construction and name the field."""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import TypeAlias

import attrs

__all__ = ["choice", "count", "counts", "flag", "optional", "probability", "seconds", "seconds_by_name", "whole"]

Check: TypeAlias = Callable[[object, "attrs.Attribute[object]", object], None]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return value


def _seconds(name: str, value: object) -> None:
    number = _number(name, value)
    if not isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a finite number of seconds above 0, got {value!r}")


def _whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")


def seconds(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse what is no finite time above zero."""
    _seconds(field.name, value)


def seconds_by_name(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse a mapping that has anything but times above zero."""
    for key, item in _items(field.name, value):
        _seconds(f"{field.name}[{key!r}]", item)


def counts(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse a mapping that has anything but whole numbers of at least 1."""
    for key, item in _items(field.name, value):
        _whole(f"{field.name}[{key!r}]", item, 1)


def _items(name: str, value: object) -> Iterable[tuple[object, object]]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, got {value!r}")
    found: Mapping[object, object] = value
    return found.items()


def count(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse what is no whole number of at least 1."""
    _whole(field.name, value, 1)


def whole(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse what is no whole number of at least 0."""
    _whole(field.name, value, 0)


def probability(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse what is not above 0 and at most 1."""
    if not 0 < _number(field.name, value) <= 1:
        raise ValueError(f"{field.name} must be above 0 and at most 1, got {value!r}")


def flag(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{field.name} must be True or False, got {value!r}")


def optional(check: Check) -> Check:
    """Return ``check`` with ``None`` let through."""

    def checked(instance: object, field: "attrs.Attribute[object]", value: object) -> None:
        if value is not None:
            check(instance, field, value)

    return checked


def choice(*allowed: str) -> Check:
    """Return a validator that refuses what is not one of ``allowed``."""

    def checked(_instance: object, field: "attrs.Attribute[object]", value: object) -> None:
        if value not in allowed:
            raise ValueError(f"{field.name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")

    return checked
