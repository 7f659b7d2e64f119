"""Read a function's signature: which parameters the model fills, and whether it wants the context."""

import inspect
from typing import get_args, get_origin

import attrs

from par._context import RunContext
from par._shape.read import UnreadableType, json_default, read_type, resolve_hints
from par._shape.records import Field, Record
from par._shape.shape import Shape
from par._tool.docstring import read_docstring
from par._tool.function import Function
from par.errors import ToolDefinitionError

__all__ = ["Signature", "read_signature"]

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@attrs.frozen(kw_only=True)
class Signature:
    """What is known of a tool's function. ``result`` is ``None`` where the function does not say."""

    description: str
    parameters: Record
    result: Shape | None
    takes_context: bool
    deps_type: type | None
    positional: tuple[str, ...]
    """The parameters that may be passed by place, without the context."""


def read_signature(function: Function, name: str) -> Signature:
    """Read ``function``.

    Raises:
        ToolDefinitionError: for a parameter that a model could not fill.
    """
    try:
        hints = resolve_hints(function)
        signature = inspect.signature(function)
        summary, descriptions = read_docstring(function.__doc__)
        parameters = list(signature.parameters.values())
        takes_context = bool(parameters) and _is_context(hints.get(parameters[0].name))
        deps_type = _deps_type(hints[parameters[0].name]) if takes_context else None
        fields = [
            _field(parameter, hints, descriptions.get(parameter.name), name)
            for parameter in parameters[1 if takes_context else 0 :]
        ]
        result = _result(hints, name)
    except UnreadableType as error:
        raise ToolDefinitionError(name, str(error)) from None
    record = Record("", lambda parts: parts, None)
    record.complete(fields)
    return Signature(
        description=summary,
        parameters=record,
        result=result,
        takes_context=takes_context,
        deps_type=deps_type,
        positional=tuple(
            parameter.name
            for parameter in parameters[1 if takes_context else 0 :]
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ),
    )


def _field(parameter: inspect.Parameter, hints: dict[str, object], description: str | None, tool: str) -> Field:
    name = parameter.name
    if parameter.kind not in _NAMED:
        raise ToolDefinitionError(
            tool, f"the parameter {name} must be an ordinary named one: models fill fields by name"
        )
    if name not in hints:
        how = "decorate the bound method, tool(value.method)" if name in {"self", "cls"} else "annotate it"
        raise ToolDefinitionError(tool, f"the parameter {name} has no type: {how}")
    if _is_context(hints[name]):
        raise ToolDefinitionError(tool, "the RunContext must be the first parameter")
    has_default = parameter.default is not inspect.Parameter.empty
    shown, default = json_default(parameter.default) if has_default else (False, None)
    try:
        shape = read_type(hints[name])
    except UnreadableType as error:
        raise ToolDefinitionError(tool, f"the parameter {name}: {error}") from None
    return Field(
        name=name,
        shape=shape,
        required=not has_default,
        default=default,
        has_json_default=shown,
        description=description,
    )


def _result(hints: dict[str, object], tool: str) -> Shape | None:
    if "return" not in hints or _is_outcome(hints["return"]):
        return None
    try:
        return read_type(hints["return"])
    except UnreadableType as error:
        raise ToolDefinitionError(tool, f"the return type: {error}") from None


def _is_outcome(hint: object) -> bool:
    """Whether the function says that it may return an outcome of its own; the engine then takes it as it is."""
    parts = (hint, *get_args(hint))
    return any(getattr(get_origin(part) or part, "__module__", None) == "par.outcomes" for part in parts)


def _is_context(hint: object) -> bool:
    return hint is RunContext or get_origin(hint) is RunContext


def _deps_type(hint: object) -> type | None:
    args: tuple[object, ...] = get_args(hint)
    deps = args[0] if args else None
    return deps if isinstance(deps, type) and deps not in (object, type(None)) else None
