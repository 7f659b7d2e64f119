"""Resolve annotations: names in strings, type variables of generic classes, and what ``Annotated`` carries."""

import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from typing import cast, get_args, get_origin

import attrs
import typing_extensions

from par._shape.constrained import Bounds

__all__ = ["UnreadableType", "hints_of", "limits_and_description", "resolve_hints", "show", "substituted", "value_of"]


class UnreadableType(Exception):
    """A type has no JSON form that a model could write."""


def show(hint: object) -> str:
    """Return the name of a type for an error."""
    return hint.__qualname__ if isinstance(hint, type) and not get_args(hint) else str(hint)


def resolve_hints(owner: object, namespace: Mapping[str, object] | None = None) -> dict[str, object]:
    """Return the annotations of a class or a function, with names resolved and ``Annotated`` kept.

    Raises:
        UnreadableType: if a name cannot be found, or the annotation is no type.
    """
    try:
        return typing_extensions.get_type_hints(
            owner, globalns=None if namespace is None else dict(namespace), include_extras=True
        )
    except NameError as error:
        raise UnreadableType(
            f"the annotation {error.name!r} cannot be resolved: define the type at the top of the module"
        ) from None
    except (AttributeError, SyntaxError, TypeError) as error:
        raise UnreadableType(f"an annotation cannot be resolved: {error}") from None


def hints_of(kind: type, args: tuple[object, ...]) -> dict[str, object]:
    """Return the annotations of a class, with ``args`` in the places of its type variables.

    Raises:
        UnreadableType: as ``resolve_hints`` does.
    """
    given: dict[type, dict[object, object]] = {}
    _type_arguments(kind, args, given)
    hints = resolve_hints(kind)
    if not any(given.values()):
        return hints
    return {name: substituted(hint, _given_where(name, kind, given)) for name, hint in hints.items()}


def _type_arguments(kind: type, args: tuple[object, ...], given: dict[type, dict[object, object]]) -> None:
    """Find what the type variables of a class and of its bases stand for; one variable may differ between them."""
    parameters: tuple[object, ...] = getattr(kind, "__parameters__", ())
    given[kind] = dict(zip(parameters, args, strict=False))
    bases: Iterable[object] = getattr(kind, "__orig_bases__", ())
    for base in bases:
        origin = get_origin(base)
        if isinstance(origin, type) and origin is not typing.Generic:
            _type_arguments(origin, tuple(substituted(arg, given[kind]) for arg in get_args(base)), given)


def _given_where(name: str, kind: type, given: Mapping[type, Mapping[object, object]]) -> Mapping[object, object]:
    if typing_extensions.is_typeddict(kind):  # which has no bases at run time, and all their annotations
        merged: dict[object, object] = {}
        for of_class in reversed(list(given.values())):
            merged.update(of_class)
        return merged
    owner = next((base for base in kind.__mro__ if name in inspect.get_annotations(base)), kind)
    return given.get(owner, {})


class _Generic(typing.Protocol):
    __parameters__: tuple[object, ...]

    def __getitem__(self, args: tuple[object, ...], /) -> object: ...


def substituted(hint: object, given: Mapping[object, object]) -> object:
    """Return ``hint`` with the type variables replaced that are given."""
    if isinstance(hint, typing.TypeVar):
        return given.get(hint, hint)
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint
    parameters: tuple[object, ...] = getattr(hint, "__parameters__", ())
    if not parameters:
        return hint
    return cast("_Generic", hint)[tuple(given.get(parameter, parameter) for parameter in parameters)]  # it has some


def value_of(alias: typing_extensions.TypeAliasType) -> object:
    """Return what an alias stands for; names in strings are looked up in the alias's own module.

    Raises:
        UnreadableType: as ``resolve_hints`` does.
    """
    module = sys.modules.get(getattr(alias, "__module__", None) or "")
    owner = types.SimpleNamespace(__annotations__={"value": cast("object", alias.__value__)})
    namespace: dict[str, object] = {} if module is None else vars(module)
    return resolve_hints(owner, {alias.__name__: alias, **namespace})["value"]


def limits_and_description(metadata: Iterable[object]) -> tuple[Bounds, str | None]:
    """Read what ``Annotated`` carries: ``Param``, plain text, and what looks like annotated-types or ``Doc``.

    Raises:
        UnreadableType: for a limit that is no number, and for limits that exclude one another.
    """
    description: str | None = None
    limits: dict[str, float | str] = {}
    for item in metadata:
        if isinstance(item, str):
            description = item
            continue
        text: object = getattr(item, "description", None) or getattr(item, "documentation", None)
        description = text if isinstance(text, str) else description
        for field in attrs.fields(Bounds):
            limit: object = getattr(item, field.name, None)
            if limit is not None and not callable(limit):
                limits[field.name] = _narrower(field.name, limits.get(field.name), limit)
    try:
        return _bounds(limits), description
    except ValueError as error:
        raise UnreadableType(str(error)) from None


def _narrower(name: str, old: float | str | None, new: object) -> float | str:
    if not isinstance(new, str if name == "pattern" else (int, float)):
        raise UnreadableType(f"{name}={new!r} is no limit of JSON: use {'text' if name == 'pattern' else 'a number'}")
    limit = cast("float | str", new)  # as just checked
    if old is None or old == limit:
        return limit
    if isinstance(old, str) or isinstance(limit, str) or name == "multiple_of":
        raise UnreadableType(f"{name} is given twice: join the two into one")
    return max(old, limit) if name in {"ge", "gt", "min_length"} else min(old, limit)


def _bounds(limits: Mapping[str, float | str]) -> Bounds:
    def number(name: str) -> float | None:
        limit = limits.get(name)
        return None if isinstance(limit, str) else limit

    pattern = limits.get("pattern")
    return Bounds(
        ge=number("ge"),
        gt=number("gt"),
        le=number("le"),
        lt=number("lt"),
        multiple_of=number("multiple_of"),
        min_length=cast("int | None", number("min_length")),  # Bounds refuses fractions
        max_length=cast("int | None", number("max_length")),  # as above
        pattern=pattern if isinstance(pattern, str) else None,
    )
