"""An inbound message makes one turn, however often it comes."""

import pytest
from unit.durable.scene import crashing, open_runtime

from par import Agent, Runtime, tool
from par.errors import MessageAnswered, UsageError
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def look(x: int) -> int:
    """Look."""
    return x


def new_agent():
    return Agent(ScriptedModel([call("look", x=1), say("done")]), tools=[look])


async def test_a_message_that_was_answered_is_answered_again_without_a_turn(store):
    agent = new_agent()
    async with open_runtime(store) as runtime:
        first = await runtime.run(agent, "go", session="s", message_id="m1")
        again = await runtime.run(agent, "go", session="s", message_id="m1")
        info = await runtime.session("s")

    assert (again.output, again.messages, again.usage) == (first.output, first.messages, first.usage)
    assert info.turns == 1
    assert len(agent.plan.model.calls) == 2


@pytest.mark.parametrize("at", range(1, 9))
async def test_a_message_that_comes_again_after_a_crash_makes_one_turn(store, at):
    agent = new_agent()
    with crashing():
        async with open_runtime(store, crash_at=("committed", at)) as runtime:
            await runtime.run(agent, "go", session="s", message_id="m1")

    async with open_runtime(store) as runtime:
        result = await runtime.run(agent, "go", session="s", message_id="m1")
        info = await runtime.session("s")

    assert (result.output, info.turns, info.steps) == ("done", 1, 3)


async def test_other_messages_make_turns_of_their_own(store):
    agent = new_agent()
    async with open_runtime(store) as runtime:
        for message_id in ("m1", "m2", None):
            await runtime.run(agent, "go", session="s", message_id=message_id)
        info = await runtime.session("s")

    assert info.turns == 3


async def test_a_stream_of_a_message_that_was_answered_says_so(store):
    agent = new_agent()
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s", message_id="m1")
        with pytest.raises(MessageAnswered) as answered:
            async with runtime.run_stream(agent, "go", session="s", message_id="m1"):
                pass
        assert (await runtime.session("s")).owner is None

    assert (answered.value.turn, answered.value.message_id) == (1, "m1")


async def test_a_message_id_needs_a_durable_session(store):
    async with open_runtime(store) as durable, Runtime() as memory:
        for runtime, session in ((durable, None), (memory, "s")):
            with pytest.raises(UsageError, match="message_id"):
                await runtime.run(new_agent(), "go", session=session, message_id="m1")
