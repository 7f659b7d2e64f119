"""The window of a shared limit in SQLite. The functions here run in the thread of the connection that they are given."""

import sqlite3
from typing import Final, cast, final

import attrs

from par.limits import Limit
from par.persistence._limiter import Ticket, Turn
from par.persistence._processes import Machine
from par.persistence._sqlite_write import transaction

__all__ = ["Place", "advance", "heed", "settle", "withdraw"]

_MINE: Final = "scope = ? AND key = ?"
_BUCKET: Final = f"""
    SELECT places, requests, tokens, held_until, told_requests, told_tokens, latest, boot, wall FROM limiter
    WHERE {_MINE}
"""  # noqa: S608 # no value is in it
_ADD_BUCKET: Final = "INSERT INTO limiter (scope, key, latest, boot, wall) VALUES (?, ?, ?, ?, ?)"
_SAVE_BUCKET: Final = f"""
    UPDATE limiter SET places = ?, requests = ?, tokens = ?, held_until = ?, told_requests = ?, told_tokens = ?,
        latest = ?, boot = ?, wall = ? WHERE {_MINE}
"""  # noqa: S608 # no value is in it
_SHIFT: Final = f"UPDATE limiter_place SET at = at - ?, until = until - ? WHERE {_MINE}"  # noqa: S608 # no value is in it
_PAST: Final = f"""
    SELECT count(*), coalesce(sum(requests), 0), coalesce(sum(tokens), 0) FROM limiter_place
    WHERE {_MINE} AND at IS NOT NULL AND at <= ?
"""  # noqa: S608 # no value is in it
_DROP_PAST: Final = f"DELETE FROM limiter_place WHERE {_MINE} AND at IS NOT NULL AND at <= ?"  # noqa: S608 # as above
_WINDOW: Final = f"""
    SELECT at, requests, tokens FROM limiter_place
    WHERE {_MINE} AND at IS NOT NULL AND requests + tokens > 0 ORDER BY at
"""  # noqa: S608 # no value is in it
_OPEN_TOKENS: Final = f"""
    SELECT 1 FROM limiter_place WHERE {_MINE} AND at IS NOT NULL AND NOT settled AND tokens > 0 ORDER BY at DESC LIMIT 1
"""  # noqa: S608 # no value is in it
_LINE: Final = f"SELECT id, tokens, owner, until FROM limiter_place WHERE {_MINE} AND at IS NULL ORDER BY place"  # noqa: S608 # as above
_FIND: Final = f"SELECT at, requests, tokens, settled FROM limiter_place WHERE {_MINE} AND id = ?"  # noqa: S608 # as above
_ADD: Final = """
    INSERT INTO limiter_place (scope, key, id, place, owner, until, at, requests, tokens)
    VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)
"""
_GRANT: Final = f"UPDATE limiter_place SET at = ? WHERE {_MINE} AND id = ?"  # noqa: S608 # no value is in it
_RENEW: Final = f"UPDATE limiter_place SET until = ? WHERE {_MINE} AND id = ?"  # noqa: S608 # no value is in it
_SETTLE: Final = f"""
    UPDATE limiter_place SET requests = ?, tokens = ?, at = min(at, ?), settled = 1 WHERE {_MINE} AND id = ?
"""  # noqa: S608 # no value is in it
_REMOVE: Final = f"DELETE FROM limiter_place WHERE {_MINE} AND id = ?"  # noqa: S608 # no value is in it
_US: Final = 1_000_000


@attrs.frozen
class Place:
    """Where a limit is kept, and how long a place in its line is kept that nobody asks about."""

    scope: str
    key: str
    machine: Machine
    lease_us: int


@final
class _Window:
    """One limit within a transaction."""

    def __init__(self, connection: sqlite3.Connection, place: Place) -> None:
        self._connection = connection
        self._machine = place.machine
        self.mine = (place.scope, place.key)
        self.now = place.machine.steady_us()
        wall = place.machine.wall_us()
        row = connection.execute(_BUCKET, self.mine).fetchone()
        if row is None:
            connection.execute(_ADD_BUCKET, (*self.mine, self.now, place.machine.boot, wall))
            row = (0, 0, 0, 0, None, None, self.now, place.machine.boot, wall)
        self.places, self.requests, self.tokens = cast("tuple[int, int, int]", row[:3])
        self.held_until = cast("int", row[3])
        self.told = cast("tuple[int | None, int | None]", row[4:6])
        self._wall = wall
        latest, boot, before = cast("tuple[int, str, int]", row[6:])
        if boot != place.machine.boot or self.now < latest:
            # another start of the machine, whose steady clock began anew: the time of day tells how long ago it was
            self._shift(latest - self.now + max(0, wall - before))

    def _shift(self, by: int) -> None:
        self._connection.execute(_SHIFT, (by, by, *self.mine))
        self.held_until -= by

    def save(self) -> None:
        values = (self.places, self.requests, self.tokens, self.held_until, *self.told, self.now)
        self._connection.execute(_SAVE_BUCKET, (*values, self._machine.boot, self._wall, *self.mine))

    def expire(self, limit: Limit) -> None:
        horizon = (*self.mine, self.now - _us(limit.per_s))
        count, requests, tokens = self._connection.execute(_PAST, horizon).fetchone()
        if count:
            self._connection.execute(_DROP_PAST, horizon)
            self.requests -= requests
            self.tokens -= tokens

    def most(self, limit: Limit) -> tuple[int | None, int | None]:
        """Return the lower ones of the own limits and the provider's."""
        return _lower(limit.requests, self.told[0]), _lower(limit.tokens, self.told[1])

    def needed(self, limit: Limit, ticket: Ticket) -> int:
        """Return the tokens of a call; one that needs more than a whole window waits for an empty one."""
        most = self.most(limit)[1]
        return ticket.tokens if most is None else min(ticket.tokens, most)

    def delay(self, limit: Limit, requests: int, tokens: int) -> tuple[int, bool]:
        """Return the time until there is room if nothing is given back; and whether tokens are what is missing."""
        most_requests, most_tokens = self.most(limit)
        over_requests = 0 if most_requests is None else self.requests + requests - most_requests
        over_tokens = 0 if most_tokens is None else self.tokens + tokens - most_tokens
        free_at, by_tokens = self.held_until, over_tokens > 0
        if over_requests > 0 or over_tokens > 0:
            for at, its_requests, its_tokens in self._connection.execute(_WINDOW, self.mine):
                free_at = max(free_at, at + _us(limit.per_s))
                over_requests -= its_requests
                over_tokens -= its_tokens
                if over_requests <= 0 and over_tokens <= 0:
                    break
        return max(0, free_at - self.now), by_tokens

    def early(self, limit: Limit, sure: int, *, by_tokens: bool) -> int:
        """Return before when there cannot be room. Requests come back no earlier than a settlement now says."""
        held = max(0, self.held_until - self.now)
        if by_tokens and self._connection.execute(_OPEN_TOKENS, self.mine).fetchone():
            return held
        return max(held, min(sure, _us(limit.per_s)))


def _lower(own: int | None, told: int | None) -> int | None:
    return own if own is None or told is None else min(own, told)


def _us(seconds: float) -> int:
    return round(seconds * _US)


def _line(connection: sqlite3.Connection, window: _Window, place: Place, own: set[int]) -> list[tuple[int, int]]:
    """Return the queue, without the places of processes that are gone; those are removed."""
    fates: dict[str, bool | None] = {place.machine.me: True}
    rows: list[tuple[int, int]] = []
    for number, tokens, owner, until in connection.execute(_LINE, window.mine).fetchall():
        if owner not in fates:
            fates[owner] = place.machine.is_alive(owner)
        if number not in own and (fates[owner] is False or until <= window.now):
            connection.execute(_REMOVE, (*window.mine, number))
        else:
            rows.append((number, tokens))
    return rows


def advance(
    connection: sqlite3.Connection,
    place: Place,
    limit: Limit,
    tickets: tuple[Ticket, ...],
) -> Turn:
    """Put the calls in line that are not in it, and grant places to those that are first in it."""
    with transaction(connection):
        window = _Window(connection, place)
        window.expire(limit)
        own = {ticket.number for ticket in tickets}
        line = _line(connection, window, place, own)
        arrives = window.now + _us(limit.transit_s)
        until = window.now + place.lease_us
        granted: list[int] = []
        refused: dict[int, float] = {}
        new: list[Ticket] = []
        for ticket in tickets:
            found = connection.execute(_FIND, (*window.mine, ticket.number)).fetchone()
            if found is None:
                new.append(ticket)
            elif found[0] is None:
                connection.execute(_RENEW, (until, *window.mine, ticket.number))
            else:  # it was granted, and nobody heard of it: the request leaves only now
                connection.execute(_GRANT, (arrives, *window.mine, ticket.number))
                granted.append(ticket.number)
        granted += _grant(connection, window, limit, line, own)
        for ticket in new:
            tokens = window.needed(limit, ticket)
            at = None if line or window.delay(limit, 1, tokens)[0] > 0 else arrives
            if at is None and ticket.max_wait_s is not None:
                # requests never come back early, so this is a lower bound for everyone in the line
                sure, _ = window.delay(limit, 1 + len(line), 0)
                if sure > _us(ticket.max_wait_s):
                    refused[ticket.number] = sure / _US
                    continue
            window.places += 1
            values = (*window.mine, ticket.number, window.places, place.machine.me, until, at, tokens)
            connection.execute(_ADD, values)
            if at is None:
                line.append((ticket.number, tokens))
            else:
                window.requests += 1
                window.tokens += tokens
                granted.append(ticket.number)
        turn = attrs.evolve(_turn(window, limit, line, own), granted=tuple(granted), refused=refused)
        window.save()
    return turn


def _grant(
    connection: sqlite3.Connection, window: _Window, limit: Limit, rows: list[tuple[int, int]], own: set[int]
) -> list[int]:
    granted: list[int] = []
    while rows and rows[0][0] in own and window.delay(limit, 1, rows[0][1])[0] <= 0:
        number, tokens = rows.pop(0)
        connection.execute(_GRANT, (window.now + _us(limit.transit_s), *window.mine, number))
        window.requests += 1
        window.tokens += tokens
        granted.append(number)
    return granted


def _turn(window: _Window, limit: Limit, rows: list[tuple[int, int]], own: set[int]) -> Turn:
    ahead = next((place for place, row in enumerate(rows) if row[0] in own), None)
    if ahead is None:
        return Turn(told=window.told)
    sure, by_tokens = window.delay(limit, 1 + ahead, sum(tokens for _, tokens in rows[: 1 + ahead]))
    early = window.early(limit, sure, by_tokens=by_tokens)
    return Turn(ahead=ahead, sure_s=sure / _US, early_s=early / _US, told=window.told)


def settle(connection: sqlite3.Connection, place: Place, number: int, requests: int, tokens: int) -> None:
    """Put what was used in the place of what was reserved; a second time it does nothing."""
    with transaction(connection):
        window = _Window(connection, place)
        found = connection.execute(_FIND, (*window.mine, number)).fetchone()
        if found is None or found[0] is None or found[3]:  # older than the window, or settled: it counts no more
            window.save()
            return
        connection.execute(_SETTLE, (requests, tokens, window.now, *window.mine, number))
        window.requests += requests - found[1]
        window.tokens += tokens - found[2]
        window.save()


def withdraw(connection: sqlite3.Connection, place: Place, limit: Limit, ticket: Ticket) -> float:
    """Take a call out, granted or not; return when there would be room for it."""
    with transaction(connection):
        window = _Window(connection, place)
        found = connection.execute(_FIND, (*window.mine, ticket.number)).fetchone()
        if found is not None:
            connection.execute(_REMOVE, (*window.mine, ticket.number))
            if found[0] is not None:
                window.requests -= found[1]
                window.tokens -= found[2]
        window.expire(limit)
        late, _ = window.delay(limit, 1, window.needed(limit, ticket))
        window.save()
    return late / _US


def heed(connection: sqlite3.Connection, place: Place, requests: int | None, tokens: int | None, hold_s: float) -> None:
    """Keep what the provider told: its limits, and how long it wants no request."""
    with transaction(connection):
        window = _Window(connection, place)
        window.told = (requests or window.told[0], tokens or window.told[1])
        window.held_until = max(window.held_until, window.now + _us(hold_s))
        window.save()
