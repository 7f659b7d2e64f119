"""A store in a list, for tests of the engine."""

import anyio

from par._store import EventQuery, Verification
from par.errors import StoreUnavailable


class MemoryStore:
    """Keeps what it is given; fails from the ``fail_after``-th append on."""

    def __init__(self, fail_after=None):
        self.envelopes = []
        self._appends = 0
        self._fail_after = fail_after

    async def append(self, envelopes, /):
        self._appends += 1
        if self._fail_after is not None and self._appends > self._fail_after:
            raise StoreUnavailable("memory", "it was told to fail")
        self.envelopes.extend(new for new in envelopes if new not in self.envelopes)
        await anyio.lowlevel.checkpoint()

    async def last_seq(self, session, /):
        await anyio.lowlevel.checkpoint()
        return max((e.seq for e in self.envelopes if e.session == session), default=0)

    def events(self, session=None, *, run=None, after=0, limit=None):
        async def read():
            for envelope in list(self.envelopes):
                yield envelope

        return EventQuery(read)

    async def verify(self, session=None):
        return Verification(sessions=0, events=len(self.envelopes))
