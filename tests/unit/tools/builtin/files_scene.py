"""Ways to call the tools on files in a folder: for their tests."""

import pytest

from par import Done, RunContext, ToolCall
from par.outcomes import Failed
from par.tools import Workspace
from par.tools.files import file_tools


@pytest.fixture
def anyio_backend():
    return "trio"  # these tools know nothing of loops; the tests of lifetimes run on all


@pytest.fixture
def call(ws):
    """Call a tool of a new set and return the outcome."""
    made = []

    async def called(name, options=None, **arguments):
        workspace = Workspace(ws)
        made.append(workspace)
        tools = {tool.spec.name: tool for tool in file_tools(workspace, **(options or {}))}
        return await tools[name].invoke(ToolCall(id="1", name=name, arguments=arguments, ctx=RunContext.detached()))

    yield called
    for workspace in made:
        workspace.close()


@pytest.fixture
def got(call):
    """Call a tool that must succeed and return its record."""

    async def value(name, options=None, **arguments):
        outcome = await call(name, options, **arguments)
        assert isinstance(outcome, Done), outcome
        return outcome.value

    return value


@pytest.fixture
def refused(call):
    """Call a tool that must refuse, and return its message."""

    async def message(name, options=None, **arguments):
        outcome = await call(name, options, **arguments)
        assert isinstance(outcome, Failed), outcome
        assert outcome.error_type in outcome.message
        return outcome.message

    return message
