"""Copying events out of a store, into files that other programs read."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from os import PathLike
from typing import BinaryIO, Final, Literal, Protocol, TypeAlias, final, get_args

import anyio.to_thread
import attrs

from par import codec
from par._store import AuditStore
from par.events import Envelope, Event, Redacted
from par.persistence._export_csv import CsvRows
from par.persistence._export_file import new_file
from par.persistence._export_parquet import open_parquet

__all__ = ["ExportFormat", "Exported", "Selection", "export_events", "write_events"]

ExportFormat: TypeAlias = Literal["jsonl", "csv", "parquet"]

_BATCH: Final = 1_000
"""Events that are encoded in one go, in a thread; what a batch holds in memory stays small."""
_KINDS: Final = frozenset(codec.TAGS[kind] for kind in get_args(Event))


def _set_of(kinds: Iterable[str]) -> frozenset[str]:
    return frozenset(kinds)


def _checked_kinds(_: object, attribute: "attrs.Attribute[frozenset[str]]", kinds: frozenset[str]) -> None:
    unknown = sorted(kinds - _KINDS)
    if unknown:
        raise ValueError(f"{attribute.name} must be tags of events, such as 'run_started', got {unknown[0]!r}")


def _checked_time(_: object, attribute: "attrs.Attribute[datetime | None]", time: datetime | None) -> None:
    if time is not None and time.tzinfo is None:
        raise ValueError(f"{attribute.name} must have a time zone")


@attrs.frozen(kw_only=True)
class Selection:
    """Which events: of a session, from ``since`` on, before ``until``, of these kinds; all by default.

    ``kinds`` are tags, such as ``"tool_call_started"``. An event whose content was removed counts as one of the kind
    that it was, and as ``"redacted"``.
    """

    session: str | None = None
    since: datetime | None = attrs.field(default=None, validator=_checked_time)
    until: datetime | None = attrs.field(default=None, validator=_checked_time)
    kinds: frozenset[str] = attrs.field(default=frozenset[str](), converter=_set_of, validator=_checked_kinds)

    def takes(self, envelope: Envelope) -> bool:
        """Tell whether the event, which is of the session, is to be copied."""
        if self.since is not None and envelope.at < self.since:
            return False
        if self.until is not None and envelope.at >= self.until:
            return False
        if not self.kinds or codec.tag_of(envelope.event) in self.kinds:
            return True
        return isinstance(envelope.event, Redacted) and envelope.event.kind in self.kinds


@attrs.frozen
class Exported:
    """How far an export is: how many events were read, of how many, and how many were copied."""

    read: int
    of: int
    events: int


class _Rows(Protocol):
    """A format. The methods block; they are called in threads, one at a time."""

    def write(self, envelopes: Sequence[Envelope], /) -> None: ...
    def end(self) -> None: ...


@final
class _JsonLines:
    """An envelope a line, as ``par.codec`` writes and reads it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, envelopes: Sequence[Envelope], /) -> None:
        self._file.write("".join([f"{codec.dumps(envelope)}\n" for envelope in envelopes]).encode())

    def end(self) -> None:
        pass


_OPEN: Final[dict[ExportFormat, Callable[[BinaryIO], _Rows]]] = {
    "jsonl": _JsonLines,
    "csv": CsvRows,
    "parquet": open_parquet,
}


async def export_events(
    store: AuditStore,
    path: str | PathLike[str],
    /,
    *,
    format: ExportFormat = "jsonl",  # noqa: A002 # what everybody calls it
    selection: Selection | None = None,
    progress: Callable[[Exported], None] | None = None,
) -> Exported:
    """Copy events of a store into a new file, in the order of storage (of one session: in its order).

    What is stored when the export begins is copied, a batch at a time, so a store of any size needs little memory. The
    file takes its place at ``path`` when it is complete, in one step; until then, and if the export fails or is
    cancelled, what was there stays. Only its owner may read it. ``progress`` is called after each batch.

    ``"jsonl"`` is an envelope a line, which ``codec.loads(Envelope, line)`` reads back. ``"csv"`` and ``"parquet"``
    have the columns ``session seq at kind run parent step id body``, the last being the event as JSON.

    Raises:
        MissingExtra: for Parquet, if pyarrow is not installed.
        UsageError: if there cannot be a file at ``path``.
        StoreError: if the store cannot be read.
        DecodeError: at an event that this par cannot read.
        OSError: if the file cannot be written.
        ValueError: for an unknown format.
    """
    _checked_format(format)
    async with new_file(path) as file:
        return await write_events(store, file, format=format, selection=selection, progress=progress)


async def write_events(
    store: AuditStore,
    file: BinaryIO,
    /,
    *,
    format: ExportFormat = "jsonl",  # noqa: A002 # as above
    selection: Selection | None = None,
    progress: Callable[[Exported], None] | None = None,
) -> Exported:
    """Write events of a store to an open file, as ``export_events`` does; leave it open.

    Raises:
        Exception: as ``export_events`` does.
    """
    wanted = selection or Selection()
    rows = await anyio.to_thread.run_sync(_OPEN[_checked_format(format)], file)
    total = sum(one.events for one in await store.sessions() if wanted.session in (None, one.session))
    read = events = 0
    batch: list[Envelope] = []
    if total:
        # so many and no more: who writes all the time would keep the export going for ever
        async for envelope in store.events(wanted.session, limit=total):
            read += 1
            if wanted.takes(envelope):
                batch.append(envelope)
            if len(batch) == _BATCH or (read % _BATCH == 0 and progress is not None):
                await anyio.to_thread.run_sync(rows.write, batch)
                events += len(batch)
                batch = []
                if progress is not None:
                    progress(Exported(read, total, events))
    await anyio.to_thread.run_sync(rows.write, batch)
    await anyio.to_thread.run_sync(rows.end)
    done = Exported(read, total, events + len(batch))
    if progress is not None:
        progress(done)
    return done


def _checked_format(name: ExportFormat) -> ExportFormat:
    if name not in _OPEN:
        raise ValueError(f"format must be one of {', '.join(_OPEN)}, got {name!r}")
    return name
