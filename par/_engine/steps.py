"""Steps: the units that a durable runner records. The runner here only runs them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Literal, Protocol, final

import anyio
import attrs
from typing_extensions import TypeVar

from par._engine.closing import stray_cancellation
from par._engine.groups import unwrapped
from par._engine.session import Session
from par._json import JsonObject
from par.approvals import Approved, Rejected
from par.calls import Effect, Receive
from par.deltas import Emit, discard
from par.events import ErrorInfo, Event, MessagesReceived, StopReason
from par.messages import Message
from par.outcomes import NeedsApproval
from par.usage import Usage

__all__ = [
    "Asked",
    "Decision",
    "MemorySteps",
    "Said",
    "Step",
    "StepRunner",
    "TurnBegun",
    "TurnEnded",
    "run_side_by_side",
]

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False)  # nobody changes it; freezing would cost more than the rest of its making
class Step(Generic[T]):
    """One model call or one tool call with the whole onion around it.

    ``ordinal`` is fixed before anything runs; ``key`` is the same for every attempt at the step, in any process.
    """

    ordinal: int
    key: str
    kind: Literal["model", "tool"]
    name: str
    effect: Effect
    body: Callable[[], Awaitable[T]]
    flush: Callable[[], Awaitable[None]] | None = None
    """Records what the body has told; ``None`` if nobody listens."""
    doubtful: Callable[[bool], T | None] | None = None
    """Says what came of the step when a process that was at it has died, or may only seem so (``True``); ``None``:
    nothing, so it is run."""


@attrs.frozen(kw_only=True)
class Asked:
    """A tool call that waits for a person."""

    ordinal: int
    """The step that asked."""
    call_id: str
    tool: str
    arguments: JsonObject
    need: NeedsApproval


@attrs.frozen(kw_only=True)
class Decision:
    """What was decided about a tool call, and what it is bound to."""

    key: str
    answer: Approved | Rejected
    arguments: JsonObject | None = None
    """The arguments that take the place of the call's."""


@attrs.frozen(kw_only=True)
class TurnBegun:
    """What is new in the conversation, as it is inside the run."""

    event: Event
    history: tuple[Message, ...]
    input: tuple[Message, ...]


@attrs.frozen(kw_only=True)
class TurnEnded:
    """How the run left its turn."""

    stop_reason: StopReason
    cause: str | None
    error: ErrorInfo | None
    messages: tuple[Message, ...]
    model_calls: int


@attrs.frozen(kw_only=True)
class Said:
    """What a turn has come to, as it is recorded."""

    before: int
    """How many messages of the transcript are of the turns before it."""
    messages: tuple[Message, ...]
    """What the turn has added to them."""
    usage: Usage
    model_calls: int


class StepRunner(Protocol):
    """Runs the steps of one turn: all that the engine knows of durability.

    A durable runner returns what it recorded instead of running a step again, so whatever the engine does between two
    steps depends on their results alone: no clock, no chance. Results can be written as JSON; no task group or cancel
    scope stands around a step.
    """

    @property
    def can_suspend(self) -> bool:
        """Whether a turn may be left unfinished, and gone on with later."""
        ...

    def knows(self, ordinal: int, /) -> bool:
        """Tell whether the step with this ordinal is recorded."""
        ...

    def recorded(self, ordinal: int, name: str, /) -> object | None:
        """Return what is recorded of the tool call with this ordinal and name, if it has ended."""
        ...

    def left(self, ordinal: int, /) -> bool:
        """Tell whether a process before this one was at work at the step, and nobody knows what came of it."""
        ...

    def unsaid(self) -> Said | None:
        """Return what is recorded of the turn, if it is more than the run has come to when it ends."""
        ...

    async def step(self, step: Step[T], /) -> T:
        """Return the result of the step: as it was recorded, or by running it and recording it."""
        ...

    async def steps(self, steps: Sequence[Step[T]], /, *, limit: int) -> list[T]:
        """Run steps concurrently, at most ``limit`` at a time, and return their results in list order.

        A step that raises cancels the others and is raised itself; all have ended when this returns.
        """
        ...

    async def claim(self, key: str, /) -> None:
        """Record that the effect of this step is about to happen: from here on it is in doubt until it is recorded."""
        ...

    async def wait(self, asked: Sequence[Asked], /) -> list[Decision | NeedsApproval]:
        """Return for each call what was decided, or what it still needs."""
        ...

    async def inbox(self, ordinal: int, receive: Receive, /, *, follow_ups: bool) -> tuple[Message, ...]:
        """Return the messages that were sent to the session for the model call with this ordinal.

        New ones have gone through ``receive``. Those that follow up on an answer come only with ``follow_ups``.
        """
        ...

    async def has_mail(self, ordinal: int, /) -> bool:
        """Tell whether messages wait for the model call with this ordinal, which would be the next step."""
        ...

    async def stopped(self) -> str | None:
        """Return why the turn shall end before the next step, if somebody has asked for that."""
        ...

    async def commit(self, change: TurnBegun, /) -> None:
        """Record that the turn has begun, or goes on."""
        ...

    def ends(self, change: TurnEnded, /) -> None:
        """Let what the turn came to be recorded with the last event of the run."""
        ...

    @property
    def publish(self) -> Emit:
        """Shows a delta to whoever watches; it is not recorded."""
        ...


async def run_side_by_side(steps: Sequence[Step[T]], run_one: Callable[[Step[T]], Awaitable[T]], limit: int) -> list[T]:
    """Run the steps in a task group, at most ``limit`` at a time; return their results in list order."""
    results: dict[int, T] = {}
    limiter = anyio.CapacityLimiter(limit) if len(steps) > limit else None

    async def run(index: int, step: Step[T]) -> None:
        if limiter is None:
            results[index] = await run_one(step)
        else:
            async with limiter:
                results[index] = await run_one(step)

    try:
        async with anyio.create_task_group() as group:
            for index, step in enumerate(steps):
                group.start_soon(run, index, step, name=step.name)
    except BaseExceptionGroup as errors:
        raise unwrapped(errors) from None
    if len(results) < len(steps):  # a task group takes it for a cancellation of its own
        raise stray_cancellation()
    return [results[index] for index in range(len(steps))]


@final
class MemorySteps:
    """Runs the steps of one run and records nothing."""

    __slots__ = ("_emit", "_record", "_session")

    can_suspend = False

    def __init__(self, session: Session, record: Callable[[Event], Awaitable[None]], emit: Emit = discard) -> None:
        self._session = session
        self._record = record
        self._emit = emit

    @property
    def publish(self) -> Emit:
        """Shows a delta to whoever watches."""
        return self._emit

    def knows(self, ordinal: int, /) -> bool:
        """Tell that nothing is recorded."""
        del ordinal
        return False

    def recorded(self, ordinal: int, name: str, /) -> object | None:
        """Return that nothing is recorded."""
        del ordinal, name
        return None

    def left(self, ordinal: int, /) -> bool:
        """Tell that no process was here before."""
        del ordinal
        return False

    def unsaid(self) -> Said | None:
        """Return that nothing is recorded."""
        return None

    async def step(self, step: Step[T], /) -> T:
        """Run one step."""
        result = await step.body()
        if step.flush is not None:
            await step.flush()
        return result

    async def steps(self, steps: Sequence[Step[T]], /, *, limit: int) -> list[T]:
        """Run steps side by side."""
        if len(steps) == 1:  # a task group would cost more than most steps
            return [await self.step(steps[0])]
        return await run_side_by_side(steps, self.step, limit)

    async def claim(self, key: str, /) -> None:  # noqa: ASYNC124 # nothing is recorded
        """Do nothing: what is not recorded cannot be in doubt."""
        del key

    async def wait(self, asked: Sequence[Asked], /) -> list[Decision | NeedsApproval]:  # noqa: ASYNC124 # nobody can
        """Return what the calls need: there is nobody who keeps a decision."""
        return [call.need for call in asked]

    async def inbox(self, ordinal: int, receive: Receive, /, *, follow_ups: bool) -> tuple[Message, ...]:
        """Take the messages that were sent to the session."""
        if not self._session.has_mail:
            return ()
        messages = self._session.take_mail(follow_ups=follow_ups)
        if not messages:
            return ()
        messages = await receive(messages)
        await self._record(MessagesReceived(call_id=f"model-{ordinal}", messages=messages))
        return messages

    async def has_mail(self, ordinal: int, /) -> bool:  # noqa: ASYNC124 # it is in memory
        """Tell whether messages wait."""
        del ordinal
        return self._session.has_mail

    async def stopped(self) -> str | None:  # noqa: ASYNC124 # it is in memory
        """Return why somebody has asked the run to end."""
        return self._session.interrupted

    async def commit(self, change: TurnBegun, /) -> None:
        """Tell that the turn has begun."""
        await self._record(change.event)

    def ends(self, change: TurnEnded, /) -> None:
        """Do nothing: the session's history is all that is kept."""
        del change
