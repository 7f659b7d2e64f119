"""Concurrency lets so many calls go on at once, in order, and never locks nested runs out."""

import contextlib
import threading

import anyio
import anyio.to_thread
import pytest
from unit.middleware.driving import Script, Tool, drive_model, drive_tool, model_call, reply, tool_call
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par import Agent, RunContext, tool
from par._pipeline.onion import check_order
from par.errors import ImpossibleOrder, Overloaded
from par.middleware import Concurrency, RateLimit, Retry, Timeout
from par.outcomes import Done
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


class Busy:
    """A handler that takes a second, and knows how many did so at once."""

    def __init__(self, answer, seconds=1.0):
        self.answer = answer
        self.seconds = seconds
        self.now = self.most = 0
        self.began = []

    async def __call__(self, call):
        self.now += 1
        self.most = max(self.most, self.now)
        self.began.append(call)
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.now -= 1
        return self.answer


def of(name):
    made = tool_call()
    return made.__class__(id="u1", name=name, arguments={}, tool=Tool(), ctx=made.ctx)


async def many(drive, layer, handler, calls):
    since = anyio.current_time()
    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(drive, [layer], handler, call)
            await anyio.sleep(0.001)
    return round(anyio.current_time() - since, 1)


@pytest.mark.parametrize(("limit", "took"), [(1, 6), (2, 3), (3, 2), (6, 1), (None, 1)])
async def test_so_many_model_calls_go_on_at_once(limit, took):
    busy = Busy(reply("ok"))

    assert await many(drive_model, Concurrency(models=limit, tools=1), busy, [model_call() for _ in range(6)]) == took
    assert busy.most == (limit or 6)


@pytest.mark.parametrize(("limit", "most"), [(2, 2), (None, 6)])
async def test_so_many_tool_calls_go_on_at_once(limit, most):
    busy = Busy(Done("ok"))

    await many(drive_tool, Concurrency(models=1, tools=limit), busy, [tool_call() for _ in range(6)])

    assert busy.most == most


async def test_a_tool_can_have_a_limit_of_its_own():
    busy = {name: Busy(Done("ok")) for name in ("browser", "lookup")}

    async def handler(call):
        return await busy[call.name](call)

    calls = [of(name) for name in ("browser", "browser", "browser", "lookup", "lookup", "lookup")]
    took = await many(drive_tool, Concurrency(tools=3, per_tool={"browser": 1}), handler, calls)

    assert (busy["browser"].most, busy["lookup"].most) == (1, 2)
    assert took == 3


async def test_models_and_tools_are_counted_apart():
    layer = Concurrency(models=1, tools=1)
    since = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(drive_model, [layer], Busy(reply("ok")), model_call())
        group.start_soon(drive_tool, [layer], Busy(Done("ok")), tool_call())

    assert anyio.current_time() - since == pytest.approx(1)


async def test_who_came_first_goes_first():
    busy = Busy(reply("ok"))
    calls = [model_call(text=str(number)) for number in range(8)]

    await many(drive_model, Concurrency(models=1), busy, calls)

    assert [began.messages[0].text for began in busy.began] == [str(number) for number in range(8)]


async def test_a_call_that_waits_for_its_tool_is_next_when_the_tool_is_free():
    began = []

    async def handler(call):
        began.append(call.name)
        await anyio.sleep(1)
        return Done("ok")

    calls = [of(name) for name in ("a", "b", "b", "a", "a")]
    await many(drive_tool, Concurrency(tools=2, per_tool={"b": 1}), handler, calls)

    # one passes while b is busy; when b is free, the b that waits is the next
    assert began == ["a", "b", "a", "b", "a"]


async def test_a_cancelled_caller_leaves_the_line():
    layer, busy = Concurrency(models=1), Busy(reply("ok"))
    since = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(drive_model, [layer], busy, model_call())
        await anyio.sleep(0.001)
        with anyio.move_on_after(0.5):
            await drive_model([layer], busy, model_call())
        assert anyio.current_time() - since == pytest.approx(0.5, abs=0.01)
        await drive_model([layer], busy, model_call())

    assert anyio.current_time() - since == pytest.approx(2, abs=0.01)


async def test_a_cancelled_caller_does_not_hold_up_who_stood_behind_it():
    layer, busy = Concurrency(models=1), Busy(reply("ok"))
    since = anyio.current_time()

    async with anyio.create_task_group() as group:
        group.start_soon(drive_model, [layer], busy, model_call())
        await anyio.sleep(0.001)
        async with anyio.create_task_group() as given_up:
            given_up.start_soon(drive_model, [layer], busy, model_call())
            await anyio.sleep(0.1)
            group.start_soon(drive_model, [layer], busy, model_call())
            await anyio.sleep(0.1)
            given_up.cancel_scope.cancel()

    assert anyio.current_time() - since == pytest.approx(2, abs=0.01)


async def test_a_call_that_is_granted_and_cancelled_at_once_gives_its_place_back():
    layer = Concurrency(models=1)
    scope = anyio.CancelScope()

    async def ends(call):
        await anyio.sleep(1)
        return reply("ok")

    async def waits():
        with scope:
            await drive_model([layer], ends, model_call())

    async with anyio.create_task_group() as group:

        async def first():
            await drive_model([layer], ends, model_call())
            scope.cancel()  # its place has just gone to the one that waits

        group.start_soon(first)
        await anyio.sleep(0.001)
        group.start_soon(waits)

    with anyio.fail_after(2):
        await drive_model([layer], ends, model_call())


async def test_a_failed_call_gives_its_place_back():
    layer = Concurrency(models=1, tools=1)
    for _ in range(3):
        with pytest.raises(Overloaded):
            await drive_model([layer], Script([Overloaded()]), model_call())

    with anyio.fail_after(2):
        await drive_model([layer], Busy(reply("ok")), model_call())


# --- nested runs


def leaf(seen):
    @tool(effect="read")
    async def leaf(x: int) -> str:
        """Work."""
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        await anyio.sleep(1)
        seen["now"] -= 1
        seen["done"] += 1
        return "ok"

    return leaf


def asking(agent, name="ask"):
    @tool(effect="read", name=name)
    async def ask(ctx: RunContext) -> str:
        """Ask another agent."""
        return (await agent.run("go", parent=ctx)).output

    return ask


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_nested_runs_do_not_wait_for_themselves_and_keep_the_limit(limit):
    layer = Concurrency(models=limit, tools=limit)
    seen = {"now": 0, "most": 0, "done": 0}
    script = [[call("leaf", x=1), call("leaf", x=2)], say("inner")]
    inner = Agent(ScriptedModel(script), tools=[leaf(seen)], middleware=[layer])
    middle = Agent(
        ScriptedModel([[call("ask"), call("ask")], say("middle")]), tools=[asking(inner)], middleware=[layer]
    )
    outer = Agent(ScriptedModel([[call("ask"), call("ask")], say("outer")]), tools=[asking(middle)], middleware=[layer])

    with anyio.fail_after(1000):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(outer.run, "go")

    assert seen == {"now": 0, "most": limit, "done": 24}


async def test_runs_that_need_each_others_tools_do_not_lock_each_other_out():
    layer = Concurrency(per_tool={"a": 1, "b": 1})
    ends = Agent(ScriptedModel([say("end")]))
    last_a = Agent(ScriptedModel([call("a"), say("x")]), tools=[asking(ends, "a")], middleware=[layer])
    last_b = Agent(ScriptedModel([call("b"), say("x")]), tools=[asking(ends, "b")], middleware=[layer])
    first_a = Agent(ScriptedModel([call("a"), say("a then b")]), tools=[asking(last_b, "a")], middleware=[layer])
    first_b = Agent(ScriptedModel([call("b"), say("b then a")]), tools=[asking(last_a, "b")], middleware=[layer])

    with anyio.fail_after(100):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(first_a.run, "go")
                group.start_soon(first_b.run, "go")


async def test_a_tool_takes_its_place_again_after_its_inner_run():
    layer = Concurrency(tools=1)
    seen = {"now": 0, "most": 0, "done": 0}
    inner = Agent(ScriptedModel([call("leaf", x=1), say("inner")]), tools=[leaf(seen)], middleware=[layer])

    @tool(effect="read")
    async def asks_and_works(ctx: RunContext) -> str:
        """Ask, then work."""
        await inner.run("go", parent=ctx)
        return await leaf(seen).function(1)

    script = [[call("asks_and_works"), call("leaf", x=1), call("asks_and_works")], say("x")]
    await Agent(ScriptedModel(script), tools=[asks_and_works, leaf(seen)], middleware=[layer]).run("go")

    assert seen == {"now": 0, "most": 1, "done": 5}


@pytest.mark.parametrize("ends", ["cancelled", "failed"])
async def test_after_an_inner_call_that_did_not_end_well_the_count_is_right(ends):
    layer = Concurrency(tools=1)

    async def inner(call):
        if ends == "failed":
            raise Overloaded
        await anyio.sleep_forever()

    async def outer(call):
        with anyio.move_on_after(0.5):
            with contextlib.suppress(Overloaded):
                await drive_tool([layer], inner, tool_call())
        await anyio.sleep(5)
        return Done("ok")

    busy = Busy(Done("ok"))
    async with anyio.create_task_group() as group:
        group.start_soon(drive_tool, [layer], outer, tool_call())
        await anyio.sleep(0.001)
        await anyio.sleep(1)
        with anyio.move_on_after(3) as full:
            await drive_tool([layer], busy, tool_call())
        assert full.cancelled_caught

    assert await many(drive_tool, layer, busy, [tool_call() for _ in range(2)]) == 2


async def test_a_task_that_outlives_its_tool_takes_a_place_of_its_own():
    layer, busy = Concurrency(tools=1), Busy(Done("ok"))

    async with anyio.create_task_group() as group:

        async def starts(call):
            async def later():
                await anyio.sleep(1)
                await drive_tool([layer], busy, tool_call())

            group.start_soon(later)
            return Done("ok")

        await drive_tool([layer], starts, tool_call())

    assert await many(drive_tool, layer, busy, [tool_call() for _ in range(3)]) == 3


def test_each_event_loop_counts_for_itself():
    layer = Concurrency(models=1)
    barrier = threading.Barrier(2, timeout=10)

    async def meets(call):
        await anyio.to_thread.run_sync(barrier.wait)
        return reply("ok")

    threads = [threading.Thread(target=lambda: anyio.run(drive_model, [layer], meets, model_call())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert not barrier.broken


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({}, "models, tools and per_tool"),
        ({"models": 0}, "models"),
        ({"models": True}, "models"),
        ({"tools": 1.5}, "tools"),
        ({"per_tool": {"a": 0}}, "per_tool"),
        ({"per_tool": ["a"]}, "per_tool"),
        ({"tools": 2, "per_tool": {"a": 3}}, "per_tool"),
    ],
)
def test_illegal_values_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        Concurrency(**facts)


@pytest.mark.parametrize("chain", [[Concurrency(models=1), Retry()], [RateLimit(), Concurrency(models=1)]])
def test_pauses_take_no_place_and_waiting_comes_before_the_rate(chain):
    with pytest.raises(ImpossibleOrder):
        check_order(chain)


def test_waiting_is_not_timed():
    with pytest.raises(ImpossibleOrder):
        check_order([Timeout(), Concurrency(models=1)])
