"""What is recorded of a run: each beginning has one end, the numbers have no gap, whatever the store does."""

import threading

import anyio
import pytest
from support.memory_store import MemoryStore
from support.ticks import other_tasks

from par import Agent, RunContext, Runtime, StoreError, UsageError, tool, wrap_model, wrap_run
from par.errors import Overloaded
from par.events import (
    ModelAttempted,
    ModelCallEnded,
    ModelCallStarted,
    RunEnded,
    ToolCallEnded,
    ToolCallStarted,
    ToolProgress,
)
from par.testing import ScriptedModel, call, fail, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def look(x: int) -> int:
    """Look."""
    await anyio.lowlevel.checkpoint()
    return x


def events_of(store, kind):
    return [e.event for e in store.envelopes if isinstance(e.event, kind)]


def calls_of(store, kind):
    return [(e.run, e.event.call_id) for e in store.envelopes if isinstance(e.event, kind)]


def assert_numbered(store):
    for session in {e.session for e in store.envelopes}:
        seqs = [e.seq for e in store.envelopes if e.session == session]
        assert seqs == list(range(1, len(seqs) + 1))


class OnceFailing(MemoryStore):
    """Refuses the ``n``-th append, and takes all others."""

    def __init__(self, n):
        super().__init__()
        self.n = n
        self.appends = 0

    async def append(self, envelopes, /):
        self.appends += 1
        if self.appends == self.n:
            await anyio.lowlevel.checkpoint()
            raise StoreError("this one not")
        await super().append(envelopes)


@pytest.mark.parametrize("n", range(1, 12))
async def test_a_store_that_refuses_once_costs_the_run_and_not_the_session(n):
    store = OnceFailing(n)
    agent = Agent(ScriptedModel([[call("look", x=1), call("look", x=2)], say("done")]), tools=[look])

    async with Runtime(store=store) as runtime:
        with pytest.raises(StoreError):
            for _ in range(20):
                await runtime.run(agent, "go", session="s")
        broken = len(store.envelopes)
        await runtime.run(agent, "again", session="s")

    assert_numbered(store)
    assert isinstance(store.envelopes[broken - 1].event, RunEnded), "also the run that failed has its end"
    ended = calls_of(store, ToolCallEnded)
    assert all(ended.count(call) == 1 for call in calls_of(store, ToolCallStarted))
    assert len(events_of(store, ModelCallStarted)) == len(events_of(store, ModelCallEnded))


async def test_a_tool_that_swallows_the_failure_of_the_audit_does_not_save_the_run():
    @tool(effect="read")
    async def careless(ctx: RunContext) -> str:
        """Go on whatever happens."""
        try:
            await ctx.progress("half")
        except StoreError:
            return "never mind"
        return "told"

    store = OnceFailing(4)
    async with Runtime(store=store) as runtime:
        with pytest.raises(StoreError):
            await runtime.run(Agent(ScriptedModel([call("careless"), say("x")]), tools=[careless]), "go")

    assert events_of(store, RunEnded)[-1].stop_reason == "failed"


async def test_an_event_that_cannot_be_stored_does_not_take_the_end_of_the_run_with_it():
    class Picky(MemoryStore):
        async def append(self, envelopes, /):
            if any(isinstance(e.event, ToolCallEnded) for e in envelopes):
                raise StoreError("no such events here")
            await super().append(envelopes)

    store = Picky()
    async with Runtime(store=store) as runtime:
        with pytest.raises(StoreError):
            await runtime.run(Agent(ScriptedModel([call("look", x=1), say("x")]), tools=[look]), "go", session="s")

    assert isinstance(store.envelopes[-1].event, RunEnded)
    assert_numbered(store)


class Interruptible(MemoryStore):
    """Writes after a while: a cancellation may come before the event is there, or after."""

    def __init__(self, *, late):
        super().__init__()
        self.late = late
        self.hold = None

    async def append(self, envelopes, /):
        if self.late:
            await super().append(envelopes)
        if self.hold is not None and isinstance(envelopes[-1].event, self.hold):
            self.hold = None
            await anyio.sleep_forever()
        if not self.late:
            await super().append(envelopes)


KINDS = [ModelCallStarted, ModelCallEnded, ToolCallStarted, ToolCallEnded]


@pytest.mark.parametrize("late", [False, True], ids=["before-it-is-written", "after-it-was-written"])
@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
async def test_an_append_that_is_cancelled_loses_nothing_and_leaves_no_gap(kind, late):
    store = Interruptible(late=late)
    store.hold = kind
    agent = Agent(ScriptedModel([[call("look", x=1), call("look", x=2)], say("done")]), tools=[look])

    async with Runtime(store=store) as runtime:
        result = await runtime.run(agent, "go", session="s", timeout_s=0.05)
        store.hold = None  # a machine that was too slow to come so far must not be held in the second run
        await runtime.run(agent, "again", session="s")

    assert result.stop_reason == "cancelled"
    assert_numbered(store)
    assert len(events_of(store, RunEnded)) == 2
    assert len(events_of(store, ModelCallStarted)) == len(events_of(store, ModelCallEnded))
    ended = calls_of(store, ToolCallEnded)
    assert all(ended.count(call) == 1 for call in calls_of(store, ToolCallStarted))


async def test_a_progress_message_cut_by_the_tools_own_time_leaves_no_gap():
    store = Interruptible(late=False)
    store.hold = ToolProgress

    @tool(effect="read", timeout=0.01)
    async def told(ctx: RunContext) -> str:
        """Tell something that takes too long to write."""
        await ctx.progress("half")
        return "x"

    async with Runtime(store=store) as runtime:
        result = await runtime.run(Agent(ScriptedModel([call("told"), say("done")]), tools=[told]), "go", session="s")

    assert result.output == "done"
    assert_numbered(store)
    assert len(events_of(store, ToolProgress)) == 1


async def test_the_reader_sees_events_in_the_order_of_their_numbers():
    class Uneven(MemoryStore):
        async def append(self, envelopes, /):
            await super().append(envelopes)
            await anyio.sleep(0.003 if len(self.envelopes) % 2 else 0)

    store = Uneven()
    agent = Agent(ScriptedModel([[call("look", x=n) for n in range(6)], say("done")]), tools=[look])
    seen = []

    async with Runtime(store=store) as runtime, runtime.run_stream(agent, "go") as stream:
        async for item in stream:
            seen.append(item)

    stored = [e.event for e in store.envelopes]
    assert [item for item in seen if any(item is event for event in stored)] == stored


async def test_a_model_layer_that_returns_nothing_is_named_and_the_call_has_its_end():
    @wrap_model
    async def forgetful(call, call_next):
        await call_next(call)

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        with pytest.raises(TypeError, match="ModelReply"):
            await runtime.run(Agent(ScriptedModel([say("x")]), middleware=[forgetful]), "go")

    assert len(events_of(store, ModelCallEnded)) == 1
    assert len(events_of(store, ModelAttempted)) == 1


async def test_a_run_layer_that_returns_nothing_fails_the_run():
    @wrap_run
    async def forgetful(call, call_next):
        await call_next(call)

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        with pytest.raises(TypeError, match="RunResult"):
            await runtime.run(Agent(ScriptedModel([say("x")]), middleware=[forgetful]), "go")

    assert events_of(store, RunEnded)[0].stop_reason == "failed"


async def test_nothing_is_recorded_after_the_end_of_the_run():
    kept = []

    @tool(effect="read")
    async def keep(ctx: RunContext) -> str:
        """Keep what should not be kept."""
        kept.append(ctx)
        return "x"

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        await runtime.run(Agent(ScriptedModel([call("keep"), say("x")]), tools=[keep]), "go")
        with pytest.raises(UsageError, match="is over"):
            await kept[0].progress("still here")

    assert isinstance(store.envelopes[-1].event, RunEnded)


async def test_an_abandoned_thread_cannot_tell_progress_after_the_run():
    release, told = threading.Event(), threading.Event()
    errors = []

    @tool(sync="abandon", timeout=0.01, effect="read")
    def stuck(ctx: RunContext) -> str:
        """Hang, then tell."""
        release.wait(10)
        try:
            ctx.progress_from_thread("still here")
        except UsageError as error:
            errors.append(error)
        finally:
            told.set()
        return "x"

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        await runtime.run(Agent(ScriptedModel([call("stuck"), say("x")]), tools=[stuck]), "go")
        release.set()
        await anyio.to_thread.run_sync(told.wait)

    assert isinstance(store.envelopes[-1].event, RunEnded)
    assert len(errors) == 1


async def test_the_deadline_stays_the_cause_when_the_runtime_is_closed_during_the_clean_up():
    store = MemoryStore()
    cleaning = anyio.Event()

    @tool(effect="read")
    async def careful(x: int) -> int:
        """Clean up with care."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                cleaning.set()
                await anyio.sleep(0.02)
        return x

    results = []
    async with anyio.create_task_group() as group, Runtime(store=store) as runtime:
        agent = Agent(ScriptedModel([call("careful", x=1), say("x")]), tools=[careful])

        async def go():
            results.append(await runtime.run(agent, "go", timeout_s=0.01))

        group.start_soon(go)
        await cleaning.wait()

    assert results[0].cause == "the deadline of 0.01 s"
    assert events_of(store, RunEnded)[0].cause == "the deadline of 0.01 s"


async def test_the_programs_own_cancel_stays_the_cause_when_one_from_outside_follows():
    store = MemoryStore()
    cleaning = anyio.Event()

    @tool(effect="read")
    async def careful(x: int) -> int:
        """Clean up with care."""
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                cleaning.set()
                await anyio.sleep(0.02)
        return x

    async with Runtime(store=store) as runtime:
        agent = Agent(ScriptedModel([call("careful", x=1), say("x")]), tools=[careful])
        with anyio.CancelScope() as outer:
            async with runtime.run_stream(agent, "go") as stream:
                async for item in stream:
                    if isinstance(item, ToolCallStarted):
                        await anyio.wait_all_tasks_blocked()
                        stream.cancel("enough")
                        await cleaning.wait()
                        outer.cancel()

    assert outer.cancelled_caught
    assert events_of(store, RunEnded)[0].cause == "enough"


async def test_a_block_left_by_a_cancellation_is_recorded_as_cancelled_from_outside():
    store = MemoryStore()

    async with Runtime(store=store) as runtime:
        with anyio.CancelScope() as outer:
            async with runtime.run_stream(Agent(ScriptedModel([say("x")])), "go"):
                outer.cancel()
                await anyio.sleep(1)

    assert events_of(store, RunEnded)[0].cause == "cancelled from outside"


async def test_the_error_of_a_run_that_a_cancellation_follows_is_not_hidden_in_the_record():
    store = MemoryStore()
    before = other_tasks()

    async with Runtime(store=store) as runtime:
        with pytest.raises(Overloaded):
            await runtime.run(Agent(ScriptedModel([fail(Overloaded(status=500))])), "go", timeout_s=5)

    assert [type(e.event) for e in store.envelopes][-3:] == [ModelAttempted, ModelCallEnded, RunEnded]
    assert other_tasks() <= before
