"""Keep within limits on requests, tokens and tool calls, waiting in line where that takes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import anyio
import attrs

from par._pipeline.handler import ModelHandler, ToolHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, ToolCall
from par.errors import AuthenticationFailed, ConnectionFailed, ModelError, RateLimited, RequestRejected
from par.events import RateLimitWaited
from par.limits import Limit, RateBackend, Reservation
from par.middleware._checks import Field, copied, counts, flag, optional_count, optional_seconds, seconds, whole
from par.middleware._estimate import message_tokens
from par.middleware._rate_headers import limit_from_headers, pause_from_headers
from par.middleware._rate_memory import MemoryRateBackend
from par.middleware._timeout import Timeout
from par.outcomes import Failed, ToolOutcome

__all__ = ["RateLimit"]

_SETTLE_S = 5.0
_TRANSIT = 20  # the part of a window that a request may take to arrive


def _key(_: object, field: Field, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field.name} must be a text that is not empty, got {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class RateLimit:
    """Lets calls through at the rate that is allowed, in the order in which they came.

    One instance may serve many agents and both kinds of call. Each model call reserves one request and an estimate
    of its tokens, and settles with the real usage. Where the provider itself says "not now", everybody waits as
    long as it asks.

    The default of 600 requests a minute is generous: it stops loops that run away, not normal work. Set the limits
    of your own account.
    """

    order: ClassVar[Order] = Order(outside_of=(Timeout,))

    requests: int | None = attrs.field(default=600, validator=optional_count)
    """Model requests in any ``per_s`` seconds; ``None`` for no limit."""
    tokens: int | None = attrs.field(default=None, validator=optional_count)
    """Tokens, input and output together, in any ``per_s`` seconds; ``None`` for no limit."""
    per_s: float = attrs.field(default=60.0, validator=seconds)
    """The length of the window in seconds."""
    max_wait_s: float | None = attrs.field(default=None, validator=optional_seconds)
    """The longest wait; beyond it a model call raises ``RateLimited`` and a tool call fails as refused. ``None``
    waits as long as it takes."""
    tool_calls: Mapping[str, int] = attrs.field(factory=dict[str, int], converter=copied, validator=counts)
    """Calls in any ``per_s`` seconds by tool name; other tools are free."""
    reply_tokens: int = attrs.field(default=500, validator=whole)
    """Tokens to reserve for an answer whose call sets no ``max_tokens``."""
    transit_s: float | None = attrs.field(default=None, validator=optional_seconds)
    """The most seconds that a request may take to reach the provider, who counts it when it arrives. Until a request
    is answered it is counted as that late, so that a slow one and a fast one after it never fall into one window.
    ``None`` for a twentieth of ``per_s``: so at least 95 % of the rate can be used."""
    learn: bool = attrs.field(default=True, validator=flag)
    """Take a lower limit from the provider's headers (``x-ratelimit-limit-requests`` and its like), understood as by
    ``per_s`` seconds."""
    key: str = attrs.field(default="model", validator=_key)
    """The name of the limit. Limiters with one name and one backend share it: give those of different accounts at
    providers different names."""
    backend: RateBackend = attrs.field(factory=MemoryRateBackend, repr=False)
    """Where the counts are kept: that of a store is for many processes."""

    _limit: Limit = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.requests is None and self.tokens is None and not self.tool_calls:
            raise ValueError(
                "one of requests, tokens and tool_calls must be set: a limiter without limits does nothing"
            )
        transit_s = self.per_s / _TRANSIT if self.transit_s is None else self.transit_s
        if transit_s >= self.per_s:
            raise ValueError(f"transit_s must be below per_s={self.per_s:g}, got {self.transit_s!r}")
        limit = Limit(requests=self.requests, tokens=self.tokens, per_s=self.per_s, transit_s=transit_s)
        object.__setattr__(self, "_limit", limit)

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call once it is its turn; cancelled while waiting, it gives its place back.

        Raises:
            RateLimited: if its turn does not come within ``max_wait_s``.
        """
        if self.requests is None and self.tokens is None:
            return await call_next(call)
        estimate = 0 if self.tokens is None else self._estimate(call)
        place = await self.backend.reserve(self.key, self._limit, tokens=estimate, max_wait_s=self.max_wait_s)
        if place.waited_s > 0:
            await self._tell_wait(call, place, estimate)
        try:
            reply = await call_next(call)
        except (RateLimited, ConnectionFailed, RequestRejected, AuthenticationFailed) as error:
            with anyio.move_on_after(_SETTLE_S, shield=True):
                await self._refused(place, error)
            raise
        except Exception:
            with anyio.move_on_after(_SETTLE_S, shield=True):
                await self.backend.settle(place, requests=1, tokens=estimate)  # it may have been worked on
            raise
        usage = reply.usage
        await self.backend.settle(place, requests=max(1, usage.requests), tokens=usage.total_tokens or estimate)
        if reply.headers:
            await self._heed(reply.headers, call.ctx.port.clock.now())
        return reply

    async def _heed(self, headers: Mapping[str, str], now: datetime) -> None:
        if self.learn:
            requests, tokens = limit_from_headers(headers, "requests"), limit_from_headers(headers, "tokens")
            if requests is not None or tokens is not None:
                await self.backend.learn(self.key, self._limit, requests=requests, tokens=tokens)
        if (pause := pause_from_headers(headers, now)) > 0:
            await self.backend.hold(self.key, self._limit, seconds=pause)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Answer the call once it is its turn, or refuse it after ``max_wait_s``."""
        allowed = self.tool_calls.get(call.name)
        if allowed is None:
            return await call_next(call)
        limit = Limit(requests=allowed, per_s=self.per_s)
        try:
            place = await self.backend.reserve(
                f"{self.key}/tool:{call.name}", limit, tokens=0, max_wait_s=self.max_wait_s
            )
        except RateLimited as error:
            when = f" Try again in {error.retry_after_s:.1f} s." if error.retry_after_s else ""
            message = f"{call.name} may be called {allowed} times in {self.per_s:g} s, and that is used up.{when}"
            return Failed(kind="refused", message=message, retryable=True, error_type="RateLimited")
        if place.waited_s > 0:
            await call.ctx.emit(RateLimitWaited(call_id=call.id, waited_s=place.waited_s))
        return await call_next(call)

    async def _tell_wait(self, call: ModelCall, place: Reservation, estimate: int) -> None:
        told = False
        try:
            await call.ctx.emit(RateLimitWaited(call_id=call.ctx.call_id, waited_s=place.waited_s))
            told = True
        finally:
            if not told and estimate:  # nothing was sent, so the tokens go back
                with anyio.move_on_after(_SETTLE_S, shield=True):
                    await self.backend.settle(place, requests=1, tokens=0)

    async def _refused(self, place: Reservation, error: ModelError) -> None:
        # refused before it was worked on: it cost a request and no tokens
        await self.backend.settle(place, requests=1, tokens=0)
        if isinstance(error, RateLimited) and error.retry_after_s:
            await self.backend.hold(self.key, self._limit, seconds=error.retry_after_s)

    def _estimate(self, call: ModelCall) -> int:
        return message_tokens(call) + (call.settings.max_tokens or self.reply_tokens)
