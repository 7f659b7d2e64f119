"""What is known about models in general: prices and context windows. Needs the extra ``prices``.

The facts are those of the library genai-prices (https://github.com/pydantic/genai-prices), which is maintained and brings
its data along: nothing is fetched, and they are as old as the installed version.
"""

from decimal import ROUND_CEILING
from typing import final

from par._clock import Clock
from par.errors import MissingExtra
from par.usage import Usage

try:
    from genai_prices import Usage as Tokens
    from genai_prices.data_snapshot import get_snapshot
except ModuleNotFoundError as error:
    raise MissingExtra(extra="prices", module="genai_prices") from error

__all__ = ["Catalogue", "context_window"]

_MILLION = 1_000_000


@final
class Catalogue:
    """Prices of the models of many providers, in US dollars, as they are at the time of the call.

    Knows prices that depend on the length of the input, on the day or the hour, and those of what is read from a cache
    or written to it; what has no price of its own costs as other input or output does. The price is that of the
    ordinary service: not of batches, flexible or priority tiers, nor of searches and other tools that run at the
    provider's. ``clock`` says what time it is.
    """

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        get_snapshot()  # reads the data, which takes a moment, now and not in somebody's event loop

    def cost_micro(self, model: str, usage: Usage, /) -> int | None:
        """Return what ``usage`` costs with ``model``, in millionths of a dollar, rounded up.

        ``None`` if there is no price for the model; ``"provider:name"`` is looked up at that provider only.
        """
        provider, name = _split(model)
        tokens = Tokens(
            # the cached ones are part of it, also where a provider has counted them beside it
            input_tokens=max(usage.input_tokens, usage.cache_read_tokens + usage.cache_write_tokens),
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
        )
        try:
            price = get_snapshot().calc(tokens, name, provider, None, self._clock.now())
        except LookupError:
            return None
        if price.model_price.input_mtok is None and price.model_price.output_mtok is None:
            return None  # it is priced by something else, such as pictures
        return int((price.total_price * _MILLION).to_integral_value(ROUND_CEILING))

    def __repr__(self) -> str:
        return "Catalogue()"


def context_window(model: str) -> int | None:
    """Return how many tokens a model takes in all, or ``None`` if that is not known.

    ``"provider:name"`` is looked up at that provider only, ``"name"`` at the one whose names look so.
    """
    provider, name = _split(model)
    try:
        return get_snapshot().find_provider_model(name, None, provider, None)[1].context_window
    except LookupError:
        return None


def _split(model: str) -> tuple[str | None, str]:
    provider, colon, name = model.partition(":")
    # which of its two APIs a model of OpenAI is spoken to by changes nothing about it
    return (provider.removesuffix("-responses"), name) if colon else (None, model)
