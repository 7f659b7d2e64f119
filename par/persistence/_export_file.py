"""A file that is there as a whole or not at all."""

import os
import stat
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import anyio
import anyio.to_thread

from par.errors import UsageError

__all__ = ["new_file"]

_CLEAN_UP_S: Final = 5.0
"""How long removing a half-written file may take; a disk that hangs must not hang the program."""


@asynccontextmanager
async def new_file(path: str | os.PathLike[str]) -> AsyncGenerator[BinaryIO, None]:
    """Open a file for writing that takes the place of ``path`` at the end of the block, with all its bytes on disk.

    When the block is left by an exception or cancelled, what was at ``path`` stays as it was, and nothing is left of
    the new file. Only its owner may read it. What is given to the file is written by the caller, in a thread.

    Raises:
        UsageError: if the folder does not exist, or there is something at ``path`` that is no plain file.
        OSError: if it cannot be written.
    """
    final = await anyio.to_thread.run_sync(_checked, Path(path))
    file, name = await anyio.to_thread.run_sync(_begin, final)
    done = False
    try:
        yield file
        await anyio.to_thread.run_sync(_finish, file, name, final)
        done = True
    finally:
        if not done:
            with anyio.move_on_after(_CLEAN_UP_S, shield=True):
                await anyio.to_thread.run_sync(_remove, file, name)


def _checked(path: Path) -> Path:
    final = path.resolve()  # what a link leads to is replaced, not the link
    if not final.parent.is_dir():
        raise UsageError(f"{str(path)!r} cannot be written: its folder does not exist")
    # a rename would put a file where a device or a pipe is
    if final.exists() and not stat.S_ISREG(final.stat().st_mode):
        raise UsageError(f"{str(path)!r} cannot be written: it is no plain file")
    return final


def _begin(final: Path) -> tuple[BinaryIO, str]:
    descriptor, name = tempfile.mkstemp(dir=final.parent, prefix=f".{final.name[:100]}.", suffix=".part")
    return os.fdopen(descriptor, "wb"), name


def _finish(file: BinaryIO, name: str, final: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    Path(name).replace(final)


def _remove(file: BinaryIO, name: str) -> None:
    with suppress(OSError):  # what is buffered may not fit on the disk
        file.close()
    Path(name).unlink(missing_ok=True)
