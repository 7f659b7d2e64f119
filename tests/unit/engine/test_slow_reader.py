"""A reader that is slow, or does not read at all, slows the run; it loses nothing and holds nobody for ever."""

import anyio
import pytest
from support.memory_store import MemoryStore
from support.ticks import other_tasks

from par import Agent, Assistant, ModelReply, RunContext, Runtime, Text, TextDelta, UsageError, tool
from par._engine import closing
from par.events import RunEnded, ToolCallEnded, ToolCallStarted
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def look(n: int) -> str:
    """Look."""
    return f"saw {n}"


@pytest.fixture(autouse=True)
def short_closing(monkeypatch):
    monkeypatch.setattr(closing, "CLOSING_S", 0.02)


async def test_a_reader_slower_than_any_bound_gets_every_event():
    agent = Agent(ScriptedModel([[call("look", n=1), call("look", n=2)], say("done")]), tools=[look])
    seen = []

    async with agent.run_stream("go") as stream:
        async for item in stream:
            seen.append(type(item))
            await anyio.sleep(0.05)

    assert seen.count(ToolCallStarted) == seen.count(ToolCallEnded) == 2
    assert seen[-1] is RunEnded


async def test_a_reader_that_looks_away_while_the_run_is_cancelled_gets_the_end_all_the_same():
    @tool(effect="read")
    async def forever(n: int) -> int:
        """Never end."""
        await anyio.sleep_forever()
        return n

    agent = Agent(ScriptedModel([[call("forever", n=1), call("forever", n=2)], say("x")]), tools=[forever])
    seen = []

    async with agent.run_stream("go") as stream:
        async for item in stream:
            seen.append(type(item))
            if seen.count(ToolCallStarted) == 2:
                stream.cancel("enough")
                await anyio.sleep(0.1)

    assert seen.count(ToolCallEnded) == 2
    assert seen[-1] is RunEnded


@pytest.mark.parametrize("held", ["nothing", "store"])
async def test_leaving_the_block_without_reading_ends_the_run(held):
    agent = Agent(ScriptedModel([call("look", n=1), say("done")]), tools=[look])
    before = other_tasks()

    with anyio.fail_after(5):
        async with Runtime(store=MemoryStore() if held == "store" else None) as runtime:
            async with runtime.run_stream(agent, "go", session="s") as stream:
                await anyio.sleep(0.01)
            assert (await runtime.run(agent, "again", session="s")).output == "done"

    assert stream.result.cause == "its stream was left"
    assert other_tasks() <= before


async def test_closing_the_runtime_inside_the_block_of_a_stream_that_nobody_reads_does_not_hang():
    @tool(effect="read")
    def chatty(ctx: RunContext) -> str:
        """Tell much, from a thread, which no cancellation reaches."""
        for n in range(5):
            ctx.progress_from_thread(str(n))
        return "x"

    agent = Agent(ScriptedModel([call("chatty"), say("done")]), tools=[chatty])
    runtime = Runtime()

    with anyio.fail_after(5):
        await runtime.__aenter__()
        async with runtime.run_stream(agent, "go") as stream:
            async for item in stream:
                if isinstance(item, ToolCallStarted):
                    break
            await anyio.wait_all_tasks_blocked()
            await runtime.__aexit__(None, None, None)

    assert stream.result.cause == "the runtime was closed"


async def test_deltas_and_events_keep_their_order_when_the_run_is_cancelled():
    agent = Agent(ScriptedModel([say("a b c d e f"), say("x")]))
    seen = []

    async with agent.run_stream("go") as stream:
        async for item in stream:
            seen.append(item)
            if isinstance(item, TextDelta) and item.text == "b ":
                stream.cancel("enough")

    text = "".join(item.text for item in seen if isinstance(item, TextDelta))
    assert "a b c d e f".startswith(text)
    assert isinstance(seen[-1], RunEnded)


async def test_going_through_a_stream_after_its_block_says_so():
    async with Agent(ScriptedModel([say("x")])).run_stream("go") as stream:
        pass

    with pytest.raises(UsageError, match="block"):
        async for _ in stream:
            pass


async def test_the_result_of_a_failed_run_says_that_it_failed():
    async def broken(call):
        raise LookupError("no luck")

    with pytest.raises(LookupError):
        async with Agent(broken).run_stream("go") as stream:
            async for _ in stream:
                pass

    with pytest.raises(UsageError, match="failed"):
        _ = stream.result


async def test_a_model_is_a_few_deltas_ahead_of_a_reader_that_looks_away_and_not_more():
    shown = []
    ahead = []

    async def chatty(call):
        for n in range(30):
            await call.emit(TextDelta(f"{n} "))
            shown.append(n)
        return ModelReply(message=Assistant((Text("".join(f"{n} " for n in range(30))),)))

    seen = []
    async with Agent(chatty).run_stream("go") as stream:
        async for item in stream:
            if isinstance(item, TextDelta):
                await anyio.wait_all_tasks_blocked()
                seen.append(item.text)
                ahead.append(len(shown) - len(seen))

    assert 2 < max(ahead) < 8
    assert seen == [f"{n} " for n in range(30)]


async def test_a_reader_of_what_lies_ready_is_cancelled_all_the_same():
    async def chatty(call):
        for n in range(7):
            await call.emit(TextDelta(f"{n}"))
        await anyio.sleep_forever()

    seen = []
    async with Agent(chatty).run_stream("go") as stream:
        with anyio.CancelScope() as scope:
            async for item in stream:
                if isinstance(item, TextDelta):
                    seen.append(item.text)
                    scope.cancel()
        assert scope.cancelled_caught

    assert seen == ["0"]
