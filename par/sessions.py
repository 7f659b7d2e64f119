"""What is known of a durable session from outside: its state, its turns, its steps, and who must decide something."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from par._json import Json, JsonObject
from par.approvals import Risk
from par.events import ErrorInfo, StopReason
from par.messages import Message
from par.states import TaskState
from par.usage import Usage

__all__ = [
    "Approval",
    "ApprovalStatus",
    "SessionInfo",
    "SessionStatus",
    "StepInfo",
    "StepKind",
    "StepStatus",
    "TurnInfo",
]

SessionStatus: TypeAlias = Literal["running", "completed", "failed"]
StepKind: TypeAlias = Literal["model", "tool", "wait", "value"]
StepStatus: TypeAlias = Literal["started", "done"]
ApprovalStatus: TypeAlias = Literal["pending", "approved", "rejected", "expired", "withdrawn"]

STATUS_OF: Final[Mapping[TaskState, SessionStatus]] = MappingProxyType({
    TaskState.PENDING: "running",
    TaskState.SCHEDULED: "running",
    TaskState.RUNNING: "running",
    TaskState.WAITING_INPUT: "running",
    TaskState.SUSPENDED: "running",
    TaskState.COMPLETED: "completed",
    TaskState.FAILED: "failed",
    TaskState.CANCELLED: "failed",
})
"""The coarse status of each state: whether more will come, whether it went well."""


@attrs.frozen(kw_only=True)
class SessionInfo:
    """A session as the store has it. Its counts are sums over its steps, exact at every instant."""

    id: str
    agent: str
    """The name of the agent that took the last turn."""
    state: TaskState
    """The state of the last turn."""
    turns: int
    steps: int
    """How many model calls and tool calls are recorded, over all turns."""
    tokens: int
    """Input and output tokens of the recorded model calls."""
    cost_micro: int
    """Their cost, in millionths of the currency that the price list uses."""
    created_at: datetime
    updated_at: datetime
    owner: str | None = None
    """The process that works at it, in words for people; ``None`` if none does."""
    lease_until: datetime | None = None
    """When the owner's right ends unless it is renewed."""

    @property
    def status(self) -> SessionStatus:
        """The coarse status."""
        return STATUS_OF[self.state]


@attrs.frozen(kw_only=True)
class TurnInfo:
    """One turn: from what the user said to the end of the agent's answer."""

    number: int
    """1, 2, 3... in its session."""
    id: str
    """A ULID: the id of the run that began it. Idempotency keys of its steps begin with it."""
    agent: str
    definition: str
    """A hash of the agent's definition; resuming with another definition is refused."""
    state: TaskState
    attempt: int = 1
    """How many processes have worked at it so far."""
    message_id: str | None = None
    """The id of the inbound message that it answers: the same message never makes two turns."""
    input: tuple[Message, ...] = ()
    """What was new in the conversation, as it is inside the run."""
    messages: tuple[Message, ...] = ()
    """What the turn added to the conversation, its input with it: fit to be sent to any provider. Complete once the
    turn has ended; empty while it has not been suspended or ended."""
    stop_reason: StopReason | None = None
    cause: str | None = None
    error: ErrorInfo | None = None
    usage: Usage = attrs.field(factory=Usage)
    model_calls: int = 0
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether something remains to be done."""
        return self.ended_at is None


@attrs.frozen(kw_only=True)
class StepInfo:
    """One step of a turn: a model call, or a tool call."""

    ordinal: int
    kind: StepKind
    name: str
    """The model's name, or the tool's."""
    key: str
    """The idempotency key."""
    status: StepStatus
    """``started``: the tool was about to be run when this was written. ``done``: the result is recorded."""
    attempt: int = 1


@attrs.frozen(kw_only=True)
class Approval:
    """A tool call that waits, or waited, for a person's decision."""

    id: str
    """A ULID."""
    session: str
    turn: int
    ordinal: int
    """The step that asked."""
    call_id: str
    tool: str
    arguments: JsonObject
    """The arguments of the call, exactly as they will be used."""
    key: str
    """What the decision is bound to; see ``ApprovalRequest.key``."""
    prompt: str
    roles: tuple[str, ...] = ()
    """Who may decide; empty for anybody."""
    risk: Risk | None = None
    details: JsonObject = attrs.field(factory=dict[str, Json])
    asked_at: datetime
    expires_at: datetime | None = None
    """When it counts as rejected if nobody has decided."""
    status: ApprovalStatus = "pending"
    decided_by: str = ""
    note: str = ""
    decided_at: datetime | None = None
    modified: JsonObject | None = None
    """The arguments that the one who decided put in the place of the call's."""
