"""A run is cancelled at every step that any of its tasks takes; nothing of it may be left, each time."""

import time

import anyio
import pytest
from support.history import replay_problems
from support.ticks import children, counting, other_tasks

from par import Agent, RunContext, Runtime, tool, wrap_model, wrap_run, wrap_tool
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


class Watch:
    """What the tools have begun, what they have cleaned up, and what they have done."""

    def __init__(self):
        self.started = 0
        self.cleaned = 0
        self.effects = 0


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
        process = None
        try:
            process = await anyio.open_process(["/bin/sleep", "0.01"])
            await process.wait()
            return "ended"
        finally:
            with anyio.CancelScope(shield=True):
                if process is not None:
                    if process.returncode is None:
                        process.kill()
                    await process.aclose()
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


async def run_and_cancel(at, stream):
    """Run once and cancel from outside at step ``at``; return how many steps there were."""
    watch = Watch()
    agent = Agent(ScriptedModel(SCRIPT), tools=tools_of(watch), middleware=[around_run, around_model, around_tool])
    steps = 0
    before = other_tasks()
    stopped_at = None

    with anyio.CancelScope() as outer:

        def tick():
            nonlocal steps
            steps += 1
            if steps == at:
                outer.cancel()

        async with Runtime() as runtime:

            async def go():
                nonlocal stopped_at
                try:
                    if stream:
                        async with runtime.run_stream(agent, "go", session="s") as events:
                            async for _ in events:
                                pass
                    else:
                        await runtime.run(agent, "go", session="s")
                finally:
                    stopped_at = (watch.started, watch.cleaned, watch.effects)

            with counting(tick):
                async with anyio.create_task_group() as group:
                    group.start_soon(go)

    assert stopped_at is not None
    assert stopped_at[0] == stopped_at[1], "each tool that began has cleaned up when the run is over"
    assert replay_problems(runtime.history("s")) == []
    assert children() == []
    with anyio.CancelScope(shield=True):
        await anyio.lowlevel.checkpoint()
    assert (watch.started, watch.cleaned, watch.effects) == stopped_at, "nothing happens after the run"
    assert other_tasks() <= before
    return steps, outer.cancelled_caught


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stream", [False, True], ids=["run", "stream"])
async def test_a_run_cancelled_at_any_step_leaves_nothing_behind(stream):
    total, _ = await run_and_cancel(0, stream)
    cancelled = 0

    for at in range(1, total + 1):
        _, caught = await run_and_cancel(at, stream)
        cancelled += caught

    assert total > 25, "the counter must really see the steps"
    assert cancelled >= total - 5, "the cancellations must really arrive while the run goes on"
