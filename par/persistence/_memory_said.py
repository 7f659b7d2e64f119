"""What users and models said in an event, for each database that is searched for it."""

from datetime import datetime
from typing import Final, Literal, TypeAlias, cast

from par import codec
from par.errors import DecodeError
from par.events import Event, ModelCallEnded, RunStarted
from par.memory import HistoryHit
from par.messages import Assistant, User
from par.persistence._memory_words import EXCERPT_CHARS, Terms, excerpt, words

__all__ = ["KINDS", "hit_of", "words_of"]

Said: TypeAlias = tuple[Literal["user", "assistant"], str]

KINDS: Final = "('run_started', 'model_call_ended')"
"""The kinds of events in which something is said, in SQL."""
_TEXT_CHARS: Final = 200_000
"""Of a longer text the beginning is indexed."""


def words_of(body: str) -> str:
    """Return the tokens of what is said in an event, with spaces between them."""
    return words(" ".join([text[:_TEXT_CHARS] for _, text in _said(body)]))


def hit_of(session: str, at: datetime, body: str, looked_for: Terms) -> HistoryHit | None:
    """Return the place in an event in which the terms were found, ``None`` if nothing is said in it."""
    said = _said(body)
    if not said:
        return None
    found: list[Said] = [(role, part) for role, text in said if (part := excerpt(text, looked_for)) is not None]
    role, part = found[0] if found else (said[0][0], said[0][1][:EXCERPT_CHARS])
    return HistoryHit(session=session, at=at, role=role, excerpt=part)


def _said(body: str) -> list[Said]:
    """Return the texts of an event, none of one that this par cannot read."""
    try:
        event = cast("Event", codec.loads(Event, body))
    except DecodeError:
        return []
    if isinstance(event, ModelCallEnded):
        return [("assistant", event.message.text)] if event.message is not None and event.message.text else []
    if not isinstance(event, RunStarted):
        return []
    return [
        ("user" if isinstance(message, User) else "assistant", message.text)
        for message in event.input
        if isinstance(message, (User, Assistant)) and message.text
    ]
