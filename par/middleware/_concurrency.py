"""Let only so many calls go on at once."""

from collections.abc import Mapping
from typing import ClassVar, TypeVar
from weakref import WeakKeyDictionary

import attrs
from anyio.lowlevel import RunVar

from par._pipeline.handler import Handler, ModelHandler, ToolHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, ToolCall
from par.middleware._checks import copied, counts, optional_count
from par.middleware._rate_limit import RateLimit
from par.middleware._retry import Retry
from par.middleware._slots import CURRENT_PLACE, Desk, Place, Pools
from par.middleware._timeout import Timeout
from par.outcomes import ToolOutcome

__all__ = ["Concurrency"]

Req = TypeVar("Req")
Resp = TypeVar("Resp")


@attrs.frozen(kw_only=True, eq=False)
class Concurrency:
    """Lets at most so many calls go on at once, over all runs that share the object; the others wait in line.

    Who came first goes first, unless it needs a tool that is busy. A cancelled caller leaves the line at once. Each
    event loop counts for itself.

    A tool that runs another agent does not count while that agent's calls do: it gives its place up for as long as
    calls of its own pass through the same object, and takes it again after them. So nested runs never wait for
    themselves or for each other, however low the limit. If a call of its own is cancelled, it takes its place again
    without waiting, so that for a moment one call more may go on.
    """

    order: ClassVar[Order] = Order(inside_of=(Retry,), outside_of=(RateLimit, Timeout))

    models: int | None = attrs.field(default=None, validator=optional_count)
    """Model calls at once; ``None`` for no limit."""
    tools: int | None = attrs.field(default=None, validator=optional_count)
    """Tool calls at once, over all tools; ``None`` for no limit."""
    per_tool: Mapping[str, int] = attrs.field(factory=dict[str, int], converter=copied, validator=counts)
    """Calls at once by tool name, beside ``tools``."""

    def __attrs_post_init__(self) -> None:
        if self.models is None and self.tools is None and not self.per_tool:
            raise ValueError("one of models, tools and per_tool must be set: without a limit nothing is limited")
        for name, limit in self.per_tool.items():
            if self.tools is not None and limit > self.tools:
                raise ValueError(f"per_tool[{name!r}] must be at most tools={self.tools}, got {limit}")

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call once there is a place for it."""
        if self.models is None:
            return await call_next(call)
        return await _placed(Place(self._desk(), ("models",)), call, call_next)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Answer the call once there is a place for it."""
        pools: Pools = ("tools",) if self.tools is not None else ()
        if call.name in self.per_tool:
            pools += (f"tool:{call.name}",)
        if not pools:
            return await call_next(call)
        return await _placed(Place(self._desk(), pools), call, call_next)

    def _desk(self) -> Desk:
        desks = _DESKS.get(None)
        if desks is None:
            desks = WeakKeyDictionary[Concurrency, Desk]()
            _DESKS.set(desks)
        desk = desks.get(self)
        if desk is None:
            limits = {f"tool:{name}": limit for name, limit in self.per_tool.items()}
            if self.models is not None:
                limits["models"] = self.models
            if self.tools is not None:
                limits["tools"] = self.tools
            desk = desks[self] = Desk(limits)
        return desk


async def _placed(place: Place, call: Req, call_next: Handler[Req, Resp]) -> Resp:
    await place.enter()
    token = CURRENT_PLACE.set(place)
    try:
        answer = await call_next(call)
    except Exception:
        CURRENT_PLACE.reset(token)
        await place.leave()  # noqa: ASYNC120 # cancelled here, the cancellation is what counts
        raise
    except BaseException:
        CURRENT_PLACE.reset(token)
        place.leave_at_once()
        raise
    CURRENT_PLACE.reset(token)
    await place.leave()
    return answer


_DESKS: RunVar[WeakKeyDictionary[Concurrency, Desk] | None] = RunVar("par_concurrency_desks")
