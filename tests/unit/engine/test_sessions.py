"""Sessions: one conversation over several runs, written by one run at a time."""

import anyio
import pytest
from support.memory_store import MemoryStore

from par import Agent, Runtime, Text, UsageError, User, tool
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def pause(x: int) -> int:
    """Let others go first."""
    for _ in range(10):
        await anyio.lowlevel.checkpoint()
    return x


async def test_a_session_goes_on_where_it_stands():
    model = ScriptedModel([say("answer")])
    async with Runtime() as runtime:
        await runtime.run(Agent(model), "one", session="s")
        result = await runtime.run(Agent(model), "two", session="s")

    assert [m.text for m in model.calls[1].messages] == ["one", "answer", "two"]
    assert result.session_id == "s"


async def test_other_sessions_know_nothing_of_it():
    model = ScriptedModel([say("answer")])
    async with Runtime() as runtime:
        await runtime.run(Agent(model), "one", session="a")
        await runtime.run(Agent(model), "two", session="b")
        await runtime.run(Agent(model), "three")

    assert [len(c.messages) for c in model.calls] == [1, 1, 1]


async def test_runs_of_one_session_follow_one_another():
    model = ScriptedModel([call("pause", x=1), say("answer")])
    agent = Agent(model, tools=[pause])
    async with Runtime() as runtime:
        async with anyio.create_task_group() as group:
            for n in range(4):
                group.start_soon(lambda n=n: runtime.run(agent, f"turn {n}", session="s"))

        history = runtime.history("s")
    assert len(history) == 16
    assert [type(m).__name__ for m in history] == ["User", "Assistant", "ToolResults", "Assistant"] * 4


async def test_event_numbers_have_no_gaps_over_runs_and_restarts():
    store = MemoryStore()
    agent = Agent(ScriptedModel([[call("pause", x=1), call("pause", x=2)], say("answer")]), tools=[pause])
    for _ in range(2):
        async with Runtime(store=store) as runtime:
            await runtime.run(agent, "go", session="s")
            await runtime.run(agent, "go", session="s")

    assert [e.seq for e in store.envelopes] == list(range(1, len(store.envelopes) + 1))
    assert len({e.id for e in store.envelopes}) == len(store.envelopes)


async def test_event_ids_sort_in_the_order_of_the_events():
    store = MemoryStore()
    agent = Agent(ScriptedModel([[call("pause", x=1), call("pause", x=2)], say("answer")]), tools=[pause])

    async with Runtime(store=store) as runtime, anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(lambda name=name: runtime.run(agent, "go", session=name))

    assert [e.id for e in store.envelopes] == sorted(e.id for e in store.envelopes)


async def test_given_messages_begin_a_session():
    model = ScriptedModel([say("answer")])
    async with Runtime() as runtime:
        await runtime.run(Agent(model), "two", session="s", messages=[User((Text("one"),))])

    assert len(model.calls[0].messages) == 2


async def test_given_messages_do_not_replace_a_sessions_own():
    agent = Agent(ScriptedModel([say("answer")]))
    async with Runtime() as runtime:
        await runtime.run(agent, "one", session="s")
        with pytest.raises(UsageError, match="messages of its own"):
            await runtime.run(agent, "two", session="s", messages=[User((Text("x"),))])


async def test_a_forgotten_session_begins_anew():
    model = ScriptedModel([say("answer")])
    async with Runtime() as runtime:
        await runtime.run(Agent(model), "one", session="s")
        runtime.forget("s")
        assert runtime.history("s") == ()
        await runtime.run(Agent(model), "two", session="s")

    assert len(model.calls[1].messages) == 1


@pytest.mark.parametrize("prompt", ["", "   "])
async def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(ValueError, match="empty"):
        await Agent(ScriptedModel([say("x")])).run(prompt)
