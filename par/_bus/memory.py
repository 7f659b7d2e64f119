"""Dead letters in memory, and the finding of texts in them."""

import json
import logging
import unicodedata
from bisect import insort
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, final

import anyio.lowlevel
import attrs

from par._bus.letters import DeadLetter, Reason
from par.events import ErrorInfo, Redacted

__all__ = ["MemoryDeadLetters", "check_limit"]

_MOST: Final = 1_000
_LEVELS: Final = 3
"""How often JSON may be wrapped in the text of JSON."""

_log = logging.getLogger("par.bus")
_by_id = attrgetter("id")


def check_limit(limit: int) -> int:
    """Return the size of a page.

    Raises:
        ValueError: if it is not a whole number from 1 to 1,000.
    """
    if type(limit) is not int or not 1 <= limit <= _MOST:
        raise ValueError(f"limit must be a whole number from 1 to {_MOST}, got {limit!r}")
    return limit


@final
class MemoryDeadLetters:
    """Dead letters that live as long as this object.

    Args:
        limit: how many are kept, 1 or more; the oldest gives way to the next one, which is counted and logged.

    Raises:
        ValueError: for a limit below 1.
        TypeError: for a limit that is no whole number.
    """

    def __init__(self, limit: int = 10_000) -> None:
        # callers without a checker may hand in anything
        if type(limit) is not int:
            raise TypeError(f"limit must be a whole number, got {limit!r}")
        if limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        self._limit = limit
        self._letters: list[DeadLetter] = []
        self.dropped = 0
        """How many had to give way."""

    async def put(self, letters: Sequence[DeadLetter], /) -> None:
        """Keep the letters; one that is there already is passed over."""
        known = {letter.id for letter in self._letters}
        for letter in letters:
            if letter.id not in known:
                known.add(letter.id)
                insort(self._letters, letter, key=_by_id)
        too_many = len(self._letters) - self._limit
        if too_many > 0:
            del self._letters[:too_many]
            self.dropped += too_many
            _log.error("%d dead letters gave way to newer ones: only %d are kept in memory", too_many, self._limit)
        await anyio.lowlevel.checkpoint()

    async def find(
        self,
        *,
        subscriber: str | None = None,
        session: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[DeadLetter, ...]:
        """Return letters, the oldest first; see ``DeadLetterStore``."""
        check_limit(limit)
        await anyio.lowlevel.checkpoint()
        found = [
            letter
            for letter in self._letters
            if (subscriber is None or letter.subscriber == subscriber)
            and (session is None or letter.envelope.session == session)
            and (after is None or letter.id > after)
        ]
        return tuple(found[:limit])

    async def get(self, id: str, /) -> DeadLetter | None:  # noqa: A002 # the protocol's name
        """Return a letter, ``None`` if there is none of this id."""
        await anyio.lowlevel.checkpoint()
        place = self._place(id)
        return None if place is None else self._letters[place]

    async def mark_replayed(
        self,
        id: str,  # noqa: A002 # the protocol's name
        /,
        *,
        at: datetime,
        attempts: int,
        reason: Reason,
        error: ErrorInfo | None,
    ) -> bool:
        """Write on a letter that one more replay has failed; tell whether it is there."""
        await anyio.lowlevel.checkpoint()
        place = self._place(id)
        if place is None:
            return False
        old = self._letters[place]
        if old.redacted and error is not None:
            error = ErrorInfo(type=error.type, message="")
        self._letters[place] = attrs.evolve(
            old, replays=old.replays + 1, replayed_at=at, attempts=attempts, reason=reason, error=error
        )
        return True

    async def delete(self, ids: Iterable[str], /) -> int:
        """Remove letters, and return how many of them were there."""
        await anyio.lowlevel.checkpoint()
        gone = set(ids)
        before = len(self._letters)
        self._letters[:] = [letter for letter in self._letters if letter.id not in gone]
        return before - len(self._letters)

    async def forget(self, texts: Iterable[str], /) -> int:
        """Remove the event from each letter in which one of the texts occurs; see ``DeadLetterStore``."""
        import par.codec as codec  # noqa: PLC0415 # importing par must stay light, and few programs come here

        await anyio.lowlevel.checkpoint()
        forms = _forms(texts)
        count = 0
        for place, letter in enumerate(self._letters):
            if letter.redacted:
                continue
            error = letter.error
            body = f"{codec.dumps(letter.envelope.event)}\n{error.message if error else ''}".casefold()
            if any(form in body for form in forms):
                event = Redacted(kind=codec.tag_of(letter.envelope.event))
                self._letters[place] = attrs.evolve(
                    letter,
                    envelope=attrs.evolve(letter.envelope, event=event),
                    error=error and ErrorInfo(type=error.type, message=""),
                    redacted=True,
                )
                count += 1
        return count

    def _place(self, letter_id: str) -> int | None:
        return next((place for place, letter in enumerate(self._letters) if letter.id == letter_id), None)


def _forms(texts: Iterable[str]) -> set[str]:
    given = list(texts)
    if not given or any(not text.strip() for text in given):
        raise ValueError("texts must hold at least one text, and no empty one")
    # letters with accents are one character or two, depending on who wrote them
    forms = {unicodedata.normalize(form, text) for text in given for form in ("NFC", "NFD")} | set(given)
    for _ in range(_LEVELS):
        forms |= {json.dumps(form, ensure_ascii=ascii_only)[1:-1] for form in forms for ascii_only in (False, True)}
    return {form.casefold() for form in forms}
