"""Stop before too much is spent."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Literal, TypeAlias

import anyio
import attrs

from par._pipeline.handler import ModelHandler, RunHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, RunCall, RunResult
from par.errors import AuthenticationFailed, ConnectionFailed, RateLimited, RequestRejected, UnknownPrice, UsageError
from par.limits import Allowance, BudgetBackend, Period, Spending
from par.middleware._budget_backend import MemoryBudgetBackend
from par.middleware._checks import Field, choice, copied, optional_count, whole
from par.middleware._estimate import message_tokens, spec_tokens
from par.middleware._fallback import Fallback
from par.middleware._logging import Logging
from par.middleware._prices import Price, PriceSource, cost_of, some_prices, source_or_none
from par.middleware._pricing import priced
from par.middleware._retry import Retry
from par.middleware._validation import Validation
from par.usage import Usage

__all__ = ["Budget"]

_Scope: TypeAlias = Literal["run", "shared"]

_SETTLE_S: Final = 5.0


def _key(_: object, field: Field, value: object) -> None:
    if not callable(value) and not (isinstance(value, str) and value):
        raise ValueError(f"{field.name} must be a text that is not empty, or a function of the call, got {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class Budget:
    """Refuses the model call that would spend more than is allowed, before it is made; the run ends with ``budget``.

    Each call first reserves what it may cost: its messages and tools at four characters a token, and ``max_tokens``
    of its settings, or ``reply_tokens``, for the answer. The real usage then takes that place. So calls at the same
    time never share the same room, and the ceiling is kept as far as the estimate is: set ``max_tokens``, and only
    input that has more tokens than its length tells can lead beyond it, each call at work by its own error. A call
    that finds no room does not wait for others to need less than they reserved. A resumed turn begins with what its
    recorded model calls have spent.

    A call that was refused by the provider costs a step and no tokens; one that broke off or was cancelled keeps what
    it reserved, for it may have been charged. What a process reserved that was killed returns, if the ``backend``
    outlives it.
    """

    order: ClassVar[Order] = Order(inside_of=(Logging, Retry, Validation), outside_of=(Fallback,))

    tokens: int | None = attrs.field(default=None, validator=optional_count)
    """Tokens, input and output together; ``None`` for no limit."""
    cost_micro: int | None = attrs.field(default=None, validator=optional_count)
    """Cost in millionths of the currency that ``prices`` uses; ``None`` for no limit."""
    steps: int | None = attrs.field(default=None, validator=optional_count)
    """Model calls, also those that fail and those that a ``Cache`` answers; ``None`` for no limit."""
    scope: _Scope = attrs.field(default="run", validator=choice("run", "shared"))
    """``run`` gives each run an allowance of its own, which it shares with the runs that its tools start, if their
    agents have this object too. ``shared`` is one allowance for all runs, for as long as the object lives."""
    reply_tokens: int = attrs.field(default=1_000, validator=whole)
    """Tokens to reserve for an answer whose call sets no ``max_tokens``."""
    prices: Mapping[str, Price] = attrs.field(factory=dict[str, Price], converter=copied, validator=some_prices)
    """Prices by model name, as in ``Pricing``; replies get their cost from it. This or ``source`` is needed for
    ``cost_micro``."""
    source: PriceSource | None = attrs.field(default=None, validator=source_or_none, repr=False)
    """What is asked for models that are not in ``prices``, as in ``Pricing``."""

    key: str | Callable[[ModelCall], str] = attrs.field(default="shared", validator=_key)
    """The name of a ``shared`` allowance, or what tells it from the call: a tenant, a user, a project. Calls with one
    name and one backend share one allowance."""
    per: Period | None = attrs.field(default=None)
    """A ``shared`` allowance begins anew each ``hour``, ``day`` or ``month``, in UTC; ``None`` for never."""
    backend: BudgetBackend | None = attrs.field(default=None, repr=False)
    """Where a ``shared`` allowance is kept: that of a store is for many processes. ``None`` keeps it in this object."""

    _allowance: Allowance = attrs.field(init=False, repr=False)
    _memory: MemoryBudgetBackend = attrs.field(factory=MemoryBudgetBackend, init=False, repr=False)
    _trees: dict[str, int] = attrs.field(factory=dict[str, int], init=False, repr=False)
    _carried: set[str] = attrs.field(factory=set[str], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.tokens is None and self.cost_micro is None and self.steps is None:
            raise ValueError("one of tokens, cost_micro and steps must be set: a budget without limits does nothing")
        if self.cost_micro is not None and not self.prices and self.source is None:
            raise ValueError("prices or source must be given for cost_micro: without them no call has a cost")
        if self.scope == "run" and (self.backend is not None or self.per is not None or self.key != "shared"):
            raise ValueError('scope must be "shared" where key, per or backend is given: a run has one of its own')
        allowance = Allowance(tokens=self.tokens, cost=self.cost_micro, steps=self.steps, per=self.per)
        object.__setattr__(self, "_allowance", allowance)

    async def used(self, key: str | None = None) -> dict[str, int]:
        """Return what is used or reserved of a ``shared`` budget, by kind (``tokens``, ``cost``, ``steps``).

        ``key`` is the name of the allowance, and needed only where calls tell it.

        Raises:
            UsageError: if it is missing then.
            StoreError: if the backend cannot be read.
        """
        if key is None:
            if not isinstance(self.key, str):
                raise UsageError("key must be given: the calls tell it, and there may be many")
            key = self.key
        spent = (await (self.backend or self._memory).used(key, self._allowance)).amounts
        return {kind: spent[kind] for kind in self._allowance.limits}

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]:
        """Keep the allowance of the run and of those that it starts while they last."""
        if self.scope == "shared":
            return await call_next(call)
        root = call.ctx.root_run_id
        self._trees[root] = self._trees.get(root, 0) + 1
        try:
            return await call_next(call)
        finally:
            self._trees[root] -= 1
            if not self._trees[root]:
                del self._trees[root]
                self._carried.discard(root)
                self._memory.forget(root)

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call if there is room for it.

        Raises:
            BudgetExhausted: if there is none; the call was not made.
            UnknownPrice: if ``cost_micro`` is set and the model has no price.
            StoreError: if the backend cannot be used; before the call, unless it failed meanwhile.
        """
        reserved = self._spending(call, self._estimate(call))
        backend, key = self._place_of(call)
        held = await backend.reserve(key, self._allowance, reserved)
        spent = reserved  # a call that breaks off or is cancelled may have been charged
        try:
            reply = priced(self.prices, self.source, call, await call_next(call))
            spent = Spending(tokens=reply.usage.total_tokens, cost=reply.usage.cost_micro, steps=1)
        except (RateLimited, ConnectionFailed, RequestRejected, AuthenticationFailed):
            spent = Spending(steps=1)
            raise
        finally:
            with anyio.move_on_after(_SETTLE_S, shield=True):
                await backend.settle(held, spent)
        return reply

    def _place_of(self, call: ModelCall) -> tuple[BudgetBackend, str]:
        if self.scope == "shared":
            return self.backend or self._memory, self.key if isinstance(self.key, str) else self.key(call)
        root = call.ctx.root_run_id
        if root not in self._trees:
            return MemoryBudgetBackend(), root
        if root not in self._carried and call.ctx.run_id == root:
            # the first call of the run here: what the turn has cost so far was spent by processes that died over it
            self._carried.add(root)
            usage = call.ctx.usage
            before = Spending(tokens=usage.total_tokens, cost=usage.cost_micro, steps=call.ctx.step - 1)
            self._memory.add(root, self._allowance, before)
        return self._memory, root

    def _estimate(self, call: ModelCall) -> Usage:
        return Usage(
            input_tokens=message_tokens(call) + spec_tokens(call),
            output_tokens=call.settings.max_tokens or self.reply_tokens,
        )

    def _spending(self, call: ModelCall, usage: Usage) -> Spending:
        cost = 0
        if self.cost_micro is not None:
            known = cost_of(self.prices, self.source, usage, asked=call.model)
            if known is None:
                raise UnknownPrice(call.model)
            cost = known
        return Spending(tokens=usage.total_tokens, cost=cost, steps=1)
