"""Processes end with their run, at whatever moment it is cancelled."""

import anyio
import pytest
from support.history import replay_problems
from support.process_tools import slow_process
from support.ticks import children, other_tasks

from par import Agent, Runtime, ToolResults
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.02, 0.05, 0.15, 0.4])
async def test_a_process_tool_is_killed_with_its_run(after_s, tmp_path):
    agent = Agent(ScriptedModel([call("slow_process", folder=str(tmp_path)), say("done")]), tools=[slow_process])
    before = other_tasks()

    async with Runtime() as runtime:
        with anyio.move_on_after(after_s) as scope:
            await runtime.run(agent, "go", session="s")

    assert scope.cancelled_caught
    assert children() == []
    assert other_tasks() <= before
    assert replay_problems(runtime.history("s")) == []
    assert not (tmp_path / "process-effect").exists()


async def test_a_killed_once_tool_is_reported_as_unknown(tmp_path):
    agent = Agent(ScriptedModel([call("slow_process", folder=str(tmp_path)), say("done")]), tools=[slow_process])

    async with Runtime() as runtime, anyio.create_task_group() as group:
        group.start_soon(lambda: runtime.run(agent, "go", session="s"))
        while not (tmp_path / "process-started").exists():
            await anyio.sleep(0.01)
        group.cancel_scope.cancel()

    last = runtime.history("s")[-1]
    assert isinstance(last, ToolResults)
    assert [result.outcome for result in last.results] == ["unknown"]
    assert children() == []
