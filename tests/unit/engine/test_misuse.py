"""What programs do that they should not: named clearly, and never paid with a hang or a lost conversation."""

import asyncio
import signal
import subprocess
import sys
import textwrap

import anyio
import pytest
import sniffio
from support.history import replay_problems
from support.memory_store import MemoryStore
from support.record import record_problems
from support.ticks import other_tasks

from par import Agent, RunContext, Runtime, Text, UsageError, User, tool
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def forever(x: int) -> int:
    """Never end."""
    await anyio.sleep_forever()
    return x


def only_asyncio():
    if sniffio.current_async_library() == "trio":
        pytest.skip("trio has no cancellation but scopes")


@pytest.mark.parametrize("tools", [1, 2])
@pytest.mark.parametrize("stream", [False, True], ids=["run", "stream"])
async def test_a_tool_that_raises_a_cancellation_of_its_own_fails_the_run(stream, tools):
    only_asyncio()

    @tool(effect="read")
    async def stray(x: int) -> int:
        """Await what somebody else has cancelled."""
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
        return x

    store = MemoryStore()
    agent = Agent(ScriptedModel([[call("stray", x=n) for n in range(tools)], say("done")]), tools=[stray])
    async with Runtime(store=store) as runtime:
        with pytest.raises(RuntimeError, match="without being cancelled"):
            if stream:
                async with runtime.run_stream(agent, "go", session="s") as events:
                    async for _ in events:
                        pass
            else:
                await runtime.run(agent, "go", session="s")
        assert replay_problems(runtime.history("s")) == []

    assert record_problems(store.envelopes) == []


async def test_a_session_is_not_forgotten_while_a_run_writes_it():
    async with Runtime() as runtime:
        async with runtime.run_stream(Agent(ScriptedModel([say("x")])), "go", session="s"):
            with pytest.raises(UsageError, match="going on"):
                runtime.forget("s")
        runtime.forget("s")

        assert runtime.history("s") == ()


async def test_two_runs_that_both_bring_the_first_messages_do_not_lose_any():
    agent = Agent(ScriptedModel([call("pause"), say("x")]), tools=[pause])
    refused = []

    async with Runtime() as runtime:

        async def go(text):
            try:
                await runtime.run(agent, "go", session="s", messages=[User((Text(text),))])
            except UsageError as error:
                refused.append(str(error))

        async with anyio.create_task_group() as group:
            group.start_soon(go, "one")
            group.start_soon(go, "two")

    assert len(refused) == 1
    assert "messages of its own" in refused[0]


@tool(effect="read")
async def pause() -> str:
    """Let others go first."""
    await anyio.lowlevel.checkpoint()
    return "x"


async def test_a_run_that_waits_for_its_session_is_cancelled_and_the_session_goes_on():
    agent = Agent(ScriptedModel([call("pause"), say("x")]), tools=[pause])

    async with Runtime() as runtime:
        async with runtime.run_stream(agent, "first", session="s"), anyio.create_task_group() as group:
            group.start_soon(lambda: runtime.run(agent, "second", session="s"))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        result = await runtime.run(agent, "third", session="s")

    assert result.output == "x"


async def test_a_task_cannot_wait_for_the_session_that_its_own_stream_holds():
    agent = Agent(ScriptedModel([say("x")]))

    async with Runtime() as runtime, runtime.run_stream(agent, "first", session="s"):
        with pytest.raises(UsageError, match="leave its block first"):
            await runtime.run(agent, "second", session="s")


@pytest.mark.parametrize("tools", [1, 2])
async def test_a_tool_cannot_wait_for_the_session_of_its_own_run(tools):
    async with Runtime() as runtime:

        @tool(effect="read")
        async def again(x: int) -> str:
            """Go on with the session that is being written."""
            return (await runtime.run(Agent(ScriptedModel([say("x")])), "go", session="s")).output

        agent = Agent(ScriptedModel([[call("again", x=n) for n in range(tools)], say("done")]), tools=[again])
        with anyio.fail_after(5):
            result = await runtime.run(agent, "go", session="s")

    assert "the run that this call is part of" in result.messages[2].results[0].content


async def test_a_tool_may_run_another_session_of_its_runtime():
    async with Runtime() as runtime:

        @tool(effect="read")
        async def other(x: int) -> str:
            """Ask in another session."""
            return (await runtime.run(Agent(ScriptedModel([say("heard")])), "go", session="t")).output

        agent = Agent(ScriptedModel([call("other", x=1), say("done")]), tools=[other])
        result = await runtime.run(agent, "go", session="s")

    assert result.messages[2].results[0].content == "heard"


async def test_a_tool_cannot_close_the_runtime_of_its_own_run():
    async with Runtime() as runtime:

        @tool(effect="read")
        async def close(x: int) -> str:
            """Close the runtime."""
            await runtime.__aexit__(None, None, None)
            return "closed"

        agent = Agent(ScriptedModel([call("close", x=1), say("done")]), tools=[close])
        with anyio.fail_after(5):
            result = await runtime.run(agent, "go", session="s")

    assert result.output == "done"
    assert "a run cannot close the runtime" in result.messages[2].results[0].content


async def test_a_task_that_waits_for_its_session_is_cancelled_and_the_session_goes_on():
    only_asyncio()
    agent = Agent(ScriptedModel([say("x")]))

    async with Runtime() as runtime:
        async with runtime.run_stream(agent, "first", session="s"):
            waiter = asyncio.create_task(runtime.run(agent, "second", session="s"))
            await anyio.wait_all_tasks_blocked()
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        result = await runtime.run(agent, "third", session="s")

    assert result.output == "x"


async def test_a_run_that_waits_for_its_session_while_the_runtime_is_closed_says_so():
    errors = []
    agent = Agent(ScriptedModel([call("forever", x=1), say("x")]), tools=[forever])

    async with anyio.create_task_group() as group, Runtime() as runtime:

        async def go():
            try:
                await runtime.run(agent, "go", session="s")
            except UsageError as error:
                errors.append(str(error))

        group.start_soon(go)
        group.start_soon(go)
        await anyio.wait_all_tasks_blocked()

    assert errors == ["no run can start here: the runtime was closed"]


async def test_closing_a_runtime_waits_for_its_runs_however_often_it_is_cancelled():
    only_asyncio()
    cleaned = []

    @tool(effect="read")
    async def careful(x: int) -> int:
        """Clean up with care."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.03)
                cleaned.append(x)
        return x

    agent = Agent(ScriptedModel([call("careful", x=1), say("x")]), tools=[careful])
    before = other_tasks()
    opened = anyio.Event()

    async with anyio.create_task_group() as group:

        async def serve():
            async with Runtime() as runtime:
                group.start_soon(runtime.run, agent, "go")
                opened.set()
                await anyio.sleep_forever()

        server = asyncio.create_task(serve())
        await opened.wait()
        await anyio.wait_all_tasks_blocked()
        for _ in range(4):
            server.cancel()
            await asyncio.sleep(0.003)
        with pytest.raises(asyncio.CancelledError):
            await server
        assert cleaned == [1]

    assert other_tasks() <= before


async def test_instructions_that_are_made_by_an_async_function_are_refused():
    async def instructions(ctx):
        return "be kind"

    made = []

    def wrong(ctx):
        made.append(instructions(ctx))
        return made[0]

    with pytest.raises(TypeError, match="plain function"):
        await Agent(ScriptedModel([say("x")]), instructions=wrong).run("go")
    made[0].close()


async def test_a_context_outside_any_run_cannot_be_a_parent():
    with pytest.raises(TypeError, match="belongs to no run"):
        await Agent(ScriptedModel([say("x")])).run("go", parent=RunContext.detached())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupt_of_the_keyboard_ends_a_script_after_the_clean_up(backend, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
            import signal, sys, anyio
            from par import Agent, tool
            from par.testing import ScriptedModel, call, say

            @tool(effect="read")
            async def careful(x: int) -> int:
                "Clean up with care."
                try:
                    print("started", flush=True)
                    await anyio.sleep_forever()
                finally:
                    with anyio.CancelScope(shield=True):
                        await anyio.sleep(0.05)
                        print("cleaned", flush=True)
                return x

            agent = Agent(ScriptedModel([call("careful", x=1), say("x")]), tools=[careful])
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background ignores it
            agent.run_sync("go", backend=sys.argv[1])
            """)
    )
    process = subprocess.Popen(
        [sys.executable, str(script), backend], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert out == "cleaned\n"
    assert "KeyboardInterrupt" in err


async def not_plain(ctx):
    return "be kind"


@pytest.mark.parametrize(
    "wrong",
    [{"name": 3}, {"settings": {"temperature": 1}}, {"instructions": 3}, {"instructions": not_plain}],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_an_agent_of_wrong_parts_is_refused_when_it_is_made(wrong):
    with pytest.raises(TypeError, match=next(iter(wrong))):
        Agent(ScriptedModel([say("x")]), **wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"store": "audit.db"}, "store"),
        ({"store": MemoryStore}, "store"),
        ({"models": {"mine": "model"}}, "the factory of 'mine'"),
    ],
    ids=["path", "class", "model"],
)
async def test_a_runtime_of_wrong_parts_is_refused_when_it_is_made(wrong, told):
    with pytest.raises(TypeError, match=told):
        Runtime(**wrong)
