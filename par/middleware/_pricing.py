"""Say what model calls cost."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import attrs

from par._pipeline.handler import ModelHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply
from par.errors import UnknownPrice
from par.middleware._checks import choice, copied
from par.middleware._logging import Logging
from par.middleware._prices import Price, PriceSource, cost_of, some_prices, source_or_none
from par.middleware._retry import Retry
from par.middleware._validation import Validation
from par.usage import Usage

__all__ = ["Pricing", "priced"]

_ANY = Usage(input_tokens=1, output_tokens=1)


@attrs.frozen(kw_only=True, eq=False)
class Pricing:
    """Fills ``Usage.cost_micro`` of each reply, so that runs, events and logs tell the cost.

    A reply is priced by the model that gave it, under the name that it bears (a date at its end may be left out of
    the list), else by the model that was asked. A cost that the provider itself tells stays.
    """

    order: ClassVar[Order] = Order(inside_of=(Logging, Retry, Validation))

    prices: Mapping[str, Price] = attrs.field(factory=dict[str, Price], converter=copied, validator=some_prices)
    """Prices by model name, with or without the provider and a colon before it."""
    source: PriceSource | None = attrs.field(default=None, validator=source_or_none)
    """What is asked for models that are not in ``prices``: ``Catalogue()`` of ``par.catalogue`` knows many."""
    unknown: Literal["error", "no_cost"] = attrs.field(default="error", validator=choice("error", "no_cost"))
    """A call of a model that has no price is refused before it is made, or it is made and adds nothing to the cost: a
    sum then tells the cost of the others."""

    def __attrs_post_init__(self) -> None:
        if not self.prices and self.source is None:
            raise ValueError("prices or source must be given: without any nothing has a cost")

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call with a reply that says what it cost.

        Raises:
            UnknownPrice: if the model that is asked has no price, unless that is allowed; the call was not made.
        """
        if self.unknown == "error" and cost_of(self.prices, self.source, _ANY, asked=call.model) is None:
            raise UnknownPrice(call.model)
        return priced(self.prices, self.source, call, await call_next(call))


def priced(prices: Mapping[str, Price], source: PriceSource | None, call: ModelCall, reply: ModelReply) -> ModelReply:
    """Return the reply with its cost, where it has tokens, a price, and no cost yet."""
    usage = reply.usage
    if usage.cost_micro or not usage.total_tokens:
        return reply
    cost = cost_of(prices, source, usage, asked=call.model, answered=reply.model)
    if cost is None:
        return reply
    return attrs.evolve(reply, usage=attrs.evolve(usage, cost_micro=cost))
