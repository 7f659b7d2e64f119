"""What flows from one stage of a pipeline to the next: far more than a model is shown, and bounded all the same.

Each stage's output is collected, then lies in a file without a name while the next stage reads it. So a stage is
an ordinary command with the ordinary limits, and a stage that ends early leaves nobody waiting to write.
"""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol, final

from par.tools.bash._native.interrupt import CHUNK, interruptible
from par.tools.bash._run.capture import Captured

__all__ = ["FLOW_BYTES", "FLOW_LINES", "Flow", "Sink", "spooled"]

FLOW_BYTES: Final = 16 * 1024 * 1024
"""What one stage passes on at most: some hundred thousand lines. Up to twice as much is held in memory for a moment."""
FLOW_LINES: Final = 1_000_000


class Sink(Protocol):
    """Takes the lines that a command of our own makes, as far as there is room for them."""

    full: bool
    """Whether there was no room for a line, and nothing more is wanted."""

    def add(self, line: bytes) -> bool:
        """Take a line with its end; ``False`` says that nothing more is wanted."""
        ...

    @property
    def count(self) -> int:
        """How many lines were taken."""
        ...

    def captured(self) -> Captured:
        """Return what was taken."""
        ...


@final
class Flow:
    """Takes lines for the next stage of a pipeline, in one buffer, since they may be many."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._count = 0
        self.full = False

    def add(self, line: bytes) -> bool:
        """Take a line with its end; ``False`` says that nothing more is wanted."""
        if self.full or len(self._data) + len(line) > FLOW_BYTES:
            self.full = True
            return False
        self._data += line
        self._count += 1
        return True

    @property
    def count(self) -> int:
        """How many lines were taken."""
        return self._count

    def captured(self) -> Captured:
        """Return what was taken."""
        return Captured(head=bytes(self._data), total=len(self._data), cut=self.full)


@contextmanager
def spooled(*parts: bytes) -> Generator[int, None, None]:
    """Give a descriptor from which ``parts`` can be read, for the time of the block. The file never has a name.

    It blocks shortly; a cancelled worker thread gives up between the chunks.
    """
    with tempfile.TemporaryFile(prefix="par-pipe-") as file:
        for part in parts:
            view = memoryview(part)
            while view:
                interruptible()
                view = view[os.write(file.fileno(), view[:CHUNK]) :]
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        yield file.fileno()
