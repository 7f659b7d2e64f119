"""An audit file with memories: the store that events go to, and the connections that memories use."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import attrs

from par._clock import Clock
from par._ids import new_ulid
from par.events import Envelope, ModelCallEnded, RunStarted
from par.messages import Assistant, System, Text, ToolResult, ToolResults, User
from par.persistence import open_sqlite
from par.persistence._host import open_host
from par.persistence._memory_sqlite import SqliteMemory
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

    writer: object
    reader: object
    store: object
    path: object
    scope: str = "default"
    seconds: int = 0
    seqs: dict = attrs.Factory(dict)

    def now(self):
        self.seconds += 1
        return START + timedelta(seconds=self.seconds)

    def memory(self, owner="ann", scope=None):
        return SqliteMemory(self.writer, self.reader, scope or self.scope, owner, clock=Clock(now=self.now))

    async def said(self, session, *texts):
        """Store texts of the user and of the model, in turns."""
        await self.store.append([self.envelope(session, spoken(place, text)) for place, text in enumerate(texts)])

    def envelope(self, session, event):
        self.seqs[session] = self.seqs.get(session, 0) + 1
        return Envelope(
            id=new_ulid(), session=session, run="r", step=0, parent=None, at=self.now(),
            seq=self.seqs[session], event=event,
        )  # fmt: skip

    async def ask(self, sql, *values):
        return await self.writer.run(lambda connection: connection.execute(sql, values).fetchall())


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
        yield Scene(writer, reader, store, path, scope)
