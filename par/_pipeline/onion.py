"""The onion: layers folded around a handler, once, into plain closures."""

from collections.abc import Coroutine, Iterable, Sequence
from inspect import isfunction
from typing import cast

from typing_extensions import TypeVar

from par._pipeline.handler import Handler, Layer, ModelLayer, RunLayer, ToolLayer
from par._pipeline.middleware import Middleware, Order
from par._pipeline.naming import name_of
from par.errors import ImpossibleOrder

__all__ = ["check_order", "compose", "model_layers", "run_layers", "tool_layers"]

Req = TypeVar("Req")
Resp = TypeVar("Resp")

HOOKS = ("wrap_run", "wrap_model", "wrap_tool")
_HOW = f"it needs one or more of the methods {', '.join(HOOKS)}"


def compose(layers: Sequence[Layer[Req, Resp]], handler: Handler[Req, Resp]) -> Handler[Req, Resp]:
    """Return ``handler`` inside ``layers``, the first one outermost. No layers: the handler itself."""
    for layer in reversed(layers):
        handler = _around(layer, handler)
    return handler


def _around(layer: Layer[Req, Resp], call_next: Handler[Req, Resp]) -> Handler[Req, Resp]:
    # a plain function that returns the layer's coroutine: one frame and no coroutine of its own
    def step(call: Req, /) -> Coroutine[object, object, Resp]:
        return layer(call, call_next)

    return cast("Handler[Req, Resp]", step)  # awaiting its result is awaiting the layer


def check_order(chain: Sequence[Middleware]) -> None:
    """Refuse a chain that is no chain.

    Raises:
        TypeError: for a member without any of the three hooks, such as a class or a plain function.
        ImpossibleOrder: for two members that stand the wrong way round.
    """
    for member in chain:
        _check_hooks(member)
    for place, member in enumerate(chain):
        order = getattr(member, "order", None)
        if isinstance(order, Order):
            _check_one(order, member, before=chain[:place], after=chain[place + 1 :])


def _check_hooks(member: object) -> None:
    has_hook = any(callable(getattr(member, hook, None)) for hook in HOOKS)
    if isinstance(member, type):
        how = f"put an instance in the list, {member.__name__}(...)" if has_hook else _HOW
        raise TypeError(f"{member.__name__} is a class, and no middleware: {how}")
    if isfunction(member):
        raise TypeError(
            f"the function {member.__name__} is no middleware: decorate it with one of @{', @'.join(HOOKS)}"
        )
    if not has_hook:
        raise TypeError(f"{name_of(member)} is no middleware: {_HOW}")


def _check_one(order: Order, member: Middleware, *, before: Iterable[Middleware], after: Iterable[Middleware]) -> None:
    name = name_of(member)
    for other in before:
        if isinstance(other, order.outside_of):
            raise ImpossibleOrder(outer=name, inner=name_of(other), declared_by=name)
    for other in after:
        if isinstance(other, order.inside_of):
            raise ImpossibleOrder(outer=name_of(other), inner=name, declared_by=name)


def run_layers(chain: Sequence[Middleware]) -> list[RunLayer]:
    """Return the run hooks of the chain, in order; who has none costs nothing."""
    return [cast("RunLayer", hook) for hook in _hooks(chain, "wrap_run")]  # named by the fixed hook name


def model_layers(chain: Sequence[Middleware]) -> list[ModelLayer]:
    """Return the model hooks of the chain, in order."""
    return [cast("ModelLayer", hook) for hook in _hooks(chain, "wrap_model")]  # as above


def tool_layers(chain: Sequence[Middleware]) -> list[ToolLayer]:
    """Return the tool hooks of the chain, in order."""
    return [cast("ToolLayer", hook) for hook in _hooks(chain, "wrap_tool")]  # as above


def _hooks(chain: Sequence[Middleware], name: str) -> list[object]:
    return [hook for hook in (getattr(member, name, None) for member in chain) if callable(hook)]
