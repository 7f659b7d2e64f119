"""However a run ends, its end is recorded once, last, and with its first cause."""

import asyncio

import anyio
import pytest
import sniffio
from support.history import replay_problems
from support.memory_store import MemoryStore

from par import Agent, Runtime, StoreError, TaskState, UsageError, tool, wrap_run
from par.errors import Overloaded
from par.events import ModelAttempted, ModelCallEnded, RunEnded, ToolCallEnded
from par.testing import ScriptedModel, call, fail, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def forever(x: int) -> int:
    """Never end."""
    await anyio.sleep_forever()
    return x


@tool(effect="once")
async def pay(x: int) -> int:
    """Never end, with an effect."""
    await anyio.sleep_forever()
    return x


def waiting_agent():
    return Agent(ScriptedModel([[call("forever", x=1), call("pay", x=2)], say("done")]), tools=[forever, pay])


def the_end(store):
    ends = [e.event for e in store.envelopes if isinstance(e.event, RunEnded)]
    assert len(ends) == 1
    assert store.envelopes[-1].event is ends[0]
    return ends[0]


async def test_a_finished_run_is_recorded_as_completed():
    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        await runtime.run(Agent(ScriptedModel([say("x")])), "go")

    end = the_end(store)
    assert (end.stop_reason, end.status, end.steps, end.error) == ("finished", TaskState.COMPLETED, 1, None)


async def test_a_failed_run_is_recorded_with_its_error():
    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        with pytest.raises(Overloaded):
            await runtime.run(Agent(ScriptedModel([fail(Overloaded(status=500))])), "go")

    end = the_end(store)
    assert (end.stop_reason, end.status, end.error.type) == ("failed", TaskState.FAILED, "Overloaded")
    attempt = next(e.event for e in store.envelopes if isinstance(e.event, ModelAttempted))
    assert (attempt.outcome, attempt.error_type) == ("failed", "Overloaded")
    assert next(e.event for e in store.envelopes if isinstance(e.event, ModelCallEnded)).error.type == "Overloaded"


async def test_a_run_that_a_layer_refuses_before_the_engine_is_recorded_too():
    @wrap_run
    async def closed(call, call_next):
        raise UsageError("closed today")

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        with pytest.raises(UsageError):
            await runtime.run(Agent(ScriptedModel([say("x")]), middleware=[closed]), "go")

    assert the_end(store).error.message == "closed today"


async def test_a_deadline_ends_the_run_with_a_result():
    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        result = await runtime.run(waiting_agent(), "go", timeout_s=0.02, session="s")

        assert replay_problems(runtime.history("s")) == []

    assert (result.stop_reason, result.cause) == ("cancelled", "the deadline of 0.02 s")
    end = the_end(store)
    assert (end.stop_reason, end.status, end.cause) == ("cancelled", TaskState.CANCELLED, "the deadline of 0.02 s")


async def test_a_cancellation_from_outside_is_recorded_and_goes_through():
    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        with anyio.move_on_after(0.25) as scope:
            await runtime.run(waiting_agent(), "go", session="s")

        assert scope.cancelled_caught
        assert replay_problems(runtime.history("s")) == []

    assert the_end(store).cause == "cancelled from outside"
    ended = {e.event.name: e.event for e in store.envelopes if isinstance(e.event, ToolCallEnded)}
    assert ended["forever"].outcome == "cancelled"
    assert ended["pay"].outcome == "unknown"
    assert "verify before repeating" in ended["pay"].content


async def test_the_event_loops_own_cancellation_goes_through():
    if sniffio.current_async_library() == "trio":
        pytest.skip("trio has no cancellation but scopes")
    store = MemoryStore()
    cleaned = []

    @tool
    async def careful(x: int) -> int:
        """Clean up with care."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                cleaned.append(x)
        return x

    agent = Agent(ScriptedModel([[call("careful", x=n) for n in range(5)], say("x")]), tools=[careful])
    async with Runtime(store=store) as runtime:
        task = asyncio.create_task(runtime.run(agent, "go", session="s"))
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert sorted(cleaned) == [0, 1, 2, 3, 4]
        assert replay_problems(runtime.history("s")) == []
    assert the_end(store).cause == "cancelled from outside"


async def test_closing_the_runtime_ends_its_runs_and_waits():
    store = MemoryStore()
    results = []

    async with anyio.create_task_group() as group:
        async with Runtime(store=store) as runtime:

            async def go():
                results.append(await runtime.run(waiting_agent(), "go"))

            group.start_soon(go)
            await anyio.wait_all_tasks_blocked()
        closed_with = list(store.envelopes)
    assert results[0].cause == "the runtime was closed"
    assert isinstance(closed_with[-1].event, RunEnded)


async def test_a_closed_runtime_takes_no_runs():
    async with Runtime() as runtime:
        pass

    with pytest.raises(UsageError, match="the runtime was closed"):
        await runtime.run(Agent(ScriptedModel([say("x")])), "go")


async def test_a_runtime_is_entered_first_and_once():
    runtime = Runtime()
    with pytest.raises(UsageError, match="enter the runtime"):
        await runtime.run(Agent(ScriptedModel([say("x")])), "go")

    async with runtime:
        pass
    with pytest.raises(UsageError, match="once"):
        async with runtime:
            pass


async def test_a_run_whose_audit_fails_does_not_go_on():
    store = MemoryStore(fail_after=1)
    model = ScriptedModel([say("x")])

    async with Runtime(store=store) as runtime:
        with pytest.raises(StoreError):
            await runtime.run(Agent(model), "go")

    assert model.calls == []


async def test_a_broken_audit_does_not_swallow_a_cancellation():
    store = MemoryStore(fail_after=6)

    async with Runtime(store=store) as runtime:
        with anyio.move_on_after(0.02) as scope:
            await runtime.run(waiting_agent(), "go")

    assert scope.cancelled_caught


async def test_a_broken_audit_is_noted_on_the_runs_own_error():
    store = MemoryStore(fail_after=2)

    async def broken(call):
        raise Overloaded(status=500)

    async with Runtime(store=store) as runtime:
        with pytest.raises(Overloaded) as caught:
            await runtime.run(Agent(broken), "go")
    assert "could not be recorded" in " ".join(caught.value.__notes__)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), True])
async def test_an_impossible_time_limit_is_refused(timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        await Agent(ScriptedModel([say("x")])).run("go", timeout_s=timeout_s)


async def test_run_sync_inside_an_event_loop_says_what_to_write():
    with pytest.raises(UsageError, match="await agent.run"):
        Agent(ScriptedModel([say("x")])).run_sync("go")


async def test_the_text_of_a_foreign_error_stays_out_of_the_record():
    async def broken(call):
        raise LookupError("no such user: ann@example.org")

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        with pytest.raises(LookupError, match="ann@example.org"):
            await runtime.run(Agent(broken), "go")

    end = the_end(store)
    assert (end.error.type, end.error.message) == ("LookupError", "")
    assert "ann@example.org" not in repr(store.envelopes)
