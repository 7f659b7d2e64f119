"""How the children of the nursery open a store and a runtime, and how they say what they were acknowledged."""

import json
import os
from contextlib import asynccontextmanager

import anyio
from durable import points

from par import Runtime
from par.errors import NoSuchSession
from par.persistence import open_postgres, open_sqlite

WAITS = 3
"""The exit code of a process that left something to be approved by another."""


class Acks:
    """Writes down what a process was acknowledged, so that it is known even if the process is killed right after."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def say(self, what, **facts):
        os.write(self._file, (json.dumps({"what": what, **facts}) + "\n").encode())


def open_place(place, **options):
    """Open the store of a place, ``("sqlite", path)`` or ``("postgres", dsn)``."""
    kind, where = place
    if kind == "sqlite":
        return open_sqlite(where, **{"durability": "process", **options})
    options.pop("durability", None)
    return open_postgres(where, **options)


@asynccontextmanager
async def open_runtime(place, agents, *, at="", listing="", acks=None, session=None, lease_s=30.0, reached=None):
    """Open a runtime on a store with kill points, whose events are acknowledged as its bus tells them."""
    reached = reached or points.Points(at, listing)
    if at or listing:
        {"sqlite": points.watch_sqlite, "postgres": points.watch_postgres}[place[0]](reached)
    async with open_place(place) as plain:
        store = points.KillingStore(plain, reached)
        async with anyio.create_task_group() as group, Runtime(store=store, agents=agents, lease_s=lease_s) as rt:
            if acks is None:
                yield rt
            else:
                async with rt.bus.stream(session=session, queue=100_000) as events:
                    group.start_soon(_acknowledge, events, acks)
                    yield rt
            group.cancel_scope.cancel()


async def _acknowledge(events, acks):
    async for delivery in events:
        acks.say("event", seq=delivery.envelope.seq, id=delivery.envelope.id)


async def turns_of(rt, session):
    """Return the turns of a session, none if there is no such session."""
    try:
        return await rt.turns(session)
    except NoSuchSession:
        return ()
