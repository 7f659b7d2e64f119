"""``par audit tail``: the last events, and those to come."""

from collections import deque
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

import anyio
import attrs

from par.cli._audit_print import Printer
from par.cli._audit_store import OpenStore, Target, open_store
from par.cli._screen import event_line
from par.codec import encode, tag_of
from par.events import Envelope
from par.persistence import SqliteStore
from par.persistence._postgres import PostgresStore

__all__ = ["Show", "Tail", "follow", "tail"]

_FIRST_S: Final = 0.1
_LAST_S: Final = 2.0
"""A file tells nobody that it has grown: it is asked, the longer nothing comes the less often, down to this."""
_AWAY_S: Final = 30.0
"""How long following survives a server that restarts."""
_KNOWN: Final = 100_000
"""Events of which it is known that they were printed; many more than can be stored while a page is read."""


Show: TypeAlias = Callable[[Envelope], bool]
"""Shows an event, and says whether the ones after it are wanted too."""


@attrs.frozen(kw_only=True)
class Tail:
    """What ``par audit tail`` is asked to do."""

    session: str | None
    count: int
    follow: bool
    as_json: bool


async def tail(target: Target, options: Tail, printer: Printer) -> int:
    """Print the last events of a session, or of the whole scope, and then each that is stored."""

    def show(envelope: Envelope) -> bool:
        if options.as_json:
            printer.json(encode(envelope))
        else:
            printer.line(_line(envelope))
        return True

    async with open_store(target, give_up_s=_AWAY_S) if options.follow else open_store(target) as store:
        end, last, known = await _last(store, options.session, options.count)
        for envelope in last:
            show(envelope)
        printer.flush()
        if options.follow:
            await follow(store, options.session, end, known, show, printer)
    return 0


def _line(envelope: Envelope) -> str:
    told = event_line(envelope.event)
    text = told[0] if told else tag_of(envelope.event)
    return f"{envelope.at:%Y-%m-%d %H:%M:%S.%f} {envelope.session} #{envelope.seq} {text}"


async def _end(store: OpenStore, session: str | None) -> int:
    return await (store.last_position() if session is None else store.last_seq(session))


async def _last(store: OpenStore, session: str | None, count: int) -> tuple[int, list[Envelope], Collection[str]]:
    """Return where the audit ended, its last events, and which of them may have been stored after that end."""
    end, width = await _end(store, session), count
    while True:
        after = max(0, end - width)
        last: deque[Envelope] = deque(maxlen=count)
        known: deque[str] = deque(maxlen=_KNOWN)
        async for envelope in store.events(session, after=after):
            last.append(envelope)
            known.append(envelope.id)
        if len(last) == count or after == 0:
            return end, [*last], frozenset(known)
        width *= 4  # positions have gaps: of other scopes of the file, and of what has expired


async def follow(
    store: OpenStore, session: str | None, after: int, known: Collection[str], show: Show, printer: Printer
) -> None:
    """Show each event that is stored after a number, except known ones, until no more are wanted.

    The reader of a pipe who leaves wants no more either.
    """
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            await printer.until_reader_left()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        try:
            if isinstance(store, SqliteStore):
                await _poll(store, session, after, known, show, printer)
            else:
                await _listen(store, session, after, known, show, printer)
        except BrokenPipeError:
            printer.forget_reader()
        tasks.cancel_scope.cancel()


async def _listen(
    store: PostgresStore, session: str | None, after: int, known: Collection[str], show: Show, printer: Printer
) -> None:
    async for envelope in store.tail(session, after=after):  # which holds nothing between two events
        if envelope.id not in known:
            wanted = show(envelope)
            printer.flush()
            if not wanted:
                return


async def _poll(
    store: SqliteStore, session: str | None, after: int, known: Collection[str], show: Show, printer: Printer
) -> None:
    delay = _FIRST_S
    while True:
        end = await _end(store, session)
        if end == after:
            await anyio.sleep(delay)
            delay = min(2 * delay, _LAST_S)
            continue
        found: deque[str] = deque(maxlen=_KNOWN)
        # more may be stored while this reads; the next round begins at the end that was found before, and passes it over
        async for envelope in store.events(session, after=after):
            found.append(envelope.id)
            if envelope.id not in known and not show(envelope):
                printer.flush()
                return
        printer.flush()
        after, known, delay = end, frozenset(found), _FIRST_S
