"""How work in a thread stays interruptible."""

import os
from collections.abc import Iterator
from typing import Final

import anyio.from_thread

__all__ = ["CHUNK", "chunks", "interruptible"]

CHUNK: Final = 256 * 1024


def interruptible() -> None:
    """Give up, in a worker thread, if the command was cancelled or is out of time."""
    anyio.from_thread.check_cancelled()


def chunks(fd: int) -> Iterator[bytes]:
    """Read a file to its end, and look between the chunks whether to go on."""
    while chunk := os.read(fd, CHUNK):
        interruptible()
        yield chunk
