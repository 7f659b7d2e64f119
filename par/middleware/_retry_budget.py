"""A budget that many runs share, so that retries cannot make a bad hour worse."""

from typing import final

__all__ = ["RetryBudget"]


@final
class RetryBudget:
    """Allows retries in proportion to first attempts; share one between all that call the same provider.

    It starts with ``reserve`` retries. Each first attempt adds ``ratio`` (up to ``reserve`` again), each retry
    takes 1. While a provider is down, the load stays below ``1 + ratio`` times the normal one.

    Raises:
        ValueError: for a ratio outside 0 to 1, or a reserve below 1.
    """

    __slots__ = ("_left", "ratio", "reserve")

    def __init__(self, *, ratio: float = 0.2, reserve: int = 10) -> None:
        if not 0 < ratio <= 1:
            raise ValueError(f"ratio must be above 0 and at most 1, got {ratio!r}")
        if isinstance(reserve, bool) or reserve < 1:
            raise ValueError(f"reserve must be a whole number of at least 1, got {reserve!r}")
        self.ratio = ratio
        self.reserve = reserve
        self._left = float(reserve)

    @property
    def left(self) -> float:
        """How many retries may be made now."""
        return self._left

    def first_attempt(self) -> None:
        """Count a first attempt."""
        self._left = min(float(self.reserve), self._left + self.ratio)

    def take(self) -> bool:
        """Take one retry; ``False`` says that there is none."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
