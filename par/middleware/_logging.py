"""One structured log record for each call."""

import logging
from contextvars import ContextVar
from typing import ClassVar

import anyio
import attrs

from par._context import RunContext
from par._json import Json
from par._pipeline.handler import ModelHandler, RunHandler, ToolHandler
from par._pipeline.middleware import Order
from par._to_json import to_json
from par.calls import ModelCall, ModelReply, RunCall, RunResult, ToolCall
from par.middleware._checks import Field, flag, whole
from par.middleware._pii_mask import PiiMask
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, ToolOutcome, Unknown
from par.usage import Usage

__all__ = ["CURRENT", "Logging"]

CURRENT: ContextVar[RunContext[object] | None] = ContextVar("par_current_call", default=None)
"""The context of the call that this task, or this thread, works for."""

_OUTCOMES: dict[type, str] = {
    Done: "done",
    Failed: "failed",
    TimedOut: "timed_out",
    Cancelled: "cancelled",
    Unknown: "unknown",
    Handoff: "handoff",
    NeedsApproval: "needs_approval",
}
_BAD = frozenset({"failed", "timed_out", "unknown"})


def _default_logger() -> logging.Logger:
    return logging.getLogger("par")


def _one_level(_instance: object, field: Field, value: object) -> None:
    whole(_instance, field, value)


@attrs.frozen(kw_only=True, eq=False)
class Logging:
    """Writes one record for each run, model call and tool call, when it is over, however it ended.

    The facts are attributes of the record (``extra``), always all of them, ``None`` where there is nothing to say:
    ``par_call`` (``run``, ``model``, ``tool``), ``par_name`` (agent, model or tool), ``par_run_id``,
    ``par_session_id``, ``par_agent``, ``par_step``, ``par_call_id``, ``par_attempt``, ``par_duration_ms``,
    ``par_outcome``, ``par_error_type``, ``par_input_tokens``, ``par_output_tokens``, ``par_requests``,
    ``par_cost_micro``, ``par_request``, ``par_response``.

    Handlers and levels of other loggers are never touched. Failures and cancellations are recorded and raised on.
    While a call lasts, ``CorrelationFilter`` can put its ids on every record that its tasks and threads write.
    """

    order: ClassVar[Order] = Order(outside_of=(PiiMask,))

    logger: logging.Logger = attrs.field(
        factory=_default_logger, validator=attrs.validators.instance_of(logging.Logger)
    )
    """Where the records go: ``logging.getLogger("par")`` unless said otherwise."""
    level: int = attrs.field(default=logging.INFO, validator=_one_level)
    """The level of calls that ended well or were cancelled."""
    failure_level: int = attrs.field(default=logging.WARNING, validator=_one_level)
    """The level of calls that failed."""
    content: bool = attrs.field(default=False, validator=flag)
    """Whether ``par_request`` and ``par_response`` hold the last message and the reply of a model call, the
    arguments and the result of a tool call. They are masked where ``PiiMask`` is in the list. A run's own input and
    output are never logged: around a run they are not masked."""

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]:
        """Record the run."""
        clock = call.ctx.port.clock
        since = clock.steady_s()
        token = CURRENT.set(call.ctx)
        try:
            result = await call_next(call)
        except BaseException as error:
            self._failed("run", call.ctx.agent, call.ctx, since, error)
            raise
        finally:
            CURRENT.reset(token)
        if self._wanted(result.stop_reason):
            fields = _fields("run", call.ctx.agent, call.ctx, since, result.stop_reason)
            self._write(fields, result.usage)
        return result

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Record the model call; ``par_attempt`` is the last attempt that is known."""
        since = call.ctx.port.clock.steady_s()
        token = CURRENT.set(call.ctx)
        try:
            reply = await call_next(call)
        except BaseException as error:
            self._failed("model", call.model, call.ctx, since, error, attempt=call.attempt)
            raise
        finally:
            CURRENT.reset(token)
        if self._wanted("answered"):
            fields = _fields(
                "model", call.model, call.ctx, since, "answered", attempt=max(call.attempt, reply.attempts)
            )
            if self.content:
                fields["par_request"] = to_json(call.messages[-1]) if call.messages else None
                fields["par_response"] = to_json(reply.message)
            self._write(fields, reply.usage)
        return reply

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Record the tool call."""
        since = call.ctx.port.clock.steady_s()
        token = CURRENT.set(call.ctx)
        try:
            outcome = await call_next(call)
        except BaseException as error:
            self._failed("tool", call.name, call.ctx, since, error, attempt=call.attempt, call_id=call.id)
            raise
        finally:
            CURRENT.reset(token)
        kind = _OUTCOMES[type(outcome)]
        if self._wanted(kind):
            fields = _fields("tool", call.name, call.ctx, since, kind, attempt=call.attempt, call_id=call.id)
            if isinstance(outcome, Failed):
                fields["par_error_type"] = outcome.error_type or outcome.kind
            if self.content:
                fields["par_request"] = call.arguments if call.malformed is None else call.malformed
                fields["par_response"] = _told(outcome)
            self._write(fields, None)
        return outcome

    def _wanted(self, outcome: str) -> bool:
        return self.logger.isEnabledFor(self.failure_level if outcome in _BAD else self.level)

    def _failed(
        self,
        kind: str,
        name: str,
        ctx: RunContext[object],
        since: float,
        error: BaseException,
        *,
        attempt: int | None = None,
        call_id: str | None = None,
    ) -> None:
        outcome = "cancelled" if isinstance(error, anyio.get_cancelled_exc_class()) else "failed"
        if not self._wanted(outcome):
            return
        tried: object = getattr(error, "attempts", None)
        attempt = tried if isinstance(tried, int) and attempt is not None else attempt
        fields = _fields(kind, name, ctx, since, outcome, attempt=attempt, call_id=call_id)
        fields["par_error_type"] = type(error).__name__
        self._write(fields, None)

    def _write(self, fields: dict[str, Json], usage: Usage | None) -> None:
        if usage is not None:
            fields["par_input_tokens"] = usage.input_tokens
            fields["par_output_tokens"] = usage.output_tokens
            fields["par_requests"] = usage.requests
            fields["par_cost_micro"] = usage.cost_micro
        outcome = fields["par_outcome"]
        self.logger.log(
            self.failure_level if outcome in _BAD else self.level,
            "%s %s %s in %.1f ms",
            fields["par_call"],
            fields["par_name"],
            outcome,
            fields["par_duration_ms"],
            extra=fields,
        )


def _fields(
    kind: str,
    name: str,
    ctx: RunContext[object],
    since: float,
    outcome: str,
    *,
    attempt: int | None = None,
    call_id: str | None = None,
) -> dict[str, Json]:
    port = ctx.port
    return {
        "par_call": kind,
        "par_name": name,
        "par_run_id": port.run_id,
        "par_session_id": port.session_id,
        "par_agent": port.agent_name,
        "par_step": port.step,
        "par_call_id": call_id or ctx.call_id or None,
        "par_attempt": attempt,
        "par_duration_ms": (port.clock.steady_s() - since) * 1000,
        "par_outcome": outcome,
        "par_error_type": None,
        "par_input_tokens": None,
        "par_output_tokens": None,
        "par_requests": None,
        "par_cost_micro": None,
        "par_request": None,
        "par_response": None,
    }


def _told(outcome: ToolOutcome) -> Json:
    if isinstance(outcome, Done):
        return outcome.content
    if isinstance(outcome, (Failed, TimedOut)):
        return outcome.message
    if isinstance(outcome, (Cancelled, Unknown)):
        return outcome.reason
    return outcome.task if isinstance(outcome, Handoff) else outcome.prompt
