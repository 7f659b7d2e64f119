"""Read a body up to a limit that counts what comes out of the decompressor, not what goes in."""

import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, final

import anyio.lowlevel
import attrs

from par.errors import ToolFailed

__all__ = ["ACCEPTED", "Body", "read_body"]

ACCEPTED: Final = "gzip, deflate"
"""What the standard library can undo with a limit on the result."""

_SLICE = 65_536
"""So much is decompressed between two chances for others to run."""
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_START = b"\x1f\x8b"


@attrs.frozen(kw_only=True)
class Body:
    """What was read of a body; ``cut`` says that there is more."""

    data: bytes
    cut: bool


@final
class _Inflater:
    """Undoes gzip or deflate, a slice at a time. gzip may be several members in a row."""

    def __init__(self, coding: str) -> None:
        self._bits = _GZIP if coding == "gzip" else zlib.MAX_WBITS
        self._inner = zlib.decompressobj(self._bits)
        self._begun = False

    @property
    def ended(self) -> bool:
        return self._inner.eof

    def feed(self, data: bytes, most: int) -> tuple[bytes, bytes]:
        """Return at most so many bytes, and what of ``data`` waits for the next call."""
        if self._inner.eof:
            # what follows the end is padding, unless another member begins, be it with the last byte of a chunk
            if self._bits != _GZIP or not data or not _GZIP_START.startswith(data[:2]):
                return b"", b""
            self._inner = zlib.decompressobj(self._bits)
        try:
            made = self._inner.decompress(data, most)
        except zlib.error:
            if self._begun or self._bits != zlib.MAX_WBITS:
                raise
            self._bits = -zlib.MAX_WBITS  # servers differ in what they call deflate
            self._inner = zlib.decompressobj(self._bits)
            made = self._inner.decompress(data, most)
        self._begun = True
        return made, self._inner.unused_data if self._inner.eof else self._inner.unconsumed_tail


async def read_body(chunks: AsyncGenerator[bytes, None], coding: str, most: int) -> Body:
    """Read until the end or until there are ``most`` bytes; the rest is neither read nor decompressed.

    Raises:
        ToolFailed: if the body's coding is unknown, broken or ends too early.
    """
    name = coding.strip().lower().removeprefix("x-")
    if name not in {"", "identity", "gzip", "deflate"}:
        raise ToolFailed(f"The server sent a body in the coding {name[:40]!r}, which was not asked for.")
    inflater = _Inflater(name) if name in {"gzip", "deflate"} else None
    kept = bytearray()
    received = 0
    async with aclosing(chunks):
        async for chunk in chunks:
            received += len(chunk)
            if inflater is None:
                kept += chunk
            else:
                await _inflate(inflater, chunk, kept, most)
            if len(kept) > most or received > most:  # members of nothing fill no room, and still cost time
                return Body(data=bytes(kept[:most]), cut=True)
    if inflater is not None and received and not inflater.ended:
        raise ToolFailed("The server's compressed answer ended too early.", retryable=True)
    return Body(data=bytes(kept), cut=False)


async def _inflate(inflater: _Inflater, chunk: bytes, kept: bytearray, most: int) -> None:
    rest = chunk
    try:
        while len(kept) <= most:
            made, rest = inflater.feed(rest, min(_SLICE, most + 1 - len(kept)))
            kept += made
            if not rest and len(made) < _SLICE:
                return
            await anyio.lowlevel.checkpoint()
    except zlib.error:
        raise ToolFailed("The server's compressed answer is broken.") from None
