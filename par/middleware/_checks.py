"""Validators of configuration fields: they refuse at construction and name the field."""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Protocol, TypeAlias, TypeVar, cast

__all__ = [
    "Check",
    "Field",
    "choice",
    "copied",
    "count",
    "counts",
    "flag",
    "mapping",
    "optional_count",
    "optional_seconds",
    "optional_whole",
    "seconds",
    "seconds_by_name",
    "seconds_or_zero",
    "whole",
]

V = TypeVar("V")


class Field(Protocol):
    """What a validator needs of the attrs field that it checks."""

    @property
    def name(self) -> str: ...


Check: TypeAlias = Callable[[object, Field, object], None]


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


def seconds(_instance: object, field: Field, value: object) -> None:
    """Refuse what is no finite time above zero."""
    _seconds(field.name, value)


def seconds_or_zero(_instance: object, field: Field, value: object) -> None:
    """Refuse what is no finite time of at least zero."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != 0:
        _seconds(field.name, value)


def seconds_by_name(_instance: object, field: Field, value: object) -> None:
    """Refuse a mapping that has anything but times above zero."""
    for key, item in _items(field.name, value):
        _seconds(f"{field.name}[{key!r}]", item)


def mapping(_instance: object, field: Field, value: object) -> None:
    """Refuse what is no mapping of text to text."""
    for key, item in _items(field.name, value):
        if not isinstance(key, str) or not isinstance(item, str):
            raise TypeError(f"{field.name} must map text to text, got {key!r}: {item!r}")


def counts(_instance: object, field: Field, value: object) -> None:
    """Refuse a mapping that has anything but whole numbers of at least 1."""
    for key, item in _items(field.name, value):
        _whole(f"{field.name}[{key!r}]", item, 1)


def _items(name: str, value: object) -> Iterable[tuple[object, object]]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, got {value!r}")
    return cast("Mapping[object, object]", value).items()  # a mapping, as the lines above say


def count(_instance: object, field: Field, value: object) -> None:
    """Refuse what is no whole number of at least 1."""
    _whole(field.name, value, 1)


def whole(_instance: object, field: Field, value: object) -> None:
    """Refuse what is no whole number of at least 0."""
    _whole(field.name, value, 0)


def flag(_instance: object, field: Field, value: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{field.name} must be True or False, got {value!r}")


def optional_seconds(_instance: object, field: Field, value: float | None) -> None:
    """Refuse what is neither None nor a finite time above zero."""
    if value is not None:
        _seconds(field.name, value)


def optional_count(_instance: object, field: Field, value: int | None) -> None:
    """Refuse what is neither None nor a whole number of at least 1."""
    if value is not None:
        _whole(field.name, value, 1)


def optional_whole(_instance: object, field: Field, value: int | None) -> None:
    """Refuse what is neither None nor a whole number of at least 0."""
    if value is not None:
        _whole(field.name, value, 0)


def choice(*allowed: str) -> Check:
    """Return a validator that refuses what is not one of ``allowed``."""

    def checked(_instance: object, field: Field, value: object) -> None:
        if value not in allowed:
            raise ValueError(f"{field.name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")

    return checked


def copied(value: Mapping[str, V]) -> Mapping[str, V]:
    """Return a copy that later changes by the caller do not reach; what is no mapping is left to the validator."""
    # callers without a checker may hand in anything, which the validator names
    return dict(value) if isinstance(cast("object", value), Mapping) else value
