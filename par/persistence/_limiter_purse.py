"""Shared allowances in SQLite. Its jobs run in the thread of the connection that they are given."""

import sqlite3
from typing import Final, cast, final

from par._clock import Clock
from par.limits import Allowance, Held, Spending
from par.persistence._limiter_budget import Lack
from par.persistence._processes import Machine
from par.persistence._sqlite_connection import SqliteConnection
from par.persistence._sqlite_write import transaction

__all__ = ["Accounts"]

_US: Final = 1_000_000
_FORGET_US: Final = 86_400 * _US
"""How long it is remembered that something was given back, for the case that its process was only frozen."""

_THIS: Final = "scope = ? AND key = ? AND period = ?"
_USED: Final = f"SELECT tokens, cost, steps FROM allowance WHERE {_THIS}"  # noqa: S608 # no value is in it
_BEGIN: Final = "INSERT INTO allowance (scope, key, period) VALUES (?, ?, ?)"
# of each key the last three periods are kept: calls of the last one may still be settled, and a clock may step back
_FORGET: Final = """
    DELETE FROM allowance WHERE scope = ?1 AND key = ?2 AND period <> ?3 AND period NOT IN (
        SELECT period FROM allowance WHERE scope = ?1 AND key = ?2 ORDER BY period DESC LIMIT 3)
"""
_CHANGE: Final = f"UPDATE allowance SET tokens = tokens + ?, cost = cost + ?, steps = steps + ? WHERE {_THIS}"  # noqa: S608 # as above
_HOLD: Final = """
    INSERT INTO allowance_hold (scope, key, period, id, tokens, cost, steps, owner, until)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_HELD: Final = "SELECT key, period, tokens, cost, steps, returned FROM allowance_hold WHERE scope = ? AND id = ?"
_DROP: Final = "DELETE FROM allowance_hold WHERE scope = ? AND id = ?"
_ALL_HELD: Final = f"SELECT id, tokens, cost, steps, owner, until, returned FROM allowance_hold WHERE {_THIS}"  # noqa: S608 # as above
_RETURN: Final = "UPDATE allowance_hold SET returned = 1 WHERE scope = ? AND id = ?"
_RENEW: Final = "UPDATE allowance_hold SET until = ? WHERE scope = ? AND id = ? AND NOT returned"


@final
class Accounts:
    """The allowances of one scope."""

    def __init__(
        self, connection: SqliteConnection, scope: str, machine: Machine, clock: Clock, lease_s: float
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._machine = machine
        self._clock = clock
        self._lease_us = round(lease_s * _US)

    async def reserve(self, key: str, allowance: Allowance, spending: Spending, number: int) -> str | Lack:
        return await self._connection.run(self._reserve, key, allowance, spending, number)

    async def settle(self, held: Held, spending: Spending) -> None:
        await self._connection.run(self._settle, held.number, spending)

    async def drop(self, key: str, allowance: Allowance, number: int) -> None:  # noqa: ARG002 # the number says it
        # the connection does one job after the other: nothing is on its way any more
        await self._connection.run(self._settle, number, Spending())

    async def used(self, key: str, allowance: Allowance) -> Spending:
        return await self._connection.run(self._used, key, allowance)

    async def renew(self, numbers: tuple[int, ...]) -> None:
        await self._connection.run(self._renew, numbers)

    def _reserve(
        self, connection: sqlite3.Connection, key: str, allowance: Allowance, spending: Spending, number: int
    ) -> str | Lack:
        this = (self._scope, key, allowance.period(self._clock.now()))
        with transaction(connection):
            if connection.execute(_USED, this).fetchone() is None:
                connection.execute(_BEGIN, this)
                connection.execute(_FORGET, this)
            lack = _lack(connection, this, allowance, spending)
            if lack is not None and self._give_back(connection, this):
                lack = _lack(connection, this, allowance, spending)
            if lack is not None:
                return lack
            amounts = tuple(spending.amounts.values())
            until = self._machine.steady_us() + self._lease_us
            connection.execute(_HOLD, (*this, number, *amounts, self._machine.me, until))
            connection.execute(_CHANGE, (*amounts, *this))
        return this[2]

    def _give_back(self, connection: sqlite3.Connection, this: tuple[str, str, str]) -> bool:
        """Give back what was held for calls whose process is gone; one that is settled later is charged then."""
        now = self._machine.steady_us()
        fates: dict[str, bool | None] = {}
        changed = False
        for number, tokens, cost, steps, owner, until, returned in connection.execute(_ALL_HELD, this).fetchall():
            if returned:
                if until <= now - _FORGET_US:
                    connection.execute(_DROP, (self._scope, number))
                continue
            if owner not in fates:
                fates[owner] = self._machine.is_alive(owner)
            if fates[owner] is False or until <= now:
                connection.execute(_RETURN, (self._scope, number))
                connection.execute(_CHANGE, (-tokens, -cost, -steps, *this))
                changed = True
        return changed

    def _settle(self, connection: sqlite3.Connection, number: int, spending: Spending) -> None:
        with transaction(connection):
            found = connection.execute(_HELD, (self._scope, number)).fetchone()
            if found is None:
                return
            key, period, *held, returned = found
            before = [0, 0, 0] if returned else cast("list[int]", held)
            changes = [used - was for used, was in zip(spending.amounts.values(), before, strict=True)]
            connection.execute(_DROP, (self._scope, number))
            connection.execute(_CHANGE, (*changes, self._scope, key, period))

    def _used(self, connection: sqlite3.Connection, key: str, allowance: Allowance) -> Spending:
        this = (self._scope, key, allowance.period(self._clock.now()))
        with transaction(connection):
            self._give_back(connection, this)
            row = connection.execute(_USED, this).fetchone()
        return Spending() if row is None else Spending(tokens=row[0], cost=row[1], steps=row[2])

    def _renew(self, connection: sqlite3.Connection, numbers: tuple[int, ...]) -> None:
        until = self._machine.steady_us() + self._lease_us
        with transaction(connection):
            connection.executemany(_RENEW, [(until, self._scope, number) for number in numbers])


def _lack(
    connection: sqlite3.Connection, this: tuple[str, str, str], allowance: Allowance, spending: Spending
) -> Lack | None:
    used: dict[str, int] = dict(
        zip(("tokens", "cost", "steps"), connection.execute(_USED, this).fetchone(), strict=True)
    )
    needed = spending.amounts
    for kind, limit in allowance.limits.items():
        if used[kind] + needed[kind] > limit:
            return Lack(kind, used[kind])
    return None
