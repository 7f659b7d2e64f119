"""Everything that is told about a run: a closed union of facts, each in an envelope.

Contents (messages, arguments, results) appear here as they are *inside* the run: where ``PiiMask`` is in the
chain, they are masked.

``RecordsRedacted`` and ``RecordsExpired`` are told by a store about itself, and ``Redacted`` stands where an event
was: no run tells them.
"""

from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from par._json import Json, JsonObject
from par.errors import ParError
from par.messages import Assistant, Message, OutcomeKind
from par.states import TaskState
from par.usage import Usage

__all__ = [
    "ApprovalDecided",
    "ApprovalRequested",
    "BashCompleted",
    "BashInvoked",
    "Envelope",
    "ErrorInfo",
    "Event",
    "FinishReason",
    "MessagesReceived",
    "ModelAttempted",
    "ModelCallEnded",
    "ModelCallStarted",
    "OutputSanitized",
    "PiiMasked",
    "RateLimitWaited",
    "RecordsExpired",
    "RecordsRedacted",
    "Redacted",
    "ReplyContinued",
    "ReplyRepaired",
    "Retried",
    "RunEnded",
    "RunResumed",
    "RunStarted",
    "SettingDropped",
    "StopReason",
    "ToolCallEnded",
    "ToolCallStarted",
    "ToolProgress",
]

StopReason: TypeAlias = Literal["finished", "max_steps", "budget", "cancelled", "failed", "suspended", "handed_off"]
FinishReason: TypeAlias = Literal["stop", "tool_uses", "length", "content_filter", "paused"]
"""Why the model stopped. ``paused``: it is not done, and goes on when what it said is sent back as it is."""


@attrs.frozen(kw_only=True)
class ErrorInfo:
    """An error as a value: its class and its sentence.

    ``message`` is empty for exceptions that are none of par's: nobody has masked what stands in them.
    """

    type: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> "ErrorInfo":
        """Describe ``error``."""
        return cls(type=type(error).__name__, message=str(error) if isinstance(error, ParError) else "")


@attrs.frozen(kw_only=True)
class RunStarted:
    """A run begins; ``input`` is what is new in the conversation."""

    agent: str
    model: str
    input: tuple[Message, ...]


@attrs.frozen(kw_only=True)
class RunEnded:
    """A run is over; always the run's last event. ``cause`` says why it was cancelled or what it waits for."""

    stop_reason: StopReason
    status: TaskState
    steps: int
    usage: Usage
    duration_s: float
    cause: str | None = None
    error: ErrorInfo | None = None


@attrs.frozen(kw_only=True)
class ModelCallStarted:
    """A model call enters the chain, with ``messages`` messages and ``tools`` tools."""

    call_id: str
    model: str
    messages: int
    tools: int


@attrs.frozen(kw_only=True)
class ModelAttempted:
    """One request to a provider is over; a call that is retried has several."""

    call_id: str
    attempt: int
    model: str
    outcome: Literal["answered", "failed", "cancelled"]
    duration_s: float
    usage: Usage | None = None
    request_id: str | None = None
    error_type: str | None = None


@attrs.frozen(kw_only=True)
class ModelCallEnded:
    """A model call has left the chain, with a message or with an error."""

    call_id: str
    duration_s: float
    message: Assistant | None = None
    finish: FinishReason | None = None
    usage: Usage | None = None
    error: ErrorInfo | None = None


@attrs.frozen(kw_only=True)
class ToolCallStarted:
    """A tool call enters the chain, with the arguments as the model wrote them."""

    call_id: str
    name: str
    effect: str
    arguments: JsonObject


@attrs.frozen(kw_only=True)
class ToolCallEnded:
    """A tool call has its outcome; ``content`` is what the model reads."""

    call_id: str
    name: str
    outcome: OutcomeKind
    content: str
    duration_s: float


@attrs.frozen(kw_only=True)
class ToolProgress:
    """A tool tells how far it is; ``fraction`` is 0 to 1 where it knows."""

    call_id: str
    name: str
    message: str
    fraction: float | None = None


@attrs.frozen(kw_only=True)
class Retried:
    """A call failed and is made again after ``delay_s`` seconds."""

    call_id: str
    attempt: int
    delay_s: float
    error_type: str


@attrs.frozen(kw_only=True)
class RateLimitWaited:
    """A call waited ``waited_s`` seconds for its turn."""

    call_id: str
    waited_s: float


@attrs.frozen(kw_only=True)
class SettingDropped:
    """A setting was left out of a request because the model refuses it; ``reason`` says how that is known."""

    call_id: str
    provider: str
    setting: str
    reason: str


@attrs.frozen(kw_only=True)
class ReplyRepaired:
    """An answer broke a rule; the model was told ``problem`` and asked again."""

    call_id: str
    attempt: int
    problem: str


@attrs.frozen(kw_only=True)
class ReplyContinued:
    """An answer was cut by the length limit, or paused by its provider, and the model was asked to go on."""

    call_id: str
    chunk: int


@attrs.frozen(kw_only=True)
class PiiMasked:
    """Personal data was replaced; ``found`` counts it by kind."""

    where: Literal["input", "reply", "tool_result"]
    found: dict[str, int]
    call_id: str | None = None


@attrs.frozen(kw_only=True)
class OutputSanitized:
    """A tool's output was cleaned; ``findings`` counts what was found by kind."""

    call_id: str
    name: str
    findings: dict[str, int]


@attrs.frozen(kw_only=True)
class RunResumed:
    """A run goes on with a turn that another began; it stands in the place of ``RunStarted``."""

    agent: str
    model: str
    turn: int
    """The number of the turn in its session."""
    turn_id: str
    """The id of the run that began it."""
    attempt: int
    """How many processes have worked at the turn, this one included."""
    steps: int
    """How many steps are recorded and will not be made again."""
    migrated: bool = False
    """Whether the agent is defined otherwise than the one that began the turn."""


@attrs.frozen(kw_only=True)
class MessagesReceived:
    """Messages were sent to the running session, and this model call is the first to see them."""

    call_id: str
    messages: tuple[Message, ...]


@attrs.frozen(kw_only=True)
class ApprovalRequested:
    """A tool call waits for a person; the run will be suspended."""

    approval: str
    """The id of the approval."""
    call_id: str
    tool: str
    arguments: JsonObject
    prompt: str
    key: str
    """What the decision is bound to."""
    roles: tuple[str, ...] = ()
    risk: str | None = None
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class ApprovalDecided:
    """Somebody, or the clock, has decided about a tool call that waited."""

    approval: str
    call_id: str
    tool: str
    decision: Literal["approved", "rejected", "modified", "escalated", "expired", "withdrawn"]
    by: str = ""
    note: str = ""
    arguments: JsonObject | None = None
    """The arguments that take the place of the call's, if it was ``modified``."""
    roles: tuple[str, ...] = ()
    """Who may decide from now on, if it was ``escalated``."""


@attrs.frozen(kw_only=True)
class BashInvoked:
    """The bash tool is about to run a command; it is recorded before the process exists."""

    call_id: str
    op: str
    command: JsonObject
    argv: tuple[str, ...]
    risk: str
    effects: tuple[str, ...] = ()
    wall: str | None = None
    """The wall of the operating system around it; none for commands that need no process of the project."""
    approved_by: str | None = None
    """Who approved; ``None`` if nobody had to."""


@attrs.frozen(kw_only=True)
class BashCompleted:
    """A command of the bash tool is over, and nothing that it started is left."""

    call_id: str
    op: str
    exit_code: int | None
    duration_s: float
    stdout_bytes: int
    stderr_bytes: int
    truncated: bool
    error_code: str | None = None
    details: dict[str, Json] = attrs.Factory(dict[str, Json])


@attrs.frozen(kw_only=True)
class RecordsRedacted:
    """The contents of records of a session were removed from the store; told in its session ``par.audit``.

    ``seqs`` are their numbers. ``rests`` holds, for those of the oldest format, whose hash cannot be computed any
    more, the hash of what is left of them, in hexadecimal under their number.
    """

    session: str
    seqs: tuple[int, ...]
    reason: str
    by: str
    rests: dict[str, str] = attrs.Factory(dict[str, str])


@attrs.frozen(kw_only=True)
class RecordsExpired:
    """The oldest records of a session were removed from the store; told in its session ``par.audit``.

    They are gone up to number ``through_seq``, ``events`` of them this time; ``hash`` is the hash of that record, in
    hexadecimal, which the next one follows. All of them happened before ``before``.
    """

    session: str
    through_seq: int
    hash: str
    events: int
    before: datetime


@attrs.frozen(kw_only=True)
class Redacted:
    """Stands where an event was whose content was removed from the store; ``kind`` is the tag that it had."""

    kind: str


Event: TypeAlias = (
    RunStarted
    | RunEnded
    | ModelCallStarted
    | ModelAttempted
    | ModelCallEnded
    | ToolCallStarted
    | ToolCallEnded
    | ToolProgress
    | Retried
    | RateLimitWaited
    | SettingDropped
    | ReplyRepaired
    | ReplyContinued
    | PiiMasked
    | OutputSanitized
    | RunResumed
    | MessagesReceived
    | ApprovalRequested
    | ApprovalDecided
    | BashInvoked
    | BashCompleted
    | RecordsRedacted
    | RecordsExpired
    | Redacted
)


@attrs.frozen(kw_only=True)
class Envelope:
    """An event and its place: who, when, and which one in its session."""

    id: str
    """A ULID; unique, and sorted by time."""
    session: str
    run: str
    step: int
    """The number of model calls that the run had started, 0 before the first."""
    parent: str | None
    """The run that started this run, for an agent called by another."""
    at: datetime
    """UTC, with microseconds."""
    seq: int
    """1, 2, 3... without a gap in each session."""
    event: Event
