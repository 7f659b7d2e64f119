"""A run that is watched: events and deltas as they come, and the run's end when the block is left."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeAlias, cast, final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from typing_extensions import TypeVar

from par._engine.groups import unwrapped
from par._engine.run import Run
from par.calls import RunResult
from par.deltas import Delta
from par.errors import UsageError
from par.events import Envelope, Event
from par.messages import Message

__all__ = ["RunStream", "StreamItem", "open_stream"]

O_co = TypeVar("O_co", covariant=True, default=str)

StreamItem: TypeAlias = Event | Delta


@final
class RunStream(Generic[O_co]):
    """The events and deltas of a run, in order: go through it once with ``async for``.

    The run advances only as fast as it is read. An error of the run is raised where the events end.
    """

    def __init__(self, run: Run, receive: MemoryObjectReceiveStream[StreamItem]) -> None:
        self._run = run
        self._receive = receive
        self._result: RunResult[object] | None = None
        self._failure: Exception | None = None
        self._ended = False

    def __aiter__(self) -> AsyncIterator[StreamItem]:
        return self

    async def __anext__(self) -> StreamItem:
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            self._raise_failure()
            raise StopAsyncIteration from None

    @property
    def result(self) -> RunResult[O_co]:
        """The run's result, once it has ended; also after the block was left early.

        Raises:
            UsageError: while the run is going on, and if it failed.
        """
        if self._result is None:
            raise UsageError("the run has no result yet: go through the stream to its end, or leave its block")
        return cast("RunResult[O_co]", self._result)  # the agent that made the stream has this output type

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self._ended

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as far as it has come; once the run has ended, always fit to be sent again."""
        return tuple(self._run.transcript)

    def cancel(self, cause: str = "cancelled by its reader") -> None:
        """End the run; the events go on until it has, and the result says ``cancelled``."""
        self._run.cancel(cause)

    def settle(self, result: RunResult[object] | None, failure: Exception | None) -> None:
        """Take the run's end; called once, by the task that executes it."""
        self._ended = True
        self._result, self._failure = result, failure

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def finish(self) -> None:
        """Raise the run's failure if nobody has seen it."""
        self._raise_failure()


@asynccontextmanager
async def open_stream(
    start: Callable[[Callable[[StreamItem], Awaitable[None]]], tuple[Run, Callable[[], Awaitable[RunResult[object]]]]],
) -> AsyncGenerator[RunStream[object]]:
    """Run beside the block. Leaving the block stops the run and waits until all that it started has ended.

    ``start`` gets the function that takes items, and returns the run and what executes it.
    """
    # no buffer: the run waits for its reader, so that memory stays bounded and cancellation is prompt
    send, receive = anyio.create_memory_object_stream[StreamItem](0)
    run, execute = start(_sender(send))
    stream = RunStream[object](run, receive)

    async def produce() -> None:
        with send:
            try:
                stream.settle(await execute(), None)
            except Exception as failure:  # noqa: BLE001 # handed to the reader, who raises it
                stream.settle(None, failure)

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(produce)
            try:
                yield stream
            finally:
                receive.close()
                if not stream.ended:
                    run.cancel("its stream was left")
    except BaseExceptionGroup as errors:  # of exactly one: the block's own, for ``produce`` raises none
        raise unwrapped(errors) from None
    stream.finish()


def _sender(send: MemoryObjectSendStream[StreamItem]) -> Callable[[StreamItem], Awaitable[None]]:
    async def deliver(item: StreamItem) -> None:
        with suppress(anyio.BrokenResourceError):  # the reader has left the block; the run is being ended
            await send.send(item)

    return deliver


def event_sink(deliver: Callable[[StreamItem], Awaitable[None]]) -> Callable[[Envelope], Awaitable[None]]:
    """Return a sink of envelopes that delivers their events."""

    async def sink(envelope: Envelope) -> None:
        await deliver(envelope.event)

    return sink
