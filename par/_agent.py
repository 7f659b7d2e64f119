"""The agent: a frozen definition, checked and compiled when it is made."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from inspect import iscoroutinefunction
from math import isfinite
from typing import Generic, Literal, cast, final, overload

import anyio
from typing_extensions import TypeVar

from par._clock import Clock
from par._context import RunContext
from par._engine.closing import in_own_task
from par._engine.host import Host
from par._engine.loop import react
from par._engine.model_step import attempt_model
from par._engine.models import ModelRegistry
from par._engine.output import output_spec
from par._engine.plan import Instructions, Plan
from par._engine.run import Run
from par._engine.session import Session
from par._engine.stream import RunStream
from par._explain import explain
from par._ids import new_ulid
from par._pipeline.handler import ModelHandler
from par._pipeline.middleware import Middleware
from par._pipeline.naming import name_of
from par._pipeline.onion import check_order, compose, model_layers, run_layers, tool_layers
from par._tool.tool import AgentTool
from par.calls import ProbedTool, RunResult, Settings, ToolCall, ToolPort
from par.errors import DuplicateTool, UnknownModel, UsageError
from par.messages import Message, Prompt, as_messages
from par.outcomes import Failed, ToolOutcome, Unknown

__all__ = ["Agent"]

_CLOCK = Clock()
_RIVAL = (
    "This call was being made by a process that gives no sign of life and may go on with it. It has not had its effect "
    "yet, and may still have it: verify later before repeating it."
)
_CLOSE_S = 5.0
"""How long the clients of models may take to close their connections."""

D = TypeVar("D", default=object)
O = TypeVar("O", default=str)  # noqa: E741 # the output type, beside D for the deps
X = TypeVar("X", default=str)


@final
class Agent(Generic[D, O]):
    """A model with instructions, tools and middleware. One agent serves any number of concurrent runs.

    ``agent.run(prompt)`` returns when the answer is there, ``agent.run_stream(prompt)`` shows it being made,
    ``agent.run_sync(prompt)`` is for scripts, and ``agent.explain()`` prints how the agent is built.
    """

    # Without deps first: a checker then reads a list of tools as a list of AgentTool, not of what it can join.
    @overload
    def __init__(
        self: "Agent[object, str]",
        model: ModelHandler | str,
        *,
        name: str = "agent",
        instructions: str | Callable[[RunContext[object]], str] = "",
        tools: Sequence[AgentTool[object]] = ...,
        middleware: Sequence[Middleware] = (),
        output: None = None,
        settings: Settings | None = None,
        max_steps: int = 50,
        max_parallel_tools: int = 64,
        max_continuations: int = 3,
    ) -> None: ...
    @overload
    def __init__(
        self: "Agent[object, X]",
        model: ModelHandler | str,
        *,
        name: str = "agent",
        instructions: str | Callable[[RunContext[object]], str] = "",
        tools: Sequence[AgentTool[object]] = ...,
        middleware: Sequence[Middleware] = (),
        output: type[X],
        settings: Settings | None = None,
        max_steps: int = 50,
        max_parallel_tools: int = 64,
        max_continuations: int = 3,
    ) -> None: ...
    @overload
    def __init__(
        self,
        model: ModelHandler | str,
        *,
        name: str = "agent",
        instructions: str | Callable[[RunContext[D]], str] = "",
        tools: Sequence[AgentTool[D]] = ...,
        middleware: Sequence[Middleware] = (),
        output: type[O] | None = None,
        settings: Settings | None = None,
        max_steps: int = 50,
        max_parallel_tools: int = 64,
        max_continuations: int = 3,
    ) -> None: ...
    def __init__(  # noqa: PLR0913 # an agent is what it is made of; all but the model have defaults
        self,
        model: ModelHandler | str,
        *,
        name: str = "agent",
        instructions: str | Callable[[RunContext[D]], str] = "",
        tools: Sequence[AgentTool[D]] = (),
        middleware: Sequence[Middleware] = (),
        output: object = None,
        settings: Settings | None = None,
        max_steps: int = 50,
        max_parallel_tools: int = 64,
        max_continuations: int = 3,
    ) -> None:
        """Check the definition and fold the onion.

        Args:
            model: an adapter, any async function ``ModelCall -> ModelReply``, or ``"provider:name"``.
            name: what events and logs call the agent.
            instructions: the system message, or a function of the context that returns it for each call.
            tools: what the model may call.
            middleware: the layers, outermost first.
            output: the type of the answer; text by default.
            settings: how the model shall answer.
            max_steps: the number of model calls after which a run stops with ``max_steps``.
            max_parallel_tools: how many tools of one reply run at once.
            max_continuations: how often an answer that the length limit cut is continued; 0 for never.

        Raises:
            UsageError: for a model string without a provider, two tools of one name, an impossible order.
            TypeError: for a middleware without a hook, or an argument that is something else.
            ValueError: for a limit out of range.
        """
        _whole("max_steps", max_steps, least=1)
        _whole("max_parallel_tools", max_parallel_tools, least=1)
        _whole("max_continuations", max_continuations, least=0)
        _is_a("name", name, str)
        if not name:
            raise ValueError("name must not be empty")
        if iscoroutinefunction(instructions) or not (isinstance(instructions, str) or callable(instructions)):
            raise TypeError("instructions are text, or a plain function of the context that returns it")
        if settings is not None:
            _is_a("settings", settings, Settings)
        self._chain = tuple(middleware)
        check_order(self._chain)
        self._tools = _by_name(tools)
        self._plan = Plan(
            name=name,
            model=_model(model),
            model_name=model if isinstance(model, str) else name_of(model),
            instructions=cast("Instructions", instructions),  # called with the context of this agent's own deps
            tools=cast("dict[str, ToolPort]", self._tools),  # what the engine needs of them
            specs=tuple(tool.spec for tool in self._tools.values()),
            settings=settings or Settings(),
            output=None if output is None or output is str else output_spec(output),
            max_steps=max_steps,
            max_parallel_tools=max_parallel_tools,
            max_continuations=max_continuations,
            layers=tuple([name_of(member) for member in self._chain]),
            run_handler=compose(run_layers(self._chain), react),
            model_handler=compose(model_layers(self._chain), attempt_model),
            tool_handler=compose(tool_layers(self._chain), _invoke_tool),
        )

    def __repr__(self) -> str:
        return f"<agent {self._plan.name}: {self._plan.model_name}, {len(self._tools)} tools>"

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._plan.name

    @property
    def plan(self) -> Plan:
        """The compiled definition, for runtimes."""
        return self._plan

    def check_deps(self, deps: D | None) -> None:
        """Raise ``MissingDeps`` if a tool could not be called with these deps."""
        for tool in cast("dict[str, AgentTool[D | None]]", self._tools).values():  # taken with this agent's deps
            tool.check_deps(deps)

    def explain(self) -> str:
        """Return how the agent is built: its limits, its tools, and its onion, layer by layer."""
        return explain(self._plan, self._chain)

    async def run(
        self,
        prompt: Prompt,
        *,
        deps: D | None = None,
        messages: Sequence[Message] = (),
        timeout_s: float | None = None,
        parent: RunContext[object] | None = None,
    ) -> RunResult[O]:
        """Answer a prompt, in a private runtime, or in that of ``parent``.

        ``messages`` is the conversation so far, such as ``result.messages`` of an earlier run. After
        ``timeout_s`` seconds the run is ended with ``stop_reason="cancelled"``. When this returns or raises,
        nothing that the run started is alive; a cancellation from outside goes through it.

        A tool that asks another agent passes its context as ``parent``: the events of the inner run then go
        to the same store, in a session of their own, and name the outer run as their parent.

        Raises:
            ModelError: if a model call failed for good.
            InvalidReply: if the model's last word is no answer of the agent's output type.
            MissingDeps: if a tool needs deps and there are none.
            Exception: what a middleware or an own model raised.
        """
        new, timeout_s = self._checked(prompt, deps, timeout_s)
        if parent is not None:
            outer = Run.of(parent)
            inner = await outer.host.run(
                self._plan,
                deps,
                _private_session(),
                new,
                earlier=tuple(messages),
                timeout_s=timeout_s,
                parent=outer,
            )
            return cast("RunResult[O]", inner)  # the plan's output spec made the value
        host = _private_host()
        try:
            result = await host.run(
                self._plan, deps, _private_session(), new, earlier=tuple(messages), timeout_s=timeout_s
            )
        finally:
            await _close(host)  # noqa: ASYNC102 # shields itself, for a bounded time
        return cast("RunResult[O]", result)  # the plan's output spec made the value

    def run_stream(
        self,
        prompt: Prompt,
        *,
        deps: D | None = None,
        messages: Sequence[Message] = (),
        timeout_s: float | None = None,
    ) -> AbstractAsyncContextManager[RunStream[O]]:
        """Show a run as it goes: ``async with agent.run_stream(...) as stream: async for event in stream: ...``.

        Takes what ``run`` takes. Leaving the block stops the run and waits until everything it started has
        ended; ``stream.result`` is there from the end of the events on.
        """
        return _PrivateStream(self, prompt, deps, messages, timeout_s)

    def run_sync(
        self,
        prompt: Prompt,
        *,
        deps: D | None = None,
        messages: Sequence[Message] = (),
        timeout_s: float | None = None,
        backend: Literal["asyncio", "trio"] = "asyncio",
    ) -> RunResult[O]:
        """Answer a prompt in an event loop of its own, for scripts.

        Takes what ``run`` takes. ``backend`` is the event loop.

        Raises:
            UsageError: if an event loop is already running in this thread.
        """
        go = partial(self.run, prompt, deps=deps, messages=messages, timeout_s=timeout_s)
        if in_event_loop():
            raise UsageError("run_sync was called inside an event loop: write  await agent.run(...)")
        return anyio.run(go, backend=backend)

    def _checked(
        self, prompt: Prompt, deps: D | None, timeout_s: float | None
    ) -> tuple[tuple[Message, ...], float | None]:
        self.check_deps(deps)
        return as_messages(prompt), check_timeout(timeout_s)


class _PrivateStream(AbstractAsyncContextManager[RunStream[O]], Generic[D, O]):
    def __init__(
        self,
        agent: Agent[D, O],
        prompt: Prompt,
        deps: D | None,
        messages: Sequence[Message],
        timeout_s: float | None,
    ) -> None:
        agent.check_deps(deps)
        self._host = _private_host()
        self._stream = self._host.stream(
            agent.plan,
            deps,
            _private_session(),
            as_messages(prompt),
            earlier=tuple(messages),
            timeout_s=check_timeout(timeout_s),
        )

    async def __aenter__(self) -> RunStream[O]:
        return cast("RunStream[O]", await self._stream.__aenter__())  # the plan's output spec makes the value

    async def __aexit__(self, *exc_info: object) -> bool | None:
        kind, error, traceback = cast("tuple[type[BaseException], BaseException, None]", exc_info)
        try:
            return await self._stream.__aexit__(kind, error, traceback)  # noqa: ASYNC102 # an exit of its own
        finally:
            await _close(self._host)  # noqa: ASYNC102 # shields itself, for a bounded time


def check_timeout(timeout_s: float | None) -> float | None:
    """Return a run's time limit.

    Raises:
        ValueError: if it is not a number of seconds greater than 0.
    """
    if timeout_s is not None and (isinstance(timeout_s, bool) or not isfinite(timeout_s) or timeout_s <= 0):
        raise ValueError(f"timeout_s must be seconds greater than 0, got {timeout_s!r}")
    return timeout_s


def in_event_loop() -> bool:
    """Tell whether this thread is running an event loop."""
    try:
        anyio.get_current_task()
    except Exception:  # noqa: BLE001 # each event loop has its own way to say no
        return False
    return True


def _private_host() -> Host:
    return Host(store=None, models=ModelRegistry(), clock=_CLOCK, private=True)


def _private_session() -> Session:
    return Session(new_ulid(), private=True)


async def _close(host: Host) -> None:
    async def close() -> None:
        with anyio.move_on_after(_CLOSE_S, shield=True):
            await host.close("its run is over")

    if host.holds_models:
        await in_own_task(close)


async def _invoke_tool(call: ToolCall) -> ToolOutcome:
    if call.malformed is None:
        tool = call.tool
        if tool.spec.on_unknown != "retry":
            if call.ctx.in_doubt and isinstance(tool, ProbedTool):
                found = await tool.find_effect(call)
                if found is None and call.ctx.rival:
                    found = Unknown(reason=_RIVAL)
                if found is not None:
                    return found
            await Run.of(call.ctx).steps.claim(call.ctx.idempotency_key)
        return await tool.invoke(call)
    return Failed(
        kind="invalid_arguments",
        message=f"{call.name} was not called. The arguments are not a JSON object: {call.malformed[:80]!r}. "
        "Send one object with double-quoted keys.",
    )


def _whole(name: str, value: int, *, least: int) -> None:
    if type(value) is not int or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}, got {value!r}")


def _is_a(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")


def _by_name(tools: Sequence[AgentTool[D]]) -> dict[str, AgentTool[D]]:
    named: dict[str, AgentTool[D]] = {}
    for tool in tools:
        spec = getattr(tool, "spec", None)
        if spec is None:
            raise TypeError(f"{name_of(tool)} is no tool: decorate the function with @tool")
        if tool.spec.name in named:
            raise DuplicateTool(tool.spec.name)
        named[tool.spec.name] = tool
    return named


def _model(model: ModelHandler | str) -> ModelHandler | str:
    if isinstance(model, str):
        provider, colon, name = model.partition(":")
        if not (provider and colon and name):
            raise UnknownModel(model, ModelRegistry().known)
    elif not callable(model):
        raise TypeError(f"model is a string or a callable, got {type(model).__name__}")
    return model
