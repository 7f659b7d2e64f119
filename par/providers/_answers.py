"""Reads the answer to one request, whole or as a stream, and closes it whatever happens."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import anyio

from par._json import dump_json
from par.calls import ModelReply
from par.deltas import Delta, Emit, ReasoningDelta, TextDelta, ToolUseDelta
from par.errors import StreamInterrupted, UnreadableReply
from par.messages import Assistant, Reasoning, Text, ToolUse
from par.providers._sse import SseEvent, SseReader

__all__ = ["Answer", "ReplyStream", "deltas_of", "is_stream", "read_body", "read_stream", "show_whole"]

_CLOSE_S = 5.0
# the end of the body follows the last event at once; reading it lets the connection be used again
_DRAIN_S = 0.05
# what had come and was not asked for yet; what comes after that is cut off by the cancellation
_MAX_UNREAD = 10_000


class Answer(Protocol):
    """What is needed of an HTTP response whose body may not have been read yet."""

    @property
    def headers(self) -> Mapping[str, str]: ...
    async def aread(self) -> bytes: ...
    def aiter_bytes(self) -> AsyncGenerator[bytes, None]: ...
    async def aclose(self) -> None: ...


class ReplyStream(Protocol):
    """Builds one reply from the events of a stream."""

    @property
    def ended(self) -> bool:
        """Whether the event that ends the stream has come."""
        ...

    def feed(self, event: SseEvent, /) -> Sequence[Delta]:
        """Take an event and return what it adds, for those who watch.

        Raises:
            ModelError: if the event says that the call failed, or cannot be read.
        """
        ...

    def finish(self) -> Sequence[Delta]:
        """Take the end of the stream and return what was held back.

        Raises:
            StreamInterrupted: if the answer is not complete.
        """
        ...

    def reply(self) -> ModelReply:
        """Return the whole answer; call it after ``finish``."""
        ...


def is_stream(answer: Answer) -> bool:
    """Tell whether the body is a stream of events: servers without streaming answer whole, others mislabel it."""
    kind = answer.headers.get("content-type", "")
    return "json" not in kind and "text/html" not in kind


async def read_body(answer: Answer, provider: str) -> bytes:
    """Read the body to its end and close the answer.

    Raises:
        StreamInterrupted: if the connection broke in it.
    """
    try:
        return await answer.aread()
    except Exception as error:
        raise StreamInterrupted(_what(error), provider=provider) from error
    finally:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await answer.aclose()


async def read_stream(answer: Answer, stream: ReplyStream, emit: Emit, provider: str) -> ModelReply:
    """Read the body as server-sent events, await ``emit`` for each delta, and return the reply.

    Stops at the event that ends the stream. The answer is closed on return, on error and on cancellation.

    Raises:
        StreamInterrupted: if the body ends or breaks before its last event.
        ModelError: what the stream itself raises.
    """
    reader = SseReader()
    chunks = answer.aiter_bytes()
    ended = False
    try:
        while not ended:
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                for delta in _last(reader.close(), stream, provider):
                    await emit(delta)
                break
            except Exception as error:
                # the transports have many classes for it, and nothing but the transport runs here
                raise StreamInterrupted(_what(error), provider=provider) from error
            for event in reader.feed(chunk):
                for delta in stream.feed(event):
                    await emit(delta)
                ended = stream.ended
                if ended:
                    await _drain(chunks)
                    break
        for delta in stream.finish():
            await emit(delta)
        return stream.reply()
    finally:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await _unwind(chunks)
            await chunks.aclose()
            await answer.aclose()


async def show_whole(reply: ModelReply, emit: Emit) -> None:
    """Emit a reply that came whole although a stream was asked for."""
    for delta in deltas_of(reply.message):
        await emit(delta)


def deltas_of(message: Assistant) -> Iterator[Delta]:
    """Yield what a message would have shown as a stream: one delta for each block that has something to show."""
    for block in message.content:
        if isinstance(block, Text):
            yield TextDelta(block.text)
        elif isinstance(block, Reasoning):
            if block.text:
                yield ReasoningDelta(block.text)
        elif isinstance(block, ToolUse):
            text = block.malformed if block.malformed is not None else dump_json(block.arguments)
            yield ToolUseDelta(id=block.id, name=block.name, arguments=text)


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    with anyio.move_on_after(_DRAIN_S), suppress(Exception):  # the reply is complete by now
        async for _ in chunks:
            pass


async def _unwind(chunks: AsyncGenerator[bytes, None]) -> None:
    """End the reading where it stands.

    To close ``chunks`` would leave the generators of the HTTP library that it reads from to the garbage collector,
    unfinished, which trio warns of. A cancellation goes through all of them.
    """
    with anyio.CancelScope() as scope, suppress(Exception):
        scope.cancel()
        for _ in range(_MAX_UNREAD):
            await anext(chunks)


def _what(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _last(event: SseEvent | None, stream: ReplyStream, provider: str) -> Sequence[Delta]:
    """Take an event that the end of the body left without its empty line."""
    if event is None:
        return ()
    try:
        return stream.feed(event)
    except UnreadableReply as error:
        raise StreamInterrupted("the body ends within an event", provider=provider) from error
