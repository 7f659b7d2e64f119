"""What tokens cost."""

import re
from collections.abc import Mapping
from typing import Protocol

import attrs

from par.middleware._checks import Field, optional_whole, whole
from par.usage import Usage

__all__ = ["Price", "PriceSource", "cost_of", "price_of", "some_prices", "source_or_none"]

_MILLION = 1_000_000
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2}|latest)\Z")


def _micro(_instance: object, field: Field, value: int) -> None:
    whole(_instance, field, value)


@attrs.frozen(kw_only=True)
class Price:
    """Millionths of a currency unit for a million tokens: ``input=3_000_000`` is 3 dollars, in a list in dollars."""

    input: int = attrs.field(validator=_micro)
    """Tokens that are read."""
    output: int = attrs.field(validator=_micro)
    """Tokens that are written, reasoning included."""
    cache_read: int | None = attrs.field(default=None, validator=optional_whole)
    """Tokens that the provider had in its cache; ``None`` for the price of other input."""
    cache_write: int | None = attrs.field(default=None, validator=optional_whole)
    """Tokens that it put there; ``None`` for the price of other input."""

    def cost_micro(self, usage: Usage) -> int:
        """Return what a usage costs, rounded up to a millionth."""
        read, written = usage.cache_read_tokens, usage.cache_write_tokens
        total = (
            max(0, usage.input_tokens - read - written) * self.input
            + read * (self.input if self.cache_read is None else self.cache_read)
            + written * (self.input if self.cache_write is None else self.cache_write)
            + usage.output_tokens * self.output
        )
        return -(-total // _MILLION)


class PriceSource(Protocol):
    """Something that knows what models cost, such as ``par.catalogue.Catalogue``."""

    def cost_micro(self, model: str, usage: Usage, /) -> int | None:
        """Return the cost in millionths of the currency, or ``None`` if the model has no price."""
        ...


def source_or_none(_instance: object, field: Field, value: PriceSource | None) -> None:
    """Refuse what is no source of prices."""
    # callers without a checker
    if value is not None and (isinstance(value, type) or not callable(getattr(value, "cost_micro", None))):
        raise TypeError(f"{field.name} must know prices, as Catalogue() does, got {value!r}")


def some_prices(_instance: object, field: Field, value: object) -> None:
    """Refuse what is no mapping of model names to prices."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{field.name} must map model names to prices, got {value!r}")
    for name, price in value.items():  # pyright: ignore[reportUnknownVariableType] # each is checked here
        if not isinstance(name, str) or not isinstance(price, Price):
            raise TypeError(f"{field.name} must map model names to prices, got {name!r}: {price!r}")


def price_of(prices: Mapping[str, Price], *names: str) -> Price | None:
    """Return the price of the first of the names that has one.

    ``"openai:gpt-5"`` is found under ``"gpt-5"`` too, and so is ``"gpt-5-2025-08-07"``, a dated version of it.
    """
    for name in names:
        bare = name.partition(":")[2] or name
        for key in (name, bare, _DATE.sub("", bare)):
            if key in prices:
                return prices[key]
    return None


def cost_of(
    prices: Mapping[str, Price], source: PriceSource | None, usage: Usage, *, asked: str, answered: str = ""
) -> int | None:
    """Return what a usage costs, or ``None`` if neither model has a price.

    ``prices`` goes before ``source``, and the model that answered before the one that was asked. The one that
    answered is looked up in ``source`` at the provider that was asked, as replies do not name it.
    """
    price = price_of(prices, *((answered, asked) if answered else (asked,)))
    if price is not None:
        return price.cost_micro(usage)
    if source is None:
        return None
    provider, colon, _ = asked.partition(":")
    if answered:
        cost = source.cost_micro(f"{provider}:{answered}" if colon else answered, usage)
        if cost is not None:
            return cost
    return source.cost_micro(asked, usage)
