"""What a rate limiter needs of the place that keeps its counts, so that many processes can share one."""

from typing import Protocol

import attrs

from par.middleware._checks import optional_count, seconds, seconds_or_zero

__all__ = ["Limit", "RateBackend", "Reservation"]


@attrs.frozen(kw_only=True)
class Limit:
    """So many requests and so many tokens in any ``per_s`` seconds; ``None`` leaves one of them free.

    A request that is not settled yet counts as if the provider had got it ``transit_s`` seconds after it was granted.
    """

    requests: int | None = attrs.field(default=None, validator=optional_count)
    tokens: int | None = attrs.field(default=None, validator=optional_count)
    per_s: float = attrs.field(default=60.0, validator=seconds)
    transit_s: float = attrs.field(default=0.0, validator=seconds_or_zero)


@attrs.frozen(kw_only=True)
class Reservation:
    """A place that was granted, after ``waited_s`` seconds."""

    key: str
    number: int
    waited_s: float


class RateBackend(Protocol):
    """Keeps the counts of limits. Calls with one ``key`` share one limit and are served in the order they came."""

    async def reserve(self, key: str, limit: Limit, *, tokens: int, max_wait_s: float | None) -> Reservation:
        """Wait for room for one request of ``tokens`` tokens and take it.

        A cancelled caller gives its place in the queue back.

        Raises:
            RateLimited: if there is no room within ``max_wait_s``; ``retry_after_s`` says when there may be.
        """
        ...

    async def settle(self, reservation: Reservation, *, requests: int, tokens: int) -> None:
        """Replace what was reserved by what was really used, and wake who waits for the difference.

        The provider has the request by now, so it leaves the window ``per_s`` seconds from now at the latest.
        """
        ...

    async def learn(self, key: str, limit: Limit, *, requests: int | None, tokens: int | None) -> None:
        """Take the provider's own limits under ``key`` where they are lower; ``None`` says that it did not tell."""
        ...

    async def hold(self, key: str, limit: Limit, *, seconds: float) -> None:
        """Grant nothing under ``key`` for so many seconds, because the provider said so."""
        ...
