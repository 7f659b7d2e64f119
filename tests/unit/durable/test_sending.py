"""Messages to a running session: the next model call sees them, exactly once."""

import anyio
import pytest
from unit.durable.scene import crashing, open_runtime

from par import Agent, Assistant, ModelReply, Runtime, ToolUse, tool
from par.errors import NoSuchSession, UsageError
from par.events import MessagesReceived, PiiMasked
from par.middleware import PiiMask
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


def agent_of(script, *hooks, middleware=()):
    """Return an agent whose tool ``work`` awaits the next of the hooks."""
    waiting = list(hooks)

    @tool(effect="read")
    async def work(x: int) -> int:
        """Work."""
        if waiting:
            await waiting.pop(0)()
        return x

    return Agent(ScriptedModel(script), tools=[work], middleware=middleware)


def texts(call_):
    return [getattr(message, "text", "results") for message in call_.messages]


WORK = [call("work", x=1), call("work", x=2), say("done")]


async def test_steering_reaches_the_next_model_call(store):
    async with open_runtime(store) as runtime:

        async def steer():
            await runtime.steer("s", "be quick")

        agent = agent_of(WORK, steer)
        result = await runtime.run(agent, "go", session="s")

    asked = agent.plan.model.calls
    assert texts(asked[1]) == ["go", "", "results", "be quick"]
    assert texts(asked[2]).count("be quick") == 1
    assert [getattr(message, "text", "") for message in result.messages].count("be quick") == 1
    events = [envelope.event async for envelope in store.events("s")]
    assert [event.call_id for event in events if isinstance(event, MessagesReceived)] == ["model-3"]


async def test_a_follow_up_waits_for_the_answer(store):
    async with open_runtime(store) as runtime:

        async def follow_up():
            await runtime.follow_up("s", "and then?")

        agent = agent_of([call("work", x=1), say("one"), say("two")], follow_up)
        result = await runtime.run(agent, "go", session="s")

    asked = agent.plan.model.calls
    assert "and then?" not in texts(asked[1])
    assert texts(asked[2])[-2:] == ["one", "and then?"]
    assert result.output == "two"


async def test_what_is_sent_while_nothing_runs_comes_with_the_next_turn(store):
    agent = agent_of([say("hello")])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "one", session="s")
        await runtime.steer("s", "mind the gap")
        await runtime.run(agent, "two", session="s")
        await runtime.run(agent, "three", session="s")

    assert [texts(asked).count("mind the gap") for asked in agent.plan.model.calls] == [0, 1, 1]


@pytest.mark.parametrize("at", range(4, 12))
async def test_a_message_is_seen_once_wherever_the_process_dies(store, at):
    runtimes = []

    async def steer():
        await runtimes[-1].steer("s", "be quick")

    agent = agent_of(WORK, steer)
    try:
        with crashing():
            async with open_runtime(store, crash_at=("commit", at)) as runtime:
                runtimes.append(runtime)
                await runtime.run(agent, "go", session="s")
    except AssertionError:
        assert at >= 11  # the turn has fewer commits

    async with open_runtime(store) as runtime:
        runtimes.append(runtime)
        result = await runtime.resume("s", agent)

    said = [getattr(message, "text", "") for message in result.messages]
    assert said.count("be quick") == 1
    assert result.output == "done"


async def test_what_is_sent_is_masked_like_any_input(store):
    async with open_runtime(store) as runtime:

        async def steer():
            await runtime.steer("s", "write to jane.doe@example.com")

        result = await runtime.run(agent_of(WORK, steer, middleware=[PiiMask()]), "go", session="s")

    events = [envelope.event async for envelope in store.events("s")]
    assert "jane.doe" not in str(result.messages)
    assert "jane.doe" not in str(events)
    assert any(isinstance(event, PiiMasked) and event.where == "input" for event in events)


async def test_sessions_in_memory_hear_too():
    async with Runtime() as runtime:

        async def speak():
            await runtime.steer("s", "be quick")
            await runtime.follow_up("s", "and then?")

        agent = agent_of([call("work", x=1), say("one"), say("two")], speak)
        result = await runtime.run(agent, "go", session="s")

    assert [texts(asked)[-1] for asked in agent.plan.model.calls] == ["go", "be quick", "and then?"]
    assert result.output == "two"


async def test_a_session_that_is_not_there_hears_nothing(store):
    async with open_runtime(store) as runtime:
        with pytest.raises(NoSuchSession):
            await runtime.steer("nowhere", "hello")


@pytest.mark.parametrize(
    ("name", "body"),
    [("steer", {"text": ""}), ("steer", {"cause": "x"}), ("cancel", {"text": "x"}), ("shout", {"text": "x"})],
    ids=["empty", "other-body", "mixed", "unknown"],
)
async def test_a_signal_of_another_kind_is_refused(store, name, body):
    async with open_runtime(store) as runtime:
        with pytest.raises(UsageError, match="signal"):
            await runtime.signal("s", name, body)


async def test_an_empty_text_is_refused(store):
    async with open_runtime(store) as runtime:
        with pytest.raises(UsageError, match="empty"):
            await runtime.steer("s", "  ")


async def test_an_interruption_ends_the_turn_before_the_next_step(store):
    async with open_runtime(store) as runtime:

        async def interrupt():
            await runtime.interrupt("s", "enough")

        agent = agent_of(WORK, interrupt)
        result = await runtime.run(agent, "go", session="s")
        info = await runtime.session("s")

    assert (result.stop_reason, result.cause, result.steps) == ("cancelled", "enough", 1)
    assert (info.state, info.status) == ("cancelled", "failed")
    assert len(agent.plan.model.calls) == 1


async def test_an_interruption_during_a_model_call_comes_before_the_tools_of_its_reply(store):
    worked = []

    @tool
    async def work(x: int) -> int:
        """Work."""
        worked.append(x)
        return x

    async with open_runtime(store) as runtime:

        async def model(call_):
            await runtime.interrupt("s", "enough")
            return ModelReply(message=Assistant((ToolUse("c1", "work", {"x": 1}),)), finish="tool_uses")

        result = await runtime.run(Agent(model, tools=[work]), "go", session="s")

    assert (result.stop_reason, result.cause, worked) == ("cancelled", "enough", [])
    assert result.messages[-1].results[0].outcome == "cancelled"


async def test_an_interruption_from_another_process_is_heard(store):
    async with open_runtime(store) as other, open_runtime(store) as runtime:

        async def interrupt():
            await other.interrupt("s", "enough")

        result = await runtime.run(agent_of(WORK, interrupt), "go", session="s")

    assert (result.stop_reason, result.cause) == ("cancelled", "enough")


async def test_a_turn_is_cancelled_from_another_process(store):
    async with open_runtime(store) as other, open_runtime(store, lease_s=0.6) as runtime:
        begun = anyio.Event()

        async def hang():
            begun.set()
            await anyio.sleep_forever()

        results = []
        async with anyio.create_task_group() as group:

            async def run():
                results.append(await runtime.run(agent_of(WORK, hang), "go", session="s"))

            group.start_soon(run)
            await begun.wait()
            await other.cancel("s", "the customer left")
            info = await other.session("s")

    assert [(result.stop_reason, result.cause) for result in results] == [("cancelled", "the customer left")]
    assert info.state == "cancelled"
    assert info.owner is None


async def test_a_turn_is_cancelled_in_its_own_process(store):
    async with open_runtime(store) as runtime:
        begun = anyio.Event()

        async def hang():
            begun.set()
            await anyio.sleep_forever()

        results = []
        async with anyio.create_task_group() as group:

            async def run():
                results.append(await runtime.run(agent_of(WORK, hang), "go", session="s"))

            group.start_soon(run)
            await begun.wait()
            await runtime.cancel("s", "enough")
            info = await runtime.session("s")

    assert info.state == "cancelled"
    assert results[0].cause == "enough"


async def test_a_turn_whose_process_died_is_cancelled_without_its_agent(store):
    with crashing():
        async with open_runtime(store, crash_at=("commit", 8)) as runtime:
            await runtime.run(agent_of(WORK), "go", session="s")

    async with open_runtime(store) as runtime:
        await runtime.cancel("s", "given up")
        (turn,) = await runtime.turns("s")
        said = await runtime.messages("s")
        agent = agent_of([say("fresh")])
        await runtime.run(agent, "again", session="s")

    assert (turn.stop_reason, turn.cause, turn.state) == ("cancelled", "given up", "cancelled")
    assert [type(message).__name__ for message in said] == [
        "User",
        "Assistant",
        "ToolResults",
        "Assistant",
        "ToolResults",
    ]
    assert len(agent.plan.model.calls[0].messages) == 6
