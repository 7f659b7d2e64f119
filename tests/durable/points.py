"""Named instants at which a process kills itself, reached from outside: nothing in par knows of them.

What is given to the runtime, to the model and to the tools is wrapped, and so are the drivers' connections. The
points are numbered by name; a dry run lists them, a sweep kills at each.
"""

import os
import signal
import sqlite3
import threading
from collections import Counter
from pathlib import Path

import asyncpg

_DIES_WITHIN_S = 10


class Points:
    """Counts the points that are reached, and kills the process at one of them.

    ``at`` is ``"name#number"``, such as ``"after result of tool#3"``; ``listing`` is a file that gets each point reached.
    ``act`` is done in the place of killing.
    """

    def __init__(self, at="", listing="", act=None):
        self._at = at
        self._act = act or die
        self._listing = listing
        self._counts = Counter()
        self._lock = threading.Lock()

    def reach(self, name, act=None):
        """Say that the point ``name`` is reached; ``act`` is what is done there if it is not the usual."""
        with self._lock:
            self._counts[name] += 1
            point = f"{name}#{self._counts[name]}"
            if self._listing:
                with Path(self._listing).open("a") as file:
                    file.write(point + "\n")
        if point != self._at:
            return
        (act or self._act)()


def die():
    """End the process at once, with nothing cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait(_DIES_WITHIN_S)  # in a thread the signal may take a moment


def read(listing):
    """Return the points of a dry run, in the order in which they were reached."""
    return Path(listing).read_text().splitlines()


# --- the session log -------------------------------------------------------------------------------------------


class KillingLog:
    """A session log with points before and after each call that changes something."""

    def __init__(self, log, points):
        self._log = log
        self._points = points

    def __getattr__(self, name):
        return getattr(self._log, name)

    async def acquire(self, *args, **named):
        return await self._around("acquire", self._log.acquire, *args, **named)

    async def release(self, *args, **named):
        return await self._around("release", self._log.release, *args, **named)

    async def send(self, *args, **named):
        return await self._around("send", self._log.send, *args, **named)

    async def commit(self, change, envelopes, /):
        return await self._around(name_of(change), self._log.commit, change, envelopes)

    async def _around(self, name, method, /, *args, **named):
        self._points.reach(f"before {name}")
        answer = await method(*args, **named)
        self._points.reach(f"after {name}")
        return answer


def name_of(change):
    """Say in a word what a change of a session is for."""
    turn = change.turn
    if turn is not None and not turn.is_open:
        return "end of turn"
    if any(step.status == "started" for step in change.steps):
        return "intent"
    if change.approvals:
        return "approval"
    if change.steps:
        return f"result of {change.steps[0].kind}"
    if change.releases:
        return "suspension"
    return "events" if turn is None else "turn"


class KillingStore:
    """A store whose session log, and whose appends, have points."""

    def __init__(self, store, points):
        self._store = store
        self._points = points

    def __getattr__(self, name):
        return getattr(self._store, name)

    def session_log(self):
        return KillingLog(self._store.session_log(), self._points)

    async def append(self, envelopes, /):
        self._points.reach("before append")
        await self._store.append(envelopes)
        self._points.reach("after append")

    async def last_seq(self, session, /):
        return await self._store.last_seq(session)


# --- inside of a transaction -----------------------------------------------------------------------------------


def watch_sqlite(points):
    """Put points into each transaction of connections that this process opens from now on, in their own threads."""
    connect = sqlite3.connect

    def watched(*args, **named):
        connection = connect(*args, **named)
        connection.set_trace_callback(traced)
        return connection

    def traced(statement):
        word = statement.split(None, 1)[0].upper() if statement.strip() else ""
        if word in ("BEGIN", "COMMIT"):
            points.reach(f"sqlite {word}")
        elif word in ("INSERT", "UPDATE", "DELETE"):
            points.reach("sqlite write")

    sqlite3.connect = watched


_QUERIES = ("execute", "executemany", "fetch", "fetchrow", "fetchval")


def watch_postgres(points):
    """Put points before, during and after each statement of asyncpg that may write."""
    for name in _QUERIES:
        setattr(asyncpg.Connection, name, _watched(getattr(asyncpg.Connection, name), points))


def _watched(method, points):
    async def around(self, query, *args, **named):
        if _only_reads(query):
            return await method(self, query, *args, **named)
        points.reach("postgres before")
        points.reach("postgres during", lambda: self._loop.call_later(_IN_FLIGHT_S, die))
        answer = await method(self, query, *args, **named)
        points.reach("postgres after")
        return answer

    return around


_IN_FLIGHT_S = 0.0004
_READS = ("SET", "SHOW", "LISTEN", "UNLISTEN")


def _only_reads(query):
    return query.lstrip().upper().startswith(_READS)
