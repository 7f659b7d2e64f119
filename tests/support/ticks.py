"""Count every step that any task takes, and do something at the n-th: the way to interrupt a run at each await."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import contextmanager

import sniffio


class _Counted:
    """Drives a coroutine and reports each of its steps."""

    def __init__(self, coroutine, tick):
        self._coroutine = coroutine
        self._tick = tick

    def __await__(self):
        coroutine, send, value, error = self._coroutine, None, None, None
        send = coroutine.send
        while True:
            self._tick()
            try:
                yielded = coroutine.throw(error) if error is not None else send(value)
            except StopIteration as stop:
                return stop.value
            value, error = None, None
            try:
                value = yield yielded
            except BaseException as thrown:  # noqa: BLE001 # handed to the coroutine, as the loop meant it
                error = thrown


async def _counted(coroutine, tick):
    return await _Counted(coroutine, tick)


@contextmanager
def counting(tick: Callable[[], None]):
    """Call ``tick`` before each step of each task that is started inside the block."""
    if sniffio.current_async_library() == "trio":
        import trio

        me = trio.lowlevel.current_task()

        class Steps(trio.abc.Instrument):
            def before_task_step(self, task):
                if task is not me and not task.name.startswith("trio.") and "<TrioToken" not in task.name:
                    tick()

        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(steps)
        return
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()

    def factory(loop, coroutine: Coroutine, **kwargs):
        return asyncio.Task(_counted(coroutine, tick), loop=loop, **kwargs)

    loop.set_task_factory(factory)
    try:
        yield
    finally:
        loop.set_task_factory(before)


def other_tasks() -> int:
    """Return how many tasks besides the caller's the loop has."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks()) - 1


def children() -> list[int]:
    """Return the processes that this one has started and that are still there.

    Zombies are left out, and what lives as long as the tests: their database, and the nursery of processes to be killed.
    """
    if not sys.platform.startswith("linux"):
        return []
    import os
    from pathlib import Path

    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            line = (stat.parent / "cmdline").read_bytes()
            if b"postgres" in line or b"nursery.py" in line:
                continue
        except (OSError, IndexError):
            continue
        if int(fields[1]) == os.getpid() and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found
