"""Timeout ends what takes too long, waits until it has ended, and leaves other cancellations alone."""

import anyio
import pytest
from unit.middleware.driving import (
    Script,
    Tool,
    collector,
    drive_model,
    drive_tool,
    model_call,
    reply,
    sleeper,
    tool_call,
)
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par.deltas import StreamRestarted, TextDelta
from par.errors import ModelTimedOut
from par.middleware import Timeout
from par.outcomes import Done, TimedOut, Unknown

pytestmark = pytest.mark.anyio


async def test_an_attempt_that_takes_too_long_is_ended():
    since = anyio.current_time()

    with pytest.raises(ModelTimedOut) as caught:
        await drive_model([Timeout(attempt_s=5)], sleeper(60), model_call())

    assert (caught.value.limit, caught.value.after_s) == ("attempt", 5)
    assert round(anyio.current_time() - since, 6) == 5


async def test_the_default_limit_of_an_attempt_is_two_minutes():
    assert await drive_model([Timeout()], sleeper(119, reply("ok")), model_call())
    with pytest.raises(ModelTimedOut):
        await drive_model([Timeout()], sleeper(121, reply("ok")), model_call())


async def test_no_limit_is_no_limit():
    assert await drive_model([Timeout(attempt_s=None, idle_s=None)], sleeper(9_999, reply("ok")), model_call())


async def test_the_error_comes_only_when_the_attempt_has_cleaned_up():
    steps = []

    async def slow(call):
        try:
            await anyio.sleep(60)
        finally:
            with anyio.move_on_after(5, shield=True):
                await anyio.sleep(3)
                steps.append("cleaned")

    with pytest.raises(ModelTimedOut):
        await drive_model([Timeout(attempt_s=1)], slow, model_call())

    assert steps == ["cleaned"]


def speaks(*pauses):
    async def answer(call):
        for pause in pauses:
            await anyio.sleep(pause)
            await call.emit(TextDelta("."))
        return reply("." * len(pauses))

    return answer


async def test_silence_between_deltas_is_ended():
    shown, emit = collector()

    with pytest.raises(ModelTimedOut) as caught:
        await drive_model([Timeout(idle_s=2)], speaks(1, 1, 3), model_call(emit=emit, stream=True))

    assert (caught.value.limit, caught.value.after_s) == ("idle", 2)
    assert len(shown) == 2


async def test_each_delta_starts_the_silence_anew():
    shown, emit = collector()

    await drive_model([Timeout(idle_s=2, attempt_s=None)], speaks(*[1.9] * 20), model_call(emit=emit, stream=True))

    assert len(shown) == 20


async def test_thinking_before_the_first_delta_is_no_silence():
    shown, emit = collector()

    await drive_model([Timeout(idle_s=2)], speaks(50, 1), model_call(emit=emit, stream=True))

    assert len(shown) == 2


async def test_thinking_after_a_restart_is_no_silence():
    shown, emit = collector()

    async def restarts(call):
        await call.emit(TextDelta("half"))
        await call.emit(StreamRestarted(reason="repair"))
        await anyio.sleep(50)
        return reply("ok")

    assert await drive_model([Timeout(idle_s=2)], restarts, model_call(emit=emit, stream=True))


async def test_a_slow_reader_is_no_silence():
    async def emit(delta):
        await anyio.sleep(10)

    assert await drive_model([Timeout(idle_s=2)], speaks(1, 1), model_call(emit=emit, stream=True))


async def test_a_stream_that_nobody_reads_is_watched_too():
    with pytest.raises(ModelTimedOut, match="idle"):
        await drive_model([Timeout(idle_s=2)], speaks(1, 3), model_call(stream=True))


async def test_the_attempt_ends_also_while_deltas_flow():
    with pytest.raises(ModelTimedOut, match="attempt"):
        await drive_model([Timeout(idle_s=2, attempt_s=5)], speaks(*[1] * 9), model_call(stream=True))


async def test_idle_works_without_a_limit_on_the_attempt():
    with pytest.raises(ModelTimedOut, match="idle"):
        await drive_model([Timeout(idle_s=2, attempt_s=None)], speaks(1, 300), model_call(stream=True))


@pytest.mark.parametrize("call", [model_call, tool_call])
async def test_a_cancellation_from_outside_stays_a_cancellation(call):
    drive = drive_model if call is model_call else drive_tool

    with anyio.move_on_after(1) as scope:
        await drive([Timeout(attempt_s=5, tool_s=5)], sleeper(60), call())

    assert scope.cancelled_caught


async def test_an_outer_cancellation_at_the_same_moment_wins():
    with anyio.move_on_after(5) as scope:
        await drive_model([Timeout(attempt_s=5)], sleeper(60), model_call())

    assert scope.cancelled_caught


async def test_of_nested_limits_the_smallest_counts():
    with pytest.raises(ModelTimedOut) as caught:
        await drive_model([Timeout(attempt_s=9), Timeout(attempt_s=3)], sleeper(60), model_call())

    assert caught.value.after_s == 3


async def test_a_tool_that_takes_too_long_has_timed_out_once_it_has_ended():
    steps = []

    async def slow(call):
        try:
            await anyio.sleep(60)
        finally:
            with anyio.move_on_after(5, shield=True):
                await anyio.sleep(3)
                steps.append("cleaned")

    outcome = await drive_tool([Timeout(tool_s=2)], slow, tool_call())

    assert outcome == TimedOut(after_s=2, message="lookup was stopped: it took longer than 2 s.")
    assert steps == ["cleaned"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"tool_s": 5}, 5),
        ({"tools": {"lookup": 4}}, 4),
        ({"tools": {"other": 4}, "tool_s": 6}, 6),
        ({"tools": {"lookup": 3}, "tool_s": 5}, 3),
        ({"tools": {"lookup": 9}, "tool_s": 5}, 5),
    ],
)
async def test_the_smaller_limit_of_a_tool_counts(facts, expected):
    outcome = await drive_tool([Timeout(**facts)], sleeper(60), tool_call())

    assert outcome.after_s == expected


async def test_a_tool_that_goes_on_in_its_thread_has_an_unknown_outcome():
    outcome = await drive_tool([Timeout(tool_s=2)], sleeper(60), tool_call(tool=Tool(abandons=True)))

    assert outcome == Unknown(reason="lookup did not stop after 2 s and goes on in its thread.")


async def test_a_tool_without_a_limit_may_take_its_time():
    assert await drive_tool([Timeout()], sleeper(9_999), tool_call()) == Done("late")


async def test_a_tool_that_answers_in_spite_of_the_limit_has_its_answer_kept():
    async def stubborn(call):
        with anyio.CancelScope(shield=True):
            await anyio.sleep(5)
        return Done("made it")

    assert await drive_tool([Timeout(tool_s=2)], stubborn, tool_call()) == Done("made it")


async def test_errors_of_the_call_pass():
    with pytest.raises(KeyError):
        await drive_model([Timeout()], Script([KeyError("bug")]), model_call())


@pytest.mark.parametrize("field", ["attempt_s", "idle_s", "tool_s"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "5"])
def test_illegal_values_are_refused_by_name(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        Timeout(**{field: value})


@pytest.mark.parametrize("value", [{"a": 0}, {"a": float("nan")}, {"a": True}, 5])
def test_illegal_limits_by_tool_are_refused_by_name(value):
    with pytest.raises((ValueError, TypeError), match="tools"):
        Timeout(tools=value)


async def test_a_mapping_that_changes_later_changes_nothing():
    limits = {"lookup": 3.0}
    layer = Timeout(tools=limits)
    limits["lookup"] = 50

    assert (await drive_tool([layer], sleeper(60), tool_call())).after_s == 3
