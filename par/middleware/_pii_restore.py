"""Put real values back into the values that leave a run, or enter a tool that may see them."""

import dataclasses
from copy import copy
from typing import cast

import attrs

from par._json import JsonObject
from par.middleware._pii_vault import VaultSession
from par.middleware._walk import map_object

__all__ = ["restore_object", "restore_value"]


def restore_object(session: VaultSession, value: JsonObject) -> JsonObject:
    """Return tool arguments with the real values, in texts, keys and numbers."""
    return map_object(value, lambda text, _key: session.restore(text), lambda number, _key: _number(session, number))


def _number(session: VaultSession, number: "int | float") -> "int | float | str":
    if isinstance(number, float):
        return number
    real = session.real.get(str(number))
    if real is None:
        return number
    return int(real) if real.isascii() and real.isdigit() and real[0] != "0" else real


def restore_value(session: VaultSession, value: object) -> object:
    """Return an output with the real values: text, numbers, lists, tuples, dicts, attrs classes and dataclasses.

    Other values stay as they are.
    """
    if not session.real:
        return value
    if isinstance(value, str):
        return session.restore(value) if type(value) is str else value
    if isinstance(value, int) and not isinstance(value, bool):
        return _number(session, value)
    if isinstance(value, (list, tuple, dict)):
        return _container(session, cast("list[object] | tuple[object, ...] | dict[object, object]", value))
    return _fields(session, value)


def _container(session: VaultSession, value: list[object] | tuple[object, ...] | dict[object, object]) -> object:
    if isinstance(value, dict):
        return {restore_value(session, key): restore_value(session, item) for key, item in value.items()}
    items = [restore_value(session, item) for item in value]
    if isinstance(value, list):
        return items
    return tuple(items) if type(value) is tuple else value


def _fields(session: VaultSession, value: object) -> object:
    kind = type(value)
    if attrs.has(kind):
        names = [field.name for field in attrs.fields(kind)]
    elif dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    else:
        return value
    result = value
    for name in names:
        old: object = getattr(value, name)
        new = restore_value(session, old)
        if new is not old and new != old:
            result = copy(value) if result is value else result
            # frozen classes refuse the plain way; nobody else has the copy yet
            object.__setattr__(result, name, new)
    return result
