"""``par audit export``: events in a file that other programs read."""

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast, final

import attrs
from typing_extensions import Buffer

from par._clock import Clock
from par.cli._audit_print import ESCAPED, Printer
from par.cli._audit_store import OpenStore, Target, no_session, open_store
from par.errors import UsageError
from par.persistence._export import Exported, ExportFormat, Selection, export_events, write_events

__all__ = ["Export", "Progress", "export"]

_ENDINGS: Final[dict[str, ExportFormat]] = {".csv": "csv", ".parquet": "parquet"}
_EVERY_S: Final = 0.5


@attrs.frozen(kw_only=True)
class Export:
    """What ``par audit export`` is asked to do."""

    output: Path | None
    format: ExportFormat | None
    session: str | None
    since: datetime | None
    until: datetime | None
    kinds: tuple[str, ...]


@final
class Progress:
    """Tells on standard error how far long work is, if a person looks at it."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._terminal = sys.stderr.isatty()
        self._next_s = self._clock.steady_s() + _EVERY_S
        self._shown = False

    def tell(self, text: str) -> None:
        """Replace the line that was told last, at most twice a second."""
        now = self._clock.steady_s()
        if self._terminal and now >= self._next_s:
            self._next_s = now + _EVERY_S
            self._shown = True
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def done(self) -> None:
        """Remove the line."""
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@final
class _Screen(io.RawIOBase):
    """A file that is the terminal: what would steer it is escaped, as JSON has it."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        text = bytes(data).decode(errors="replace")
        self._printer.text(text.translate(ESCAPED))
        return len(bytes(data))


async def export(target: Target, options: Export, printer: Printer) -> int:
    """Copy the events of the scope, or of a session, to a file or to standard output."""
    form = options.format or (_ENDINGS.get(options.output.suffix.lower(), "jsonl") if options.output else "jsonl")
    if form == "parquet" and options.output is None:
        raise UsageError("Parquet is for a file: name it with -o")
    if options.output is not None and not target.postgres:
        _refuse_store(options.output, Path(target.where))
    try:
        selection = Selection(
            session=options.session, since=options.since, until=options.until, kinds=frozenset(options.kinds)
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    progress = Progress()

    def tell(now: Exported) -> None:
        progress.tell(f"{now.read:,} of {now.of:,} events read, {now.events:,} exported")

    async with open_store(target) as store:
        await _refuse_absent(store, options.session, target)
        try:
            if options.output is None:
                with _standard(printer) as file:
                    done = await write_events(store, file, format=form, selection=selection, progress=tell)
            else:
                done = await export_events(store, options.output, format=form, selection=selection, progress=tell)
        finally:
            progress.done()
    if options.output is not None:
        sys.stderr.write(f"par: {done.events} events exported to {str(options.output)!r}\n")
    return 0


def _refuse_store(output: Path, file: Path) -> None:
    final = output.resolve()
    if final in {file.resolve().with_name(file.resolve().name + journal) for journal in ("", "-wal", "-shm")}:
        raise UsageError(f"{str(output)!r} is the audit itself: name another file")


async def _refuse_absent(store: OpenStore, session: str | None, target: Target) -> None:
    if session is not None and not await store.last_seq(session):
        raise no_session(session, target)


@contextmanager
def _standard(printer: Printer) -> Generator[BinaryIO, None, None]:
    """Lend standard output as a file of bytes."""
    below = printer.bytes
    if below is not None and not printer.terminal and not isinstance(below, io.RawIOBase):
        yield below
        return
    # a raw file, which Python has for standard output on demand, may take a part of what is written, without an error
    raw = below if isinstance(below, io.RawIOBase) and not printer.terminal else _Screen(printer)
    buffered = io.BufferedWriter(raw)
    try:
        yield cast("BinaryIO", buffered)  # it is written to as one
    finally:
        buffered.detach()
