"""As much of HTTP/1.1 as a provider needs: requests are read, whole and chunked answers are written."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import final

import anyio.abc
import attrs
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["HttpRequest", "HttpWriter", "read_request"]

_MAX_HEAD = 65_536


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A request; the names of its headers are in lower case, the path has its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def read_request(stream: BufferedByteReceiveStream) -> HttpRequest:
    """Read one request.

    Raises:
        anyio.EndOfStream, anyio.IncompleteRead: if the client has gone.
        ValueError: if it is no HTTP.
    """
    head = (await stream.receive_until(b"\r\n\r\n", _MAX_HEAD)).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _chunks(stream)
    else:
        length = int(headers.get("content-length", "0"))
        body = await stream.receive_exactly(length) if length else b""
    return HttpRequest(method=method, path=path, headers=headers, body=body)


async def _chunks(stream: BufferedByteReceiveStream) -> bytes:
    parts: list[bytes] = []
    while size := int((await stream.receive_until(b"\r\n", _MAX_HEAD)).partition(b";")[0], 16):
        parts.append(await stream.receive_exactly(size))
        await stream.receive_exactly(2)
    while await stream.receive_until(b"\r\n", _MAX_HEAD):
        pass
    return b"".join(parts)


@final
class HttpWriter:
    """Writes one answer."""

    def __init__(self, stream: anyio.abc.ByteSendStream) -> None:
        self._stream = stream

    async def head(self, status: int, headers: Mapping[str, str], *, length: int | None) -> None:
        """Write the status and the headers; a body without a length comes in chunks."""
        try:
            phrase = HTTPStatus(status).phrase
        except ValueError:
            phrase = "Overloaded" if status == 529 else ""
        lines = [f"HTTP/1.1 {status} {phrase}", *[f"{name}: {value}" for name, value in headers.items()]]
        lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
        await self._stream.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def chunk(self, data: bytes) -> None:
        """Write a piece of a body that comes in chunks."""
        if data:
            await self._stream.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def end(self) -> None:
        """Write the end of a body that comes in chunks."""
        await self._stream.send(b"0\r\n\r\n")

    async def raw(self, data: bytes) -> None:
        """Write bytes of a body whose length the head has told."""
        if data:
            await self._stream.send(data)
