"""Allowances that processes share: what is held for a call that goes on is renewed as long as its process lives."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from math import isfinite
from typing import Final, Protocol, final

import anyio
import attrs

from par.errors import BudgetExhausted, StoreError
from par.limits import Allowance, Held, Spending
from par.persistence._limiter import SharedRateBackend, new_number

__all__ = ["BudgetLedger", "Lack", "Limiter", "SharedBudgetBackend", "check_seconds", "open_limiter"]

_WITHDRAW_S: Final = 5.0
_BEATS: Final = 3
"""How often what is held is renewed within its lease: two renewals may fail."""


@attrs.frozen
class Lack:
    """Which kind has no room, and how much of it is used."""

    kind: str
    used: int


class BudgetLedger(Protocol):
    """The accounts of one scope in a database. Every call is one transaction, and may be repeated."""

    async def reserve(self, key: str, allowance: Allowance, spending: Spending, number: int) -> str | Lack:
        """Take the amounts, all or none; return the period, or what is missing."""
        ...

    async def settle(self, held: Held, spending: Spending) -> None: ...

    async def used(self, key: str, allowance: Allowance) -> Spending: ...

    async def renew(self, numbers: tuple[int, ...]) -> None: ...

    async def drop(self, key: str, allowance: Allowance, number: int) -> None:
        """Give back what is held under that number, now or by a reservation that is still on its way."""
        ...


@final
class SharedBudgetBackend:
    """Keeps what all processes spend that use the database; together they never reserve more than is allowed.

    What a process had reserved that was killed is given back, as soon as somebody needs it and the end of that
    process is known. Whether the provider has charged for its call nobody knows.
    """

    def __init__(self, ledger: BudgetLedger, lease_s: float) -> None:
        self._ledger = ledger
        self._lease_s = lease_s
        self._open: set[int] = set()
        self._opened = anyio.Event()

    async def reserve(self, key: str, allowance: Allowance, spending: Spending) -> Held:
        """Take the amounts, all of them or none. A cancelled caller holds nothing.

        Raises:
            BudgetExhausted: for the first kind that has no room.
            StoreUnavailable: if the database cannot be used now.
        """
        number = new_number()
        known = False
        try:
            found = await self._ledger.reserve(key, allowance, spending, number)
            known = True
        finally:
            if not known:
                with anyio.move_on_after(_WITHDRAW_S, shield=True):
                    await self._ledger.drop(key, allowance, number)
        if isinstance(found, Lack):
            limit, needed = allowance.limits[found.kind], spending.amounts[found.kind]
            raise BudgetExhausted(kind=found.kind, limit=limit, used=found.used, needed=needed)
        self._open.add(number)
        self._opened.set()
        return Held(key=key, number=number, period=found, spending=spending)

    async def settle(self, held: Held, spending: Spending) -> None:
        """Put the real amounts in place of the reserved ones; a second time it does nothing.

        Raises:
            StoreUnavailable: if the database cannot be used now; the reservation stays then, until it lapses.
        """
        self._open.discard(held.number)
        await self._ledger.settle(held, spending)

    async def used(self, key: str, allowance: Allowance) -> Spending:
        """Return what is used or reserved now, by all processes that are alive.

        Raises:
            StoreUnavailable: if the database cannot be used now.
        """
        return await self._ledger.used(key, allowance)

    async def renew(self) -> None:
        """Give signs of life for what is held, for ever; sleeps while nothing is."""
        while True:
            await self._opened.wait()
            await anyio.sleep(self._lease_s / _BEATS)
            if not self._open:
                self._opened = anyio.Event()
                continue
            try:
                await self._ledger.renew(tuple(self._open))
            except StoreError:
                continue  # what lapses meanwhile is charged when it is settled


@attrs.frozen
class Limiter:
    """The limits of a store's scope: the backends of ``RateLimit`` and of ``Budget``."""

    rate: SharedRateBackend
    budget: SharedBudgetBackend


@asynccontextmanager
async def open_limiter(rate: SharedRateBackend, budget: SharedBudgetBackend) -> AsyncGenerator[Limiter, None]:
    """Give both backends, and signs of life for what the block holds of allowances."""
    failure: BaseExceptionGroup[BaseException] | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(budget.renew)
            yield Limiter(rate, budget)
            group.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        if len(errors.exceptions) > 1:
            raise
        failure = errors
    if failure is not None:  # renewing never fails, so this is the block's own error, as the block raised it
        raise failure.exceptions[0]


def check_seconds(name: str, seconds: object) -> None:
    """Refuse what is no time.

    Raises:
        ValueError: for what is no finite number of seconds above 0.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not isfinite(seconds) or seconds <= 0:
        raise ValueError(f"{name} must be a finite number of seconds above 0, got {seconds!r}")
