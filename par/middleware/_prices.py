"""What tokens cost."""

import re
from collections.abc import Mapping

import attrs

from par.middleware._checks import Field, optional_whole, whole
from par.usage import Usage

__all__ = ["Price", "price_of", "some_prices"]

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
