"""Following an audit in Postgres: a bell that the server rings, and what goes on to read at its sound."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, final

import anyio
import attrs

from par.events import Envelope
from par.persistence._postgres_driver import Connection, failure_of
from par.persistence._postgres_pool import OpenConnection, PgPool
from par.persistence._sqlite_read import Page, Pages, Row

__all__ = ["Bell", "Tail"]

_POLL_S: Final = 5.0
"""How long a tail sleeps at most: a net below notifications, which nobody promises across a failover."""
_CLOSE_S: Final = 5.0
_RETRY_S: Final = 0.5


@final
class Bell:
    """Rings when the server tells of new events, on one connection for all that listen. Made when first needed.

    All of it lives on the driver's event loop, but for ``wait`` and ``aclose``, which are called from anywhere.
    """

    def __init__(self, pool: PgPool, channel: str, poll_s: float = _POLL_S) -> None:
        self._pool = pool
        self._channel = channel
        self._poll_s = poll_s
        self._connection: Connection | None = None
        self._connecting = False
        self._rung: anyio.Event | None = None
        self._rings = 0
        self._closed = False

    async def wait(self, rings: int) -> int:
        """Return the number of rings so far, once it is not ``rings``, or after the poll time."""

        async def wait(connect: OpenConnection) -> int:
            await self._listen(connect)
            if self._rings == rings and not self._closed:
                if self._rung is None:
                    self._rung = anyio.Event()
                with anyio.move_on_after(self._poll_s if self._connection is not None else _RETRY_S):
                    await self._rung.wait()
            return self._rings

        return await self._pool.call(wait)

    def _ring(self, *_: object) -> None:
        self._rings += 1
        if self._rung is not None:
            self._rung.set()
            self._rung = None

    async def _listen(self, connect: OpenConnection) -> None:
        alive = self._connection is not None and not self._connection.is_closed()
        if self._connecting or alive or self._closed:
            return
        self._connecting = True
        connection: Connection | None = None
        try:
            connection = await connect()
            await connection.add_listener(self._channel, self._ring)
            connection.add_termination_listener(self._ring)
            if not self._closed:  # it may have been, meanwhile; then the connection ends below
                self._connection, connection = connection, None
            self._ring()  # what was stored before it listened was not heard of
        except Exception as error:
            if failure_of(error, self._pool.where) is None:
                raise
            self._connection = None  # reading goes on by the clock, and says what is wrong if it cannot
        finally:
            self._connecting = False
            if connection is not None:
                connection.terminate()

    async def aclose(self) -> None:
        """Wake all who wait, and close the connection."""

        async def close(_: OpenConnection) -> None:
            self._closed = True
            connection, self._connection = self._connection, None
            self._ring()
            if connection is not None:
                try:
                    with anyio.move_on_after(_CLOSE_S):
                        await connection.close(timeout=_CLOSE_S)
                finally:
                    connection.terminate()

        await self._pool.call(close)


@final
class Tail:
    """Goes through the events that are stored, and waits for more at their end. Holds nothing between two events."""

    def __init__(self, bell: Bell, read: Callable[[Page], Awaitable[list[Row]]], page: Page) -> None:
        self._bell = bell
        self._source = read
        self._page = page
        self._pages: AsyncIterator[Envelope] | None = None
        self._rings = -1

    def __aiter__(self) -> "Tail":
        return self

    async def __anext__(self) -> Envelope:
        while True:
            if self._pages is None:
                self._rings = await self._bell.wait(self._rings)
                self._pages = Pages(self._read, self._page, None)
            try:
                return await anext(self._pages)
            except StopAsyncIteration:
                self._pages = None

    async def _read(self, page: Page) -> list[Row]:
        rows = await self._source(page)
        if rows:
            last = rows[-1]
            self._page = attrs.evolve(self._page, after=last[0] if page.session is None else last[2])
        return rows
