"""Opening the audit store in Postgres."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import md5
from typing import Final

import anyio
import anyio.to_thread

from par._clock import Clock
from par.persistence._chain import Linker, checked_key, checked_scope
from par.persistence._group_commit import Batch, Queue, Results, open_group_commit
from par.persistence._own_records import Scribe
from par.persistence._postgres import PostgresStore
from par.persistence._postgres_keys import meet_key
from par.persistence._postgres_pool import PgOptions, open_pg_pool
from par.persistence._postgres_read import read_scopes
from par.persistence._postgres_schema import migrate
from par.persistence._postgres_tail import Bell
from par.persistence._postgres_write import Writer
from par.persistence._processes import this_machine
from par.persistence._sessions_owner import Place

__all__ = ["open_postgres", "postgres_scopes"]

_CLOSE_S: Final = 5.0


@asynccontextmanager
async def open_postgres(
    dsn: str,
    *,
    scope: str = "default",
    key: bytes | None = None,
    queue: Queue | None = None,
    options: PgOptions | None = None,
    notify: bool = True,
    clock: Clock | None = None,
) -> AsyncGenerator[PostgresStore, None]:
    """Open an audit in Postgres (15 or newer), on asyncio or trio, and close it after the block.

    The tables are made, or brought to the present schema, in one transaction; any number of processes may start at
    once. They are in the schema ``par`` of the database. A login that may only append or read (see ``grant_roles``)
    can open what another has made. Leaving the block takes no more events, writes those that are queued (for at most
    ``queue.flush_s`` seconds, also when the block is cancelled), and closes every connection.

    UPDATE, DELETE and TRUNCATE of what was stored are refused by triggers, and rows of other scopes are hidden by
    row-level security, from all but superusers. That guards against accidents; what proves that nothing was changed
    is the hash chain, see ``verify``.

    Args:
        dsn: a URI, ``postgresql://user:password@host:port/database``. It must lead to the server itself, or to a
            pooler that keeps a session on one connection. The password is in no message.
        scope: the tenant whose events these are. Stores of other scopes in the same database see nothing of them.
        key: with a key, 16 bytes or more, who has not got it cannot make records that ``verify`` accepts. A scope
            that was once opened with a key is written and verified with that key only; it can be read without.
        queue: how events wait to be written, and for how long writing is tried while the database is away.
        options: how many connections there are, and how long connecting, a statement and reading may take. One more
            connection serves all tails.
        notify: whether to tell tails of each batch, which costs the server a little; without it they find out within
            5 s.
        clock: stamps what the store tells by itself, and is what ``older_than`` counts from.

    Raises:
        MissingExtra: if asyncpg is not installed.
        NewerSchema: if a newer par made the tables.
        WrongKey: if the scope is kept with another key.
        StoreUnavailable: if the database cannot be reached, read or changed.
        ValueError: for a ``dsn`` that is no such URI, a scope that is no plain text of 1 to 200 characters, or a short
            key.
    """
    waiting = queue or Queue()
    linker = Linker(checked_key(key))
    time = clock or Clock()
    scribe = Scribe(checked_scope(scope), time)
    async with open_pg_pool(dsn, options, scope=scope) as pool:
        await migrate(pool)
        if key is not None:
            await pool.run(lambda connection: meet_key(connection, linker, scope), again=True)
        machine = await anyio.to_thread.run_sync(this_machine, time)
        rows = Writer(linker, pool.where, notify=notify)

        async def write(batch: Batch) -> Results:
            return await pool.run(
                lambda connection: rows.write(connection, batch), again=True, give_up_s=waiting.give_up_s
            )

        bell = Bell(pool, "par_" + md5(scope.encode(), usedforsecurity=False).hexdigest())
        try:
            async with open_group_commit(write, pool.where, waiting) as group:
                yield PostgresStore(linker, group, pool, bell, scribe, Place(scope, machine, time))
        finally:
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await bell.aclose()


async def postgres_scopes(dsn: str, *, options: PgOptions | None = None) -> tuple[str, ...]:
    """Return the scopes that hold events in a database, in order, for those who look after all of them.

    A login that is bound to scopes gets those. One that may only append is refused. The tables are made if they are
    not there.

    Raises:
        MissingExtra: if asyncpg is not installed.
        NewerSchema: if a newer par made the tables.
        StoreUnavailable: if the database cannot be reached, or the login may not do that.
        ValueError: for a ``dsn`` that is no URI of Postgres.
    """
    async with open_pg_pool(dsn, options) as pool:
        await migrate(pool)
        return await pool.run(read_scopes, again=True)
