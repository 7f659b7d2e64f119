"""Say what model calls cost."""

from collections.abc import Mapping
from typing import ClassVar

import attrs

from par._pipeline.handler import ModelHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply
from par.middleware._checks import Field, copied
from par.middleware._logging import Logging
from par.middleware._prices import Price, price_of, some_prices
from par.middleware._retry import Retry
from par.middleware._validation import Validation

__all__ = ["Pricing", "priced"]


def _not_empty(instance: object, field: Field, value: object) -> None:
    some_prices(instance, field, value)
    if not value:
        raise ValueError(f"{field.name} must hold at least one price: without any nothing has a cost")


@attrs.frozen(kw_only=True, eq=False)
class Pricing:
    """Fills ``Usage.cost_micro`` of each reply from a price list, so that runs, events and logs tell the cost.

    A cost that the provider itself tells stays, and a reply of a model that has no price keeps 0. A reply is priced
    by the model that gave it, under the name that it bears (a date at its end may be left out of the list), else by
    the model that was asked.
    """

    order: ClassVar[Order] = Order(inside_of=(Logging, Retry, Validation))

    prices: Mapping[str, Price] = attrs.field(converter=copied, validator=_not_empty)
    """Prices by model name, with or without the provider and a colon before it."""

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call with a reply that says what it cost."""
        return priced(self.prices, call, await call_next(call))


def priced(prices: Mapping[str, Price], call: ModelCall, reply: ModelReply) -> ModelReply:
    """Return the reply with its cost, where it has tokens, a price, and no cost yet."""
    usage = reply.usage
    if usage.cost_micro or not usage.total_tokens:
        return reply
    price = price_of(prices, reply.model, call.model)
    if price is None:
        return reply
    return attrs.evolve(reply, usage=attrs.evolve(usage, cost_micro=price.cost_micro(usage)))
