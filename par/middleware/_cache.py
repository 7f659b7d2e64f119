"""Answer again what was answered before."""

from typing import ClassVar, final

import attrs
from anyio.lowlevel import checkpoint

from par._clock import Clock
from par._pipeline.handler import ModelHandler, ToolHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, ToolCall
from par.deltas import Delta, Emit, StreamRestarted, discard
from par.errors import InvalidOutput
from par.middleware._cache_key import model_key, tool_key
from par.middleware._cache_replay import deltas_of
from par.middleware._cache_shelf import Flights, Shelf
from par.middleware._checks import count, flag, optional_seconds
from par.middleware._concurrency import Concurrency
from par.middleware._fallback import Fallback
from par.middleware._pii_mask import PiiMask
from par.middleware._rate_limit import RateLimit
from par.outcomes import Done, ToolOutcome
from par.usage import Usage

__all__ = ["Cache"]


@attrs.frozen
class _Kept:
    """A reply, and the deltas that it came in, if it was streamed."""

    reply: ModelReply
    deltas: tuple[Delta, ...] | None


@attrs.frozen(kw_only=True, eq=False)
class Cache:
    """Answers a call from memory where the very same call was answered before.

    Model calls are the same if their model's name, messages, tools, settings and output type are. The reply comes
    with the deltas that it had, with no usage and ``requests=0``, for nothing was asked. Calls at the same time that
    nobody streams are made once: the others wait for the first, and if it is cancelled or fails they go on without it.

    Tool calls are kept only where the tool's effect is ``read``, and are the same if the tool, its arguments and the
    run's ``deps`` (the same object) are. A read that depends on anything else, such as the time, is answered from
    memory too until ``ttl_s`` is over: give such a tool another agent, or set ``tools=False``.

    Failures are never kept, nor replies that are empty, filtered or not of the promised type. What is kept stays in
    this process, as the model and the tools gave it; each reader's ``PiiMask`` stands around it.
    """

    order: ClassVar[Order] = Order(inside_of=(PiiMask, Fallback), outside_of=(RateLimit, Concurrency))

    max_entries: int = attrs.field(default=1_000, validator=count)
    """How many answers are kept; the one that was not used for longest goes first."""
    ttl_s: float | None = attrs.field(default=300.0, validator=optional_seconds)
    """Seconds for which an answer is good; ``None`` for as long as there is room."""
    models: bool = attrs.field(default=True, validator=flag)
    """Whether model calls are kept."""
    tools: bool = attrs.field(default=True, validator=flag)
    """Whether calls of tools that only read are kept."""
    clock: Clock = attrs.field(factory=Clock, repr=False, validator=attrs.validators.instance_of(Clock))
    """Where the age of answers is read."""

    _replies: Shelf[_Kept] = attrs.field(init=False, repr=False)
    _outcomes: Shelf[Done[object]] = attrs.field(init=False, repr=False)
    _flights: Flights = attrs.field(factory=Flights, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.models and not self.tools:
            raise ValueError("one of models and tools must be True: a cache of neither keeps nothing")
        object.__setattr__(self, "_replies", Shelf[_Kept](self.max_entries, self.ttl_s, self.clock))
        object.__setattr__(self, "_outcomes", Shelf[Done[object]](self.max_entries, self.ttl_s, self.clock))

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call from memory, or ask and remember."""
        if not self.models:
            return await call_next(call)
        key = model_key(call)
        ending = "open"
        while True:
            kept = self._replies.get(key)
            if kept is not None:
                return await _replayed(kept, call)
            if ending in {"landed", "failed"}:  # to wait for the next would make one line of all who wait
                return await self._asked(key, call, call_next)
            if call.stream or call.emit is not discard:
                # nobody waits for it: it goes at the pace of its reader, who is a stranger to the others
                return await self._asked(key, call, call_next)
            if self._flights.free(key):
                with self._flights.lead(key):
                    return await self._asked(key, call, call_next)
            ending = await self._flights.wait(key)

    async def _asked(self, key: str, call: ModelCall, call_next: ModelHandler) -> ModelReply:
        record = None
        if call.emit is not discard:
            record = _Record(call.emit)
            call = attrs.evolve(call, emit=record.emit)
        reply = await call_next(call)
        if _is_answer(call, reply):
            self._replies.put(key, _Kept(reply, None if record is None else tuple(record.deltas)))
        return reply

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Answer the call of a tool that only reads from memory, or let it run and remember."""
        if not self.tools or call.tool.spec.effect != "read" or call.malformed is not None:
            return await call_next(call)
        # kept with the answer, so that no other object can take their place in memory
        owners = (call.tool, call.ctx.deps)
        key = tool_key(call)
        kept = self._outcomes.get(key, owners)
        if kept is not None:
            await checkpoint()
            return kept
        outcome = await call_next(call)
        if isinstance(outcome, Done):
            self._outcomes.put(key, outcome, owners)
        return outcome


def _is_answer(call: ModelCall, reply: ModelReply) -> bool:
    """Whether a reply is worth giving again: what would be repaired is better asked for anew."""
    uses = reply.message.tool_uses
    if reply.finish == "content_filter" or any(use.malformed is not None for use in uses):
        return False
    if uses:
        return {use.name for use in uses} <= {spec.name for spec in call.tools}
    text = reply.message.text
    if call.output is None or reply.finish == "length":
        return bool(text.strip())
    try:
        call.output.parse(text)
    except InvalidOutput:
        return False
    return True


async def _replayed(kept: _Kept, call: ModelCall) -> ModelReply:
    await checkpoint()
    if call.emit is not discard:
        for delta in deltas_of(kept.reply.message) if kept.deltas is None else kept.deltas:
            await call.emit(delta)
    return attrs.evolve(kept.reply, usage=Usage(), request_id=None, headers={})


@final
class _Record:
    """Remembers the deltas that pass."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.deltas: list[Delta] = []

    async def emit(self, delta: Delta, /) -> None:
        """Pass the delta on."""
        if isinstance(delta, StreamRestarted):
            self.deltas.clear()
        else:
            self.deltas.append(delta)
        await self._emit(delta)
