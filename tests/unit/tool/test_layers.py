"""Layers around one tool alone: ``@weather.middleware``."""

import threading

import pytest

from par import Done, RunContext, ToolCall, tool
from par.errors import ToolDefinitionError

pytestmark = pytest.mark.anyio


def made(kind):
    """Return a fresh tool that says its arguments, and the list of what happened."""
    seen = []

    async def in_loop(city: str, days: int = 1) -> str:
        seen.append(f"{city} {days}")
        return f"{city} for {days}"

    def in_thread(city: str, days: int = 1) -> str:
        seen.append(f"{city} {days}")
        assert threading.current_thread() is not threading.main_thread()
        return f"{city} for {days}"

    return tool(name="weather")(in_loop if kind == "async" else in_thread), seen


async def called(a_tool, /, **arguments):
    return await a_tool.invoke(ToolCall(id="1", name=a_tool.spec.name, arguments=arguments, ctx=RunContext("the deps")))


both = pytest.mark.parametrize("kind", ["async", "sync"])


@both
async def test_the_first_layer_is_outermost(kind):
    weather, seen = made(kind)

    @weather.middleware
    async def outer(ctx, call_next, city, days=1):
        seen.append("outer in")
        answer = await call_next(city=city, days=days)
        seen.append("outer out")
        return answer

    @weather.middleware
    async def inner(ctx, call_next, city, days=1):
        seen.append("inner in")
        answer = await call_next(city=city, days=days)
        seen.append("inner out")
        return answer

    assert await called(weather, city="Rome") == Done("Rome for 1")
    assert seen == ["outer in", "inner in", "Rome 1", "inner out", "outer out"]


@both
async def test_a_layer_may_answer_by_itself(kind):
    weather, seen = made(kind)

    @weather.middleware
    async def cached(ctx, call_next, city, days=1):
        return "known"

    assert await called(weather, city="Rome") == Done("known")
    assert seen == []


@both
async def test_a_layer_may_change_arguments_and_result(kind):
    weather, _ = made(kind)

    @weather.middleware
    async def loud(ctx, call_next, city, days=1):
        return (await call_next(city=city.upper(), days=days + 1)) + "!"

    assert await called(weather, city="Rome", days=3) == Done("ROME for 4!")


@both
@pytest.mark.parametrize(
    "pass_on",
    [
        lambda call_next: call_next("Oslo", 2),
        lambda call_next: call_next("Oslo", days=2),
        lambda call_next: call_next(days=2, city="Oslo"),
    ],
    ids=["by place", "mixed", "by name"],
)
async def test_arguments_are_passed_on_by_place_or_by_name(kind, pass_on):
    weather, _ = made(kind)

    @weather.middleware
    async def layer(ctx, call_next, city, days=1):
        return await pass_on(call_next)

    assert await called(weather, city="Rome") == Done("Oslo for 2")


@pytest.mark.parametrize("wrong", [("Oslo", 2, 3), ("Oslo", {"city": "Rome"})], ids=["too many", "twice"])
async def test_arguments_that_do_not_fit_the_function_are_a_crash_that_says_so(wrong):
    weather, _ = made("async")

    @weather.middleware
    async def layer(ctx, call_next, city, days=1):
        named = wrong[-1] if isinstance(wrong[-1], dict) else {}
        return await call_next(*[part for part in wrong if part is not named], **named)

    outcome = await called(weather, city="Rome")

    assert outcome.message == "weather crashed: TypeError: call_next of weather takes (city, days), each once"


@both
async def test_a_layer_may_call_on_twice(kind):
    weather, seen = made(kind)

    @weather.middleware
    async def twice(ctx, call_next, city, days=1):
        await call_next(city=city)
        return await call_next(city=city)

    await called(weather, city="Rome")

    assert seen == ["Rome 1", "Rome 1"]


@both
async def test_a_layer_has_the_context_of_the_call(kind):
    weather, _ = made(kind)

    @weather.middleware
    async def layer(ctx, call_next, city, days=1):
        return f"{ctx.deps}"

    assert await called(weather, city="Rome") == Done("the deps")


async def test_what_a_layer_raises_is_an_outcome_like_what_the_tool_raises():
    weather, _ = made("async")

    @weather.middleware
    async def layer(ctx, call_next, city, days=1):
        raise KeyError(city)

    assert (await called(weather, city="Rome")).message == "weather crashed: KeyError: 'Rome'"


async def test_a_result_of_another_type_is_a_failure_whoever_returned_it():
    weather, _ = made("async")

    @weather.middleware
    async def layer(ctx, call_next, city, days=1):
        return 3

    assert (await called(weather, city="Rome")).kind == "invalid_result"


async def test_layers_do_not_see_arguments_that_do_not_fit():
    weather, seen = made("async")

    @weather.middleware
    async def layer(ctx, call_next, city, days=1):
        seen.append("layer")
        return ""

    await called(weather, city=3)

    assert seen == []


@both
@pytest.mark.parametrize("layered", [True, False])
async def test_a_layer_is_refused_once_the_tool_was_called(kind, layered):
    weather, _ = made(kind)

    async def layer(ctx, call_next, city, days=1):
        return await call_next(city, days)

    if layered:
        weather.middleware(layer)
    await called(weather, city="Rome")

    with pytest.raises(ToolDefinitionError, match="a layer was attached after the first call"):
        weather.middleware(layer)


@pytest.mark.parametrize("layer", [3, lambda ctx, call_next, city: "", str], ids=["number", "plain", "class"])
async def test_what_is_no_async_function_is_no_layer(layer):
    weather, _ = made("async")

    with pytest.raises(ToolDefinitionError, match="a layer is an async function"):
        weather.middleware(layer)


async def test_the_decorator_leaves_the_layer_as_it_was():
    weather, _ = made("async")

    async def layer(ctx, call_next, city, days=1):
        return ""

    assert weather.middleware(layer) is layer
