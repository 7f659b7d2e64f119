"""Time limits: on one attempt at a model call, on the silence between deltas, on a tool call."""

from collections.abc import Mapping
from math import inf
from typing import ClassVar

import anyio
import attrs

from par._pipeline.handler import ModelHandler, ToolHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, ToolCall
from par.deltas import Delta, Emit, StreamRestarted, discard
from par.errors import ModelTimedOut
from par.middleware._checks import copied, optional_seconds, seconds_by_name
from par.outcomes import TimedOut, ToolOutcome, Unknown

__all__ = ["Timeout"]


@attrs.frozen(kw_only=True, eq=False)
class Timeout:
    """Ends what takes too long, and waits until it has really ended.

    A model call raises ``ModelTimedOut``, whose ``limit`` is ``"attempt"`` or ``"idle"``; a tool call has the
    outcome ``TimedOut``. Limits that lie around each other take the smallest. A cancellation from outside passes
    through untouched.

    The total over all attempts is ``Retry(total_s=...)``: ``Retry`` stands outside and owns the attempts and the
    pauses between them, so only there can one scope cover them all.
    """

    order: ClassVar[Order] = Order()

    attempt_s: float | None = attrs.field(default=120.0, validator=optional_seconds)
    """Seconds for one attempt at a model call, repairs included; ``None`` for no limit."""
    idle_s: float | None = attrs.field(default=60.0, validator=optional_seconds)
    """Seconds of silence between two deltas. It counts from the first delta on, because models may think long
    before they speak, and not while a slow reader takes a delta."""
    tool_s: float | None = attrs.field(default=None, validator=optional_seconds)
    """Seconds for one attempt at any tool call. None by default: what is long depends on the tool."""
    tools: Mapping[str, float] = attrs.field(factory=dict[str, float], converter=copied, validator=seconds_by_name)
    """Seconds by tool name, beside ``tool_s``; the smaller counts. The ``timeout`` of a tool itself is enforced where
    the tool is called, inside of this."""

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call within the limits.

        Raises:
            ModelTimedOut: when one of them is over and everything below has ended.
        """
        streams = self.idle_s is not None and (call.stream or call.emit is not discard)
        if self.attempt_s is None and not streams:
            return await call_next(call)
        deadline = inf if self.attempt_s is None else anyio.current_time() + self.attempt_s
        with anyio.CancelScope(deadline=deadline) as scope:
            if streams and self.idle_s is not None:
                call = attrs.evolve(call, emit=_watched(call.emit, scope, deadline, self.idle_s))
            return await call_next(call)
        # only this scope's own cancellation leads here
        if self.idle_s is not None and (self.attempt_s is None or scope.deadline < deadline):
            raise ModelTimedOut(limit="idle", after_s=self.idle_s)
        raise ModelTimedOut(limit="attempt", after_s=self.attempt_s or 0.0)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Answer the call, or say ``TimedOut`` once its clean-up has run.

        Of a tool that goes on in its thread (``sync="abandon"``) it says ``Unknown``.
        """
        limit = self.tools.get(call.name, self.tool_s)
        if limit is None:
            return await call_next(call)
        if self.tool_s is not None:
            limit = min(limit, self.tool_s)
        with anyio.move_on_after(limit):
            return await call_next(call)
        if call.tool.spec.abandons:
            return Unknown(reason=f"{call.name} did not stop after {limit:g} s and goes on in its thread.")
        return TimedOut(after_s=limit, message=f"{call.name} was stopped: it took longer than {limit:g} s.")


def _watched(emit: Emit, scope: anyio.CancelScope, deadline: float, idle_s: float) -> Emit:
    async def watched(delta: Delta, /) -> None:
        if emit is not discard:
            scope.deadline = deadline
            await emit(delta)
        if not isinstance(delta, StreamRestarted):  # after a restart the model may think anew
            scope.deadline = min(deadline, anyio.current_time() + idle_s)

    return watched
