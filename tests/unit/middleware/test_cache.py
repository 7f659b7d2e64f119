"""Cache answers the same call from memory, shows the same stream, and keeps nothing that went wrong."""

import threading

import anyio
import anyio.to_thread
import attrs
import pytest
from unit.middleware.driving import (
    Port,
    Script,
    Tool,
    collector,
    context,
    drive_model,
    drive_tool,
    model_call,
    reply,
    tool_call,
    use,
)
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par import Clock
from par._context import RunContext
from par._engine.output import output_spec
from par._pipeline.onion import check_order
from par.calls import Settings, ToolSpec
from par.deltas import ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.errors import ImpossibleOrder, Overloaded
from par.messages import Assistant, Reasoning, System, Text, User
from par.middleware import Cache, Concurrency, Fallback, PiiMask, RateLimit
from par.outcomes import Done, Failed, TimedOut
from par.usage import Usage

pytestmark = pytest.mark.anyio

LOOKUP = ToolSpec(name="lookup", description="", parameters={"type": "object"})


async def twice(first, second=None, *, answers=None, layer=None):
    """How often the model was asked for two calls."""
    layer, script = layer or Cache(), Script(answers or [reply("one"), reply("two")])
    await drive_model([layer], script, first)
    await drive_model([layer], script, second or first)
    return len(script.calls)


async def test_the_same_call_is_answered_from_memory_and_costs_nothing():
    facts = {"usage": Usage(input_tokens=5, requests=1, cost_micro=9), "model": "m-1", "finish": "length"}
    script = Script([reply("one", **facts, request_id="r", headers={"x-ratelimit-remaining-requests": "0"})])
    layer = Cache()

    first = await drive_model([layer], script, model_call(Port("run-1")))
    again = await drive_model([layer], script, model_call(Port("run-2", "session-2")))

    assert len(script.calls) == 1
    assert first.usage.requests == 1
    assert again == reply("one", model="m-1", finish="length", usage=Usage())


BASE = model_call(tools=(LOOKUP,))
SPEC = output_spec(dict[str, int])
OTHERS = {
    "model": {"model": "other"},
    "messages": {"messages": (User((Text("y"),)),)},
    "role": {"messages": (System("x"),)},
    "assistant": {"messages": (Assistant((Text("x"),)),)},
    "tools": {"tools": ()},
    "effect": {"tools": (attrs.evolve(LOOKUP, effect="read"),)},
    "settings": {"settings": Settings(temperature=0.5)},
    "extra": {"settings": Settings(extra={"a": 1})},
    "output": {"output": SPEC},
}


@pytest.mark.parametrize("facts", OTHERS.values(), ids=OTHERS)
async def test_a_call_that_differs_in_anything_is_another(facts):
    answers = [reply('{"a": 1}')]

    assert await twice(BASE, attrs.evolve(BASE, **facts), answers=answers) == 2
    assert await twice(attrs.evolve(BASE, **facts), answers=answers) == 1


async def test_numbers_are_told_from_truths_and_fractions():
    one, yes, whole = (attrs.evolve(BASE, settings=Settings(extra={"a": a})) for a in (1, True, 1.0))

    assert await twice(one, yes) == 2
    assert await twice(one, whole) == 2


async def test_the_run_and_the_reader_make_no_difference():
    shown, emit = collector()

    assert await twice(BASE, attrs.evolve(BASE, ctx=context(Port("other")), emit=emit, stream=True, attempt=3)) == 1


def speaks(*deltas, then):
    async def answer(call):
        for delta in deltas:
            await call.emit(delta)
        return then

    return answer


async def test_a_stream_is_shown_again_as_it_was():
    deltas = [ReasoningDelta("hm"), TextDelta("o"), TextDelta("ne"), ToolUseDelta(id="u1", name="lookup")]
    script = Script([speaks(*deltas, then=reply("one"))])
    layer = Cache()
    first, emit_first = collector()
    again, emit_again = collector()

    await drive_model([layer], script, model_call(emit=emit_first, stream=True))
    await drive_model([layer], script, model_call(emit=emit_again, stream=True))

    assert first == again == deltas
    assert len(script.calls) == 1


async def test_what_was_taken_back_is_not_shown_again():
    script = Script([speaks(TextDelta("ha"), StreamRestarted(reason="x"), TextDelta("one"), then=reply("one"))])
    layer = Cache()
    again, emit = collector()

    await drive_model([layer], script, model_call(emit=collector()[1], stream=True))
    await drive_model([layer], script, model_call(emit=emit, stream=True))

    assert again == [TextDelta("one")]


async def test_a_reply_that_was_not_streamed_is_streamed_from_its_blocks():
    blocks = (Reasoning("hm"), Text("one"), use(arguments={"q": 1}))
    script = Script([attrs.evolve(reply(), message=Assistant(blocks))])
    layer = Cache()
    shown, emit = collector()

    await drive_model([layer], script, BASE)
    await drive_model([layer], script, attrs.evolve(BASE, emit=emit, stream=True))

    start = ToolUseDelta(id="u1", name="lookup")
    assert shown == [ReasoningDelta("hm"), TextDelta("one"), start, attrs.evolve(start, arguments='{"q":1}')]
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    "bad",
    [
        reply(""),
        reply("  "),
        reply("x", finish="content_filter"),
        reply("", use("unknown")),
        reply("", use(malformed="{")),
    ],
    ids=["empty", "blank", "filtered", "unknown tool", "malformed"],
)
async def test_replies_that_would_be_repaired_are_not_kept(bad):
    assert await twice(BASE, answers=[bad]) == 2


async def test_a_reply_that_is_not_of_its_type_is_not_kept():
    typed = attrs.evolve(BASE, output=SPEC)

    assert await twice(typed, answers=[reply("no json")]) == 2
    assert await twice(typed, answers=[reply('{"a": 1}')]) == 1


async def test_failures_are_never_kept():
    layer, script = Cache(), Script([Overloaded(), reply("one")])

    with pytest.raises(Overloaded):
        await drive_model([layer], script, model_call())

    assert (await drive_model([layer], script, model_call())).message.text == "one"


async def test_what_was_not_used_for_longest_makes_room():
    layer, script = Cache(max_entries=2), Script([reply("x")])

    for text in ("a", "b", "a", "c", "a", "b"):
        await drive_model([layer], script, model_call(text=text))

    assert [call.messages[0].text for call in script.calls] == ["a", "b", "c", "b"]


@pytest.mark.parametrize(("ttl_s", "asked"), [(10, 2), (20, 1), (None, 1)])
async def test_an_answer_is_good_for_a_while(ttl_s, asked):
    now = [0.0]
    layer, script = Cache(ttl_s=ttl_s, clock=Clock(steady_s=lambda: now[0])), Script([reply("x")])

    await drive_model([layer], script, model_call())
    now[0] = 9.9
    await drive_model([layer], script, model_call())
    now[0] = 15
    await drive_model([layer], script, model_call())

    assert len(script.calls) == asked


# --- calls at the same time


class Slow:
    """A model that takes a second, and fails as often as it is told."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = []

    async def __call__(self, call):
        self.calls.append(call)
        error = self.errors.pop(0) if self.errors else None
        await anyio.sleep(1)
        if error is not None:
            raise error
        return reply("one", usage=Usage(requests=1))


async def test_identical_calls_at_the_same_time_are_made_once():
    layer, slow, replies = Cache(), Slow(), []

    async def one():
        replies.append(await drive_model([layer], slow, model_call()))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)

    assert len(slow.calls) == 1
    assert sorted(answer.usage.requests for answer in replies) == [0] * 19 + [1]


async def test_a_cancelled_leader_hands_over():
    layer, slow, replies = Cache(), Slow(), []

    async def follow():
        replies.append(await drive_model([layer], slow, model_call()))

    async with anyio.create_task_group() as group:
        with anyio.move_on_after(0.5):
            async with anyio.create_task_group() as leading:
                leading.start_soon(drive_model, [layer], slow, model_call())
                await anyio.sleep(0.1)
                for _ in range(5):
                    group.start_soon(follow)

    assert len(slow.calls) == 2
    assert len(replies) == 5


async def test_a_cancelled_follower_leaves_the_others_alone():
    layer, slow = Cache(), Slow()

    async with anyio.create_task_group() as group:
        group.start_soon(drive_model, [layer], slow, model_call())
        await anyio.sleep(0.1)
        with anyio.move_on_after(0.1):
            await drive_model([layer], slow, model_call())

    assert len(slow.calls) == 1


async def test_after_a_failure_the_others_ask_for_themselves_at_once():
    layer, slow = Cache(), Slow(Overloaded())
    since = anyio.current_time()
    ended = []

    async def one():
        try:
            ended.append(await drive_model([layer], slow, model_call()))
        except Overloaded as error:
            ended.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(one)

    assert sum(isinstance(end, Overloaded) for end in ended) == 1
    assert len(slow.calls) == 5
    assert anyio.current_time() - since == pytest.approx(2)


async def test_nobody_waits_for_a_stranger_who_reads_slowly():
    layer, slow = Cache(), Slow()

    async def stuck(delta):
        await anyio.sleep_forever()

    async def speak(call):
        await call.emit(TextDelta("o"))
        return reply("one")

    with anyio.move_on_after(100):
        async with anyio.create_task_group() as group:
            group.start_soon(drive_model, [layer], speak, model_call(emit=stuck, stream=True))
            await anyio.sleep(0.1)
            with anyio.fail_after(5):
                await drive_model([layer], slow, model_call())
            group.cancel_scope.cancel()


def test_event_loops_do_not_wait_for_each_other():
    layer = Cache()
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


# --- tools


async def tool_runs(*calls, layer=None, outcome=None):
    layer, script = layer or Cache(), Script([outcome or Done("found")])
    for made in calls:
        await drive_tool([layer], script, made)
    return len(script.calls)


def of(tool, arguments, deps=None):
    made = tool_call(tool=tool, arguments=arguments)
    return attrs.evolve(made, ctx=RunContext(deps, Port(), call_id="u1"))


async def test_a_tool_that_only_reads_is_called_once():
    tool = Tool("read")

    assert await tool_runs(of(tool, {"q": 1, "r": 2}), of(tool, {"r": 2, "q": 1})) == 1
    assert await tool_runs(of(tool, {"q": 1}), of(tool, {"q": 2})) == 2


@pytest.mark.parametrize("effect", ["idempotent", "once"])
async def test_a_tool_that_does_something_is_always_called(effect):
    tool = Tool(effect)

    assert await tool_runs(of(tool, {}), of(tool, {})) == 2


async def test_another_tool_of_the_same_name_is_another_tool():
    assert await tool_runs(of(Tool("read"), {}), of(Tool("read"), {})) == 2


async def test_what_was_read_for_one_user_is_not_told_to_another():
    tool, ann, bob = Tool("read"), {"user": 1}, {"user": 1}

    assert await tool_runs(of(tool, {}, ann), of(tool, {}, bob)) == 2
    assert await tool_runs(of(tool, {}, ann), of(tool, {}, ann)) == 1


@pytest.mark.parametrize("outcome", [Failed(kind="failed", message="no"), TimedOut(after_s=1, message="late")])
async def test_outcomes_that_are_no_answer_are_not_kept(outcome):
    tool = Tool("read")

    assert await tool_runs(of(tool, {}), of(tool, {}), outcome=outcome) == 2


async def test_malformed_arguments_are_passed_on():
    call = tool_call(tool=Tool("read"), malformed="{")

    assert await tool_runs(call, call) == 2


# --- what is kept


async def test_models_and_tools_can_be_left_out():
    tool = Tool("read")

    assert await twice(BASE, layer=Cache(models=False)) == 2
    assert await tool_runs(of(tool, {}), of(tool, {}), layer=Cache(models=False)) == 1
    assert await twice(BASE, layer=Cache(tools=False)) == 1
    assert await tool_runs(of(tool, {}), of(tool, {}), layer=Cache(tools=False)) == 2


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"max_entries": 0}, "max_entries"),
        ({"max_entries": True}, "max_entries"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": float("nan")}, "ttl_s"),
        ({"models": 1}, "models"),
        ({"tools": "read"}, "tools"),
        ({"models": False, "tools": False}, "models and tools"),
        ({"clock": None}, "clock"),
    ],
)
def test_illegal_values_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        Cache(**facts)


@pytest.mark.parametrize(
    "chain",
    [
        [Cache(), PiiMask()],
        [Cache(), Fallback(models=[Script([])])],
        [RateLimit(), Cache()],
        [Concurrency(models=1), Cache()],
    ],
)
def test_its_place_is_inside_the_mask_and_outside_the_limits(chain):
    with pytest.raises(ImpossibleOrder):
        check_order(chain)
