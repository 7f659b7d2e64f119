"""Retry repeats what is safe to repeat, waits as it is told, and gives up with the original error."""

from random import Random

import anyio
import pytest
from unit.middleware.driving import (
    Port,
    Script,
    Tool,
    collector,
    drive_model,
    drive_run,
    drive_tool,
    ended,
    model_call,
    reply,
    tool_call,
)
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par._pipeline.onion import check_order
from par.deltas import StreamRestarted, TextDelta
from par.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ImpossibleOrder,
    ModelTimedOut,
    Overloaded,
    RateLimited,
    RequestRejected,
    StreamInterrupted,
    UnreadableReply,
)
from par.events import Retried
from par.middleware import RateLimit, Retry, RetryBudget, Timeout
from par.outcomes import Cancelled, Done, Failed, TimedOut, Unknown

pytestmark = pytest.mark.anyio

TRANSIENT = [
    RateLimited(),
    Overloaded(),
    ConnectionFailed(),
    StreamInterrupted(),
    ModelTimedOut(limit="attempt", after_s=1),
]
LASTING = [AuthenticationFailed(), RequestRejected(), UnreadableReply(), TypeError("bug"), KeyError("bug")]


async def elapsed(layer, handler, call=None):
    since = anyio.current_time()
    await drive_model([layer], handler, call or model_call())
    return round(anyio.current_time() - since, 6)


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
async def test_a_passing_failure_is_tried_again(error):
    script = Script([error, reply("ok")])

    answer = await drive_model([Retry()], script, model_call())

    assert answer.message.text == "ok"
    assert [call.attempt for call in script.calls] == [1, 2]


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
async def test_other_failures_are_raised_at_once(error):
    script = Script([error, reply("ok")])

    with pytest.raises(type(error)) as caught:
        await drive_model([Retry()], script, model_call())

    assert caught.value is error
    assert len(script.calls) == 1


async def test_the_last_error_itself_is_raised_with_the_number_of_attempts():
    errors = [Overloaded("first"), Overloaded("second"), Overloaded("third")]

    with pytest.raises(Overloaded) as caught:
        await drive_model([Retry(attempts=3)], Script(errors), model_call())

    assert caught.value is errors[2]
    assert caught.value.attempts == 3
    assert "3 attempts" in str(caught.value)


async def test_a_lasting_error_on_a_later_attempt_says_how_many_there_were():
    with pytest.raises(AuthenticationFailed) as caught:
        await drive_model([Retry()], Script([Overloaded(), AuthenticationFailed()]), model_call())

    assert caught.value.attempts == 2


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts_bounds_how_often_a_call_is_made(attempts):
    script = Script([Overloaded()])

    with pytest.raises(Overloaded):
        await drive_model([Retry(attempts=attempts)], script, model_call())

    assert len(script.calls) == attempts


@pytest.mark.parametrize(
    ("backoff", "expected"), [("exponential", 1 + 2 + 4), ("linear", 1 + 2 + 3), ("fixed", 1 + 1 + 1)]
)
async def test_backoff_says_how_the_pauses_grow(backoff, expected):
    layer = Retry(base_s=1, backoff=backoff, jitter=False)

    assert await elapsed(layer, Script([Overloaded()] * 3 + [reply("ok")])) == expected


async def test_max_delay_caps_the_pauses():
    layer = Retry(base_s=1, max_delay_s=1.5, jitter=False)

    assert await elapsed(layer, Script([Overloaded()] * 3 + [reply("ok")])) == 1 + 1.5 + 1.5


async def test_base_is_where_the_pauses_start():
    assert await elapsed(Retry(base_s=7, jitter=False), Script([Overloaded(), reply("ok")])) == 7


async def test_jitter_draws_each_pause_from_nothing_to_its_ceiling():
    class Half(Random):
        def uniform(self, a, b):
            return a + (b - a) / 2

    assert await elapsed(Retry(base_s=1, rng=Half()), Script([Overloaded()] * 2 + [reply("ok")])) == 0.5 + 1


@pytest.mark.parametrize(("asked", "expected"), [(3, 3), (30, 30), (1000, 30), (0, 1), (None, 1)])
async def test_what_the_provider_asks_for_is_honoured_and_capped(asked, expected):
    layer = Retry(base_s=1, jitter=False)

    assert await elapsed(layer, Script([RateLimited(retry_after_s=asked), reply("ok")])) == expected


async def test_the_total_covers_attempts_and_pauses_and_ends_what_is_under_way():
    async def slow(call):
        await anyio.sleep(4)
        raise Overloaded

    script = Script([slow])
    since = anyio.current_time()

    with pytest.raises(ModelTimedOut) as caught:
        await drive_model([Retry(total_s=10, base_s=1, jitter=False)], script, model_call())

    assert (caught.value.limit, caught.value.after_s, caught.value.attempts) == ("total", 10, 2)
    assert round(anyio.current_time() - since, 6) == 10


async def test_a_total_that_is_not_reached_changes_nothing():
    answer = await drive_model([Retry(total_s=10)], Script([Overloaded(), reply("ok")]), model_call())

    assert answer.message.text == "ok"


async def test_a_cancellation_from_outside_is_no_timeout_and_is_not_retried():
    script = Script([lambda call: anyio.sleep(100)])

    with anyio.move_on_after(1) as scope:
        await drive_model([Retry(total_s=50)], script, model_call())

    assert scope.cancelled_caught
    assert len(script.calls) == 1


def speaks_then_fails(*texts):
    async def answer(call):
        for text in texts:
            await call.emit(TextDelta(text))
        raise StreamInterrupted

    return answer


async def speaks(call):
    await call.emit(TextDelta("whole"))
    return reply("whole")


async def test_nothing_is_repeated_once_a_delta_has_been_shown():
    shown, emit = collector()
    script = Script([speaks_then_fails("half"), speaks])

    with pytest.raises(StreamInterrupted):
        await drive_model([Retry()], script, model_call(emit=emit, stream=True))

    assert len(script.calls) == 1


async def test_restart_tells_the_reader_before_it_begins_anew():
    shown, emit = collector()
    script = Script([speaks_then_fails("ha", "lf"), speaks])

    await drive_model([Retry(restart=True)], script, model_call(emit=emit, stream=True))

    assert shown == [TextDelta("ha"), TextDelta("lf"), StreamRestarted(reason="StreamInterrupted"), TextDelta("whole")]


async def test_a_stream_that_failed_before_its_first_delta_is_repeated_without_a_word():
    shown, emit = collector()

    await drive_model([Retry()], Script([Overloaded(), speaks]), model_call(emit=emit, stream=True))

    assert shown == [TextDelta("whole")]


async def test_deltas_that_nobody_reads_do_not_stop_a_retry():
    answer = await drive_model([Retry()], Script([speaks_then_fails("half"), speaks]), model_call())

    assert answer.message.text == "whole"


async def test_deltas_that_were_taken_back_do_not_stop_a_retry():
    async def taken_back(call):
        await call.emit(TextDelta("half"))
        await call.emit(StreamRestarted(reason="repair"))
        raise Overloaded

    shown, emit = collector()

    await drive_model([Retry()], Script([taken_back, speaks]), model_call(emit=emit, stream=True))

    assert shown[-1] == TextDelta("whole")


async def test_each_retry_is_told():
    port = Port()

    await drive_model([Retry(base_s=1, jitter=False)], Script([Overloaded(), reply("ok")]), model_call(port))

    assert port.events == [Retried(call_id="call-1", attempt=2, delay_s=1, error_type="Overloaded")]


@pytest.mark.parametrize("effect", ["read", "idempotent"])
async def test_a_repeatable_tool_that_timed_out_is_called_again(effect):
    script = Script([TimedOut(after_s=1, message="late"), Done("ok")])

    outcome = await drive_tool([Retry()], script, tool_call(tool=Tool(effect=effect)))

    assert outcome == Done("ok")
    assert [call.attempt for call in script.calls] == [1, 2]


async def test_a_once_tool_that_timed_out_is_not_called_again():
    script = Script([TimedOut(after_s=1, message="late"), Done("ok")])

    outcome = await drive_tool([Retry()], script, tool_call(tool=Tool(effect="once")))

    assert isinstance(outcome, TimedOut)
    assert len(script.calls) == 1


@pytest.mark.parametrize("effect", ["read", "idempotent", "once"])
async def test_a_tool_that_says_so_is_called_again_whatever_its_effect(effect):
    script = Script([Failed(kind="failed", message="busy", retryable=True), Done("ok")])

    assert await drive_tool([Retry()], script, tool_call(tool=Tool(effect=effect))) == Done("ok")


@pytest.mark.parametrize(
    "outcome",
    [
        Failed(kind="failed", message="no"),
        Failed(kind="crashed", message="bug"),
        Cancelled(reason="x"),
        Unknown(reason="x"),
    ],
)
async def test_other_outcomes_of_tools_stand(outcome):
    script = Script([outcome, Done("ok")])

    assert await drive_tool([Retry()], script, tool_call()) is outcome


async def test_a_tool_that_keeps_failing_gives_its_last_outcome():
    script = Script([TimedOut(after_s=1, message=str(n)) for n in range(9)])
    port = Port()

    outcome = await drive_tool([Retry(attempts=3)], script, tool_call(port))

    assert outcome.message == "2"
    assert [event.call_id for event in port.events] == ["u1", "u1"]


async def test_one_run_has_a_bounded_number_of_retries_and_the_next_run_has_its_own():
    layer = Retry(retries_per_run=3, base_s=0.001)
    script = Script([Overloaded()])

    async def engine(call):
        for _ in range(3):
            try:
                await drive_model([layer], script, model_call(call.ctx.port))
            except Overloaded:
                continue
        return ended()

    await drive_run([layer], engine, Port("run-1"))
    first = len(script.calls)
    await drive_run([layer], engine, Port("run-2"))

    assert first == 3 + 3
    assert len(script.calls) == 2 * first
    assert layer._used == {}


async def test_a_shared_budget_stops_storms():
    budget = RetryBudget(ratio=0.1, reserve=5)
    layer = Retry(budget=budget, base_s=0.001)
    script = Script([Overloaded()])

    for _ in range(20):
        with pytest.raises(Overloaded):
            await drive_model([layer], script, model_call())

    assert len(script.calls) <= 20 + 5 + 20 * 0.1
    assert len(script.calls) > 20 + 4


async def test_tools_draw_on_the_shared_budget_too():
    layer = Retry(budget=RetryBudget(ratio=0.1, reserve=1), base_s=0.001)
    script = Script([TimedOut(after_s=1, message="late")])

    await drive_tool([layer], script, tool_call())

    assert len(script.calls) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempts", 0),
        ("attempts", True),
        ("attempts", 1.5),
        ("base_s", 0),
        ("base_s", float("nan")),
        ("base_s", True),
        ("max_delay_s", -1),
        ("max_delay_s", float("inf")),
        ("total_s", 0),
        ("backoff", "random"),
        ("jitter", 1),
        ("restart", "yes"),
        ("retries_per_run", -1),
    ],
)
def test_illegal_values_are_refused_by_name(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        Retry(**{field: value})


@pytest.mark.parametrize(
    "arguments", [{"ratio": 0}, {"ratio": 2}, {"ratio": float("nan")}, {"reserve": 0}, {"reserve": True}]
)
def test_a_budget_that_makes_no_sense_is_refused_by_name(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        RetryBudget(**arguments)


@pytest.mark.parametrize("inner", [RateLimit, Timeout])
def test_retry_must_stand_outside_of_what_each_attempt_needs(inner):
    with pytest.raises(ImpossibleOrder, match=f"Retry.*{inner.__name__}"):
        check_order([inner(), Retry()])
