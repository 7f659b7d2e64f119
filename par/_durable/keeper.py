"""Keeps the leases of a runtime's sessions, and hears what others ask of them."""

import logging
from typing import Final, final

import anyio

from par._durable.log import Lease, SessionLog
from par._engine.run import Run
from par.errors import LeaseLost, StoreError

__all__ = ["Keeper"]

_LOOKS: Final = 3
"""How often a lease is renewed while it lasts: two renewals may fail."""
_WATCH_S: Final = 1.0
"""How often it is looked whether somebody wants a session to stop: a person waits for it."""
_TAKEN_OVER: Final = "another process works at the session now"

_log = logging.getLogger("par.sessions")


@final
class _Held:
    """A lease, and the run that has it."""

    __slots__ = ("heard", "lease", "run", "until")

    def __init__(self, lease: Lease, until: float, run: Run) -> None:
        self.lease = lease
        self.until = until
        self.run = run
        self.heard: set[str] = set()
        """The signals that were obeyed."""


@final
class Keeper:
    """Holds the leases of one runtime. Each run has a task that calls ``tend``; whichever comes first does it for all."""

    def __init__(self, log: SessionLog, lease_s: float) -> None:
        self._log = log
        self.lease_s = lease_s
        """Seconds for which a session belongs to its owner without a sign of life."""
        self._held: dict[str, _Held] = {}
        self._every_s = min(_WATCH_S, lease_s / _LOOKS)
        self._next = 0.0
        self._busy = False

    async def tend(self, lease: Lease, until: float, run: Run) -> None:
        """Keep the lease, and obey what is asked of the session, until this is cancelled.

        ``until`` is when the lease ends, by the event loop's clock, which other processes judge by clocks of their own.
        """
        held = self._held[lease.session] = _Held(lease, until, run)
        try:
            while True:
                await anyio.sleep(self._every_s)
                if not self._busy and anyio.current_time() >= self._next:
                    await self._look()
        finally:
            if self._held.get(lease.session) is held:
                del self._held[lease.session]

    async def ensure(self, lease: Lease) -> None:
        """Return at once while the lease certainly holds; otherwise renew it: the process may have been frozen.

        Raises:
            LeaseLost: if another process has the session.
            StoreError: if the store cannot tell.
        """
        held = self._held.get(lease.session)
        if held is None or anyio.current_time() < held.until:
            return
        await self._renew([held])
        if held.run.cause == _TAKEN_OVER:
            raise LeaseLost(lease.session)

    def obeyed(self, session: str) -> tuple[str, ...]:
        """Return the ids of the signals that made the run of a session end."""
        held = self._held.get(session)
        return () if held is None else tuple(held.heard)

    async def look_for(self, lease: Lease) -> None:
        """See now whether somebody wants this session to stop."""
        held = self._held.get(lease.session)
        if held is not None:
            await self._hear([held])

    async def _look(self) -> None:
        self._busy = True
        try:
            soon = anyio.current_time() + self.lease_s * (1 - 1 / _LOOKS)
            await self._renew([held for held in self._held.values() if held.until <= soon])
            await self._hear(list(self._held.values()))
        except StoreError as error:
            # it is tried again, and what a lease is worth is asked before each step; see ``ensure``
            _log.warning("the leases of %d sessions could not be renewed: %s", len(self._held), error)
        finally:
            self._busy = False
            self._next = anyio.current_time() + self._every_s * 0.9

    async def _renew(self, held: list[_Held]) -> None:
        if not held:
            return
        now = anyio.current_time()
        lost = await self._log.renew([one.lease for one in held], lease_s=self.lease_s)
        for one in held:
            if one.lease.session in lost:
                one.run.cancel(_TAKEN_OVER)
            else:
                one.until = now + self.lease_s

    async def _hear(self, held: list[_Held]) -> None:
        stops = await self._log.stops([one.lease.session for one in held])
        for one in held:
            signal = stops.get(one.lease.session)
            if signal is None:
                continue
            one.heard.add(signal.id)
            cause = str(signal.body.get("cause") or f"somebody sent {signal.name}")
            if signal.name == "cancel":
                one.run.cancel(cause)
            else:
                one.run.session.interrupted = cause
