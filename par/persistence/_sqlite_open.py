"""Opening the audit store in one SQLite file."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike, fspath
from pathlib import Path

from par._clock import Clock
from par.persistence._chain import Linker, checked_key, checked_scope
from par.persistence._group_commit import Batch, Queue, Results, open_group_commit
from par.persistence._host import open_host
from par.persistence._own_records import Scribe
from par.persistence._processes import this_machine
from par.persistence._sqlite import SqliteStore
from par.persistence._sqlite_connection import open_connection
from par.persistence._sqlite_connections import Connections
from par.persistence._sqlite_file import Durability, open_reader, open_writer
from par.persistence._sqlite_keys import meet_key
from par.persistence._sqlite_read import read_scopes
from par.persistence._sqlite_removal import Removal
from par.persistence._sqlite_write import write_batch

__all__ = ["open_sqlite", "sqlite_scopes"]


@asynccontextmanager
async def open_sqlite(
    path: str | PathLike[str],
    *,
    scope: str = "default",
    key: bytes | None = None,
    durability: Durability = "power",
    create: bool = True,
    queue: Queue | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[SqliteStore, None]:
    """Open an audit file, on asyncio or trio, and close it after the block.

    Leaving the block takes no more events, writes those that are queued (for at most 10 s, also when the block is
    cancelled), and ends every thread that the store had.

    The table of events has triggers that refuse UPDATE and DELETE. They guard against accidents; what proves that
    nothing was changed is the hash chain, see ``verify``. The file must be on a local disk. A file of an earlier par
    is brought to the present schema, in one transaction.

    Args:
        path: the file; its folder must exist.
        scope: the tenant whose events these are. Stores of other scopes on the same file see nothing of them. What an
            earlier par wrote is in ``"default"``.
        key: with a key, 16 bytes or more, who has not got it cannot make records that ``verify`` accepts. A scope
            that was once opened with a key is written and verified with that key only; it can be read without.
        durability: when ``append`` returns. ``"power"``: when the disk has the events. ``"process"``: when the
            operating system has them, which is faster and safe against the end of the process, not of the machine.
        create: whether to make the file if it is absent.
        queue: how events wait to be written, and for how long it is tried while other processes hold the file.
        clock: stamps what the store tells by itself, and is what ``older_than`` counts from.

    Raises:
        NotAnAuditFile: if the file is something else; it is not changed.
        NewerSchema: if a newer par wrote it.
        StoreUnavailable: if it is absent (with ``create=False``), or cannot be opened or written.
        WrongKey: if the scope is kept with another key.
        ValueError: for an empty path, a scope that is no plain text of 1 to 200 characters, a short key, or an unknown
            durability.
    """
    where = _checked_path(path)
    if durability not in ("process", "power"):
        raise ValueError(f'durability must be "process" or "power", got {durability!r}')
    options = queue or Queue()
    linker = Linker(checked_key(key))
    time = clock or Clock()
    scribe = Scribe(checked_scope(scope), time)
    file = Path(where)
    async with (
        open_host() as host,
        open_connection(
            host, partial(open_writer, file, durability, create=create), where, options.give_up_s
        ) as writing,
        open_connection(host, partial(open_reader, file), where, options.give_up_s) as reader,
    ):
        if key is not None:
            await writing.run(meet_key, linker, scope)

        machine = await writing.run(lambda _: this_machine(time))

        async def write(batch: Batch) -> Results:
            return await writing.run(write_batch, linker, batch)

        async with open_group_commit(write, where, options) as group:
            removal = Removal(scribe, linker, writing, reader, where)
            yield SqliteStore(
                scope,
                linker,
                group,
                Connections(host=host, writer=writing, reader=reader, where=where, clock=time, machine=machine),
                removal,
                scribe,
            )


async def sqlite_scopes(path: str | PathLike[str]) -> tuple[str, ...]:
    """Return the scopes of an audit file, for those who look after all of them.

    Raises:
        StoreError: as ``open_sqlite`` does.
        ValueError: for an empty path.
    """
    where = _checked_path(path)
    async with (
        open_host() as host,
        open_connection(host, partial(open_writer, Path(where), "power", create=False), where),
        open_connection(host, partial(open_reader, Path(where)), where) as reader,
    ):
        return await reader.run(read_scopes)


def _checked_path(path: str | PathLike[str]) -> str:
    where = fspath(path)
    if not where or where == ":memory:":
        raise ValueError(f"path must name a file, got {where!r}")
    return where
