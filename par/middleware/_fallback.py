"""Ask another model when the first one fails."""

from collections.abc import Iterable
from typing import ClassVar, Literal, final

import anyio
import attrs

from par._pipeline.handler import ModelHandler
from par._pipeline.middleware import Order
from par._pipeline.naming import name_of
from par.calls import ModelCall, ModelReply, checked_reply
from par.deltas import Delta, Emit, StreamRestarted, discard
from par.errors import ContextTooLong, ModelError, StoreError, TransientModelError
from par.events import ModelAttempted
from par.middleware._checks import Field, flag
from par.middleware._pii_mask import PiiMask
from par.middleware._think_tags import ThinkTagStrip
from par.middleware._validation import Validation

__all__ = ["Fallback"]

_TELL_S = 5.0  # as long as a run itself waits to record its end


def _models(value: Iterable[ModelHandler]) -> tuple[ModelHandler, ...]:
    return tuple(value)


def _some_models(_instance: object, field: Field, value: tuple[object, ...]) -> None:
    if not value:
        raise ValueError(f"{field.name} must hold at least one model")
    for model in value:
        if isinstance(model, type) or not callable(model):
            raise TypeError(f"{field.name} must hold model objects, got {model!r}")


def _errors(value: Iterable[type[ModelError]]) -> tuple[type[ModelError], ...]:
    return tuple(value)


def _model_errors(_instance: object, field: Field, value: tuple[object, ...]) -> None:
    if not value:
        raise ValueError(f"{field.name} must hold at least one error type: without any nothing is tried")
    for kind in value:
        if not isinstance(kind, type) or not issubclass(kind, ModelError):
            raise TypeError(f"{field.name} must hold subclasses of ModelError, got {kind!r}")


@attrs.frozen(kw_only=True, eq=False)
class Fallback:
    """Hands a model call that failed to other models, one after the other, until one answers.

    Only after the errors named in ``on``, and never once a delta has reached the reader, unless ``restart``. Tools
    are not touched: what they have done is done once, whoever goes on. If all fail, the error of the last one is
    raised, and the errors before it are its context. Each request to another model is told as ``ModelAttempted``,
    under that model's name; the answer's ``model`` is the name of the one that gave it.

    What stands further in serves the agent's own model alone, so whatever guards contents must stand further out,
    which is checked. ``Retry`` may stand on either side: outside, all models are tried at once and the pause comes
    when none has answered; inside, the first model gets all its attempts before another is asked. A ``Timeout``
    inside ends an attempt of the first model, so that another can answer; one outside is for all of them together.
    """

    order: ClassVar[Order] = Order(inside_of=(PiiMask, Validation, ThinkTagStrip))

    models: tuple[ModelHandler, ...] = attrs.field(converter=_models, validator=_some_models)
    """The other models, in the order in which they are asked."""
    on: tuple[type[ModelError], ...] = attrs.field(
        default=(TransientModelError, ContextTooLong), converter=_errors, validator=_model_errors
    )
    """The errors after which another model is asked: by default those that pass, and a conversation that is too long
    for this model, for another may have room for it."""
    restart: bool = attrs.field(default=False, validator=flag)
    """Go on also after deltas were shown; the reader then gets ``StreamRestarted`` first."""

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call with the first model that can.

        Raises:
            ModelError: what the last model raised.
        """
        emit = call.emit
        watch = _Watch(emit)
        if emit is not discard:
            call = attrs.evolve(call, emit=watch.emit)
        try:
            return await call_next(call)
        except self.on as error:
            return await self._others(call, error, watch)

    async def _others(self, call: ModelCall, error: ModelError, watch: "_Watch") -> ModelReply:
        last = error
        for model in self.models:
            if watch.shown:
                if not self.restart:
                    raise last
                await watch.emit(StreamRestarted(reason=type(last).__name__))
            try:
                return await _ask(model, call)
            except self.on as next_error:
                last = next_error
        raise last


@final
class _Watch:
    """Notes whether the reader has seen anything of the reply."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.shown = False

    async def emit(self, delta: Delta, /) -> None:
        """Pass the delta on."""
        # a restart from further in takes back what was shown, so that nothing is
        self.shown = type(delta) is not StreamRestarted
        await self._emit(delta)


async def _ask(model: ModelHandler, call: ModelCall) -> ModelReply:
    """Ask a model that the engine does not know, and tell of it as the engine tells of its own."""
    name = name_of(model)
    call = attrs.evolve(call, model=name)
    clock = call.ctx.port.clock
    since = clock.steady_s()
    try:
        reply = checked_reply(await model(call))
    except BaseException as error:
        outcome: Literal["failed", "cancelled"] = "failed" if isinstance(error, Exception) else "cancelled"
        attempted = _attempted(call, clock.steady_s() - since, outcome, error_type=type(error).__name__)
        with anyio.move_on_after(_TELL_S, shield=True):
            try:
                await call.ctx.emit(attempted)
            except StoreError as unheard:  # must not take the place of the error that is on its way
                error.add_note(f"its end could not be recorded: {unheard}")
        raise
    if not reply.model:
        reply = attrs.evolve(reply, model=name)
    await call.ctx.emit(_attempted(call, clock.steady_s() - since, "answered", reply=reply))
    return reply


def _attempted(
    call: ModelCall,
    duration_s: float,
    outcome: Literal["answered", "failed", "cancelled"],
    *,
    reply: ModelReply | None = None,
    error_type: str | None = None,
) -> ModelAttempted:
    return ModelAttempted(
        call_id=call.ctx.call_id,
        attempt=call.attempt,
        model=call.model if reply is None else reply.model,
        outcome=outcome,
        duration_s=duration_s,
        usage=None if reply is None else reply.usage,
        request_id=None if reply is None else reply.request_id,
        error_type=error_type,
    )
