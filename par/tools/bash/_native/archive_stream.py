"""Reading what may be packed to do harm: every read, and the whole, has a bound."""

import bz2
import errno
import lzma
import os
import zlib
from typing import Final, Protocol, final

from par.errors import CommandRefused
from par.tools.bash._native.interrupt import CHUNK, interruptible

__all__ = ["MAX_TOTAL", "BadSeek", "Budget", "Bytes", "Inflated", "Seekable", "Source", "bad_archive", "opened_stream"]

MAX_TOTAL: Final = 512 * 1024 * 1024
"""Bytes that one archive may become; some seconds of work."""
_FREE: Final = 16 * 1024 * 1024
"""Bytes that an archive may become however small it is."""
_RATIO: Final = 200
"""Times its own size that an archive may become beyond that; text in ordinary archives shrinks to a tenth."""
_LZMA_MEMORY: Final = 128 * 1024 * 1024
_LARGEST_READ: Final = 4 * 1024 * 1024
"""The directory of a zip archive is read at once; this is one of some 40,000 names."""


def bad_archive(problem: str) -> CommandRefused:
    """Return the refusal of an archive that is not what it should be."""
    return CommandRefused("bad_archive", problem, field="path", remedy="zip, tar, tar.gz, tar.bz2 and tar.xz are read.")


@final
class Budget:
    """Counts what an archive of ``size`` bytes becomes, and stops a bomb."""

    def __init__(self, size: int) -> None:
        self._most = min(MAX_TOTAL, max(_FREE, _RATIO * size))
        self._left = self._most
        self._size = size

    def take(self, count: int) -> None:
        """Count bytes.

        Raises:
            CommandRefused: ``too_large``, once they are too many.
        """
        self._left -= count
        if self._left < 0:
            problem = f"the archive has {self._size} bytes and would become more than {self._most}; nothing was kept."
            raise CommandRefused("too_large", problem, field="path", remedy="Ask the user to unpack it.")


class Source(Protocol):
    """Bytes that are read from the beginning to the end."""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        ...


@final
class Bytes:
    """The bytes of an open file, from where it stands."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        interruptible()
        return os.read(self._fd, min(size, CHUNK))


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


@final
class _Gzip:
    """Gives zlib the form that the other two have: it keeps what it could not use yet."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _inflater(kind: str) -> _Inflater:
    if kind == "gzip":
        return _Gzip()
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)


@final
class Inflated:
    """What packed bytes become, in bounded memory; several streams after each other are one."""

    def __init__(self, packed: Source, kind: str, budget: Budget) -> None:
        self._packed = packed
        self._kind = kind
        self._budget = budget
        self._inflater = _inflater(kind)
        self._ended = False
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end.

        Raises:
            CommandRefused: ``bad_archive``, or ``too_large`` for a bomb.
        """
        try:
            while not self._ended:
                interruptible()
                found = self._inflate(size)
                if found:
                    self._budget.take(len(found))
                    return found
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise bad_archive(f"it cannot be unpacked: {str(error)[:100]}.") from None
        return b""

    def _inflate(self, size: int) -> bytes:
        if self._inflater.eof:
            self._rest = self._inflater.unused_data or self._packed.read(CHUNK)
            if not self._rest.strip(b"\0"):
                self._ended = True  # padding at the end is usual
                return b""
            self._inflater = _inflater(self._kind)
        data, self._rest = self._rest, b""
        # what the inflater still holds comes out first, whether or not there is more to read
        found = self._inflater.decompress(data, size)
        if found or self._inflater.eof:
            return found
        self._rest = self._packed.read(CHUNK)
        if not self._rest:
            raise bad_archive("it ends in the middle.")
        return b""


_MAGIC: Final = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))


def opened_stream(fd: int, budget: Budget) -> Source:
    """Return what the open file holds, unpacked if it begins as gzip, bzip2 or xz do."""
    start = os.pread(fd, 8, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return Inflated(Bytes(fd), kind, budget)
    return Bytes(fd)


class BadSeek(OSError):
    """An archive names a place before its beginning."""


@final
class Seekable:
    """An open file as zipfile takes it, which refuses to read a lot at once."""

    def __init__(self, fd: int, size: int) -> None:
        self._fd = fd
        self._size = size
        self._at = 0

    def seekable(self) -> bool:
        """Say that it is."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise BadSeek(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes.

        Raises:
            CommandRefused: ``too_large`` for more than 4 MiB.
        """
        interruptible()
        wanted = max(0, self._size - self._at) if size < 0 else size
        if wanted > _LARGEST_READ:
            raise CommandRefused(
                "too_large", "its directory has too many names.", field="path", remedy="Ask the user to unpack it."
            )
        data = os.pread(self._fd, wanted, self._at)
        self._at += len(data)
        return data
