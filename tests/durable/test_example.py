"""The counts that a session shows: one turn of three steps, a model call, a tool, a model call."""

import pytest

from par import Agent, Runtime, Usage, tool
from par.persistence import open_sqlite
from par.states import TaskState
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"it rains in {city}"


def usage(input_tokens, output_tokens, cost_micro):
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, cost_micro=cost_micro, requests=1)


async def test_a_question_with_one_tool_is_one_turn_of_three_steps(tmp_path):
    model = ScriptedModel([
        [say("I look.", usage=usage(10, 5, 3)), call("weather", city="Bern")],
        say("It rains.", usage=usage(20, 4, 5)),
    ])
    agent = Agent(model, tools=[weather])

    async with open_sqlite(tmp_path / "a.db") as store, Runtime(store=store, agents=[agent]) as rt:
        result = await rt.run(agent, "How is the weather in Bern?", session="s")
        info = await rt.session("s")
        steps = await rt.steps("s", turn=1)

    assert result.output == "It rains."
    assert (info.turns, info.steps, info.tokens, info.cost_micro) == (1, 3, 39, 8)
    assert (info.state, info.status) == (TaskState.COMPLETED, "completed")
    assert [(step.ordinal, step.kind) for step in steps] == [(1, "model"), (2, "tool"), (3, "model")]


async def test_the_next_question_is_the_next_turn_of_the_same_session(tmp_path):
    agent = Agent(ScriptedModel([say("Yes.", usage=usage(7, 1, 1))]))

    async with open_sqlite(tmp_path / "a.db") as store, Runtime(store=store, agents=[agent]) as rt:
        await rt.run(agent, "Are you there?", session="s")
        await rt.run(agent, "Still?", session="s")
        info = await rt.session("s")

    assert (info.turns, info.steps, info.tokens, info.cost_micro) == (2, 2, 16, 2)
