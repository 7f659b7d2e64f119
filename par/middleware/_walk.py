"""Change the texts of a JSON value, copying only what changes."""

from collections.abc import Callable
from typing import TypeAlias

from par._json import Json, JsonObject

__all__ = ["OnNumber", "OnText", "map_json", "map_object"]

OnText: TypeAlias = Callable[[str, str], str]
"""Gets a text and the key that it stands under (empty outside objects and for keys)."""
OnNumber: TypeAlias = Callable[["int | float", str], "int | float | str"]


def _same(number: "int | float", _key: str) -> "int | float | str":
    return number


def map_json(value: Json, on_text: OnText, on_number: OnNumber = _same, key: str = "") -> Json:
    """Return ``value`` with every text, key and number changed; the very same object if nothing did."""
    if isinstance(value, str):
        return on_text(value, key)
    if isinstance(value, dict):
        return map_object(value, on_text, on_number)
    if isinstance(value, list):
        items = [map_json(item, on_text, on_number, key) for item in value]
        return value if all(map(_is, items, value)) else items
    if value is None or isinstance(value, bool):
        return value
    return on_number(value, key)


def map_object(value: JsonObject, on_text: OnText, on_number: OnNumber = _same) -> JsonObject:
    """The same for an object. Keys that become equal are numbered, so that no entry is lost."""
    changed = False
    result: JsonObject = {}
    for key, item in value.items():
        new_key = on_text(key, "")
        new_item = map_json(item, on_text, on_number, key)
        if new_key is not key or new_item is not item:
            changed = True
        result[_free(new_key, result) if new_key in result else new_key] = new_item
    return result if changed else value


def _free(key: str, taken: JsonObject) -> str:
    number = 2
    while f"{key} ({number})" in taken:
        number += 1
    return f"{key} ({number})"


def _is(one: Json, other: Json) -> bool:
    return one is other
