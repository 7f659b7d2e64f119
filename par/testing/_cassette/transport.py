"""The transport through which the SDKs' HTTP client meets a cassette."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol, final

import httpx2

from par.testing._cassette.interaction import Answer, Asked

__all__ = ["Tape", "TapeTransport"]


class Tape(Protocol):
    """What the transport needs of a cassette."""

    @property
    def replays(self) -> bool: ...
    def ask(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Asked: ...
    def play(self, wanted: Asked) -> Answer: ...
    def begin(self, wanted: Asked) -> int: ...
    def keep(self, place: int, answer: Answer, headers: Sequence[tuple[str, str]]) -> None: ...


@final
class TapeTransport(httpx2.AsyncBaseTransport):
    """Answers from a tape, or sends on and lets the tape record."""

    def __init__(self, tape: Tape, inner: httpx2.AsyncBaseTransport | None) -> None:
        self._tape = tape
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request.

        Raises:
            RequestNotRecorded: if it is not on the tape.
        """
        body = await request.aread()
        wanted = self._tape.ask(request.method, str(request.url), request.headers.multi_items(), body)
        if self._tape.replays:
            answer = self._tape.play(wanted)
            return httpx2.Response(answer.status, headers=answer.headers, stream=_Played(answer), request=request)
        place = self._tape.begin(wanted)
        request.headers["accept-encoding"] = "identity"  # what is recorded is what can be read
        if self._inner is None:
            self._inner = httpx2.AsyncHTTPTransport()
        response = await self._inner.handle_async_request(request)
        recording = _Recording(self._tape, place, response)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=recording,
            request=request,
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections that recording has opened."""
        if self._inner is not None:
            await self._inner.aclose()


@final
class _Played(httpx2.AsyncByteStream):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._answer.chunks:
            yield chunk
        if not self._answer.whole:
            raise httpx2.ReadError("the recording ends here: the rest of the answer was never read")


@final
class _Recording(httpx2.AsyncByteStream):
    """Hands on a body and keeps it; what is kept is complete once the end was read."""

    def __init__(self, tape: Tape, place: int, response: httpx2.Response) -> None:
        self._tape = tape
        self._place = place
        self._response = response
        self._chunks: list[bytes] = []
        self._whole = False
        self._keep()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        stream = self._response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("the transport answers with a stream that is not async")
        async for chunk in stream:
            self._chunks.append(chunk)
            yield chunk
        self._whole = True

    async def aclose(self) -> None:
        self._keep()
        await self._response.aclose()

    def _keep(self) -> None:
        headers = self._response.headers
        answer = Answer(
            status=self._response.status_code,
            headers=dict(headers.items()),
            chunks=tuple(self._chunks),
            whole=self._whole,
        )
        self._tape.keep(self._place, answer, headers.multi_items())
