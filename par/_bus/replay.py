"""Delivering dead letters again."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, final

import attrs

from par._bus.letters import DeadLetter, DeadLetterStore
from par._bus.subscriber import Failure, Outcome
from par._bus.switchboard import Switchboard
from par.errors import UsageError

__all__ = ["Replay", "Replayer"]

_PAGE: Final = 100


@attrs.frozen(kw_only=True)
class Replay:
    """What came of a replay, by the ids of the letters."""

    delivered: tuple[str, ...] = ()
    """These were delivered, and are gone."""
    failed: tuple[str, ...] = ()
    """These failed again, as often as their subscriber's policy says; they tell how."""
    skipped: tuple[str, ...] = ()
    """These were not tried: their event was redacted or is none that the subscriber takes, nobody of their
    subscriber's name is here, it ended before their turn, or another replay is at them."""


@final
class _Noted:
    """What a replay does with one letter."""

    def __init__(self, letter: DeadLetter, store: DeadLetterStore, now: Callable[[], datetime]) -> None:
        self._letter = letter
        self._store = store
        self._now = now

    async def delivered(self) -> None:
        await self._store.delete((self._letter.id,))

    async def failed(self, failure: Failure, attempts: int) -> None:
        await self._store.mark_replayed(
            self._letter.id, at=self._now(), attempts=attempts, reason=failure.reason, error=failure.error
        )


@final
class Replayer:
    """Hands letters to subscribers, each letter to one at a time."""

    def __init__(self, board: Switchboard, store: DeadLetterStore) -> None:
        self._board = board
        self._store = store
        self._under_way: set[str] = set()

    async def replay(self, letter_id: str | None, subscriber: str | None, to: str | None) -> Replay:
        """Replay one letter or many; see ``EventBus.replay``."""
        board = self._board
        if not board.entered:
            raise UsageError("enter the bus, or the runtime that it belongs to, before you replay its letters")
        if any(one.is_this_task() for one in board.by_name.values()):
            raise UsageError("a handler cannot wait for a replay, which may have to wait for the handler")
        self._refuse_if_missing(to or subscriber)
        came: dict[Outcome, list[str]] = {"delivered": [], "failed": [], "unfinished": []}
        if letter_id is None:
            await self._all(subscriber, to, came)
        else:
            letter = await self._store.get(letter_id)
            if letter is None or (subscriber is not None and letter.subscriber != subscriber):
                raise UsageError(
                    f"there is no such dead letter, {letter_id!r}: it was delivered or deleted, or never was"
                )
            self._refuse_if_missing(to or letter.subscriber)
            came[await self._one(letter, to)].append(letter.id)
        return Replay(
            delivered=tuple(came["delivered"]), failed=tuple(came["failed"]), skipped=tuple(came["unfinished"])
        )

    def _refuse_if_missing(self, name: str | None) -> None:
        if name is not None and name not in self._board.by_name:
            raise UsageError(f"there is no subscriber {name!r}: subscribe it before its letters are replayed")

    async def _all(self, subscriber: str | None, to: str | None, came: dict[Outcome, list[str]]) -> None:
        last = self._board.ids.next()  # what dies from now on is not of this replay, which might never end
        after: str | None = None
        while True:
            letters = await self._store.find(subscriber=subscriber, after=after, limit=_PAGE)
            for letter in letters:
                if letter.id > last:
                    return
                came[await self._one(letter, to)].append(letter.id)
            if len(letters) < _PAGE:
                return
            after = letters[-1].id

    async def _one(self, letter: DeadLetter, to: str | None) -> Outcome:
        """Deliver the letter's event again; the letter leaves the store only after that has succeeded."""
        subscriber = self._board.by_name.get(to or letter.subscriber)
        if subscriber is None or letter.redacted or type(letter.envelope.event) not in subscriber.kinds:
            return "unfinished"
        if letter.id in self._under_way:
            return "unfinished"
        self._under_way.add(letter.id)
        try:
            return await subscriber.again(letter, _Noted(letter, self._store, self._board.clock.now))
        finally:
            self._under_way.discard(letter.id)
