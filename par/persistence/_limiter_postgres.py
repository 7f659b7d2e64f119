"""Limits that the processes of many machines share, in Postgres."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, cast, final

import anyio

from par.errors import StoreError
from par.limits import Allowance, Held, Limit, Reservation, Spending
from par.persistence._limiter import SharedRateBackend, Ticket, Turn
from par.persistence._limiter_budget import Lack, Limiter, SharedBudgetBackend, check_seconds, open_limiter
from par.persistence._postgres_driver import Connection
from par.persistence._postgres_pool import PgPool
from par.persistence._postgres_tail import Bell

__all__ = ["open_limiter_postgres"]

_CLOSE_S: Final = 5.0
_BEATS: Final = 3
"""How often a waiting process gives a sign of life within its lease."""
_US: Final = 1_000_000

_Advanced: TypeAlias = tuple[list[int], list[int], list[int], int | None, int | None, int | None, int | None]
"""The columns of ``rate_advance``."""

_ADVANCE: Final = "SELECT * FROM rate_advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_SETTLE: Final = "SELECT rate_settle($1, $2, $3, $4)"
_WITHDRAW: Final = "SELECT rate_withdraw($1, $2, $3, $4, $5, $6)"
_HEED: Final = "SELECT rate_heed($1, $2, $3, $4)"
_RESERVE: Final = "SELECT lacking, used, its_period FROM budget_reserve($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_SPEND: Final = "SELECT budget_settle($1, $2, $3, $4, $5, $6)"
_USED: Final = "SELECT tokens, cost, steps FROM budget_used($1, $2)"
_RENEW: Final = "SELECT budget_renew($1, $2)"
_DROP: Final = "SELECT budget_drop($1, $2, $3)"


def _us(seconds: float) -> int:
    return round(seconds * _US)


@final
class _Windows:
    """The windows of one scope."""

    def __init__(self, pool: PgPool, line_s: float) -> None:
        self._pool = pool
        self._line_s = line_s
        self._me = os.urandom(8).hex()
        self.bell = Bell(pool, f"par_limit_{self._me}")
        self._rings = -1

    async def advance(self, key: str, limit: Limit, tickets: tuple[Ticket, ...]) -> Turn:
        values = (
            key,
            limit.requests,
            limit.tokens,
            _us(limit.per_s),
            _us(limit.transit_s),
            self._me,
            _us(self._line_s),
            [ticket.number for ticket in tickets],
            [ticket.tokens for ticket in tickets],
            [None if ticket.max_wait_s is None else _us(ticket.max_wait_s) for ticket in tickets],
        )

        async def job(connection: Connection) -> tuple[object, ...]:
            row = await connection.fetchrow(_ADVANCE, *values)
            return () if row is None else tuple(row[place] for place in range(len(row)))

        row = await self._pool.run(job, again=True)
        granted, refused, delays, ahead, sure, told_requests, told_tokens = cast("_Advanced", row)
        return Turn(
            granted=tuple(granted),
            refused={number: delay / _US for number, delay in zip(refused, delays, strict=True)},
            ahead=ahead or 0,
            sure_s=(sure or 0) / _US,
            told=(told_requests, told_tokens),
        )

    async def settle(self, reservation: Reservation, requests: int, tokens: int) -> None:
        await self._ask(_SETTLE, reservation.key, reservation.number, requests, tokens)

    async def withdraw(self, key: str, limit: Limit, ticket: Ticket) -> float:
        late = await self._ask(
            _WITHDRAW, key, ticket.number, limit.requests, limit.tokens, _us(limit.per_s), ticket.tokens
        )
        return cast("int", late) / _US

    async def heed(self, key: str, requests: int | None, tokens: int | None, hold_s: float) -> None:
        await self._ask(_HEED, key, requests, tokens, _us(hold_s))

    async def pause(self, turn: Turn, poll_s: float, kicked: anyio.Event, seen: int) -> int:
        if self._rings < 0:  # it listens only after this
            self._rings = await self.bell.wait(-1)
            return self._rings
        known = [self._rings if seen < 0 else seen]  # as of before this turn, so no ring is missed
        failures: list[StoreError] = []

        async def listen() -> None:
            try:
                self._rings = known[0] = await self.bell.wait(known[0])
            except StoreError as error:
                failures.append(error)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            with anyio.move_on_after(min(turn.sure_s or poll_s, self._line_s / _BEATS)):
                await kicked.wait()
            group.cancel_scope.cancel()
        if failures:
            raise failures[0]
        return known[0]

    async def _ask(self, query: str, *values: object) -> object:
        async def job(connection: Connection) -> object:
            return await connection.fetchval(query, *values)

        return await self._pool.run(job, again=True)


@final
class _Accounts:
    """The allowances of one scope."""

    def __init__(self, pool: PgPool, lease_s: float) -> None:
        self._pool = pool
        self._lease_us = _us(lease_s)

    async def reserve(self, key: str, allowance: Allowance, spending: Spending, number: int) -> str | Lack:
        limits = (allowance.tokens, allowance.cost, allowance.steps)
        row = await self._row(_RESERVE, key, allowance.per, *limits, *spending.amounts.values(), number, self._lease_us)
        kind, used, period = cast("tuple[str | None, int, str]", row)
        return period if kind is None else Lack(kind, used)

    async def settle(self, held: Held, spending: Spending) -> None:
        await self._row(_SPEND, held.key, held.period, held.number, *spending.amounts.values())

    async def drop(self, key: str, allowance: Allowance, number: int) -> None:
        await self._row(_DROP, key, allowance.per, number)

    async def used(self, key: str, allowance: Allowance) -> Spending:
        tokens, cost, steps = cast("tuple[int | None, ...]", await self._row(_USED, key, allowance.per))
        return Spending(tokens=tokens or 0, cost=cost or 0, steps=steps or 0)

    async def renew(self, numbers: tuple[int, ...]) -> None:
        await self._row(_RENEW, list(numbers), self._lease_us)

    async def _row(self, query: str, *values: object) -> tuple[object, ...]:
        async def job(connection: Connection) -> tuple[object, ...]:
            row = await connection.fetchrow(query, *values)
            return () if row is None else tuple(row[place] for place in range(len(row)))

        return await self._pool.run(job, again=True)


@asynccontextmanager
async def open_limiter_postgres(
    pool: PgPool, *, line_s: float = 2.0, lease_s: float = 30.0
) -> AsyncGenerator[Limiter, None]:
    """Open the limits of the pool's scope, in a database that has the tables and functions of ``limiter.POSTGRES``.

    A process that is gone, or frozen, or cannot reach the database, loses its places in line after ``line_s`` seconds,
    during which the others may have to wait for it, and what it holds of allowances after ``lease_s``. The others
    renew theirs three times in that time. A place in line is soon taken anew; an allowance that is given back while
    its call goes on may be spent twice: hence the difference.

    Windows are measured by the server's clock. If it is set back, what is in the windows is set back as well; if it
    leaps ahead, they empty.

    The server tells who is first in line (``NOTIFY``), on one connection beside the pool, made when a call waits.
    """
    check_seconds("line_s", line_s)
    check_seconds("lease_s", lease_s)
    windows = _Windows(pool, line_s)
    budget = SharedBudgetBackend(_Accounts(pool, lease_s), lease_s)
    try:
        async with open_limiter(SharedRateBackend(windows), budget) as limiter:
            yield limiter
    finally:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await windows.bell.aclose()
