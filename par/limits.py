"""Limits that many calls share, and what a place must do that keeps their counts: in memory, or in a database."""

from datetime import UTC, datetime
from math import isfinite
from typing import Literal, Protocol, TypeAlias

import attrs

__all__ = ["Allowance", "BudgetBackend", "Held", "Limit", "Period", "RateBackend", "Reservation", "Spending"]

Period: TypeAlias = Literal["hour", "day", "month"]
"""After which an allowance begins anew, in UTC."""


class _Field(Protocol):
    @property
    def name(self) -> str: ...


def _whole(field: _Field, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{field.name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{field.name} must be at least {least}, got {value!r}")


def _number(field: _Field, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{field.name} must be a number, got {value!r}")
    return value


def _optional_count(_: object, field: _Field, value: int | None) -> None:
    if value is not None:
        _whole(field, value, 1)


def _amount(_: object, field: _Field, value: object) -> None:
    _whole(field, value, 0)


def _seconds(_: object, field: _Field, value: object) -> None:
    number = _number(field, value)
    if not isfinite(number) or number <= 0:
        raise ValueError(f"{field.name} must be a finite number of seconds above 0, got {value!r}")


def _seconds_or_zero(_: object, field: _Field, value: object) -> None:
    number = _number(field, value)
    if not isfinite(number) or number < 0:
        raise ValueError(f"{field.name} must be a finite number of seconds of at least 0, got {value!r}")


def _period(_: object, field: _Field, value: object) -> None:
    if value not in (None, "hour", "day", "month"):
        raise ValueError(f"{field.name} must be one of 'hour', 'day', 'month' and None, got {value!r}")


@attrs.frozen(kw_only=True)
class Limit:
    """So many requests and so many tokens in any ``per_s`` seconds; ``None`` leaves one of them free.

    A request that is not settled yet counts as if the provider had got it ``transit_s`` seconds after it was granted.
    """

    requests: int | None = attrs.field(default=None, validator=_optional_count)
    tokens: int | None = attrs.field(default=None, validator=_optional_count)
    per_s: float = attrs.field(default=60.0, validator=_seconds)
    transit_s: float = attrs.field(default=0.0, validator=_seconds_or_zero)


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


@attrs.frozen(kw_only=True)
class Spending:
    """What calls need or have used: tokens, cost in millionths of a currency, and steps."""

    tokens: int = attrs.field(default=0, validator=_amount)
    cost: int = attrs.field(default=0, validator=_amount)
    steps: int = attrs.field(default=0, validator=_amount)

    @property
    def amounts(self) -> dict[str, int]:
        """The amounts by kind: ``tokens``, ``cost``, ``steps``."""
        return {"tokens": self.tokens, "cost": self.cost, "steps": self.steps}


@attrs.frozen(kw_only=True)
class Allowance:
    """How much may be spent of each kind, ``None`` for no limit; ``per`` begins it anew each hour, day or month."""

    tokens: int | None = attrs.field(default=None, validator=_optional_count)
    cost: int | None = attrs.field(default=None, validator=_optional_count)
    steps: int | None = attrs.field(default=None, validator=_optional_count)
    per: Period | None = attrs.field(default=None, validator=_period)

    @property
    def limits(self) -> dict[str, int]:
        """The limits that there are, by kind: ``tokens``, ``cost``, ``steps``."""
        kinds = {"tokens": self.tokens, "cost": self.cost, "steps": self.steps}
        return {kind: limit for kind, limit in kinds.items() if limit is not None}

    def period(self, now: datetime) -> str:
        """Return the name of the hour, day or month in UTC, empty where there are none; later ones sort after it."""
        text = now.astimezone(UTC).isoformat()
        return "" if self.per is None else text[: {"hour": 13, "day": 10, "month": 7}[self.per]]


@attrs.frozen(kw_only=True)
class Held:
    """What was reserved of an allowance, until it is settled; ``period`` names the hour, day or month, if any."""

    key: str
    number: int
    period: str
    spending: Spending


class BudgetBackend(Protocol):
    """Keeps what was spent. Calls with one ``key`` share one allowance, which they never exceed together."""

    async def reserve(self, key: str, allowance: Allowance, spending: Spending) -> Held:
        """Take what a call may need, all of it or nothing; nobody waits.

        Raises:
            BudgetExhausted: for the first kind that has no room.
        """
        ...

    async def settle(self, held: Held, spending: Spending) -> None:
        """Put what was really used in the place of what was reserved; a second time it does nothing."""
        ...

    async def used(self, key: str, allowance: Allowance) -> Spending:
        """Return what is used or reserved, in the present period where there are periods."""
        ...
