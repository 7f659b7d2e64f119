"""Limits that the processes of one machine share, in an audit file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, final

import anyio

import par.persistence._limiter_purse as purse
import par.persistence._limiter_window as window
from par._clock import Clock
from par.limits import Limit, Reservation
from par.persistence._limiter import SharedRateBackend, Ticket, Turn
from par.persistence._limiter_budget import Limiter, SharedBudgetBackend, check_seconds, open_limiter
from par.persistence._processes import Machine, this_machine
from par.persistence._sqlite_connection import SqliteConnection

__all__ = ["open_limiter_sqlite"]

_POLL_S: Final = 0.25
"""How long a waiting process sleeps at most: others cannot wake it, and one that was before it may have died."""
_BEATS: Final = 3
"""How often a waiting process asks at least within the time that its places are kept."""
_US: Final = 1_000_000


@final
class _Windows:
    """The windows of one scope."""

    def __init__(self, connection: SqliteConnection, scope: str, machine: Machine, line_s: float) -> None:
        self._connection = connection
        self._scope = scope
        self._machine = machine
        self._lease_us = round(line_s * _US)
        self._poll_s = min(_POLL_S, line_s / _BEATS)

    def _place(self, key: str) -> window.Place:
        return window.Place(self._scope, key, self._machine, self._lease_us)

    async def advance(self, key: str, limit: Limit, tickets: tuple[Ticket, ...]) -> Turn:
        return await self._connection.run(window.advance, self._place(key), limit, tickets)

    async def settle(self, reservation: Reservation, requests: int, tokens: int) -> None:
        place = self._place(reservation.key)
        await self._connection.run(window.settle, place, reservation.number, requests, tokens)

    async def withdraw(self, key: str, limit: Limit, ticket: Ticket) -> float:
        return await self._connection.run(window.withdraw, self._place(key), limit, ticket)

    async def heed(self, key: str, requests: int | None, tokens: int | None, hold_s: float) -> None:
        await self._connection.run(window.heed, self._place(key), requests, tokens, hold_s)

    async def pause(self, turn: Turn, poll_s: float, kicked: anyio.Event, seen: int) -> int:
        # nothing can change the first date; from then on it is asked, at growing intervals, up to the second
        wait_s = turn.early_s if turn.early_s > 0 else min(poll_s, turn.sure_s or poll_s)
        with anyio.move_on_after(min(wait_s, self._poll_s)):
            await kicked.wait()
        return seen


@asynccontextmanager
async def open_limiter_sqlite(
    connection: SqliteConnection,
    scope: str,
    *,
    clock: Clock | None = None,
    line_s: float = 2.0,
    lease_s: float = 30.0,
    machine: Machine | None = None,
) -> AsyncGenerator[Limiter, None]:
    """Open the limits of a scope in the file of the connection, which has the tables ``limiter.SQLITE``.

    Processes that are gone are known by their number and start time, at once. Where that cannot be known, because
    they are in a container with numbers of its own, and where a process has frozen, its places in line lapse after
    ``line_s`` seconds without a sign of life, and what it holds of allowances after ``lease_s``.

    Windows are measured by the machine's steady clock, which no setting of the time of day changes; only the time
    between two starts of the machine is told by ``clock``, which also says which day it is.
    """
    time = clock or Clock()
    check_seconds("line_s", line_s)
    check_seconds("lease_s", lease_s)
    here = await anyio.to_thread.run_sync(this_machine, time) if machine is None else machine
    accounts = purse.Accounts(connection, scope, here, time, lease_s)
    budget = SharedBudgetBackend(accounts, lease_s)
    rate = SharedRateBackend(_Windows(connection, scope, here, line_s))
    async with open_limiter(rate, budget) as limiter:
        yield limiter
