"""One call of a tool: what comes in, and what it comes to."""

from typing import Annotated

import anyio
import attrs
import pytest

from par import Cancelled, Done, Failed, Handoff, Param, RunContext, ToolCall, ToolFailed, tool
from par._shape.shape import MAX_PROBLEMS
from par.errors import CommandRefused, InvalidArguments, MissingDeps

pytestmark = pytest.mark.anyio


@attrs.frozen
class Place:
    city: str = attrs.field(validator=attrs.validators.min_len(1))


@attrs.frozen
class Nasty:
    x: int

    def __attrs_post_init__(self):
        raise RuntimeError("no")


@tool
async def weather(place: Place, days: Annotated[int, Param(ge=1)] = 1) -> str:
    """W."""
    return f"{place.city} {days}"


async def called(a_tool, /, **arguments):
    return await a_tool.invoke(ToolCall(id="1", name=a_tool.spec.name, arguments=arguments))


async def test_arguments_are_structured():
    assert await called(weather, place={"city": "Rome"}, days=2) == Done("Rome 2")


async def test_arguments_that_do_not_fit_are_told_and_the_tool_is_not_called():
    outcome = await called(weather, place={"city": ""}, days=0)

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, InvalidArguments)
    assert (outcome.kind, outcome.retryable, outcome.error_type) == ("invalid_arguments", False, "InvalidArguments")
    assert outcome.message == (
        "weather was not called. place: Length of 'city' must be >= 1: 0. days: must be at least 1, got the number 0."
    )


@pytest.mark.parametrize("way", ["invoke", "problems"])
async def test_no_more_problems_are_told_than_a_model_can_use(way):
    @tool
    async def many(x: list[tuple[int, int]], y: list[int]) -> str:
        return ""

    arguments = {"x": [["a", "b"]] * 50, "y": ["c"] * 50}
    outcome = await called(many, **arguments)
    found = outcome.error.problems if way == "invoke" else many.problems(arguments)

    assert len(found) == MAX_PROBLEMS


async def test_a_class_that_raises_whatever_it_likes_does_not_end_the_run():
    @tool
    async def take(nasty: Nasty) -> str:
        return ""

    outcome = await called(take, nasty={"x": 1})

    assert outcome.message == "take was not called. nasty: no."


@pytest.mark.parametrize(
    ("error", "kind", "message", "retryable"),
    [
        (ToolFailed("no such city"), "failed", "no such city", False),
        (ToolFailed("busy", retryable=True), "failed", "busy", True),
        (CommandRefused("denied", "No."), "refused", "[bash:denied] at command: No.", False),
        (KeyError("x"), "crashed", "fails crashed: KeyError: 'x'", False),
        (InvalidArguments("fails", ["x is odd."]), "invalid_arguments", "fails was not called. x is odd.", False),
        (ExceptionGroup("g", [ToolFailed("no such city")]), "failed", "no such city", False),
        (ExceptionGroup("g", [ExceptionGroup("h", [ToolFailed("in")])]), "failed", "in", False),
        (
            ExceptionGroup("g", [ToolFailed("a"), ToolFailed("b")]),
            "crashed",
            "fails crashed: ExceptionGroup: g (2 sub-exceptions)",
            False,
        ),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_a_tool_raises_is_told_to_the_model(error, kind, message, retryable):
    @tool
    async def fails() -> str:
        raise error

    outcome = await called(fails)

    assert (outcome.kind, outcome.message, outcome.retryable) == (kind, message, retryable)


async def test_a_failure_in_a_task_group_of_the_tool_is_its_failure():
    @tool
    async def fails() -> str:
        async def inner():
            raise ToolFailed("no such city")

        async with anyio.create_task_group() as group:
            group.start_soon(inner)
        return ""

    outcome = await called(fails)

    assert (outcome.kind, outcome.message, outcome.error_type) == ("failed", "no such city", "ToolFailed")


@pytest.mark.parametrize(
    "outcome", [Handoff(target="other"), Cancelled(reason="r"), Done("x")], ids=lambda o: type(o).__name__
)
async def test_an_outcome_that_a_tool_returns_is_the_outcome(outcome):
    @tool
    async def decide() -> Handoff | Cancelled | Done[str]:
        return outcome

    assert await called(decide) is outcome


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "gives returned int instead of text"),
        (None, "gives returned NoneType instead of text"),
    ],
)
async def test_a_result_of_another_type_is_a_failure(value, message):
    @tool
    async def gives() -> str:
        return value

    outcome = await called(gives)

    assert (outcome.kind, outcome.message) == ("invalid_result", message)


@pytest.mark.parametrize(
    "value", [object(), 10**5000, float("nan"), {1: 2, "1": 3}], ids=lambda value: type(value).__name__
)
async def test_a_result_without_json_is_a_failure(value):
    @tool
    async def gives():
        return value

    outcome = await called(gives)

    assert outcome.kind == "invalid_result"


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_cancellation_goes_through_and_is_no_outcome(kind):
    @tool
    async def waits() -> str:
        await anyio.sleep_forever()
        return ""

    @tool
    def quick() -> str:
        return ""

    with anyio.CancelScope() as scope:
        scope.cancel()
        await called(waits if kind == "async" else quick)
        pytest.fail("the call returned")

    assert scope.cancelled_caught


def test_deps_are_missed_only_where_a_type_is_declared():
    @tool
    async def typed(ctx: RunContext[Place]) -> str:
        return ""

    @tool
    async def untyped(ctx: RunContext) -> str:
        return ""

    untyped.check_deps(None)
    typed.check_deps(Place("Rome"))
    with pytest.raises(MissingDeps, match="the tool typed needs deps of type Place: pass deps=... to run"):
        typed.check_deps(None)


def test_slips_are_mended_on_request_alone():
    slip = {"place": '{"city": "Rome"}', "days": "2"}

    assert weather.problems(slip) != ()
    assert weather.relaxed(slip) == {"place": {"city": "Rome"}, "days": 2}
    assert weather.problems(weather.relaxed(slip)) == ()
