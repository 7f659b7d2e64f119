"""Amazon's event streams, read as the server-sent events that they carry: Bedrock streams in them.

Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from base64 import b64decode
from binascii import crc32
from collections.abc import AsyncGenerator, Mapping
from typing import final

from par._json import Json, JsonObject, dump_json
from par.errors import UnreadableReply
from par.providers._answers import Answer
from par.providers._reading import obj, parse_body, string

__all__ = ["AwsEvents", "AwsFrames", "is_aws_stream"]

_PRELUDE = 12
_CRC = 4
_SIZES: Mapping[int, int] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The bytes of a header's value by its type; those of type 6 and 7 say their own length."""
_LARGEST = 24 * 1024 * 1024


def is_aws_stream(answer: Answer) -> bool:
    """Tell whether the body is one of Amazon's event streams."""
    return "amazon.eventstream" in answer.headers.get("content-type", "")


@final
class AwsFrames:
    """Turns pieces of a body into server-sent events, as bytes. One reader serves one body."""

    __slots__ = ("_provider", "_rest")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """Return the events that are complete now.

        Raises:
            UnreadableReply: if the bytes are no such stream, or have been damaged.
        """
        self._rest += chunk
        events: list[bytes] = []
        while len(self._rest) >= _PRELUDE:
            size = int.from_bytes(self._rest[:4], "big")
            sound = crc32(self._rest[:8]) == int.from_bytes(self._rest[8:_PRELUDE], "big")
            if not sound or not _PRELUDE + _CRC <= size <= _LARGEST:
                raise UnreadableReply("a damaged frame in the event stream", provider=self._provider)
            if len(self._rest) < size:
                break
            frame = bytes(self._rest[:size])
            del self._rest[:size]
            if crc32(frame[:-_CRC]) != int.from_bytes(frame[-_CRC:], "big"):
                raise UnreadableReply("a damaged frame in the event stream", provider=self._provider)
            events.append(self._event(frame))
        return b"".join(events)

    def _event(self, frame: bytes) -> bytes:
        end = _PRELUDE + int.from_bytes(frame[4:8], "big")
        headers = _headers(frame[_PRELUDE:end])
        payload = frame[end:-_CRC]
        if headers.get(":message-type", "event") != "event":
            return _failed(headers, payload)
        if headers.get(":event-type") != "chunk":
            return b""
        data = b64decode(string(parse_body(payload, self._provider).get("bytes")))
        return b"".join([b"data: " + line + b"\n" for line in data.splitlines()]) + b"\n"


def _failed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return an error as Anthropic's own API would stream it."""
    name = headers.get(":exception-type") or headers.get(":error-code") or "error"
    try:
        message: Json = obj(parse_body(payload, "")).get("message") or headers.get(":error-message", name)
    except UnreadableReply:
        message = payload.decode("utf-8", "replace")
    kind = _KINDS.get(name.lower().removesuffix("exception"), name)
    error: JsonObject = {"type": "error", "error": {"type": kind, "message": message}}
    return f"data: {dump_json(error)}\n\n".encode()


_KINDS: Mapping[str, str] = {
    "internalserver": "api_error",
    "modelstreamerror": "api_error",
    "modeltimeout": "timeout_error",
    "serviceunavailable": "overloaded_error",
    "throttling": "rate_limit_error",
    "validation": "invalid_request_error",
}


def _headers(raw: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    while at < len(raw):
        name_end = at + 1 + raw[at]
        name = raw[at + 1 : name_end].decode("utf-8", "replace")
        kind, at = raw[name_end], name_end + 1
        size = _SIZES.get(kind, -1)
        if size < 0:
            size = int.from_bytes(raw[at : at + 2], "big")
            at += 2
        if kind == 7:
            headers[name] = raw[at : at + size].decode("utf-8", "replace")
        at += size
    return headers


@final
class AwsEvents:
    """An answer whose body is one of Amazon's event streams, to be read as if it were server-sent events."""

    __slots__ = ("_answer", "_provider")

    def __init__(self, answer: Answer, provider: str) -> None:
        self._answer = answer
        self._provider = provider

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer itself."""
        return self._answer.headers

    async def aread(self) -> bytes:
        """Read the whole body."""
        return AwsFrames(self._provider).feed(await self._answer.aread())

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        """Yield the events as they come."""
        frames = AwsFrames(self._provider)
        chunks = self._answer.aiter_bytes()
        try:
            async for chunk in chunks:
                yield frames.feed(chunk)
        finally:
            await chunks.aclose()

    async def aclose(self) -> None:
        """Close the answer."""
        await self._answer.aclose()
