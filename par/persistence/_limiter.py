"""Waiting in a line that processes share: the counts are elsewhere, the sleeping is here."""

import os
from collections.abc import Mapping
from math import inf
from typing import Final, Protocol, final

import anyio
import attrs

from par.errors import RateLimited
from par.limits import Limit, Reservation

__all__ = ["RateLedger", "SharedRateBackend", "Ticket", "Turn", "new_number"]

_WITHDRAW_S: Final = 5.0
_FIRST_POLL_S: Final = 0.002
_SOON_S: Final = 1e-6


@attrs.frozen
class Ticket:
    """A call that wants a place: its number, which nobody else has, its tokens, and how long it may stand in line."""

    number: int
    tokens: int
    max_wait_s: float | None = None


@attrs.frozen(kw_only=True)
class Turn:
    """What came of asking for places.

    ``granted`` are the numbers that have one; ``refused`` those that were not put in line, because there will be no
    room within their time, with the seconds until there is. For the first of the others, ``ahead`` is how many are
    before it, ``sure_s`` when there is room for all of them if nothing is given back, and ``early_s`` before when
    there cannot be, whatever is given back.
    """

    granted: tuple[int, ...] = ()
    refused: Mapping[int, float] = attrs.field(factory=dict[int, float])
    ahead: int = 0
    sure_s: float = 0.0
    early_s: float = 0.0
    told: tuple[int | None, int | None] = (None, None)


class RateLedger(Protocol):
    """The counts of one scope in a database. Every call is one transaction, and may be repeated."""

    async def advance(self, key: str, limit: Limit, tickets: tuple[Ticket, ...]) -> Turn:
        """Put the calls in line that are not in it, and grant places to those that are first in it."""
        ...

    async def settle(self, reservation: Reservation, requests: int, tokens: int) -> None: ...

    async def withdraw(self, key: str, limit: Limit, ticket: Ticket) -> float:
        """Take the call out, granted or not; return when there would be room for it.

        What still is on its way to put it in line then does nothing.
        """
        ...

    async def heed(self, key: str, requests: int | None, tokens: int | None, hold_s: float) -> None: ...

    async def pause(self, turn: Turn, poll_s: float, kicked: anyio.Event, seen: int) -> int:
        """Sleep until it makes sense to ask again; return what to hand in as ``seen`` the next time, at first -1."""
        ...


@final
class _Waiter:
    __slots__ = ("asked", "event", "granted", "late_s", "ticket")

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self.event = anyio.Event()
        self.asked = 0
        self.granted = False
        self.late_s: float | None = None

    @property
    def answered(self) -> bool:
        return self.granted or self.late_s is not None

    def hear(self, turn: Turn) -> None:
        self.asked += 1
        self.granted = self.ticket.number in turn.granted
        self.late_s = turn.refused.get(self.ticket.number)
        if self.answered:
            self.event.set()


@final
class _Line:
    """The calls of this process that want a place under one key, in their order; one of them asks for all."""

    __slots__ = ("kicked", "led", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[int, _Waiter] = {}
        self.led = False
        self.kicked = anyio.Event()

    def kick(self) -> None:
        self.kicked.set()
        self.kicked = anyio.Event()

    def leave(self, number: int) -> None:
        del self.waiting[number]
        if not self.led:  # somebody else has to ask now
            for waiter in self.waiting.values():
                waiter.event.set()
                return


def new_number() -> int:
    """Return a number that no other reservation has, in any process."""
    return int.from_bytes(os.urandom(8)) >> 1


@final
class SharedRateBackend:
    """Keeps limits for all processes that use the database, exactly: no ``per_s`` seconds hold more than the limit.

    Calls are served in the order in which they came to the database, and those of one process in the order in which
    they came. A process that is killed loses its places in the line; what it was granted counts until it has left
    the window, as for a call that was cancelled, because the provider may have got the request.
    """

    def __init__(self, ledger: RateLedger) -> None:
        self._ledger = ledger
        self._lines: dict[str, _Line] = {}
        self._told: dict[str, tuple[int | None, int | None]] = {}

    async def reserve(self, key: str, limit: Limit, *, tokens: int, max_wait_s: float | None) -> Reservation:
        """Wait for room and take it. A cancelled caller gives its place back, in the line or in the window.

        Raises:
            RateLimited: if there will be none within ``max_wait_s``.
            StoreUnavailable: if the database cannot be used now.
        """
        since = anyio.current_time()
        waiter = _Waiter(Ticket(new_number(), tokens, max_wait_s))
        line = self._lines.setdefault(key, _Line())
        line.waiting[waiter.ticket.number] = waiter
        line.kick()
        inside = True
        try:
            with anyio.CancelScope(deadline=inf if max_wait_s is None else since + max_wait_s):
                while not waiter.answered:
                    if line.led:
                        await waiter.event.wait()
                        waiter.event = anyio.Event()
                    else:
                        await self._lead(key, limit, line, waiter)
            if not waiter.answered:
                waiter.late_s = max(await self._withdraw(key, limit, waiter.ticket), _SOON_S)
            inside = False
        finally:
            line.leave(waiter.ticket.number)
            if not line.waiting and self._lines.get(key) is line:
                del self._lines[key]
            if inside:
                with anyio.move_on_after(_WITHDRAW_S, shield=True):
                    await self._withdraw(key, limit, waiter.ticket)
        if waiter.late_s is not None:
            raise RateLimited(f"no room within {max_wait_s:g} s", retry_after_s=waiter.late_s)
        waited_s = anyio.current_time() - since if waiter.asked > 1 else 0.0  # the way to the database is no wait
        return Reservation(key=key, number=waiter.ticket.number, waited_s=waited_s)

    async def _lead(self, key: str, limit: Limit, line: _Line, waiter: _Waiter) -> None:
        line.led = True
        poll_s, ahead, seen = _FIRST_POLL_S, -1, -1
        try:
            while True:
                kicked = line.kicked
                turn = await self._ask(key, limit, line)
                if waiter.answered:
                    return
                poll_s = _FIRST_POLL_S if turn.granted or turn.ahead != ahead else 2 * poll_s
                ahead = turn.ahead
                seen = await self._ledger.pause(turn, poll_s, kicked, seen)
        finally:
            line.led = False

    async def _ask(self, key: str, limit: Limit, line: _Line) -> Turn:
        waiters = tuple(line.waiting.values())
        turn = await self._ledger.advance(key, limit, tuple([waiter.ticket for waiter in waiters]))
        self._told[key] = turn.told
        for waiter in waiters:
            waiter.hear(turn)
        return turn

    async def _withdraw(self, key: str, limit: Limit, ticket: Ticket) -> float:
        late_s = await self._ledger.withdraw(key, limit, ticket)
        self._kick(key)
        return late_s

    async def settle(self, reservation: Reservation, *, requests: int, tokens: int) -> None:
        """Put the real numbers in place of the reserved ones; a second time it does nothing.

        Raises:
            StoreUnavailable: if the database cannot be used now.
        """
        await self._ledger.settle(reservation, requests, tokens)
        self._kick(reservation.key)

    async def learn(self, key: str, limit: Limit, *, requests: int | None, tokens: int | None) -> None:  # noqa: ARG002 # the protocol's
        """Take the provider's own limits where they are lower; writes only what is new.

        Raises:
            StoreUnavailable: if the database cannot be used now.
        """
        before = self._told.get(key, (None, None))
        told = (requests or before[0], tokens or before[1])
        if told != before:
            await self._ledger.heed(key, requests or None, tokens or None, 0.0)
            self._told[key] = told
            self._kick(key)

    async def hold(self, key: str, limit: Limit, *, seconds: float) -> None:  # noqa: ARG002 # the protocol's
        """Grant nothing for so many seconds.

        Raises:
            StoreUnavailable: if the database cannot be used now.
        """
        await self._ledger.heed(key, None, None, seconds)

    def _kick(self, key: str) -> None:
        line = self._lines.get(key)
        if line is not None:
            line.kick()
