"""What durable sessions need of a store: one protocol, and the values that go through it.

Knows no database. A session has at most one owner at a time. Its right is a lease: a row with the owner's name, a time
until which it holds, and a *fence*, a number that grows by one at each change of owner. Every write names the fence
and is refused, whole, if the fence has grown since.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from par._json import JsonObject
from par.calls import ModelReply
from par.events import Envelope
from par.messages import Message
from par.sessions import Approval, SessionInfo, StepInfo, StepKind, StepStatus, TurnInfo
from par.states import TaskState

__all__ = [
    "Change",
    "DurableStore",
    "Lease",
    "Opened",
    "SessionLog",
    "Signal",
    "SignalName",
    "StepRecord",
    "Totals",
    "is_plain",
    "merged",
]

SignalName: TypeAlias = Literal["steer", "follow_up", "interrupt", "cancel"]


@attrs.frozen(kw_only=True)
class Lease:
    """The right to write a session."""

    session: str
    owner: str
    fence: int


@attrs.frozen(kw_only=True)
class StepRecord:
    """A step as it is recorded. ``result`` is a ``ModelReply``, a ``ToolOutcome``, or JSON for other kinds."""

    turn: int
    ordinal: int
    kind: StepKind
    name: str
    key: str
    status: StepStatus
    attempt: int = 1
    result: object = None
    inbox: tuple[Message, ...] = ()
    """Messages that were sent to the running session and that this model call was the first to see."""

    @property
    def info(self) -> StepInfo:
        """What is told of it."""
        return StepInfo(
            ordinal=self.ordinal, kind=self.kind, name=self.name, key=self.key, status=self.status, attempt=self.attempt
        )


@attrs.frozen(kw_only=True)
class Signal:
    """Something that was sent to a session, by whoever."""

    id: str
    """A ULID; signals are taken in this order."""
    name: SignalName
    body: JsonObject
    at: datetime


@attrs.frozen(kw_only=True)
class Totals:
    """The counts of a session, over all of its turns: absolute, so that writing them twice changes nothing."""

    steps: int = 0
    tokens: int = 0
    cost_micro: int = 0

    def without(self, steps: Iterable[StepRecord]) -> "Totals":
        """Return the counts without those of the steps that are done."""
        done = [step for step in steps if step.status == "done"]
        used = [step.result.usage for step in done if isinstance(step.result, ModelReply)]
        return Totals(
            steps=self.steps - len(done),
            tokens=self.tokens - sum(usage.total_tokens for usage in used),
            cost_micro=self.cost_micro - sum(usage.cost_micro for usage in used),
        )


@attrs.frozen(kw_only=True)
class Change:
    """What one transaction does to a session, beside the events that go with it. Carrying it out twice is once.

    All of it is refused, the events too, unless the session's fence is the lease's.
    """

    lease: Lease
    turn: TurnInfo | None = None
    """The row of this turn becomes this: added if there is none of its number, which then becomes ``turns``."""
    steps: tuple[StepRecord, ...] = ()
    """Added, or put in the place of those with the same turn and ordinal; what is ``done`` is never changed."""
    clears_results: bool = False
    """Whether the results and inboxes of the steps of ``turn`` are removed: it has ended and ``messages`` has them."""
    takes: Mapping[str, int] = attrs.field(factory=dict[str, int])
    """Signals that are taken, by id, each with the ordinal of the step that took it."""
    approvals: tuple[Approval, ...] = ()
    """Added, or put in the place of those with the same id."""
    state: TaskState | None = None
    totals: Totals | None = None
    releases: bool = False
    """Whether the owner gives the session up."""


@attrs.frozen(kw_only=True)
class Opened:
    """A session that one has just become the owner of, and what is known of it."""

    lease: Lease
    info: SessionInfo
    seq: int
    """The number of the session's last event."""
    turns: tuple[TurnInfo, ...] = ()
    """The ended turns, in order."""
    open: TurnInfo | None = None
    """The last turn, if it has not ended."""
    steps: tuple[StepRecord, ...] = ()
    """The steps of the open turn, in order."""
    approvals: tuple[Approval, ...] = ()
    """The approvals of the open turn, in the order in which they were asked for."""
    rival: bool = False
    """Whether a process that worked at the open turn before may be alive: only its lease has run out."""

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said in the ended turns."""
        return tuple([message for turn in self.turns for message in turn.messages])


class SessionLog(Protocol):
    """The durable side of sessions, of one scope. Each method is one transaction."""

    async def identity(self) -> str:
        """Return a name for an owner in this process, another one at each call.

        It tells which process on which machine it is, so that others on the same machine know whether it is alive.
        """
        ...

    async def acquire(
        self, session: str, owner: str, *, lease_s: float, wants: Literal["new", "open", "any"], agent: str = ""
    ) -> Opened:
        """Become the owner of a session, for ``lease_s`` seconds from now. The fence grows by one.

        ``wants`` is a session without an open turn (``"new"``; made, for ``agent``, if there is none of that name), one
        with (``"open"``), or one that exists (``"any"``). A session whose owner's lease has run out, or whose owner is
        known to be dead, is taken over.

        Raises:
            SessionBusy: if it has an owner; who, and for how many seconds at most.
            SessionUnfinished: with ``"new"``, if the last turn is open.
            NoSuchSession: with ``"open"`` and ``"any"``.
            NothingToResume: with ``"open"``, if the last turn has ended.
            StoreError: if the store cannot do it.
        """
        ...

    async def commit(self, change: Change, envelopes: Sequence[Envelope], /) -> bool:
        """Carry out the change and store the events, all or nothing; return when they are durable.

        Returns whether signals wait for the session. Events are passed over as by ``Store.append``. A caller that is
        cancelled while it waits stops waiting; what it sent is carried out all the same, or refused as a whole.

        Raises:
            LeaseLost: if the fence has grown.
            StoreError: if the store cannot do it.
        """
        ...

    async def renew(self, leases: Sequence[Lease], /, *, lease_s: float) -> frozenset[str]:
        """Hold the leases for ``lease_s`` seconds from now; return the sessions whose lease is lost."""
        ...

    async def stops(self, sessions: Sequence[str], /) -> Mapping[str, Signal]:
        """Return the oldest signal ``cancel`` or ``interrupt`` that waits for each of the sessions that have one."""
        ...

    async def inbox(self, session: str, /) -> tuple[Signal, ...]:
        """Return the signals ``steer`` and ``follow_up`` that wait for the session, oldest first."""
        ...

    async def send(self, session: str, signal: Signal, /) -> None:
        """Add a signal; one with an id that is there is passed over.

        Raises:
            NoSuchSession: if there is no such session.
        """
        ...

    async def release(self, lease: Lease, /) -> None:
        """Give a session up that nothing was done to; one that is lost already is let be.

        A session that ``acquire`` has just made, and that has no turn, is gone again.
        """
        ...

    async def session(self, session: str, /) -> SessionInfo | None:
        """Return what is known of a session."""
        ...

    async def list_sessions(
        self, *, states: Sequence[TaskState] = (), after: str = "", limit: int | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return the sessions in one of the states (none: in any) in the order of their ids, those after ``after``."""
        ...

    async def due(self, *, limit: int | None = None) -> tuple[SessionInfo, ...]:
        """Return the sessions with an open turn at which nobody works and that wait for nobody.

        Those are: whose owner is dead or whose lease has run out, or which have no owner and no approval that is
        pending and has not expired. The longest untouched first.
        """
        ...

    async def turns(self, session: str, /) -> tuple[TurnInfo, ...]:
        """Return the turns of a session, in order; none if there is no such session."""
        ...

    async def steps(self, session: str, turn: int, /) -> tuple[StepRecord, ...]:
        """Return the steps of a turn, in order, with their results as far as they are kept."""
        ...

    async def approvals(self, session: str | None = None, *, pending: bool = False) -> tuple[Approval, ...]:
        """Return the approvals of a session, or of all, oldest first; with ``pending`` those that nobody decided."""
        ...

    async def turn_of_message(self, session: str, message_id: str, /) -> TurnInfo | None:
        """Return the turn that answers an inbound message."""
        ...


@runtime_checkable
class DurableStore(Protocol):
    """A store that has the durable side of sessions as well."""

    def session_log(self) -> SessionLog: ...


def is_plain(text: str) -> bool:
    """Tell whether every store can keep it as a name."""
    return bool(text) and "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def merged(first: Change, second: Change) -> Change:
    """Return what both changes of one lease do, one after the other.

    Raises:
        ValueError: for changes of different leases, or of different turns.
    """
    if first.lease != second.lease:
        raise ValueError("changes of two leases cannot go together")
    if first.turn is not None and second.turn is not None and first.turn.number != second.turn.number:
        raise ValueError("changes of two turns cannot go together")
    steps = {(step.turn, step.ordinal): step for step in (*first.steps, *second.steps)}
    approvals = {approval.id: approval for approval in (*first.approvals, *second.approvals)}
    return Change(
        lease=first.lease,
        turn=second.turn or first.turn,
        steps=tuple(steps.values()),
        clears_results=first.clears_results or second.clears_results,
        takes={**first.takes, **second.takes},
        approvals=tuple(approvals.values()),
        state=second.state or first.state,
        totals=second.totals or first.totals,
        releases=first.releases or second.releases,
    )
