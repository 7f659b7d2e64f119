"""A few connections to Postgres on which whole jobs run, from asyncio, uvloop and trio alike."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, TypeVar, final

import anyio
import attrs

from par.errors import StoreUnavailable
from par.persistence._chain import checked_scope
from par.persistence._host import Host, open_host
from par.persistence._postgres_driver import (
    Connection,
    Driver,
    failure_of,
    forget_library,
    load_driver,
    place_of,
    sqlstate_of,
)

__all__ = ["Job", "OpenConnection", "PgOptions", "PgPool", "open_pg_pool"]

T = TypeVar("T")
Job: TypeAlias = Callable[[Connection], Awaitable[T]]
OpenConnection: TypeAlias = Callable[[], Awaitable[Connection]]

_CLOSED: Final = "it has been closed"
_IDLE_S: Final = 300.0
"""An older idle connection is replaced: what lies between may have forgotten it without a word."""
_CLOSE_S: Final = 5.0
_CLOSE_ALL_S: Final = 10.0
_FROZEN_S: Final = 60.0
"""How long the server lets a transaction idle: a frozen process must not hold its locks for ever."""
_SLACK_S: Final = 5.0
"""By how much the driver waits longer than the server, which knows better why it ends a statement."""
_FIRST_DELAY_S: Final = 0.02
_LAST_DELAY_S: Final = 1.0


def _seconds(_: object, attribute: "attrs.Attribute[float]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{attribute.name} must be a number of seconds above 0, got {value!r}")


def _positive(_: object, attribute: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{attribute.name} must be 1 or more, got {value!r}")


@attrs.frozen(kw_only=True)
class PgOptions:
    """How a pool treats its database.

    At most ``connections`` are open at once; they are made when they are needed. ``connect_s`` ends one attempt to
    connect; ``statement_s`` ends a statement, on the server; ``give_up_s`` is how long a job is tried again while the
    database is away, or refuses more connections: a restart or a failover is over by then.
    """

    connections: int = attrs.field(default=4, validator=_positive)
    connect_s: float = attrs.field(default=10.0, validator=_seconds)
    statement_s: float = attrs.field(default=30.0, validator=_seconds)
    give_up_s: float = attrs.field(default=30.0, validator=_seconds)

    def settings(self, scope: str) -> dict[str, str]:
        """Return what a connection of a pool tells the server when it is made."""
        return {
            "application_name": "par",
            "par.scope": scope,
            "search_path": "par, pg_temp",
            "timezone": "UTC",
            "statement_timeout": str(max(1, int(self.statement_s * 1000))),
            "idle_in_transaction_session_timeout": str(int(_FROZEN_S * 1000)),
        }


@final
class _Connections:
    """The connections. Lives on the driver's event loop, where alone they may be touched."""

    def __init__(self, driver: Driver, dsn: str, where: str, scope: str, options: PgOptions) -> None:
        self._scope = scope
        self._driver = driver
        self._dsn = dsn
        self._where = where
        self._options = options
        self._room = anyio.Semaphore(options.connections)
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False
        self._running: set[anyio.CancelScope] = set()
        self._ended = anyio.Event()

    async def until_closed(self, function: Callable[[], Awaitable[T]]) -> T:
        """Return what the function returns; closing cancels it."""
        forget_library()
        if self._closed:
            raise StoreUnavailable(self._where, _CLOSED)
        results: list[T] = []
        with anyio.CancelScope() as scope:
            self._running.add(scope)
            try:
                results.append(await function())
            finally:
                self._left(scope)
        if not results:
            raise StoreUnavailable(self._where, _CLOSED)
        return results[0]

    def _left(self, scope: anyio.CancelScope) -> None:
        self._running.discard(scope)
        if self._closed and not self._running:
            self._ended.set()

    async def run(self, job: Job[T], again: bool, give_up_s: float | None) -> T:
        async def tried() -> T:
            return await self._tried(job, again, give_up_s)

        return await self.until_closed(tried)

    async def _tried(self, job: Job[T], again: bool, give_up_s: float | None) -> T:
        give_up = anyio.current_time() + (self._options.give_up_s if give_up_s is None else give_up_s)
        delay = _FIRST_DELAY_S
        while True:
            connection: Connection | None = None
            try:
                async with self._room:
                    connection = await self._take()
                    return await self._use(connection, job)
            except Exception as error:
                failure = failure_of(error, self._where)
                if failure is None:
                    raise
                harmless = connection is None or again or failure.undone
                if not (failure.passing and harmless) or anyio.current_time() + delay > give_up:
                    raise failure.error from error
            await anyio.sleep(delay)
            delay = min(2 * delay, _LAST_DELAY_S)

    async def _take(self) -> Connection:
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.is_closed() and anyio.current_time() - since < _IDLE_S:
                return connection
            await self._end(connection)
        return await self.connect()

    async def connect(self) -> Connection:
        options = self._options
        return await self._driver.connect(
            self._dsn,
            timeout=options.connect_s,
            command_timeout=options.statement_s + _SLACK_S,
            server_settings=options.settings(self._scope),
        )

    async def _use(self, connection: Connection, job: Job[T]) -> T:
        clean = False
        try:
            result = await job(connection)
            clean = True
        except Exception as error:
            # an error of a statement, or of the job itself, leaves the connection as it was; one of the line does not
            clean = sqlstate_of(error) is not None or failure_of(error, self._where) is None
            raise
        finally:
            # a cancelled statement may still be running, and what comes back for it would go to the next job
            if clean and not self._closed and not connection.is_closed() and not connection.is_in_transaction():
                self._idle.append((connection, anyio.current_time()))
            else:
                with anyio.move_on_after(_CLOSE_S, shield=True):
                    await self._end(connection)
        return result

    async def _end(self, connection: Connection) -> None:
        try:
            with anyio.move_on_after(_CLOSE_S):
                await connection.close(timeout=_CLOSE_S)  # tells the server to end what it does for it
        except Exception:  # noqa: BLE001 # it is given up in any case
            return
        finally:
            connection.terminate()

    async def aclose(self) -> None:
        forget_library()
        self._closed = True
        for scope in tuple(self._running):
            scope.cancel()
        if self._running:
            await self._ended.wait()
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            await self._end(connection)


@final
class PgPool:
    """Runs jobs on the connections of a pool, from any task of the event loop that opened it."""

    def __init__(self, host: Host, connections: _Connections, where: str, scope: str) -> None:
        self._host = host
        self._connections = connections
        self.where = where
        """The database, without the password: for messages."""
        self.scope = scope

    async def run(self, job: Job[T], *, again: bool = False, give_up_s: float | None = None) -> T:
        """Return what ``job(connection)`` returns; the whole job has one connection to itself.

        The job runs on the driver's event loop, which is another thread's under trio: it may use the connection and
        its arguments, and nothing that belongs to the caller's event loop. It should be one statement or one
        transaction, and leave nothing behind on the connection (settings, listeners, session locks).

        While the database is away, the job is tried again for ``give_up_s`` seconds (``None``: those of the pool) as
        long as nothing can have happened: no connection was to be had, or the server undid the transaction because of a conflict. ``again``
        says that the job may also be repeated after the line was lost in its middle, as jobs that read may.

        Cancelling the caller cancels the job and closes its connection, so that nothing of it is left behind; a
        transaction that was not committed is undone.

        Raises:
            StoreUnavailable: if the database cannot be reached or used: a lost line, a wrong password, no such
                database, no more connections, a shutdown, a full disk, a statement that took too long.
            StoreError: for other errors of the database.
        """
        return await self._host.call(self._connections.run, job, again, give_up_s)

    async def call(self, function: Callable[[OpenConnection], Awaitable[T]]) -> T:
        """Return what ``function(connect)`` returns; it runs on the driver's event loop, as jobs do.

        ``connect()`` opens a connection beside the pool, which the function's owner closes there.
        """

        async def run() -> T:
            return await function(self._connections.connect)

        return await self._host.call(self._connections.until_closed, run)


async def _ping(connection: Connection) -> None:
    await connection.execute("SELECT 1")


@asynccontextmanager
async def open_pg_pool(
    dsn: str, options: PgOptions | None = None, *, scope: str = "default"
) -> AsyncGenerator[PgPool, None]:
    """Open a pool and make its first connection; when the block has been left, all connections are closed.

    ``scope`` is the tenant whose rows row-level security shows.

    ``dsn`` is a URI, ``postgresql://user:password@host:port/database``; what it leaves out comes from the variables
    and the password file that Postgres' own programs read, by way of the driver. The password is in no message.

    Raises:
        MissingExtra: if asyncpg is not installed.
        StoreUnavailable: if the database cannot be reached; it is tried for ``give_up_s`` seconds where that can help.
        ValueError: if ``dsn`` is no such URI, or ``scope`` no plain text of 1 to 200 characters.
    """
    where, scope, options = place_of(dsn), checked_scope(scope), options or PgOptions()
    driver = load_driver()
    async with open_host() as host:

        async def make() -> _Connections:  # noqa: ASYNC124 # the host calls what is async
            forget_library()
            return _Connections(driver, dsn, where, scope, options)  # on the driver's loop, where its semaphore belongs

        connections = await host.call(make)
        pool = PgPool(host, connections, where, scope)
        try:
            await pool.run(_ping, again=True)
            yield pool
        finally:
            with anyio.move_on_after(_CLOSE_ALL_S, shield=True):
                await host.call(connections.aclose)
