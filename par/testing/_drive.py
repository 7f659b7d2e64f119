"""Drive one middleware alone: build a call by hand, script what lies inside, see what comes out."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, final

import attrs
from typing_extensions import TypeVar

from par._clock import Clock
from par._context import RunContext
from par._json import JsonObject
from par._pipeline.handler import ModelHandler
from par._pipeline.middleware import Middleware
from par._pipeline.onion import check_order, compose, model_layers, tool_layers
from par.calls import Effect, ModelCall, ModelReply, ToolCall, ToolPort, ToolSpec
from par.deltas import Delta, StreamRestarted, TextDelta
from par.events import Event
from par.messages import Assistant, Text, User
from par.outcomes import Done, ToolOutcome
from par.usage import Usage

__all__ = ["Driven", "assert_composes", "drive_model", "drive_tool", "model_call", "reply", "tool_call"]

T = TypeVar("T")


@final
class _Port:
    """A run of its own for one driven call."""

    run_id = root_run_id = "driven-run"
    session_id = "driven-session"
    agent_name = "driven"
    step = 1
    usage = Usage()
    can_suspend = False
    clock = Clock()

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def emit(self, event: Event) -> None:
        self.events.append(event)


@attrs.frozen(kw_only=True)
class Driven(Generic[T]):
    """What came of a driven call.

    ``answer`` left the middleware; ``asked`` are the calls that reached the inside, as the middleware made them;
    ``deltas`` and ``events`` are what it let through and what it told.
    """

    answer: T
    asked: tuple[ModelCall | ToolCall, ...]
    deltas: tuple[Delta, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def streamed(self) -> str:
        """The text that a reader has in the end: what streamed since the last restart."""
        text = ""
        for delta in self.deltas:
            if isinstance(delta, StreamRestarted):
                text = ""
            elif isinstance(delta, TextDelta):
                text += delta.text
        return text


ModelAnswer: TypeAlias = ModelReply | Exception
ToolAnswer: TypeAlias = ToolOutcome | Exception


def reply(text: str) -> ModelReply:
    """Return a reply of plain text."""
    return ModelReply(message=Assistant((Text(text),)))


def model_call(prompt: str = "hello") -> ModelCall:
    """Return a call with one user message, to be changed with ``attrs.evolve``."""
    return ModelCall(model="driven", messages=(User((Text(prompt),)),))


def tool_call(name: str = "driven", arguments: JsonObject | None = None, *, effect: Effect = "read") -> ToolCall:
    """Return a call of a tool that exists only for it."""
    spec = ToolSpec(name=name, description="", parameters={"type": "object"}, effect=effect)
    return ToolCall(id="driven-call", name=name, arguments=arguments or {}, tool=_Tool(spec))


@attrs.frozen
class _Tool(ToolPort):
    _spec: ToolSpec

    @property
    def spec(self) -> ToolSpec:
        return self._spec

    def problems(self, arguments: JsonObject, /) -> tuple[str, ...]:
        del arguments
        return ()

    def relaxed(self, arguments: JsonObject, /) -> JsonObject:
        return arguments

    def result_problem(self, value: object, /) -> str | None:
        del value
        return None

    async def invoke(self, call: ToolCall, /) -> ToolOutcome:
        return Done(f"{call.name} was called")


async def drive_model(
    middleware: Middleware | Sequence[Middleware],
    *answers: ModelAnswer,
    call: ModelCall | None = None,
    pieces: Sequence[str] | None = None,
) -> Driven[ModelReply]:
    """Send a model call through a middleware, or a list of them, outermost first.

    ``answers`` are what the model inside says, one for each time it is asked, the last one again and again; an
    exception is raised. Each reply's text streams as ``pieces`` (in one piece by default).

    Raises:
        Exception: what leaves the middleware.
    """
    chain = _chain(middleware)
    port, asked, deltas = _Port(), list[ModelCall | ToolCall](), list[Delta]()

    async def model(inner: ModelCall, /) -> ModelReply:
        asked.append(inner)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        for piece in [answer.message.text] if pieces is None else pieces:
            await inner.emit(TextDelta(piece))
        return answer

    async def emit(delta: Delta) -> None:  # noqa: ASYNC124 # an Emit is async
        deltas.append(delta)

    ctx: RunContext[object] = RunContext(None, port, call_id="driven-call")
    outer = attrs.evolve(call or model_call(), ctx=ctx, emit=emit, stream=True)
    answer = await compose(model_layers(chain), model)(outer)
    return Driven(answer=answer, asked=tuple(asked), deltas=tuple(deltas), events=tuple(port.events))


async def drive_tool(
    middleware: Middleware | Sequence[Middleware], *answers: ToolAnswer, call: ToolCall | None = None
) -> Driven[ToolOutcome]:
    """Send a tool call through a middleware, or a list of them; ``answers`` are what the tool inside says.

    Raises:
        Exception: what leaves the middleware.
    """
    chain = _chain(middleware)
    port, asked = _Port(), list[ModelCall | ToolCall]()

    async def tool(inner: ToolCall, /) -> ToolOutcome:  # noqa: ASYNC124 # a handler is async
        asked.append(inner)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    ctx: RunContext[object] = RunContext(None, port, call_id="driven-call", tool="driven")
    outer = attrs.evolve(call or tool_call(), ctx=ctx)
    answer = await compose(tool_layers(chain), tool)(outer)
    return Driven(answer=answer, asked=tuple(asked), events=tuple(port.events))


def _chain(middleware: Middleware | Sequence[Middleware]) -> Sequence[Middleware]:
    chain = middleware if isinstance(middleware, Sequence) else [middleware]
    check_order(chain)
    return chain


async def assert_composes(make: Callable[[], Middleware], *texts: str) -> None:
    """Assert the laws that every middleware around model calls has to keep, on some texts.

    What streams, joined, is what is returned, however the text is cut; cutting changes nothing in what is
    returned; and a layer that only passes calls on may stand on either side. ``make`` makes a fresh middleware each
    time, so that what one remembers does not change the next.

    Raises:
        AssertionError: with the text and the way in which it was cut.
    """
    for text in texts or ("", "hello", "two words, and a  gap", "line\nbreak\n", "naïve 日本 text"):
        whole = (await drive_model(make(), reply(text))).answer.message
        for pieces in _cuts(text):
            for chain in ([make()], [_Pass(), make()], [make(), _Pass()]):
                driven = await drive_model(chain, reply(text), pieces=pieces)
                returned, cut = driven.answer.message, f"{text!r} cut as {pieces}"
                if driven.streamed != returned.text:
                    raise AssertionError(f"{cut}: {driven.streamed!r} streamed, {returned.text!r} returned")
                if returned != whole:
                    raise AssertionError(f"{cut}: {returned} instead of {whole}")


def _cuts(text: str) -> list[list[str]]:
    half = len(text) // 2
    return [[text], list(text), [text[:half], text[half:]], [text[:1], "", text[1:]], [text[:-1], text[-1:]]]


class _Pass:
    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        return await call_next(call)
