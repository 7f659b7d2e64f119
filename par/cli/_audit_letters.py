"""``par audit dead-letters``: events that did not reach their subscribers.

Subscribers live in programs, and no other process reaches them: ``replay`` delivers to a function that this process
imports, as a bus does. To deliver to a program's own subscribers, the program calls ``runtime.bus.replay``.
"""

from collections.abc import Callable, Sequence
from typing import Final, cast

from par._json import JsonObject
from par.bus import BusOptions, DeadLetter, DeadLetterStore, Delivery, DeliveryPolicy, EventBus
from par.cli._audit_print import Printer
from par.cli._audit_store import Target, open_store
from par.cli._imported import imported
from par.codec import encode, tag_of, time_text
from par.errors import StoreError, UsageError
from par.events import Event, Redacted

__all__ = ["delete_letters", "list_letters", "replay_letters", "show_letter"]

_PAGE: Final = 1_000
_FAILED: Final = 1


async def list_letters(
    target: Target, subscriber: str | None, session: str | None, printer: Printer, *, as_json: bool
) -> int:
    """Print the letters, the oldest first."""
    after: str | None = None
    async with open_store(target) as store:
        while True:
            page = await store.dead_letters().find(subscriber=subscriber, session=session, after=after, limit=_PAGE)
            for letter in page:
                if as_json:
                    printer.json(_document(letter))
                else:
                    printer.line(_line(letter))
            if len(page) < _PAGE:
                return 0
            after = page[-1].id


async def show_letter(target: Target, letter_id: str, printer: Printer, *, as_json: bool) -> int:
    """Print a letter with its event."""
    async with open_store(target) as store:
        (letter,) = await _found(store.dead_letters(), [letter_id])
    if as_json:
        printer.json(_document(letter))
        return 0
    printer.line(_line(letter), "bold")
    if letter.error is not None:
        printer.line(f"error      {letter.error.type}: {letter.error.message or '(see the log of the program)'}", "red")
    replayed = f", the last at {letter.replayed_at:%Y-%m-%d %H:%M:%S} UTC" if letter.replayed_at else ""
    printer.line(f"replays    {letter.replays} failed{replayed}")
    envelope = letter.envelope
    printer.line(f"event      {envelope.at:%Y-%m-%d %H:%M:%S.%f} UTC, run {envelope.run}, id {envelope.id}")
    printer.json(encode(envelope.event))
    return 0


async def delete_letters(target: Target, ids: Sequence[str], printer: Printer, *, as_json: bool) -> int:
    """Remove letters."""
    async with open_store(target) as store:
        letters = store.dead_letters()
        await _found(letters, ids)
        for letter_id in dict.fromkeys(ids):
            gone = bool(await letters.delete([letter_id]))
            if as_json:
                printer.json({"id": letter_id, "outcome": "deleted" if gone else "missing"})
            else:
                printer.line(f"{letter_id} {'deleted' if gone else 'was gone already'}")
    return 0


async def replay_letters(target: Target, ids: Sequence[str], handler: str, printer: Printer, *, as_json: bool) -> int:
    """Call a function with the events of letters, one attempt each; return 1 if one was not delivered."""
    function = _handler(handler)
    failed = False
    async with open_store(target) as store:
        letters = store.dead_letters()
        found = await _found(letters, ids)
        async with EventBus(BusOptions(dead_letters=letters)) as bus:
            # a person looks at the outcome and may try again; a program would wait between attempts
            for name in dict.fromkeys(letter.subscriber for letter in found):
                bus.subscribe(function, name=name, policy=DeliveryPolicy(retries=0))
            for letter in found:
                replay = await bus.replay(letter.id)
                outcome = "delivered" if replay.delivered else "failed" if replay.failed else "skipped"
                failed = failed or outcome != "delivered"
                if as_json:
                    printer.json({"id": letter.id, "outcome": outcome})
                else:
                    printer.line(f"{letter.id} {outcome}", "" if outcome == "delivered" else "red")
                    await _tell_why(letters, letter, outcome, printer)
    return _FAILED if failed else 0


async def _tell_why(letters: DeadLetterStore, letter: DeadLetter, outcome: str, printer: Printer) -> None:
    if outcome == "skipped" and letter.redacted:
        printer.line("  its event was redacted and cannot be delivered any more", "red")
    elif outcome == "failed":
        now = await letters.get(letter.id)
        if now is not None:
            error = f": {now.error.type} {now.error.message}".rstrip() if now.error else ""
            printer.line(f"  {now.reason}{error}", "red")


async def _found(letters: DeadLetterStore, ids: Sequence[str]) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    for letter_id in dict.fromkeys(ids):
        letter = await letters.get(letter_id)
        if letter is None:
            raise StoreError(f"there is no dead letter {letter_id!r}")
        found.append(letter)
    return found


def _handler(name: str) -> Callable[[Delivery[Event]], object]:
    found = imported(name, "the handler", "module:function")
    if not callable(found):
        raise UsageError(f"the handler {name!r} is no function")
    return cast("Callable[[Delivery[Event]], object]", found)  # what it takes, only a call can tell


def _line(letter: DeadLetter) -> str:
    envelope = letter.envelope
    event = envelope.event
    kind = f"{event.kind} (redacted)" if isinstance(event, Redacted) else tag_of(event)
    tried = f"{letter.attempts} attempt{'s' if letter.attempts != 1 else ''}"
    return (
        f"{letter.id} {letter.at:%Y-%m-%d %H:%M:%S} {letter.subscriber}: {letter.reason} after {tried}, "
        f"{envelope.session} #{envelope.seq} {kind}"
    )


def _document(letter: DeadLetter) -> JsonObject:
    return {
        "id": letter.id,
        "subscriber": letter.subscriber,
        "reason": letter.reason,
        "error": None if letter.error is None else {"type": letter.error.type, "message": letter.error.message},
        "attempts": letter.attempts,
        "at": time_text(letter.at),
        "replays": letter.replays,
        "replayed_at": None if letter.replayed_at is None else time_text(letter.replayed_at),
        "redacted": letter.redacted,
        "envelope": encode(letter.envelope),
    }
