"""Read classes with fields: attrs classes, dataclasses and typed dicts, generic or not."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Collection
from typing import TypeAlias, cast, get_args, get_origin

import attrs
import typing_extensions

from par._shape.hints import UnreadableType, hints_of, show
from par._shape.records import Field, Record
from par._shape.shape import Shape
from par._to_json import to_json

__all__ = ["Known", "json_default", "read_record"]

Known: TypeAlias = dict[object, Shape]
"""What is being read or was read, by its annotation: a type may contain itself."""
_Read: TypeAlias = Callable[[object, Known], Shape]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

_FACTORY = cast("type[object]", attrs.Factory)  # its stub calls it a function, but it is a class


def json_default(value: object) -> tuple[bool, object]:
    """Tell whether a default can be shown in a schema, and return it."""
    try:
        to_json(value)
    except TypeError:
        return False, None
    return True, value


def read_record(hint: object, kind: type, args: tuple[object, ...], known: Known, read: _Read) -> Shape | None:
    """Return the shape of a class with fields, ``None`` if it is no such class.

    Raises:
        UnreadableType: if a field is of a type without a JSON form, or the class cannot be made of its fields.
    """
    if typing_extensions.is_typeddict(kind):
        record = Record(kind.__name__, lambda parts: parts, None, key=hint)
        read_fields = _typed_dict_fields
    elif attrs.has(kind):
        record = Record(kind.__name__, lambda parts: cast("object", kind(**parts)), kind, key=hint)
        read_fields = _attrs_fields
    elif dataclasses.is_dataclass(kind):
        record = Record(kind.__name__, lambda parts: cast("object", kind(**parts)), kind, key=hint)
        read_fields = _dataclass_fields
    else:
        return None
    known[hint] = record
    fields = read_fields(kind, hints_of(kind, args), lambda inner: read(inner, known))
    record.complete(fields)
    return record


def _attrs_fields(kind: type, hints: dict[str, object], read: Callable[[object], Shape]) -> list[Field]:
    fields: list[Field] = []
    # read_record has asked attrs.has
    for attribute in cast("tuple[attrs.Attribute[object], ...]", attrs.fields(kind)):
        if not attribute.init:
            continue
        has_default = attribute.default is not attrs.NOTHING
        plain = has_default and not isinstance(attribute.default, _FACTORY)
        shown, default = json_default(attribute.default) if plain else (False, None)
        fields.append(
            Field(
                name=attribute.name,
                alias=attribute.alias,
                shape=read(_hint(kind, attribute.name, hints)),
                required=not has_default,
                default=default,
                has_json_default=shown,
            )
        )
    _check_constructor(kind, [field.alias or field.name for field in fields])
    return fields


def _dataclass_fields(kind: type, hints: dict[str, object], read: Callable[[object], Shape]) -> list[Field]:
    fields: list[Field] = []
    for part in dataclasses.fields(kind):
        if not part.init:
            continue
        plain = part.default is not dataclasses.MISSING
        shown, default = json_default(cast("object", part.default)) if plain else (False, None)
        fields.append(
            Field(
                name=part.name,
                shape=read(_hint(kind, part.name, hints)),
                required=not plain and part.default_factory is dataclasses.MISSING,
                default=default,
                has_json_default=shown,
            )
        )
    _check_constructor(kind, [field.name for field in fields])
    return fields


def _hint(kind: type, name: str, hints: dict[str, object]) -> object:
    if name not in hints:
        raise UnreadableType(f"the field {name} of {show(kind)} has no type: annotate it")
    return hints[name]


def _check_constructor(kind: type, names: Collection[str]) -> None:
    """Refuse a class that wants something which is no field: every call would fail, whatever the model sent."""
    for parameter in inspect.signature(kind).parameters.values():
        needed = parameter.default is inspect.Parameter.empty and parameter.kind in _NAMED
        if needed and parameter.name not in names:
            raise UnreadableType(f"{show(kind)} cannot be made of its fields: it also wants {parameter.name}")


def _typed_dict_fields(kind: type, hints: dict[str, object], read: Callable[[object], Shape]) -> list[Field]:
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset[str]())
    return [
        Field(name=name, shape=read(hint), required=_required(hint, by_class=name in required))
        for name, hint in hints.items()
    ]


def _required(hint: object, *, by_class: bool) -> bool:
    # the class does not know of qualifiers in annotations that were strings when it was made
    while (origin := get_origin(hint)) is not None:
        if origin is typing_extensions.NotRequired:
            return False
        if origin is typing_extensions.Required:
            return True
        if origin not in (typing.Annotated, typing_extensions.ReadOnly):
            break
        hint = cast("object", get_args(hint)[0])
    return by_class
