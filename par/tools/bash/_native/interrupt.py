"""How work in a thread stays interruptible."""

import os
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

__all__ = ["CHUNK", "chunks", "in_thread", "interruptible"]

T = TypeVar("T")

CHUNK: Final = 256 * 1024


def interruptible() -> None:
    """Give up, in a worker thread, if the command was cancelled or is out of time."""
    anyio.from_thread.check_cancelled()


def chunks(fd: int) -> Iterator[bytes]:
    """Read a file to its end, and look between the chunks whether to go on."""
    while chunk := os.read(fd, CHUNK):
        interruptible()
        yield chunk


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a worker thread, and never leave it behind: a cancelled caller goes on when it has ended.

    A thread that went on by itself would write after the end of its command, and use descriptors that are closed.

    Raises:
        Exception: what the work raises.
    """
    results: list[T] = []
    errors: list[Exception] = []

    async def run() -> None:
        try:
            results.append(await anyio.to_thread.run_sync(work))
        except Exception as error:  # noqa: BLE001 # raised again below, without the group around it
            errors.append(error)

    # a task of its own, because asyncio's own ``task.cancel()`` ends the wait for a thread and not the thread
    async with anyio.create_task_group() as group:  # noqa: ASYNC112
        group.start_soon(run)
    if errors:
        raise errors[0]
    return results[0]
