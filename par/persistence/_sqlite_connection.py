"""A connection of aiosqlite on which whole jobs run."""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar, TypeVarTuple, cast, final

import aiosqlite
import anyio

from par.errors import StoreUnavailable
from par.persistence._host import Host
from par.persistence._sqlite_file import is_busy

__all__ = ["SqliteConnection", "open_connection"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_GIVE_UP_S: Final = 30.0
"""How long a job is tried again while other processes hold the lock."""
_CLOSE_S: Final = 10.0


class _Execute(Protocol):
    async def __call__(
        self, job: Callable[[sqlite3.Connection, *Ts], T], connection: sqlite3.Connection, /, *args: *Ts
    ) -> T: ...


class _Jobs(aiosqlite.Connection):
    """A connection that runs a function in its thread.

    aiosqlite offers one statement per trip to its thread. A transaction of several would then cost several trips, and
    a caller cancelled between two of them would leave it half done; as one job it costs one and is whole.
    """

    async def run(self, job: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        execute = cast("_Execute", self._execute)  # pyright: ignore[reportUnknownMemberType] # aiosqlite annotates nothing
        return await execute(job, self._conn, *args)

    async def start(self) -> None:
        try:
            _ = await self
        except BaseException:
            self._thread.join()  # it has been told to stop and has nothing left to do
            raise

    async def end(self) -> None:
        await self.close()
        self._thread.join()  # closing was the last thing that it did


@final
class SqliteConnection:
    """Runs jobs one after the other in the connection's thread, from either event loop."""

    def __init__(self, host: Host, jobs: _Jobs, where: str, give_up_s: float) -> None:
        self._host = host
        self._jobs = jobs
        self._where = where
        self._give_up_s = give_up_s
        self.closed = False

    async def run(self, job: Callable[[sqlite3.Connection, *Ts], T], *args: *Ts) -> T:
        """Return what ``job(connection, *args)`` returns.

        A cancelled caller stops waiting; the job, once started, runs to its end, so a transaction in it is whole.

        Raises:
            StoreUnavailable: if SQLite cannot do it, or other processes hold the lock for ``give_up_s`` seconds.
        """
        give_up = anyio.current_time() + self._give_up_s
        delay = 0.01
        while True:
            if self.closed:
                raise StoreUnavailable(self._where, "it has been closed")
            try:
                return await self._host.call(self._jobs.run, job, *args)
            except sqlite3.Error as error:
                if not is_busy(error) or anyio.current_time() >= give_up:
                    raise StoreUnavailable(self._where, str(error)) from error
            await anyio.sleep(delay)
            delay = min(2 * delay, 0.5)


async def _started(host: Host, connect: Callable[[], sqlite3.Connection], where: str, give_up_s: float) -> _Jobs:
    give_up = anyio.current_time() + give_up_s
    while True:
        jobs = _Jobs(connect, iter_chunk_size=64)
        try:
            with anyio.CancelScope(shield=True):  # SQLite's own waiting is bounded, and half a start leaks a file
                await host.call(jobs.start)
            return jobs
        except sqlite3.Error as error:
            if not is_busy(error) or anyio.current_time() >= give_up:
                raise StoreUnavailable(where, str(error)) from error
        await anyio.sleep(0.05)


@asynccontextmanager
async def open_connection(
    host: Host, connect: Callable[[], sqlite3.Connection], where: str, give_up_s: float = _GIVE_UP_S
) -> AsyncGenerator[SqliteConnection, None]:
    """Open a connection in a thread of its own; when the block has been left, both are gone.

    Raises:
        StoreError: what ``connect`` raises, and StoreUnavailable for other errors of SQLite.
    """
    jobs = await _started(host, connect, where, give_up_s)
    connection = SqliteConnection(host, jobs, where, give_up_s)
    try:
        yield connection
    finally:
        connection.closed = True
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await host.call(jobs.end)
