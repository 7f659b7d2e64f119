"""An audit with memories, in a file or in Postgres: the store that events go to, and what memories use."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import attrs

from par._clock import Clock
from par._ids import new_ulid
from par.events import Envelope, ModelCallEnded, RunStarted
from par.messages import Assistant, System, Text, ToolResult, ToolResults, User
from par.persistence import open_postgres, open_sqlite
from par.persistence._host import open_host
from par.persistence._memory_postgres import PostgresMemory
from par.persistence._memory_sqlite import SqliteMemory
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._schema import memory as schema
from par.persistence._sqlite_connection import open_connection
from par.persistence._sqlite_file import open_reader, open_writer

START = datetime(2025, 1, 31, 12, tzinfo=UTC)


def add_tables(connection):
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'memory'").fetchone() is None:
        for statement in schema.SQLITE:
            connection.execute(statement)


@attrs.define
class Scene:
    """``memory(owner)`` is a memory, ``said(session, ...)`` stores what was said."""

    store: object
    scope: str
    seconds: int = attrs.field(default=0, kw_only=True)
    seqs: dict = attrs.field(factory=dict, kw_only=True)

    def now(self):
        self.seconds += 1
        return START + timedelta(seconds=self.seconds)

    async def said(self, session, *texts):
        """Store texts of the user and of the model, in turns."""
        await self.store.append([self.envelope(session, spoken(place, text)) for place, text in enumerate(texts)])

    def envelope(self, session, event):
        self.seqs[session] = self.seqs.get(session, 0) + 1
        return Envelope(
            id=new_ulid(), session=session, run="r", step=0, parent=None, at=self.now(),
            seq=self.seqs[session], event=event,
        )  # fmt: skip


@attrs.define
class FileScene(Scene):
    writer: object
    reader: object
    path: object

    def memory(self, owner="ann", scope=None):
        return SqliteMemory(self.writer, self.reader, scope or self.scope, owner, clock=Clock(now=self.now))

    async def ask(self, sql, *values):
        return await self.writer.run(lambda connection: connection.execute(sql, values).fetchall())


@attrs.define
class PostgresScene(Scene):
    pool: object

    def memory(self, owner="ann"):
        return PostgresMemory(self.pool, owner, clock=Clock(now=self.now))

    async def ask(self, sql, *values):
        """Run a statement within the scope; its rows are tuples."""
        return [tuple(row) for row in await self.pool.run(lambda connection: connection.fetch(sql, *values))]


def spoken(place, text):
    if place % 2 == 0:
        before = (System("be kind"), ToolResults((ToolResult(tool_use_id="1", name="t", content="result"),)))
        return RunStarted(agent="a", model="m", input=(*before, User((Text(text),))))
    return ModelCallEnded(call_id="c", duration_s=0.1, message=Assistant((Text(text),)))


@asynccontextmanager
async def open_scene(path, scope="default"):
    async with (
        open_sqlite(path, durability="process", scope=scope) as store,
        open_host() as host,
        open_connection(host, partial(open_writer, path, "process", create=True), str(path)) as writer,
        open_connection(host, partial(open_reader, path), str(path)) as reader,
    ):
        await writer.run(add_tables)
        yield FileScene(store, scope, writer, reader, path)


@asynccontextmanager
async def open_postgres_scene(dsn, scope="default"):
    async with open_postgres(dsn, scope=scope) as store, open_pg_pool(dsn, scope=scope) as pool:
        yield PostgresScene(store, scope, pool)
