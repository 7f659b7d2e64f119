"""A budget of a turn counts what was spent before its process died."""

import pytest
from unit.durable.scene import crashing, open_runtime

from par import Agent, Assistant, ModelReply, ToolUse, tool
from par.middleware import Budget
from par.testing import ScriptedModel
from par.usage import Usage

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def look(x: int) -> int:
    """Look."""
    return x


@pytest.mark.parametrize("limit", [{"steps": 4}, {"tokens": 9_000}], ids=["steps", "tokens"])
async def test_the_ceiling_holds_across_a_crash(store, limit):
    usage = Usage(input_tokens=1_000, output_tokens=1_000, requests=1)
    replies = [
        ModelReply(message=Assistant((ToolUse(f"c{n}", "look", {"x": n}),)), usage=usage, finish="tool_uses")
        for n in range(9)
    ]
    agent = Agent(ScriptedModel(replies), tools=[look], middleware=[Budget(**limit)])
    with crashing():
        async with open_runtime(store, crash_at=("commit", 10)) as runtime:
            await runtime.run(agent, "go", session="cut")
    async with open_runtime(store) as runtime:
        cut = await runtime.resume("cut", agent)
        whole = await runtime.run(agent, "go", session="whole")

    assert (cut.stop_reason, whole.stop_reason) == ("budget", "budget")
    assert cut.steps == whole.steps
