"""Dead letters as rows, the same for every database."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, cast

from par import codec
from par._bus.letters import DeadLetter, Reason
from par.errors import StoreError
from par.events import Envelope, ErrorInfo, Event, Redacted

__all__ = ["COLUMNS", "Values", "checked_limit", "failure_values", "letter_of", "row_of"]

Values = tuple[str | int | None, ...]

COLUMNS: Final = (
    "id", "subscriber", "reason", "error_type", "error_message", "attempts", "at", "replays", "replayed_at", "session",
    "seq", "event_id", "run", "parent", "step", "event_at", "kind", "body",
)  # fmt: skip
"""All but the scope. Times are texts; ``body`` is the JSON of the event, and comes last."""

_MOST: Final = 1_000


def checked_limit(limit: int) -> int:
    """Return the size of a page.

    Raises:
        ValueError: if it is not a whole number from 1 to 1,000.
    """
    if type(limit) is not int or not 1 <= limit <= _MOST:
        raise ValueError(f"limit must be a whole number from 1 to {_MOST}, got {limit!r}")
    return limit


def row_of(letter: DeadLetter) -> Values:
    """Return the columns of a letter.

    Raises:
        StoreError: if a database or JSON cannot express it.
    """
    envelope = letter.envelope
    for name in (letter.id, letter.subscriber, envelope.session, envelope.id, envelope.run, envelope.parent or ""):
        if "\x00" in name or not _encodable(name):
            raise StoreError(f"the dead letter {letter.id!r} cannot be stored: {name!r} is no name that databases keep")
    try:
        kind, body = codec.tag_of(envelope.event), codec.dumps(envelope.event)
        at, event_at = codec.time_text(letter.at), codec.time_text(envelope.at)
        replayed_at = None if letter.replayed_at is None else codec.time_text(letter.replayed_at)
    except TypeError as error:
        raise StoreError(f"the dead letter {letter.id!r} cannot be written as JSON: {error}") from error
    if letter.redacted and isinstance(envelope.event, Redacted):
        kind = envelope.event.kind
    return (
        letter.id,
        letter.subscriber,
        letter.reason,
        *_error_values(letter.error),
        letter.attempts,
        at,
        letter.replays,
        replayed_at,
        envelope.session,
        envelope.seq,
        envelope.id,
        envelope.run,
        envelope.parent,
        envelope.step,
        event_at,
        kind,
        None if letter.redacted else body,
    )


def failure_values(at: datetime, attempts: int, reason: Reason, error: ErrorInfo | None) -> Values:
    """Return what a failed replay changes: ``replayed_at``, ``attempts``, ``reason``, and the error's two columns."""
    return (codec.time_text(at), attempts, reason, *_error_values(error))


def letter_of(row: Sequence[object]) -> DeadLetter:
    """Return the letter of a row.

    Raises:
        DecodeError: if this par cannot read its event.
    """
    facts = dict(zip(COLUMNS, row, strict=True))
    text = cast("dict[str, str]", facts)  # the schemas say so
    number = cast("dict[str, int]", facts)  # as above
    body = cast("str | None", facts["body"])  # as above
    event = Redacted(kind=text["kind"]) if body is None else codec.loads(Event, body)
    return DeadLetter(
        id=text["id"],
        subscriber=text["subscriber"],
        envelope=Envelope(
            id=text["event_id"],
            session=text["session"],
            run=text["run"],
            step=number["step"],
            parent=cast("str | None", facts["parent"]),  # as above
            at=_time(facts["event_at"]),
            seq=number["seq"],
            event=cast("Event", event),  # the codec has read one
        ),
        reason=cast("Reason", facts["reason"]),  # as it was written
        error=None
        if facts["error_type"] is None
        else ErrorInfo(type=text["error_type"], message=text["error_message"] or ""),
        attempts=number["attempts"],
        at=_time(facts["at"]),
        replays=number["replays"],
        replayed_at=None if facts["replayed_at"] is None else _time(facts["replayed_at"]),
        redacted=body is None,
    )


def _error_values(error: ErrorInfo | None) -> tuple[str | None, str | None]:
    if error is None:
        return None, None
    return _storable(error.type), _storable(error.message)


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(value: object) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return codec.time_of(cast("str", value))  # the other database keeps text
