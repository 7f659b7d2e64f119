"""Drive one layer by hand-built calls, in virtual time on both event loops."""

from collections.abc import Mapping

import anyio
import attrs
import pytest

from par import testing
from par._context import RunContext
from par._pipeline.onion import compose, model_layers, run_layers, tool_layers
from par.calls import ModelCall, ModelReply, RunCall, RunResult, ToolCall, ToolSpec
from par.messages import Assistant, Text, ToolUse, User
from par.outcomes import Done
from par.usage import Usage


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time(request):
    """Import it as ``anyio_backend``: sleeping costs no time, and clocks show what was slept."""
    return testing.virtual_time(request.param)


class Port:
    """A run that remembers its events."""

    def __init__(self, run_id="run-1", session_id="session-1", root_run_id=None):
        self.run_id = run_id
        self.root_run_id = root_run_id or run_id
        self.session_id = session_id
        self.agent_name = "tester"
        self.step = 1
        self.usage = Usage()
        self.can_suspend = False
        self.clock = RunContext.detached().port.clock
        self.events = []

    async def emit(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def context(port, call_id="call-1"):
    return RunContext(None, port, call_id=call_id)


class Tool:
    """A tool whose answers are listed."""

    def __init__(self, effect="read", sees_pii=False, abandons=False, problems=(), relaxed=None, result_problem=None):
        self.spec = ToolSpec(
            name="lookup",
            description="",
            parameters={"type": "object"},
            effect=effect,
            sees_pii=sees_pii,
            abandons=abandons,
        )
        self._problems = problems
        self._relaxed = relaxed
        self._result_problem = result_problem

    def problems(self, arguments):
        return self._problems(arguments) if callable(self._problems) else self._problems

    def relaxed(self, arguments):
        return arguments if self._relaxed is None else self._relaxed

    def result_problem(self, value):
        return self._result_problem

    async def invoke(self, call):
        raise NotImplementedError


@attrs.define
class Script:
    """A handler that answers from a list and remembers what it was asked."""

    answers: list
    calls: list = attrs.Factory(list)

    async def __call__(self, call):
        self.calls.append(call)
        answer = self.answers[min(len(self.calls), len(self.answers)) - 1]
        if isinstance(answer, BaseException):
            raise answer
        return await answer(call) if callable(answer) else answer


def reply(text="", *uses, **facts):
    blocks = ((Text(text),) if text else ()) + uses
    return ModelReply(message=Assistant(blocks), **facts)


def use(name="lookup", arguments=None, *, id="u1", malformed=None):
    return ToolUse(id, name, arguments or {}, malformed)


def model_call(port=None, text="x", **facts):
    facts.setdefault("messages", (User((Text(text),)),))
    return ModelCall(model="m", ctx=context(port or Port()), **facts)


def tool_call(port=None, tool=None, arguments: Mapping = {}, **facts):
    return ToolCall(
        id="u1",
        name="lookup",
        arguments=dict(arguments),
        tool=tool or Tool(),
        ctx=context(port or Port(), "u1"),
        **facts,
    )


async def drive_model(layers, handler, call):
    return await compose(model_layers(layers), handler)(call)


async def drive_tool(layers, handler, call):
    return await compose(tool_layers(layers), handler)(call)


async def drive_run(layers, handler, port=None, text="x", **facts):
    call = RunCall(input=(User((Text(text),)),), ctx=context(port or Port()), **facts)
    return await compose(run_layers(layers), handler)(call)


def sleeper(seconds, answer=None):
    async def sleep(call):
        await anyio.sleep(seconds)
        return answer if answer is not None else Done("late")

    return sleep


def ended(value="ok"):
    return RunResult(value=value)


def collector():
    shown = []

    async def emit(delta):
        shown.append(delta)

    return shown, emit
