"""Watching a run: order, back-pressure, errors, leaving early."""

import anyio
import pytest
from support.history import replay_problems
from support.ticks import other_tasks

from par import Agent, RunContext, Runtime, TextDelta, UsageError, tool
from par.errors import Overloaded
from par.events import ModelCallEnded, RunEnded, RunStarted, ToolCallEnded, ToolCallStarted, ToolProgress
from par.testing import ScriptedModel, call, fail, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def look(ctx: RunContext, n: int) -> str:
    """Look."""
    await ctx.progress("looking")
    await anyio.lowlevel.checkpoint()
    return f"saw {n}"


async def test_events_come_in_order_and_the_result_after_them():
    agent = Agent(ScriptedModel([call("look", n=1), say("seen it all")]), tools=[look])
    seen = []

    async with agent.run_stream("go") as stream:
        async for item in stream:
            seen.append(item)

    kinds = [type(item) for item in seen if not isinstance(item, TextDelta)]
    assert kinds[0] is RunStarted and kinds[-1] is RunEnded
    assert kinds.index(ToolCallStarted) < kinds.index(ToolProgress) < kinds.index(ToolCallEnded)
    assert stream.result.output == "seen it all"


async def test_the_streamed_text_is_the_returned_text():
    agent = Agent(ScriptedModel([say("a b c d", pieces=["a ", "b c", " d"])]))

    async with agent.run_stream("go") as stream:
        pieces = [item.text async for item in stream if isinstance(item, TextDelta)]

    assert pieces == ["a ", "b c", " d"]
    assert "".join(pieces) == stream.result.output


async def test_run_and_run_stream_return_the_same():
    agent = Agent(ScriptedModel([[call("look", n=1), call("look", n=2)], say("done")]), tools=[look])

    plain = await agent.run("go")
    async with agent.run_stream("go") as stream:
        async for _ in stream:
            pass

    assert stream.result.messages == plain.messages
    assert stream.result.usage == plain.usage


async def test_nothing_streams_to_the_model_of_a_plain_run():
    model = ScriptedModel([say("x")])

    await Agent(model).run("go")

    assert model.calls[0].stream is False


async def test_the_run_waits_for_its_reader():
    produced = []

    @tool
    async def chatty(ctx: RunContext) -> str:
        """Tell much."""
        for n in range(10):
            await ctx.progress(str(n))
            produced.append(n)
        return "x"

    agent = Agent(ScriptedModel([call("chatty"), say("done")]), tools=[chatty])

    async with agent.run_stream("go") as stream:
        async for item in stream:
            if isinstance(item, ToolProgress):
                await anyio.wait_all_tasks_blocked()
                assert len(produced) <= int(item.message) + 1


async def test_an_error_is_raised_where_the_events_end():
    agent = Agent(ScriptedModel([fail(Overloaded(status=529))]))
    seen = []

    with pytest.raises(Overloaded):
        async with agent.run_stream("go") as stream:
            async for item in stream:
                seen.append(item)

    assert isinstance(seen[-1], RunEnded) and seen[-1].stop_reason == "failed"
    assert seen[-1].error.type == "Overloaded"


async def test_an_error_is_raised_also_when_the_block_is_left_before_the_end_of_the_events():
    agent = Agent(ScriptedModel([fail(Overloaded(status=529))]))

    with pytest.raises(Overloaded):
        async with agent.run_stream("go") as stream:
            async for item in stream:
                if isinstance(item, RunEnded):
                    break


async def test_the_blocks_own_error_comes_out_unwrapped():
    agent = Agent(ScriptedModel([call("look", n=1), say("done")]), tools=[look])

    with pytest.raises(LookupError, match="mine"):
        async with agent.run_stream("go") as stream:
            async for _ in stream:
                raise LookupError("mine")


async def test_leaving_early_stops_the_run_and_waits_for_cleanup():
    cleaned = []

    @tool
    async def slow(x: int) -> int:
        """Sleep."""
        try:
            await anyio.sleep(60)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                cleaned.append(x)
        return x

    agent = Agent(ScriptedModel([[call("slow", x=1), call("slow", x=2)], say("done")]), tools=[slow])
    before = other_tasks()

    async with agent.run_stream("go") as stream:
        async for item in stream:
            if isinstance(item, ToolCallStarted):
                await anyio.wait_all_tasks_blocked()
                break

    assert sorted(cleaned) in ([1], [1, 2])
    assert stream.result.stop_reason == "cancelled"
    assert stream.result.cause == "its stream was left"
    assert replay_problems(stream.messages) == []
    assert other_tasks() <= before


async def test_a_reader_may_cancel_and_read_on_to_the_end():
    @tool
    async def slow(x: int) -> int:
        """Sleep."""
        await anyio.sleep(60)
        return x

    agent = Agent(ScriptedModel([call("slow", x=1), say("done")]), tools=[slow])
    seen = []

    async with agent.run_stream("go") as stream:
        async for item in stream:
            seen.append(item)
            if isinstance(item, ToolCallStarted):
                stream.cancel("enough")
                stream.cancel("too late to be the cause")

    assert isinstance(seen[-1], RunEnded)
    assert (seen[-1].stop_reason, seen[-1].cause) == ("cancelled", "enough")
    assert [item.outcome for item in seen if isinstance(item, ToolCallEnded)] in (["unknown"], ["cancelled"])


async def test_the_result_is_not_there_before_the_end():
    async with Agent(ScriptedModel([say("x")])).run_stream("go") as stream:
        with pytest.raises(UsageError, match="no result yet"):
            _ = stream.result
        async for _ in stream:
            pass


async def test_a_cancellation_from_outside_goes_through_a_stream():
    agent = Agent(ScriptedModel([call("look", n=1)] * 50), tools=[look])

    with anyio.CancelScope() as scope:
        async with Runtime() as runtime, runtime.run_stream(agent, "go", session="s") as stream:
            async for item in stream:
                if isinstance(item, ModelCallEnded):
                    scope.cancel()

    assert scope.cancelled_caught
    assert replay_problems(stream.messages) == []
