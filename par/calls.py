"""The three kinds of call: run, model, tool. A layer receives one and hands one on."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, Literal, Protocol, TypeAlias, runtime_checkable

import attrs
from attrs import validators
from typing_extensions import TypeVar

from par._context import EventEmit, RunContext
from par._json import Json, JsonObject
from par.deltas import Emit, discard
from par.errors import RunIncomplete
from par.events import FinishReason, StopReason
from par.messages import Assistant, Message, Opaque
from par.outcomes import Failed, Handoff, NeedsApproval, ToolOutcome
from par.usage import Usage

__all__ = [
    "Effect",
    "ModelCall",
    "ModelReply",
    "NoOutput",
    "OnUnknown",
    "OutputSpec",
    "ProbedTool",
    "PromptCache",
    "ReasoningEffort",
    "Receive",
    "RunCall",
    "RunResult",
    "Settings",
    "ToolCall",
    "ToolChoice",
    "ToolNames",
    "ToolPort",
    "ToolSpec",
    "accept",
    "checked_reply",
]

A = TypeVar("A", default=Mapping[str, object])
R = TypeVar("R", default=object)
O_co = TypeVar("O_co", covariant=True, default=str)

Effect: TypeAlias = Literal["read", "idempotent", "once"]
OnUnknown: TypeAlias = Literal["retry", "probe", "surface", "fail"]

LOCAL: dict[str, bool] = {"local": True}
"""Metadata of the fields that belong to the process and stay out of JSON and comparison."""

_optional_positive = validators.optional(validators.gt(0))


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


@attrs.frozen
class ToolNames:
    """Only these tools may be called; one of them must be, unless ``required`` is false.

    Raises:
        ValueError: if there is no name.
    """

    names: tuple[str, ...] = attrs.field(converter=_names)
    required: bool = True

    def __attrs_post_init__(self) -> None:
        if not self.names or not all(self.names):
            raise ValueError("ToolNames needs the name of at least one tool")


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | ToolNames
ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


@attrs.frozen(kw_only=True)
class PromptCache:
    """Ask the provider to remember the beginning of the conversation.

    ``key`` names those who share a beginning, for providers that find it by a key. ``ttl`` is how long it shall be
    kept; each provider has some of these times, and its adapter says what becomes of the others.
    """

    key: str | None = None
    ttl: Literal["5m", "1h", "24h"] | None = None

    def __attrs_post_init__(self) -> None:
        if self.ttl not in (None, "5m", "1h", "24h"):
            raise ValueError(f'ttl is "5m", "1h" or "24h", not {self.ttl!r}')


@attrs.frozen(kw_only=True)
class Settings:
    """How the model shall answer; ``None`` leaves a setting to the provider.

    ``provider_tools`` are tools that the provider itself runs (its web search, say); each goes only to the provider
    that it names. ``extra`` is for what has no field here: its keys go into the body of the request as they stand,
    whatever the provider, after and over everything else.
    """

    temperature: float | None = attrs.field(
        default=None, validator=validators.optional(validators.and_(validators.ge(0), validators.le(2)))
    )
    top_p: float | None = attrs.field(
        default=None, validator=validators.optional(validators.and_(validators.gt(0), validators.le(1)))
    )
    max_tokens: int | None = attrs.field(default=None, validator=_optional_positive)
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    tool_choice: ToolChoice = "auto"
    parallel_tool_uses: bool = True
    prompt_cache: PromptCache | None = None
    provider_tools: tuple[Opaque, ...] = ()
    extra: JsonObject = attrs.Factory(dict[str, Json])

    def __attrs_post_init__(self) -> None:
        for name in ("temperature", "top_p", "max_tokens", "seed"):
            if isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be a number")


def _usual(effect: Effect) -> OnUnknown:
    return "surface" if effect == "once" else "retry"


@attrs.frozen(kw_only=True)
class ToolSpec:
    """What the model and the layers know of a tool. ``parameters`` is a JSON Schema of type object.

    ``strict`` asks the provider to hold the model to the schema while it writes, where it can; ``None`` leaves it to
    the provider.
    """

    name: str
    description: str
    parameters: JsonObject
    effect: Effect = "once"
    sees_pii: bool = False
    timeout_s: float | None = None
    abandons: bool = False
    """Whether an interrupted call may go on in a thread that nobody waits for."""
    on_unknown: OnUnknown = attrs.field(default=attrs.Factory(lambda self: _usual(self.effect), takes_self=True))
    """What a resumed session does about a call that was at work when its process died."""
    strict: bool | None = None


def _unparsed(text: str) -> object:
    return text


@attrs.frozen(kw_only=True)
class OutputSpec:
    """The type that the run's answer must have.

    ``parse`` turns the model's text into it and raises ``InvalidOutput`` with sentences that teach.
    """

    name: str
    schema: JsonObject
    parse: Callable[[str], object] = attrs.field(default=_unparsed, eq=False, repr=False, metadata=LOCAL)


def _detached() -> RunContext[object]:
    return RunContext.detached()


Receive: TypeAlias = Callable[[tuple[Message, ...]], Awaitable[tuple[Message, ...]]]
"""Takes messages that reach a running run, and returns what the conversation shall have of them."""


async def accept(messages: tuple[Message, ...], /) -> tuple[Message, ...]:  # noqa: ASYNC124 # a Receive is async
    """Return the messages as they are; does not checkpoint."""
    return messages


@attrs.frozen(kw_only=True)
class RunCall:
    """One turn of a conversation: what is new, and what was said before.

    Messages that are sent to the run while it goes on pass ``receive``, as deltas pass ``emit``.
    """

    input: tuple[Message, ...]
    history: tuple[Message, ...] = ()
    emit: Emit = attrs.field(default=discard, eq=False, repr=False, metadata=LOCAL)
    receive: Receive = attrs.field(default=accept, eq=False, repr=False, metadata=LOCAL)
    ctx: RunContext[object] = attrs.field(factory=_detached, eq=False, repr=False, metadata=LOCAL)


@attrs.frozen(kw_only=True)
class ModelCall:
    """One request to a model.

    ``messages`` begins with the agent's instructions. Deltas go to ``emit`` while the reply is built;
    ``stream`` says whether anybody waits for them. ``attempt`` counts from 1.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    settings: Settings = attrs.field(factory=Settings)
    output: OutputSpec | None = None
    stream: bool = False
    attempt: int = 1
    emit: Emit = attrs.field(default=discard, eq=False, repr=False, metadata=LOCAL)
    ctx: RunContext[object] = attrs.field(factory=_detached, eq=False, repr=False, metadata=LOCAL)


@attrs.frozen(kw_only=True)
class ModelReply:
    """A model's whole answer.

    ``headers`` are the facts that the provider sent about limits, by name; ``attempts`` is how many times the
    call was made before there was an answer. ``details`` is what the provider said about the answer and nothing else
    here holds, under its own names: the answer's id, its price, log probabilities, moderation, the whole of its
    ``usage``; it is never sent back.
    """

    message: Assistant
    finish: FinishReason = "stop"
    usage: Usage = attrs.field(factory=Usage)
    model: str = ""
    request_id: str | None = None
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    attempts: int = 1
    details: JsonObject = attrs.Factory(dict[str, Json])


def checked_reply(reply: object) -> ModelReply:
    """Return what a model or a layer answered.

    Raises:
        TypeError: if it is no reply, which is a mistake of the program.
    """
    if not isinstance(reply, ModelReply):
        raise TypeError(f"a model and its layers return a ModelReply, one returned {type(reply).__name__}")
    return reply


class ToolPort(Protocol):
    """What a call needs of its tool."""

    @property
    def spec(self) -> ToolSpec: ...
    def problems(self, arguments: JsonObject, /) -> tuple[str, ...]: ...
    def relaxed(self, arguments: JsonObject, /) -> JsonObject: ...
    def result_problem(self, value: object, /) -> str | None: ...
    async def invoke(self, call: "ToolCall[Mapping[str, object], object]", /) -> ToolOutcome[object]: ...


@runtime_checkable
class ProbedTool(Protocol):
    """A tool that can find out whether a call had its effect; its ``on_unknown`` is ``"probe"``."""

    async def find_effect(self, call: "ToolCall[Mapping[str, object], object]", /) -> ToolOutcome[object] | None:
        """Return the call's outcome if it had its effect, ``None`` if it had not."""
        ...


class _NoTool:
    """The tool of a name that no tool has."""

    def __init__(self, name: str = "", known: tuple[str, ...] = ()) -> None:
        self.spec = ToolSpec(name=name, description="", parameters={"type": "object"}, effect="read")
        self._known = known

    def problems(self, arguments: JsonObject, /) -> tuple[str, ...]:
        del arguments
        return ()

    def relaxed(self, arguments: JsonObject, /) -> JsonObject:
        return arguments

    def result_problem(self, value: object, /) -> str | None:
        del value
        return None

    async def invoke(self, call: "ToolCall[Mapping[str, object], object]", /) -> ToolOutcome[object]:
        there_are = f"The tools are: {', '.join(self._known)}." if self._known else "There are no tools."
        return Failed(kind="unknown_tool", message=f"There is no tool {call.name!r}. {there_are}")


def no_tool(name: str, known: tuple[str, ...]) -> ToolPort:
    """Return a stand-in that tells the model which tools there are."""
    return _NoTool(name, known)


@attrs.frozen(kw_only=True)
class ToolCall(Generic[A, R]):
    """One call of a tool. ``arguments`` are the model's; what a layer puts there is what the tool gets.

    ``malformed`` holds the text of the arguments where it was no JSON object. Events that the
    tool itself tells (its progress, its commands) go to ``emit``; ``None``: to the run.
    """

    id: str
    name: str
    arguments: JsonObject
    malformed: str | None = None
    attempt: int = 1
    tool: ToolPort = attrs.field(factory=_NoTool, eq=False, repr=False, metadata=LOCAL)
    emit: EventEmit | None = attrs.field(default=None, eq=False, repr=False, metadata=LOCAL)
    ctx: RunContext[object] = attrs.field(factory=_detached, eq=False, repr=False, metadata=LOCAL)


class NoOutput:
    """Stands for the output of a run that has none."""


@attrs.frozen(kw_only=True)
class RunResult(Generic[O_co]):
    """How a run ended, with everything that was said in the conversation.

    ``messages`` can be sent to any provider again: each tool use has its result.
    """

    value: O_co | NoOutput = attrs.field(factory=NoOutput)
    messages: tuple[Message, ...] = ()
    usage: Usage = attrs.field(factory=Usage)
    steps: int = 0
    stop_reason: StopReason = "finished"
    cause: str | None = None
    run_id: str = ""
    session_id: str = ""
    handoff: Handoff | None = None
    approvals: tuple[NeedsApproval, ...] = ()

    @property
    def output(self) -> O_co:
        """The answer.

        Raises:
            RunIncomplete: if the run ended without one; see ``stop_reason``.
        """
        if isinstance(self.value, NoOutput):
            raise RunIncomplete(self.stop_reason, self.cause)
        return self.value
