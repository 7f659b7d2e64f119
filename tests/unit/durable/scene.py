"""Runtimes that die at a chosen moment, without ending their process."""

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import attrs

from par import Runtime


class Crash(BaseException):
    """Stands for the death of the process: nothing after it is recorded."""


class Ledger:
    """What tools did."""

    def __init__(self):
        self.names = []
        self.keys = []
        self.probed = None
        self.log = None
        """The log of the process that dies when a tool has had its effect."""

    def die(self):
        """Die here, if that is what the test is about."""
        if self.log is not None:
            self.log.dead = True
            self.log = None
            raise Crash

    def note(self, name, key):
        self.names.append(name)
        self.keys.append(key)


@contextmanager
def crashing() -> Iterator[None]:
    """Expect the process to die in the block."""
    try:
        yield
    except BaseException as error:
        if not holds_crash(error):
            raise
    else:
        raise AssertionError("it did not crash: the moment was chosen too late")


def holds_crash(error) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(holds_crash(one) for one in error.exceptions)
    return isinstance(error, Crash)


class DyingLog:
    """A session log whose process dies at its n-th commit, before or after it is made: what follows is lost too."""

    def __init__(self, log, crash_at, renamed, rival):
        self._log = log
        self._rival = rival
        self._crash_at = crash_at
        self._renamed = renamed
        self._commits = 0
        self.dead = False

    def __getattr__(self, name):
        return getattr(self._log, name)

    async def identity(self):
        # a process that has died: its number is never that of one that lives
        name = await self._log.identity()
        boot, space, _, start, nonce = name.split(" ")[:5]
        return " ".join((boot, space, "4194999", start, nonce, *name.split(" ")[5:])) if self._crash_at else name

    async def acquire(self, *args, **options):
        opened = await self._log.acquire(*args, **options)
        steps = tuple(attrs.evolve(step, name=self._renamed.get(step.name, step.name)) for step in opened.steps)
        return attrs.evolve(opened, steps=steps, rival=opened.rival or self._rival)

    async def commit(self, change, envelopes, /):
        if self.dead:
            raise Crash
        self._commits += 1
        if self._crash_at == ("commit", self._commits):
            self.dead = True
            raise Crash
        answer = await self._log.commit(change, envelopes)
        if self._crash_at == ("committed", self._commits):
            self.dead = True
            raise Crash
        return answer

    async def release(self, lease, /):
        if self.dead:
            await anyio.lowlevel.checkpoint()
            return
        await self._log.release(lease)


class DyingStore:
    """A store with such a log."""

    def __init__(self, store, crash_at, renamed, rival):
        self._store = store
        self._log = DyingLog(store.session_log(), crash_at, renamed, rival)

    def __getattr__(self, name):
        return getattr(self._store, name)

    def session_log(self):
        return self._log


def open_runtime(store, *, crash_at=None, ledger=None, renamed=None, rival=False, **options) -> Runtime:
    """Return a runtime that dies at ``("commit", n)``, before its n-th commit, or at ``("committed", n)``.

    With a ledger, it dies where a tool calls ``ledger.die()``. With ``rival`` it takes those before it for alive.
    """
    dying = DyingStore(store, crash_at or ledger, renamed or {}, rival)
    if ledger is not None:
        ledger.log = dying.session_log()
    return Runtime(store=dying, **options)
