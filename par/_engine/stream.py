"""A run that is watched: events and deltas as they come, and the run's end when the block is left."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Generic, cast, final

import anyio
from typing_extensions import TypeVar

from par._engine.closing import CANCELLED_OUTSIDE
from par._engine.feed import Feed, StreamItem
from par._engine.groups import unwrapped
from par._engine.run import Run
from par.calls import RunResult
from par.errors import UsageError
from par.messages import Message

__all__ = ["RunStream", "StreamItem", "open_stream"]

O_co = TypeVar("O_co", covariant=True, default=str)


@final
class RunStream(Generic[O_co]):
    """The events and deltas of a run, in order: go through it once with ``async for``.

    The run advances only as fast as it is read. An error of the run is raised where the events end.
    """

    def __init__(self, run: Run, feed: Feed) -> None:
        self._run = run
        self._feed = feed
        self._raised = False

    def __aiter__(self) -> AsyncIterator[StreamItem]:
        return self

    async def __anext__(self) -> StreamItem:
        try:
            return await self._feed.take()
        except anyio.EndOfStream:
            self.finish()
            raise StopAsyncIteration from None
        except anyio.ClosedResourceError:
            raise UsageError("the stream was left: go through it inside its block") from None

    @property
    def result(self) -> RunResult[O_co]:
        """The run's result, once it has ended; also after the block was left early.

        Raises:
            UsageError: while the run is going on, and if it failed.
        """
        result = self._run.ended_with
        if isinstance(result, RunResult):
            return cast("RunResult[O_co]", result)  # the agent that made the stream has this output type
        if result is None:
            raise UsageError("the run has no result yet: go through the stream to its end, or leave its block")
        raise UsageError(f"the run has no result: it failed with {type(result).__name__}: {result}")

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self._run.ended_with is not None

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as far as it has come; once the run has ended, always fit to be sent again."""
        return tuple(self._run.transcript)

    def cancel(self, cause: str = "cancelled by its reader") -> None:
        """End the run; the events go on until it has, and the result says ``cancelled``."""
        self._run.cancel(cause)

    def finish(self) -> None:
        """Raise the run's failure if nobody has seen it."""
        if not (self._raised or isinstance(self._run.ended_with, RunResult)):
            self._raised = True
            self._run.outcome()


@asynccontextmanager
async def open_stream(
    run: Run, feed: Feed, execute: Callable[[], Coroutine[object, object, None]]
) -> AsyncGenerator[RunStream[object]]:
    """Execute ``run`` beside the block. Leaving the block stops it and waits until all that it started has ended."""
    stream: RunStream[object] = RunStream(run, feed)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(execute)
            left = "its stream was left"
            try:
                yield stream
            except anyio.get_cancelled_exc_class():
                left = CANCELLED_OUTSIDE
                raise
            finally:
                feed.leave()
                if not stream.ended:
                    run.cancel(left)
    except BaseExceptionGroup as errors:
        raise unwrapped(errors) from None
    stream.finish()
