"""What calls cost: tokens, requests and money."""

import attrs

__all__ = ["Usage"]


@attrs.frozen(kw_only=True)
class Usage:
    """Tokens, requests and cost of one call or of a whole run; values add up with ``+``.

    ``input_tokens`` includes ``cache_read_tokens`` and ``cache_write_tokens``; ``output_tokens`` includes
    ``reasoning_tokens``. ``cost_micro`` is in millionths of the currency that the price list uses.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    requests: int = 0
    cost_micro: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            requests=self.requests + other.requests,
            cost_micro=self.cost_micro + other.cost_micro,
        )
