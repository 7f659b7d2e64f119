"""The connections of one store on an audit file, and what else is opened beside them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs

from par._clock import Clock
from par.persistence._host import Host
from par.persistence._limiter_budget import Limiter
from par.persistence._limiter_sqlite import open_limiter_sqlite
from par.persistence._processes import Machine
from par.persistence._sqlite_connection import SqliteConnection, open_connection
from par.persistence._sqlite_file import open_writer

__all__ = ["Connections", "open_limits"]


@attrs.frozen(kw_only=True)
class Connections:
    """The two connections of a store, and what makes more of them; ``where`` is the file, for errors."""

    host: Host
    writer: SqliteConnection
    reader: SqliteConnection
    where: str
    clock: Clock
    machine: Machine


@asynccontextmanager
async def open_limits(links: Connections, scope: str) -> AsyncGenerator[Limiter, None]:
    """Open the limits of a scope on a connection of their own, so that nobody waits for the audit's commits."""
    opened = partial(open_writer, Path(links.where), "process", create=False)
    async with (
        open_connection(links.host, opened, links.where) as connection,
        open_limiter_sqlite(connection, scope, clock=links.clock) as limiter,
    ):
        yield limiter
