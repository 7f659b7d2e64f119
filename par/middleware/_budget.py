"""Stop before too much is spent."""

from collections.abc import Mapping
from typing import ClassVar, Literal, TypeAlias, final

import attrs

from par._pipeline.handler import ModelHandler, RunHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply, RunCall, RunResult
from par.errors import AuthenticationFailed, ConnectionFailed, RateLimited, RequestRejected, UsageError
from par.middleware._checks import choice, copied, optional_count, whole
from par.middleware._estimate import message_tokens, spec_tokens
from par.middleware._fallback import Fallback
from par.middleware._logging import Logging
from par.middleware._prices import Price, price_of, some_prices
from par.middleware._pricing import priced
from par.middleware._purse import Amounts, Purse
from par.middleware._retry import Retry
from par.middleware._validation import Validation
from par.usage import Usage

__all__ = ["Budget"]

_Scope: TypeAlias = Literal["run", "shared"]


@final
class _Tree:
    """The purse of a run and of the runs that it starts, and how many of them go on."""

    __slots__ = ("purse", "runs")

    def __init__(self, purse: Purse) -> None:
        self.purse = purse
        self.runs = 0


@attrs.frozen(kw_only=True, eq=False)
class Budget:
    """Refuses the model call that would spend more than is allowed, before it is made; the run ends with ``budget``.

    Each call first reserves what it may cost: its messages and tools at four characters a token, and ``max_tokens``
    of its settings, or ``reply_tokens``, for the answer. The real usage then takes that place. So calls at the same
    time never share the same room, and the ceiling is kept as far as the estimate is: set ``max_tokens``, and only
    input that has more tokens than its length tells can lead beyond it, each call at work by its own error. A call
    that finds no room does not wait for others to need less than they reserved.

    A call that was refused by the provider costs a step and no tokens; one that broke off or was cancelled keeps what
    it reserved, for it may have been charged.
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
    """Prices by model name, as in ``Pricing``; replies get their cost from it. Needed for ``cost_micro``."""

    _shared: Purse = attrs.field(init=False, repr=False)
    _trees: dict[str, _Tree] = attrs.field(factory=dict[str, _Tree], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.tokens is None and self.cost_micro is None and self.steps is None:
            raise ValueError("one of tokens, cost_micro and steps must be set: a budget without limits does nothing")
        if self.cost_micro is not None and not self.prices:
            raise ValueError("prices must be given for cost_micro: without them no call has a cost")
        object.__setattr__(self, "_shared", self._purse())

    def _purse(self) -> Purse:
        limits = {"tokens": self.tokens, "cost": self.cost_micro, "steps": self.steps}
        return Purse({kind: limit for kind, limit in limits.items() if limit is not None})

    @property
    def used(self) -> dict[str, int]:
        """What is used or reserved of a ``shared`` budget, by kind (``tokens``, ``cost``, ``steps``)."""
        return self._shared.used

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]:
        """Keep the allowance of the run and of those that it starts while they last."""
        if self.scope == "shared":
            return await call_next(call)
        root = call.ctx.root_run_id
        tree = self._trees.get(root)
        if tree is None:
            tree = self._trees[root] = _Tree(self._purse())
        tree.runs += 1
        try:
            return await call_next(call)
        finally:
            tree.runs -= 1
            if not tree.runs:
                del self._trees[root]

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call if there is room for it.

        Raises:
            BudgetExhausted: if there is none; the call was not made.
            UsageError: if ``cost_micro`` is set and the model has no price.
        """
        purse = self._purse_of(call)
        reserved = self._amounts(call, self._estimate(call))
        purse.reserve(reserved)
        try:
            reply = priced(self.prices, call, await call_next(call))
        except (RateLimited, ConnectionFailed, RequestRejected, AuthenticationFailed):
            purse.settle(reserved, {"tokens": 0, "cost": 0, "steps": 1})
            raise
        usage = reply.usage
        purse.settle(reserved, {"tokens": usage.total_tokens, "cost": usage.cost_micro, "steps": 1})
        return reply

    def _purse_of(self, call: ModelCall) -> Purse:
        if self.scope == "shared":
            return self._shared
        tree = self._trees.get(call.ctx.root_run_id)
        return self._purse() if tree is None else tree.purse

    def _estimate(self, call: ModelCall) -> Usage:
        return Usage(
            input_tokens=message_tokens(call) + spec_tokens(call),
            output_tokens=call.settings.max_tokens or self.reply_tokens,
        )

    def _amounts(self, call: ModelCall, usage: Usage) -> Amounts:
        cost = 0
        if self.cost_micro is not None:
            price = price_of(self.prices, call.model)
            if price is None:
                raise UsageError(f"{call.model!r} has no price, so its cost cannot be limited: add it to prices")
            cost = price.cost_micro(usage)
        return {"tokens": usage.total_tokens, "cost": cost, "steps": 1}
