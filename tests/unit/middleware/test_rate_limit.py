"""RateLimit lets calls through in order and in time, counts what was really used, and gives up when told to."""

from datetime import UTC, datetime
from itertools import pairwise

import anyio
import pytest
from anyio.lowlevel import checkpoint
from unit.middleware.driving import Port, Script, drive_model, drive_tool, model_call, reply, tool_call, use
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par._pipeline.onion import check_order
from par.calls import Settings
from par.errors import AuthenticationFailed, ImpossibleOrder, RateLimited, StreamInterrupted
from par.events import RateLimitWaited
from par.messages import Assistant, System, Text, ToolResult, ToolResults, User
from par.middleware import Limit, MemoryRateBackend, RateLimit, Timeout
from par.middleware._rate_headers import limit_from_headers, pause_from_headers
from par.outcomes import Done, Failed
from par.usage import Usage

pytestmark = pytest.mark.anyio


def used(tokens, requests=1):
    return reply("ok", usage=Usage(input_tokens=tokens, requests=requests))


async def times(layer, handler, number, call=model_call):
    """Start so many calls one after another; return when each of them got through."""
    since = anyio.current_time()
    passed = []

    async def note(call):
        passed.append(round(anyio.current_time() - since, 6))
        return await handler(call)

    for _ in range(number):
        await drive_model([layer], note, call())
    return passed


async def test_requests_beyond_the_limit_wait_for_the_window_to_move():
    assert await times(RateLimit(requests=2, per_s=10), Script([reply("ok")]), 5) == [0, 0, 10, 10, 20]


async def test_the_window_is_as_long_as_it_is_told():
    assert await times(RateLimit(requests=1, per_s=3), Script([reply("ok")]), 3) == [0, 3, 6]


async def test_no_window_ever_holds_more_than_the_limit():
    layer = RateLimit(requests=3, per_s=10)
    passed = []

    async def note(call):
        passed.append(anyio.current_time())
        return reply("ok")

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(drive_model, [layer], note, model_call())
            await anyio.sleep(0.7 * (number % 3))

    assert all(later - earlier >= 10 - 1e-6 for earlier, later in zip(passed, passed[3:], strict=False))


async def test_the_default_allows_600_requests_a_minute():
    passed = await times(RateLimit(), Script([reply("ok")]), 601)

    assert passed[599] == 0
    assert passed[600] == 60


async def test_waiting_calls_are_served_in_the_order_in_which_they_came():
    layer = RateLimit(requests=1, per_s=1)
    order = []

    async def one(number):
        await drive_model([layer], Script([reply("ok")]), model_call())
        order.append(number)

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(one, number)
            await checkpoint()
            await checkpoint()

    assert order == list(range(8))


async def test_small_calls_do_not_overtake_a_large_one():
    backend = MemoryRateBackend()
    limit = Limit(tokens=100, per_s=10)
    order = []

    async def one(name, tokens):
        await backend.reserve("m", limit, tokens=tokens, max_wait_s=None)
        order.append(name)

    async with anyio.create_task_group() as group:
        for name, tokens in (("first", 60), ("large", 100), ("small", 1)):
            group.start_soon(one, name, tokens)
            await anyio.sleep(0.1)

    assert order == ["first", "large", "small"]


async def test_tokens_are_reserved_and_settled_with_what_was_used():
    layer = RateLimit(requests=None, tokens=1000, per_s=10, reply_tokens=900)

    # each reserves 900: two do not fit, but each turns out to need 300
    assert await times(layer, Script([used(300)]), 4) == [0, 10, 20, 30]
    cheap = RateLimit(requests=None, tokens=1000, per_s=10, reply_tokens=400)
    assert await times(cheap, Script([used(300)]), 4) == [0, 0, 0, 10]


async def test_the_estimate_counts_messages_and_max_tokens():
    async def passes(call, limit):
        layer = RateLimit(requests=None, tokens=limit, per_s=10)
        return await times(layer, Script([reply("no usage is told")]), 2, lambda: call)

    text = "x" * 400
    messages = (System(text), User((Text(text),)), Assistant((Text(text), use(arguments={"q": text}))))
    messages += (ToolResults((ToolResult(tool_use_id="u1", name="lookup", content=text),)),)
    call = model_call(messages=messages, settings=Settings(max_tokens=50))

    assert await passes(call, 1200) == [0, 0]
    assert await passes(call, 1000) == [0, 10]
    assert await passes(model_call(settings=Settings(max_tokens=600)), 1000) == [0, 10]


async def test_more_tokens_than_the_limit_has_wait_for_an_empty_window():
    layer = RateLimit(requests=None, tokens=100, per_s=10, reply_tokens=5000)

    assert await times(layer, Script([used(50)]), 2) == [0, 10]


async def test_tokens_that_come_back_wake_who_waits_for_them():
    layer = RateLimit(requests=None, tokens=1000, per_s=60, reply_tokens=900)
    passed = []

    async def slow(call):
        passed.append(round(anyio.current_time(), 3))
        await anyio.sleep(2)
        return used(10)

    since = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(drive_model, [layer], slow, model_call())

    assert [round(at - since, 3) for at in passed] == [0, 2]


async def test_requests_that_a_repair_made_count_too():
    assert await times(RateLimit(requests=3, per_s=10), Script([used(1, requests=3)]), 2) == [0, 10]


async def test_a_refused_request_gives_its_tokens_back():
    layer = RateLimit(requests=None, tokens=1000, per_s=60, reply_tokens=900)

    with pytest.raises(AuthenticationFailed):
        await drive_model([layer], Script([AuthenticationFailed()]), model_call())

    assert await times(layer, Script([used(1)]), 1) == [0]


async def test_a_broken_answer_keeps_its_tokens():
    layer = RateLimit(requests=None, tokens=1000, per_s=60, reply_tokens=900)

    with pytest.raises(StreamInterrupted):
        await drive_model([layer], Script([StreamInterrupted()]), model_call())

    assert await times(layer, Script([used(1)]), 1) == [60]


async def test_a_wait_that_would_be_too_long_is_refused_at_once():
    layer = RateLimit(requests=1, per_s=60, max_wait_s=5)
    await drive_model([layer], Script([reply("ok")]), model_call())
    since = anyio.current_time()

    with pytest.raises(RateLimited) as caught:
        await drive_model([layer], Script([reply("ok")]), model_call())

    assert caught.value.retry_after_s == pytest.approx(60)
    assert anyio.current_time() == since


async def test_a_wait_that_may_end_early_is_given_up_after_max_wait():
    layer = RateLimit(requests=None, tokens=1000, per_s=60, reply_tokens=900, max_wait_s=5)
    await drive_model([layer], Script([reply("ok")]), model_call())
    since = anyio.current_time()

    with pytest.raises(RateLimited) as caught:
        await drive_model([layer], Script([reply("ok")]), model_call())

    assert round(anyio.current_time() - since, 6) == 5
    assert caught.value.retry_after_s == pytest.approx(55)


async def test_a_cancelled_waiter_gives_its_place_back():
    layer = RateLimit(requests=1, per_s=10)
    await drive_model([layer], Script([reply("ok")]), model_call())
    since = anyio.current_time()
    passed = []

    async def second():
        await drive_model([layer], Script([reply("ok")]), model_call())
        passed.append(round(anyio.current_time() - since, 6))

    async with anyio.create_task_group() as group:
        with anyio.move_on_after(3):
            async with anyio.create_task_group() as given_up:
                given_up.start_soon(drive_model, [layer], Script([reply("ok")]), model_call())
                await anyio.sleep(1)
                group.start_soon(second)
                await anyio.sleep_forever()

    assert passed == [10]


async def test_a_cancelled_call_keeps_what_it_may_have_used():
    layer = RateLimit(requests=1, per_s=10)

    with anyio.move_on_after(1):
        await drive_model([layer], Script([lambda call: anyio.sleep(100)]), model_call())

    # it was given up after a second, and may have reached the provider half a second after it began
    assert await times(layer, Script([reply("ok")]), 1) == [9.5]


async def test_nobody_polls():
    backend = MemoryRateBackend()
    limit = Limit(requests=1, per_s=10)
    looked = []
    window = backend._window("m", limit)

    class Counting:
        def __getattr__(self, name):
            return getattr(window, name)

        def delay(self, now, **need):
            looked.append(now)
            return window.delay(now, **need)

    backend._windows["m"] = Counting()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(lambda: backend.reserve("m", limit, tokens=0, max_wait_s=None))

    assert len(looked) <= 10 * 4


async def test_a_wait_is_told():
    port = Port()
    layer = RateLimit(requests=1, per_s=10)

    await times(layer, Script([reply("ok")]), 2, lambda: model_call(port))

    assert port.events == [RateLimitWaited(call_id="call-1", waited_s=pytest.approx(10))]


async def test_one_limiter_serves_many_agents():
    layer = RateLimit(requests=2, per_s=10)
    since = anyio.current_time()
    ports = [Port(f"run-{number}") for number in range(4)]

    async with anyio.create_task_group() as group:
        for port in ports:
            group.start_soon(drive_model, [layer], Script([reply("ok")]), model_call(port))

    assert round(anyio.current_time() - since, 6) == 10
    assert sum(len(port.events) for port in ports) == 2


async def test_two_limiters_share_a_backend():
    backend = MemoryRateBackend()
    one, other = (RateLimit(requests=1, per_s=10, backend=backend) for _ in range(2))

    await times(one, Script([reply("ok")]), 1)

    assert await times(other, Script([reply("ok")]), 1) == [10]


async def test_when_the_provider_says_not_now_everybody_waits():
    layer = RateLimit(requests=100, per_s=60)
    with pytest.raises(RateLimited):
        await drive_model([layer], Script([RateLimited(retry_after_s=7)]), model_call())

    assert await times(layer, Script([reply("ok")]), 1) == [7]


async def test_limits_are_learned_from_headers():
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}
    layer = RateLimit(requests=100, per_s=60)
    await drive_model([layer], Script([reply("ok", headers=headers)]), model_call())

    assert await times(layer, Script([reply("ok")]), 1) == [90]


def slow_to_arrive(server, delays):
    """A provider that counts a request when it arrives, which takes as long as is listed."""

    async def model(call):
        await anyio.sleep(delays.pop(0))
        server.append(round(anyio.current_time(), 6))
        await anyio.sleep(0.05)
        return reply("ok")

    return model


async def test_a_slow_request_and_a_fast_one_after_it_never_meet_in_one_window():
    arrived = []
    layer = RateLimit(requests=1, per_s=10, transit_s=1)
    model = slow_to_arrive(arrived, [0.4, 0.0, 0.9, 0.0])

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(drive_model, [layer], model, model_call())

    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    assert all(10 <= gap <= 10.1 for gap in gaps[::2])  # the answer has told when the slow one had arrived
    assert min(gaps) >= 10


async def test_a_request_without_an_answer_counts_as_late_as_it_may_arrive():
    async def starts(**facts):
        layer = RateLimit(requests=1, per_s=10, **facts)
        passed = []
        since = anyio.current_time()

        async def endless(call):
            passed.append(round(anyio.current_time() - since, 6))
            await anyio.sleep(50)
            return reply("ok")

        with anyio.move_on_after(15):
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(drive_model, [layer], endless, model_call())
        return passed

    assert await starts() == [0, 10.5]
    assert await starts(transit_s=2) == [0, 12]


LOWER = {"x-ratelimit-limit-requests": "2", "x-ratelimit-limit-tokens": "1000"}


async def test_a_lower_limit_is_learned_from_headers():
    answers = [reply("ok", headers=LOWER)]

    assert await times(RateLimit(requests=100, per_s=10), Script(answers), 5) == [0, 0, 10, 10, 20]
    assert await times(RateLimit(requests=1, per_s=10), Script(answers), 2) == [0, 10]
    assert await times(RateLimit(requests=100, per_s=10, learn=False), Script(answers), 5) == [0] * 5


async def test_a_lower_limit_of_tokens_is_learned_too():
    answers = [reply("ok", headers=LOWER, usage=Usage(input_tokens=900, requests=1))]
    layer = RateLimit(requests=None, tokens=10_000, per_s=10, reply_tokens=200)

    assert await times(layer, Script(answers), 2) == [0, 10]


async def test_what_was_granted_counts_against_a_limit_that_was_learned_later():
    layer = RateLimit(requests=100, per_s=10)
    await times(layer, Script([reply("ok")]), 5)
    await times(layer, Script([reply("ok", headers=LOWER)]), 1)

    assert await times(layer, Script([reply("ok")]), 1) == [10]


@pytest.mark.parametrize(
    ("headers", "kind", "limit"),
    [
        (LOWER, "requests", 2),
        (LOWER, "tokens", 1000),
        ({"anthropic-ratelimit-tokens-limit": "80000"}, "tokens", 80_000),
        ({}, "requests", None),
        ({"x-ratelimit-limit-requests": "0"}, "requests", None),
        ({"x-ratelimit-limit-requests": "-5"}, "requests", None),
        ({"x-ratelimit-limit-requests": "many"}, "requests", None),
        ({"x-ratelimit-limit-requests": "9" * 5000}, "requests", None),
    ],
)
def test_limits_are_read_where_they_are_told(headers, kind, limit):
    assert limit_from_headers(headers, kind) == limit


NOW = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h", 3600),
        ("2d", 3600),
        ("12", 12),
        ("1.5s", 1.5),
        ("nan", 0),
        ("", 0),
        ("soon", 0),
    ],
)
def test_resets_are_read_in_all_their_forms(reset, seconds):
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": reset}

    assert pause_from_headers(headers, NOW) == pytest.approx(seconds)


def test_a_reset_may_be_a_moment():
    headers = {
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-20T10:00:30Z",
    }

    assert pause_from_headers(headers, NOW) == 30


def test_a_provider_with_room_needs_no_pause():
    headers = {"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "60s"}

    assert pause_from_headers(headers, NOW) == 0


async def test_tools_have_limits_of_their_own():
    layer = RateLimit(tool_calls={"lookup": 1}, per_s=10)
    port = Port()
    since = anyio.current_time()

    for _ in range(2):
        assert await drive_tool([layer], Script([Done("ok")]), tool_call(port)) == Done("ok")

    assert round(anyio.current_time() - since, 6) == 10
    assert port.events == [RateLimitWaited(call_id="u1", waited_s=pytest.approx(10))]


async def test_other_tools_are_free():
    layer = RateLimit(tool_calls={"other": 1}, per_s=10)
    since = anyio.current_time()

    for _ in range(5):
        await drive_tool([layer], Script([Done("ok")]), tool_call())

    assert anyio.current_time() == since


async def test_a_tool_beyond_its_limit_is_refused_with_a_time():
    layer = RateLimit(tool_calls={"lookup": 1}, per_s=60, max_wait_s=1)
    await drive_tool([layer], Script([Done("ok")]), tool_call())

    outcome = await drive_tool([layer], Script([Done("ok")]), tool_call())

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("refused", True)
    assert "Try again in 60.0 s" in outcome.message


async def test_a_limiter_of_tools_alone_leaves_models_alone():
    layer = RateLimit(requests=None, tool_calls={"lookup": 1})

    assert await times(layer, Script([reply("ok")]), 700) == [0] * 700


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"requests": 0}, "requests"),
        ({"requests": True}, "requests"),
        ({"tokens": -5}, "tokens"),
        ({"tokens": 1.5}, "tokens"),
        ({"per_s": 0}, "per_s"),
        ({"per_s": float("nan")}, "per_s"),
        ({"max_wait_s": 0}, "max_wait_s"),
        ({"tool_calls": {"a": 0}}, "tool_calls"),
        ({"tool_calls": ["a"]}, "tool_calls"),
        ({"reply_tokens": -1}, "reply_tokens"),
        ({"transit_s": 0}, "transit_s"),
        ({"transit_s": 60}, "transit_s"),
        ({"learn": 1}, "learn"),
        ({"requests": None}, "requests, tokens and tool_calls"),
    ],
)
def test_illegal_values_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        RateLimit(**facts)


def test_the_limiter_must_stand_outside_of_the_timeout():
    with pytest.raises(ImpossibleOrder, match=r"RateLimit.*Timeout"):
        check_order([Timeout(), RateLimit()])
