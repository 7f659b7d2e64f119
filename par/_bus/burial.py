"""The way of dead letters to their store, beside everything else."""

import logging
from collections import deque
from itertools import islice
from typing import Final, final

import anyio
from anyio.abc import TaskGroup

from par._bus.letters import DeadLetter, DeadLetterStore
from par.errors import StoreError, StoreUnavailable

__all__ = ["Burial"]

_BATCH: Final = 100
_FIRST_DELAY_S: Final = 0.1
_LAST_DELAY_S: Final = 5.0

_log = logging.getLogger("par.bus")


@final
class Burial:
    """A bounded queue of letters, and the task that stores them; nobody waits for it but the end of the bus."""

    def __init__(self, store: DeadLetterStore, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._pending: deque[DeadLetter] = deque()
        self._more: anyio.Event | None = None
        self._scope: anyio.CancelScope | None = None
        self._closing = False
        self._given_up = False
        self._over = False
        self._ended: anyio.Event | None = None
        self._empty: anyio.Event | None = None
        self.lost = 0

    def put(self, letter: DeadLetter) -> None:
        """Give the letter its place."""
        if len(self._pending) >= self._limit:
            self._lose([letter], "too many others wait to be stored")
        elif self._over:
            self._lose([letter], "the bus has been closed")
        else:
            self._pending.append(letter)
            if self._more is not None:
                self._more.set()

    @property
    def must_start(self) -> bool:
        """Whether there is something to do and nobody who does it."""
        return bool(self._pending) and self._ended is None

    def start(self, group: TaskGroup) -> None:
        """Start the task that stores the letters."""
        self._ended = anyio.Event()
        group.start_soon(self._run, self._ended, name="dead letters")

    async def _run(self, ended: anyio.Event) -> None:
        try:
            # what cancels the program must not cost the letters: close() bounds it
            with anyio.CancelScope(shield=True) as self._scope:
                while (self._pending or not self._closing) and not self._given_up:
                    if self._pending:
                        await self._store_some()
                    else:
                        self._settle()
                        self._more = anyio.Event()
                        await self._more.wait()
        finally:
            self._over = True
            ended.set()
            self._lose(list(self._pending), "the bus has been closed")
            self._pending.clear()
            self._settle()

    async def stored(self) -> None:
        """Return when every letter so far is stored, or was given up."""
        if self._pending and not self._over:
            if self._empty is None:
                self._empty = anyio.Event()
            await self._empty.wait()

    async def close(self, limit_s: float) -> None:
        """Store what is left, for so many seconds."""
        self._closing = True
        if self._more is not None:
            self._more.set()
        if self._ended is not None:
            with anyio.move_on_after(limit_s, shield=True):
                await self._ended.wait()
            self._given_up = True
            if self._scope is not None:
                self._scope.cancel()
            with anyio.move_on_after(limit_s, shield=True):
                await self._ended.wait()
        self._over = True

    def _settle(self) -> None:
        if self._empty is not None:
            self._empty.set()
            self._empty = None

    async def _store_some(self) -> None:
        delay = _FIRST_DELAY_S
        while True:
            batch = list(islice(self._pending, _BATCH))
            try:
                await self._store.put(batch)
            except Exception as error:  # noqa: BLE001 # what a store of the program's own raises is its business
                if isinstance(error, StoreError) and not isinstance(error, StoreUnavailable):
                    await self._store_singly(batch)
                    return
                _log.warning("%d dead letters wait to be stored: %s", len(self._pending), error)
            else:
                for _ in batch:
                    self._pending.popleft()
                return
            await self._pause(delay)
            delay = min(2 * delay, _LAST_DELAY_S)

    async def _pause(self, delay: float) -> None:
        if self._closing:  # there is little time left, and nobody else is in the way of it
            await anyio.sleep(_FIRST_DELAY_S)
            return
        with anyio.move_on_after(delay):
            while not self._closing:
                self._more = anyio.Event()
                await self._more.wait()

    async def _store_singly(self, batch: list[DeadLetter]) -> None:
        """Store what can be stored, for one letter that cannot must not hold up the others."""
        for letter in batch:
            try:
                await self._store.put([letter])
            except StoreUnavailable:
                return  # those that are left wait for their turn
            except StoreError as error:
                self._lose([letter], str(error))
            self._pending.popleft()

    def _lose(self, letters: list[DeadLetter], problem: str) -> None:
        self.lost += len(letters)
        for letter in letters:
            _log.error(
                "the event %d of session %r did not reach %r and its dead letter could not be stored: %s",
                letter.envelope.seq, letter.envelope.session, letter.subscriber, problem,
            )  # fmt: skip
