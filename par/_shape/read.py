"""Read a Python type into a shape."""

import collections.abc
import types
import typing
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Literal, Union, cast, get_args, get_origin

import typing_extensions

from par._json import Json, JsonObject
from par._shape.choice import Choice
from par._shape.classes import Known, json_default, read_record
from par._shape.constrained import Constrained, Param
from par._shape.containers import ArrayOf, FixedTuple, MapOf
from par._shape.formatted import FORMATS, Formatted
from par._shape.hints import UnreadableType, limits_and_description, resolve_hints, show, substituted, value_of
from par._shape.scalars import Anything, Boolean, Integer, Nothing, Number, String
from par._shape.shape import SchemaWriter, Shape
from par._shape.union import Alias, OneOf

__all__ = ["Param", "UnreadableType", "json_default", "json_schema", "read_type", "resolve_hints"]

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
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    deque: deque,
    collections.abc.Sequence: tuple,
    collections.abc.Collection: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.Set: frozenset,
    collections.abc.MutableSequence: list,
    collections.abc.MutableSet: set,
}
_SETS: tuple[object, ...] = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
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


def _read(hint: object, known: Known) -> Shape:
    if not _hashable(hint):
        return _read_parts(hint, known)
    scalar = _SCALARS.get(hint)
    if scalar is not None:
        return scalar()
    found = known.get(hint)
    if isinstance(found, Alias):
        found.contains_itself = True
    return _read_parts(hint, known) if found is None else found


def _hashable(hint: object) -> bool:
    try:
        hash(hint)  # what Annotated carries need not be hashable
    except TypeError:
        return False
    return True


def _read_parts(hint: object, known: Known) -> Shape:
    origin: object = get_origin(hint)
    if isinstance(hint, typing_extensions.TypeAliasType):
        return _read_alias(hint, value_of(hint), known)
    if isinstance(origin, typing_extensions.TypeAliasType):
        given = dict(zip(cast("tuple[object, ...]", origin.__parameters__), get_args(hint), strict=False))
        return _read_alias(hint, substituted(value_of(origin), given), known)
    if origin is not None:
        return _read_generic(hint, origin, get_args(hint), known)
    if isinstance(hint, typing.NewType):
        return _read(hint.__supertype__, known)
    if isinstance(hint, type):
        return _read_class(hint, known)
    raise UnreadableType(f"{show(hint)} has no JSON form")


def _read_alias(hint: object, value: object, known: Known) -> Shape:
    alias = Alias(getattr(hint, "__name__", "Alias"), hint)
    known[hint] = alias
    inner = _read(value, known)
    if inner is alias:
        raise UnreadableType(f"{show(hint)} stands for itself")
    alias.complete(inner)
    if not alias.contains_itself:
        known[hint] = inner
    return known[hint]


def _read_generic(hint: object, origin: object, args: tuple[object, ...], known: Known) -> Shape:
    if origin is typing.Annotated:
        return _read_annotated(args[0], args[1:], known)
    if origin is Union or origin is types.UnionType:
        branches = [_read(arg, known) for arg in args]
        if any(isinstance(branch, Alias) and not branch.is_complete for branch in branches):
            raise UnreadableType(f"{show(hint)} stands for itself")
        return OneOf(branches)
    if origin is Literal:
        return _read_choice(args, show(hint))
    if _is_fixed_tuple(hint, origin, args):
        return FixedTuple([_read(arg, known) for arg in args])
    if origin in _LISTS:
        return _read_list(origin, args[0] if args else object, known)
    if origin in _MAPS:
        return _read_map(hint, args, known)
    if origin in _QUALIFIERS:
        return _read(args[0], known)
    record = read_record(hint, origin, args, known, _read) if isinstance(origin, type) else None
    if record is None:
        raise UnreadableType(f"{show(hint)} has no JSON form")
    return record


def _is_fixed_tuple(hint: object, origin: object, args: tuple[object, ...]) -> bool:
    # typing.Tuple without its parts is a tuple of anything, and tuple[()] is the empty one
    bare = hint is typing.Tuple  # noqa: UP006 # the old name is what is asked for
    return origin is tuple and not bare and args != (*args[:1], Ellipsis)


def _read_list(origin: object, item: object, known: Known) -> Shape:
    if origin in _SETS and getattr(get_origin(item) or item, "__hash__", None) is None:
        raise UnreadableType(f"a set cannot hold {show(item)}, which has no hash: use a list, or a frozen class")
    return ArrayOf(_read(item, known), _LISTS[origin], cast("type", origin))  # the keys of _LISTS are classes


def _read_map(hint: object, args: tuple[object, ...], known: Known) -> Shape:
    if not args:
        return MapOf(Anything())
    key = args[0]
    while isinstance(key, typing.NewType):
        key = cast("object", key.__supertype__)
    if key is not str:
        raise UnreadableType(f"{show(hint)}: the keys of a JSON object are text")
    return MapOf(_read(args[1], known))


def _read_choice(values: Iterable[object], name: str) -> Shape:
    try:
        return Choice.of(values)
    except TypeError as error:
        raise UnreadableType(f"{name} cannot be offered to a model: {error}") from None


def _read_annotated(inner: object, metadata: tuple[object, ...], known: Known) -> Shape:
    bounds, description = limits_and_description(metadata)
    shape = _read(inner, known)
    if not bounds.given and not description:
        return shape
    try:
        return Constrained(shape, bounds, description)
    except ValueError as error:
        raise UnreadableType(str(error)) from None


def _read_class(kind: type[object], known: Known) -> Shape:
    if kind in FORMATS:
        return Formatted(kind)
    if kind in _LISTS:
        return ArrayOf(Anything(), _LISTS[kind], kind)
    if kind in _MAPS:
        return MapOf(Anything())
    if issubclass(kind, Enum):
        return _read_choice(kind, f"the enum {show(kind)}")
    record = read_record(kind, kind, (), known, _read)
    if record is None:
        raise UnreadableType(
            f"{show(kind)} has no JSON form: use an attrs class, a dataclass, an enum or the built-in types"
        )
    return record
