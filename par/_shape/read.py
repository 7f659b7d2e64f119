"""Read a Python type into a shape."""

import collections.abc
import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Literal, Union, cast, get_args, get_origin

import attrs
import typing_extensions

from par._json import Json, JsonObject
from par._shape.containers import ArrayOf, Bounds, Constrained, FixedTuple, MapOf, OneOf
from par._shape.records import Field, Record
from par._shape.scalars import FORMATS, Anything, Boolean, Choice, Formatted, Integer, Nothing, Number, String
from par._shape.shape import SchemaWriter, Shape
from par._to_json import to_json

__all__ = ["Param", "UnreadableType", "json_default", "json_schema", "read_type", "resolve_hints"]


class UnreadableType(Exception):
    """A type has no JSON form that a model could write."""


@attrs.frozen(kw_only=True)
class Param:
    """What ``Annotated`` can tell of a parameter: ``city: Annotated[str, Param(description="...", max_length=80)]``.

    A plain string in ``Annotated`` is a description too, and the classes of annotated-types work as well.
    Lengths count characters, items or keys. ``pattern`` is searched for, so anchor it if all must match.
    """

    description: str | None = None
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is no regular expression: {error}") from None
        for name in ("min_length", "max_length"):
            limit: int | None = getattr(self, name)
            if limit is not None and limit < 0:
                raise ValueError(f"{name} must be 0 or more, got {limit}")


_SCALARS: Mapping[object, Callable[[], Shape]] = {
    str: String,
    int: Integer,
    float: Number,
    bool: Boolean,
    type(None): Nothing,
    None: Nothing,
    object: Anything,
    Json: Anything,
    typing.Any: Anything,
}
_LISTS: Mapping[object, Callable[[Iterable[object]], object]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: tuple,
    collections.abc.Collection: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.Set: frozenset,
    collections.abc.MutableSequence: list,
}
_MAPS: tuple[object, ...] = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_QUALIFIERS: tuple[object, ...] = (
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)


def read_type(hint: object) -> Shape:
    """Return the shape of a type.

    Raises:
        UnreadableType: with the reason.
    """
    return _read(hint, {})


def json_schema(shape: Shape) -> JsonObject:
    """Return the JSON Schema (2020-12) of a shape."""
    writer = SchemaWriter()
    return writer.finish(shape.schema(writer))


def _read(hint: object, known: dict[object, Record]) -> Shape:
    simple = _read_simple(hint) if _hashable(hint) else None
    if simple is not None:
        return simple
    origin = get_origin(hint)
    if origin is not None:
        return _read_generic(hint, origin, get_args(hint), known)
    if isinstance(hint, typing_extensions.TypeAliasType):
        return _read(cast("object", hint.__value__), known)
    if isinstance(hint, typing.NewType):
        return _read(hint.__supertype__, known)
    if isinstance(hint, type):
        return _read_class(hint, known)
    raise UnreadableType(f"{_show(hint)} has no JSON form")


def _read_simple(hint: object) -> Shape | None:
    scalar = _SCALARS.get(hint)
    if scalar is not None:
        return scalar()
    if hint in _MAPS:
        return MapOf(Anything())
    build = tuple if hint is tuple else _LISTS.get(hint)
    return None if build is None else ArrayOf(Anything(), build, cast("type", hint))  # the keys of _LISTS are classes


def _hashable(hint: object) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


def _show(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def _read_generic(hint: object, origin: object, args: tuple[object, ...], known: dict[object, Record]) -> Shape:
    if origin is typing.Annotated:
        return _read_annotated(args[0], args[1:], known)
    if origin is Union or origin is types.UnionType:
        # whole numbers first, so that 3 stays 3 where both int and float will do
        ordered = sorted(args, key=lambda arg: arg is float)
        return OneOf([_read(arg, known) for arg in ordered])
    if origin is Literal:
        return Choice.of_literal(
            cast("tuple[str | int | bool | None, ...]", args)
        )  # all that Literal may hold, but bytes
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return ArrayOf(_read(args[0], known), tuple, tuple)
        return FixedTuple([_read(arg, known) for arg in args])
    if origin in _LISTS:
        build = _LISTS[origin]
        return ArrayOf(_read(args[0], known), build, cast("type", origin))  # the keys of _LISTS are classes
    if origin in _MAPS:
        if args[0] is not str:
            raise UnreadableType(f"{_show(hint)}: the keys of a JSON object are text")
        return MapOf(_read(args[1], known))
    if origin in _QUALIFIERS:
        return _read(args[0], known)
    raise UnreadableType(f"{_show(hint)} has no JSON form")


def _read_annotated(inner: object, metadata: tuple[object, ...], known: dict[object, Record]) -> Shape:
    description: str | None = None
    limits: dict[str, float | str] = {}
    for item in metadata:
        if isinstance(item, str):
            description = item
            continue
        text = getattr(item, "description", None) or getattr(item, "documentation", None)
        description = text if isinstance(text, str) else description
        for field in attrs.fields(Bounds):
            limit: object = getattr(item, field.name, None)
            if isinstance(limit, (int, float)) or (field.name == "pattern" and isinstance(limit, str)):
                limits[field.name] = limit
    shape = _read(inner, known)
    bounds = _bounds(limits)
    return Constrained(shape, bounds, description) if bounds.any or description else shape


def _bounds(limits: Mapping[str, float | str]) -> Bounds:
    def number(name: str) -> float | None:
        limit = limits.get(name)
        return None if isinstance(limit, str) else limit

    def length(name: str) -> int | None:
        limit = number(name)
        return None if limit is None else int(limit)

    pattern = limits.get("pattern")
    return Bounds(
        ge=number("ge"),
        gt=number("gt"),
        le=number("le"),
        lt=number("lt"),
        multiple_of=number("multiple_of"),
        min_length=length("min_length"),
        max_length=length("max_length"),
        pattern=pattern if isinstance(pattern, str) else None,
    )


def _read_class(kind: type, known: dict[object, Record]) -> Shape:
    if FORMATS.get(kind) is not None:
        return Formatted(kind)
    if issubclass(kind, Enum):
        try:
            return Choice.of_enum(kind)
        except TypeError as error:
            raise UnreadableType(str(error)) from None
    if kind in known:
        return known[kind]
    if typing_extensions.is_typeddict(kind):
        return _read_typed_dict(kind, known)
    if attrs.has(kind):
        return _read_attrs(kind, known)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, known)
    raise UnreadableType(
        f"{_show(kind)} has no JSON form: use an attrs class, a dataclass, an enum or the built-in types"
    )


def resolve_hints(owner: object) -> dict[str, object]:
    """Return the annotations of a class or a function, with names resolved and ``Annotated`` kept.

    Raises:
        UnreadableType: if a name cannot be found.
    """
    try:
        return typing_extensions.get_type_hints(owner, include_extras=True)
    except NameError as error:
        raise UnreadableType(
            f"the annotation {error.name!r} cannot be resolved: define the type at the top of the module"
        ) from None


def json_default(value: object) -> tuple[bool, object]:
    """Tell whether a default can be shown in a schema, and return it."""
    try:
        to_json(value)
    except TypeError:
        return False, None
    return True, value


def _read_attrs(kind: type, known: dict[object, Record]) -> Shape:
    record = Record(kind.__name__, lambda parts: kind(**parts), kind)
    known[kind] = record
    hints = resolve_hints(kind)
    fields: list[Field] = []
    for attribute in cast("tuple[attrs.Attribute[object], ...]", attrs.fields(kind)):  # checked by attrs.has
        if not attribute.init:
            continue
        has_default = attribute.default is not attrs.NOTHING
        plain = has_default and not isinstance(attribute.default, attrs.Factory)  # type: ignore[arg-type] # Factory is a class at run time
        shown, default = json_default(attribute.default) if plain else (False, None)
        fields.append(
            Field(
                name=attribute.name,
                alias=attribute.alias,
                shape=_read(hints[attribute.name], known),
                required=not has_default,
                default=default,
                has_json_default=shown,
            )
        )
    record.complete(fields)
    return record


def _read_dataclass(kind: type, known: dict[object, Record]) -> Shape:
    record = Record(kind.__name__, lambda parts: kind(**parts), kind)
    known[kind] = record
    hints = resolve_hints(kind)
    fields: list[Field] = []
    for part in dataclasses.fields(kind):
        if not part.init:
            continue
        plain = part.default is not dataclasses.MISSING
        shown, default = json_default(cast("object", part.default)) if plain else (False, None)
        fields.append(
            Field(
                name=part.name,
                shape=_read(hints[part.name], known),
                required=not plain and part.default_factory is dataclasses.MISSING,
                default=default,
                has_json_default=shown,
            )
        )
    record.complete(fields)
    return record


def _read_typed_dict(kind: type, known: dict[object, Record]) -> Shape:
    record = Record(kind.__name__, lambda parts: parts, None)
    known[kind] = record
    required: frozenset[str] = getattr(kind, "__required_keys__", frozenset[str]())
    hints = resolve_hints(kind)
    record.complete([
        Field(name=name, shape=_read(hint, known), required=name in required) for name, hint in hints.items()
    ])
    return record
