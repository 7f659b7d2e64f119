"""Try again, where trying again is safe and may help."""

from random import Random
from typing import ClassVar, Literal, TypeAlias, final

import anyio
import attrs

from par._context import RunContext
from par._pipeline.handler import ModelHandler, RunHandler, ToolHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, RunCall, RunResult, ToolCall
from par.deltas import Delta, Emit, StreamRestarted, discard
from par.errors import ModelError, ModelTimedOut, TransientModelError
from par.events import Retried
from par.middleware._checks import choice, count, flag, optional_seconds, optional_whole, seconds
from par.middleware._rate_limit import RateLimit
from par.middleware._retry_budget import RetryBudget
from par.middleware._timeout import Timeout
from par.outcomes import Failed, TimedOut, ToolOutcome

__all__ = ["Backoff", "Retry"]

Backoff: TypeAlias = Literal["exponential", "linear", "fixed"]


@final
class _Tally:
    """What one call has come to so far: which attempt it is, and whether its reader has seen some of it."""

    __slots__ = ("attempt", "shown")

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.shown = False


@attrs.frozen(kw_only=True, eq=False)
class Retry:
    """Repeats model calls that failed for a passing reason, and tool calls that are safe to repeat.

    Model calls: only after a ``TransientModelError``, and never once a delta has reached the reader, unless
    ``restart``. When it gives up, the error of the last attempt is raised, the same object, with ``attempts`` set.
    Tool calls: after ``Failed(retryable=True)``, the tool's own word that nothing has happened; after ``TimedOut``
    only where the tool's effect is ``read`` or ``idempotent``. Everything else passes at once.
    """

    order: ClassVar[Order] = Order(outside_of=(RateLimit, Timeout))

    attempts: int = attrs.field(default=4, validator=count)
    """How often a call is made at most, the first time included."""
    base_s: float = attrs.field(default=0.5, validator=seconds)
    """The pause that ``backoff`` grows from."""
    max_delay_s: float = attrs.field(default=30.0, validator=seconds)
    """The longest pause, also where the provider asks for more."""
    total_s: float | None = attrs.field(default=None, validator=optional_seconds)
    """Seconds for one model call over all attempts, pauses and waits; when they are over, whatever is under way is
    ended and ``ModelTimedOut(limit="total")`` is raised."""
    backoff: Backoff = attrs.field(default="exponential", validator=choice("exponential", "linear", "fixed"))
    """How pauses grow: doubling, by ``base_s`` each time, or not at all."""
    jitter: bool = attrs.field(default=True, validator=flag)
    """Draw each pause evenly between 0 and its ceiling, so that many callers do not come back at once."""
    restart: bool = attrs.field(default=False, validator=flag)
    """Repeat also after deltas were shown; the reader then gets ``StreamRestarted`` first."""
    retries_per_run: int | None = attrs.field(default=20, validator=optional_whole)
    """How many retries one run may use over all its calls; ``None`` for no such limit."""
    budget: RetryBudget | None = None
    """A budget shared with others, which stops storms of retries."""
    rng: Random = attrs.field(factory=Random, repr=False)  # noqa: S311 # pauses are no secret
    """Where jitter comes from."""

    _used: dict[str, int] = attrs.field(factory=dict[str, int], init=False, repr=False)

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]:
        """Count the run's retries while it lasts."""
        run_id = call.ctx.run_id
        if self.retries_per_run is None or run_id in self._used:
            return await call_next(call)
        self._used[run_id] = 0
        try:
            return await call_next(call)
        finally:
            del self._used[run_id]

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call with as many attempts as are needed and allowed.

        Raises:
            ModelError: the last attempt's own error.
            ModelTimedOut: with ``limit="total"`` when ``total_s`` is over.
        """
        if self.budget is not None:
            self.budget.first_attempt()
        tally = _Tally(call.attempt)
        if self.total_s is None:
            return await self._answer(call, call_next, tally)
        with anyio.move_on_after(self.total_s):
            return await self._answer(call, call_next, tally)
        error = ModelTimedOut(limit="total", after_s=self.total_s)
        error.attempts = tally.attempt
        raise error

    async def _answer(self, call: ModelCall, call_next: ModelHandler, tally: _Tally) -> ModelReply:
        emit = call.emit
        if emit is not discard:
            call = attrs.evolve(call, emit=_watched(emit, tally))
        while True:
            try:
                reply = await call_next(call)
            except TransientModelError as error:
                if not self._may_repeat(tally, call.ctx):
                    error.attempts = tally.attempt
                    raise
                delay = self._delay(tally.attempt, error.retry_after_s)
                reason = type(error).__name__
            except ModelError as error:
                error.attempts = tally.attempt
                raise
            else:
                return reply if tally.attempt == 1 else attrs.evolve(reply, attempts=tally.attempt)
            await self._pause(call.ctx, tally.attempt, delay, reason)
            if tally.shown:
                await emit(StreamRestarted(reason=reason))
                tally.shown = False
            tally.attempt += 1
            call = attrs.evolve(call, attempt=tally.attempt)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Answer the call, repeating it where that is safe."""
        if self.budget is not None:
            self.budget.first_attempt()
        outcome = await call_next(call)
        tally = _Tally(call.attempt)
        while _safe_to_repeat(call, outcome) and self._may_repeat(tally, call.ctx):
            await self._pause(
                call.ctx, tally.attempt, self._delay(tally.attempt, None), _failure_name(outcome), call.id
            )
            tally.attempt += 1
            call = attrs.evolve(call, attempt=tally.attempt)
            outcome = await call_next(call)
        return outcome

    async def _pause(self, ctx: RunContext[object], attempt: int, delay: float, why: str, call_id: str = "") -> None:
        await ctx.emit(Retried(call_id=call_id or ctx.call_id, attempt=attempt + 1, delay_s=delay, error_type=why))
        await anyio.sleep(delay)

    def _may_repeat(self, tally: _Tally, ctx: RunContext[object]) -> bool:
        if tally.attempt >= self.attempts or (tally.shown and not self.restart):
            return False
        used = self._used.get(ctx.run_id)
        if used is not None and self.retries_per_run is not None and used >= self.retries_per_run:
            return False
        if self.budget is not None and not self.budget.take():
            return False
        if used is not None:
            self._used[ctx.run_id] = used + 1
        return True

    def _delay(self, attempt: int, asked_s: float | None) -> float:
        if asked_s is not None and asked_s > 0:
            return min(asked_s, self.max_delay_s)
        steps = {"exponential": 2.0 ** min(attempt - 1, 60), "linear": float(attempt), "fixed": 1.0}
        ceiling = min(self.base_s * steps[self.backoff], self.max_delay_s)
        return self.rng.uniform(0.0, ceiling) if self.jitter else ceiling


def _watched(emit: Emit, tally: _Tally) -> Emit:
    async def watched(delta: Delta, /) -> None:
        # a restart from further in takes back what was shown, so that nothing is
        tally.shown = type(delta) is not StreamRestarted
        await emit(delta)

    return watched


def _safe_to_repeat(call: ToolCall, outcome: ToolOutcome) -> bool:
    if isinstance(outcome, Failed):
        return outcome.retryable
    return isinstance(outcome, TimedOut) and call.tool.spec.effect != "once"


def _failure_name(outcome: ToolOutcome) -> str:
    if isinstance(outcome, Failed) and outcome.error_type is not None:
        return outcome.error_type
    return type(outcome).__name__
