"""Printing what an audit holds: text that cannot steer the terminal, and JSON, one object a line."""

import io
import json
import os
import stat
from contextlib import suppress
from typing import BinaryIO, Final, final

import anyio
from rich.console import Console
from rich.text import Text

from par._json import JsonObject
from par.cli._screen import printable

__all__ = ["ESCAPED", "Printer"]

_LOOK_S: Final = 1.0
"""How often somebody who waits for events looks whether his reader is still there."""
ESCAPED: Final = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What JSON may hold as it is, and terminals and readers of lines take for commands and ends of lines."""


@final
class Printer:
    """Prints lines. Once the reader of a pipe has left, nothing is said any more."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._encoding = getattr(out.file, "encoding", None) or "utf-8"

    @property
    def terminal(self) -> bool:
        """Whether a person looks at it."""
        return self._out.is_terminal

    @property
    def bytes(self) -> BinaryIO | io.RawIOBase | None:
        """What is below the text, if there is something."""
        below: BinaryIO | io.RawIOBase | None = getattr(self._out.file, "buffer", None)
        return below

    def line(self, text: str, style: str = "") -> None:
        """Print a line, in colour where a terminal has it.

        Raises:
            BrokenPipeError: if nobody reads it.
        """
        plain = printable(text).encode(self._encoding, errors="replace").decode(self._encoding)
        if self._out.is_terminal:
            self._out.print(Text(plain, style=style), highlight=False, soft_wrap=True)
        else:
            self._out.file.write(plain + "\n")

    def json(self, document: JsonObject) -> None:
        """Print an object on a line of its own.

        Raises:
            BrokenPipeError: as ``line`` does.
        """
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:  # half a surrogate pair, or a narrow encoding: escaped, it survives
            text = json.dumps(document, allow_nan=False, separators=(",", ":"))
        self.text(text.translate(ESCAPED) + "\n")

    def text(self, text: str) -> None:
        """Print text as it is, which must be made of lines that are safe to print.

        Raises:
            BrokenPipeError: as ``line`` does.
        """
        self._out.file.write(text)

    def flush(self) -> None:
        """Give the reader what was printed.

        Raises:
            BrokenPipeError: as ``line`` does.
        """
        self._out.file.flush()

    def forget_reader(self) -> None:
        """Send what is still to be printed nowhere, so that the end of the program does not stumble over it."""
        with suppress(OSError, ValueError):  # what has no descriptor needs none of this
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._out.file.fileno())
            finally:
                os.close(nowhere)

    async def until_reader_left(self) -> None:
        """Return when the reader of the pipe that is printed to has left; never, if it is something else."""
        try:
            descriptor = self._out.file.fileno()
            mode = os.fstat(descriptor).st_mode
        except (OSError, ValueError):
            await anyio.sleep_forever()
            return
        import select  # noqa: PLC0415 # what there is of it differs between systems

        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) or not hasattr(select, "poll"):
            await anyio.sleep_forever()
        poll = select.poll()
        poll.register(descriptor, 0)  # errors are told of unasked
        while not poll.poll(0):  # noqa: ASYNC110 # nothing tells of a reader who leaves
            await anyio.sleep(_LOOK_S)
