"""A run is cancelled at every step that any of its tasks takes; nothing of it may be left, each time."""

import asyncio
import subprocess
import time

import anyio
import pytest
import sniffio
from support.history import replay_problems
from support.memory_store import MemoryStore
from support.record import record_problems
from support.ticks import children, counting, other_tasks

from par import Agent, RunContext, Runtime, tool, wrap_model, wrap_run, wrap_tool
from par._spawn import spawned
from par.testing import ScriptedModel, call, say
from par.tools.bash import Bash

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


class Watch:
    """What the tools have begun, what they have cleaned up, and what they have done."""

    def __init__(self):
        self.started = 0
        self.cleaned = 0
        self.effects = 0

    def seen(self):
        return (self.started, self.cleaned, self.effects)


def tools_of(watch):
    @tool(effect="read")
    async def wait(ctx: RunContext, n: int) -> str:
        """Wait for long, and clean up with care."""
        watch.started += 1
        try:
            await anyio.sleep(0.002 if n else 0)
            await ctx.progress("half", 0.5)
            await anyio.sleep(0.002)
            watch.effects += 1
            return "waited"
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.003)
                watch.cleaned += 1

    @tool
    def thread(x: int) -> int:
        """Block a worker thread."""
        watch.started += 1
        time.sleep(0.004)
        watch.effects += 1
        watch.cleaned += 1
        return x

    @tool(effect="once")
    async def command(x: int) -> str:
        """Run a command that outlives any test."""
        watch.started += 1
        try:
            # event loops lose a process whose start is cancelled, so a tool starts one as par does
            async with spawned(["/bin/sleep", "0.01"]) as process:
                await process.wait()
            return "ended"
        finally:
            watch.cleaned += 1

    return [wait, thread, command]


@wrap_run
async def around_run(call, call_next):
    return await call_next(call)


@wrap_model
async def around_model(call, call_next):
    await anyio.lowlevel.checkpoint()
    return await call_next(call)


@wrap_tool
async def around_tool(call, call_next):
    await anyio.lowlevel.checkpoint()
    return await call_next(call)


SCRIPT = [
    [call("wait", n=0), call("wait", n=1), call("thread", x=1), call("command", x=1)],
    call("wait", n=2),
    [call("thread", x=2), call("nope")],
    say("done"),
]


def plain(watch, folder):
    return Agent(ScriptedModel(SCRIPT), tools=tools_of(watch), middleware=[around_run, around_model, around_tool])


def nested(watch, folder):
    inner = Agent(
        ScriptedModel([[call("wait", n=0), call("wait", n=1)], call("thread", x=1), say("done")]), tools=tools_of(watch)
    )

    @tool(effect="read")
    async def ask(ctx: RunContext, n: int) -> str:
        """Ask another agent."""
        return (await inner.run("go", parent=ctx)).output

    return Agent(ScriptedModel([[call("ask", n=1), call("ask", n=2)], call("ask", n=3), say("done")]), tools=[ask])


def structured(watch, folder):
    return Agent(ScriptedModel([call("wait", n=0), say('{"value": [1, 2]}')]), tools=tools_of(watch), output=list[int])


def bash(watch, folder):
    grep = call("bash", command={"op": "grep", "pattern": "a", "paths": ["."]})
    status = call("bash", command={"op": "git_status"})
    return Agent(ScriptedModel([[grep, status], grep, say("done")]), tools=[Bash(folder), *tools_of(watch)])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.txt").write_text("a\n" * 100)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


async def go_on(runtime, agent, stream, *, own_runtime=False):
    if own_runtime:
        async with Runtime() as own:
            try:
                await go_on(own, agent, stream)
            finally:
                assert replay_problems(own.history("s")) == []
    elif stream:
        async with runtime.run_stream(agent, "go", session="s") as events:
            async for _ in events:
                pass
    else:
        await runtime.run(agent, "go", session="s")


class Slow(MemoryStore):
    """Takes its time before it has the events, and after."""

    async def append(self, envelopes, /):
        await anyio.lowlevel.checkpoint()
        await super().append(envelopes)
        await anyio.lowlevel.checkpoint()


async def run_and_cancel(at, build, folder, *, stream, native=0, store=None, own_runtime=False):
    """Run once and cancel from outside at step ``at``; return how many steps there were.

    ``native`` is how often in a row the event loop's own cancellation is used; 0 for a cancel scope.
    """
    watch = Watch()
    agent = build(watch, folder)
    steps = 0
    before = other_tasks()
    stopped_at = None
    scope = anyio.CancelScope()
    task = None

    def tick():
        nonlocal steps
        steps += 1
        if native and at <= steps < at + native:
            if task is not None:
                task.cancel()
        elif steps == at:
            scope.cancel()

    async with Runtime(store=store) as runtime:

        async def go():
            nonlocal stopped_at
            try:
                await go_on(runtime, agent, stream, own_runtime=own_runtime)
            finally:
                stopped_at = watch.seen()

        with scope, counting(tick):
            if native:
                task = asyncio.create_task(go())
                await asyncio.wait([task])
            else:
                async with anyio.create_task_group() as group:
                    group.start_soon(go)

        assert stopped_at is not None
        assert stopped_at[0] == stopped_at[1], "each tool that began has cleaned up when the run is over"
        assert replay_problems(runtime.history("s")) == []
        assert children() == []
        await anyio.lowlevel.checkpoint()
        assert watch.seen() == stopped_at, "nothing happens after the run"
        if task is not None and not task.cancelled():
            task.result()
        assert other_tasks() <= before
        assert (await runtime.run(Agent(ScriptedModel([say("on")])), "again", session="s")).output == "on"
    if store is not None:
        assert record_problems(store.envelopes) == []
    return steps, scope.cancelled_caught or (task is not None and task.cancelled())


async def sweep(build, folder, **how):
    """Cancel a run at each of its steps; return how many there are, and how often the cancellation arrived."""
    kept = how.pop("kept", False)
    total, _ = await run_and_cancel(0, build, folder, store=Slow() if kept else None, **how)
    cancelled = 0
    for at in range(1, total + 1):
        _, caught = await run_and_cancel(at, build, folder, store=Slow() if kept else None, **how)
        cancelled += caught
    return total, cancelled


WAYS = [(plain, False, 25), (plain, True, 25), (nested, True, 30), (structured, True, 6), (bash, True, 20)]
IDS = [build.__name__ + ("-recorded" if kept else "") for build, kept, _ in WAYS]


@pytest.mark.parametrize(("build", "kept", "least"), WAYS, ids=IDS)
@pytest.mark.parametrize("stream", [False, True], ids=["run", "stream"])
async def test_a_run_cancelled_at_any_step_leaves_nothing_behind(build, kept, least, stream, folder):
    total, cancelled = await sweep(build, folder, stream=stream, kept=kept)

    assert total > least, "the counter must really see the steps"
    assert cancelled >= total * 0.7, "the cancellations must really arrive while the run goes on"


@pytest.mark.parametrize("stream", [False, True], ids=["run", "stream"])
async def test_a_runtime_cancelled_at_any_step_leaves_nothing_behind(stream, folder):
    _, cancelled = await sweep(plain, folder, stream=stream, own_runtime=True)

    assert cancelled > 20


def one_tool(watch, folder):
    return Agent(ScriptedModel([call("wait", n=1), say("done")]), tools=tools_of(watch))


@pytest.mark.parametrize("build", [one_tool, nested, bash], ids=lambda build: build.__name__)
@pytest.mark.parametrize("stream", [False, True], ids=["run", "stream"])
@pytest.mark.parametrize("times", [1, 3], ids=["once", "thrice"])
async def test_the_event_loops_own_cancellation_at_any_step_leaves_nothing_behind(times, build, stream, folder):
    if sniffio.current_async_library() == "trio":
        pytest.skip("trio has no cancellation but scopes")

    total, cancelled = await sweep(build, folder, stream=stream, kept=True, native=times)

    assert cancelled >= total * 0.5
