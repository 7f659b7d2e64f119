"""Steps: the units that a durable runner records. The runner here only runs them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Literal, Protocol, final

import anyio
import attrs
from typing_extensions import TypeVar

from par._engine.closing import stray_cancellation
from par._engine.groups import unwrapped
from par.calls import Effect

__all__ = ["MemorySteps", "Step", "StepRunner"]

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False)
class Step(Generic[T]):
    """One model call or one tool call with the whole onion around it.

    ``ordinal`` is fixed before anything runs; ``key`` is the same for every attempt at the step.
    """

    ordinal: int
    key: str
    kind: Literal["model", "tool"]
    name: str
    effect: Effect
    body: Callable[[], Awaitable[T]]


class StepRunner(Protocol):
    """Runs steps. A durable one returns what it recorded instead of running a step again."""

    async def step(self, step: Step[T], /) -> T: ...
    async def steps(self, steps: Sequence[Step[T]], /, *, limit: int) -> list[T]: ...


@final
class MemorySteps:
    """Runs steps and records nothing."""

    __slots__ = ()

    async def step(self, step: Step[T], /) -> T:
        """Run one step."""
        return await step.body()

    async def steps(self, steps: Sequence[Step[T]], /, *, limit: int) -> list[T]:
        """Run steps concurrently, at most ``limit`` at a time, and return their results in list order.

        A step that raises cancels the others and is raised itself; all have ended when this returns.
        """
        if len(steps) == 1:  # a task group would cost more than most steps
            return [await steps[0].body()]
        results: dict[int, T] = {}
        limiter = anyio.CapacityLimiter(limit) if len(steps) > limit else None

        async def run(index: int, step: Step[T]) -> None:
            if limiter is None:
                results[index] = await step.body()
            else:
                async with limiter:
                    results[index] = await step.body()

        try:
            async with anyio.create_task_group() as group:
                for index, step in enumerate(steps):
                    group.start_soon(run, index, step, name=step.name)
        except BaseExceptionGroup as errors:
            raise unwrapped(errors) from None
        if len(results) < len(steps):  # a task group takes it for a cancellation of its own
            raise stray_cancellation()
        return [results[index] for index in range(len(steps))]
