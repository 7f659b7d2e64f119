"""The values that layers receive: what they check, and what stays out of comparison."""

import attrs
import pytest

from par import (
    ModelCall,
    PromptCache,
    RunCall,
    RunContext,
    RunIncomplete,
    RunResult,
    Settings,
    ToolCall,
    ToolNames,
    Usage,
)
from par.calls import no_tool
from par.outcomes import Failed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_tokens": 0},
        {"max_tokens": -1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_by_name(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        Settings(**fields)


@pytest.mark.parametrize("fields", [{"temperature": 0}, {"temperature": 2}, {"top_p": 1}, {"max_tokens": 1}], ids=str)
def test_settings_at_the_edge_of_their_range_are_taken(fields):
    assert attrs.asdict(Settings(**fields)) == {**attrs.asdict(Settings()), **fields}


@pytest.mark.parametrize("names", [(), [], [""], ""], ids=repr)
def test_a_choice_of_tools_names_at_least_one(names):
    with pytest.raises(ValueError, match="at least one tool"):
        ToolNames(names)


def test_a_choice_of_tools_may_be_written_as_one_name():
    assert ToolNames("weather") == ToolNames(("weather",), required=True) == ToolNames(["weather"])


def test_a_cache_is_kept_for_one_of_the_times_that_providers_have():
    with pytest.raises(ValueError, match="ttl is"):
        PromptCache(ttl="2d")


def test_calls_are_compared_by_what_they_say_and_not_by_where_they_run():
    here = ToolCall(id="1", name="t", arguments={"x": 1}, ctx=RunContext("deps"))
    there = ToolCall(id="1", name="t", arguments={"x": 1})

    assert here == there
    assert here != attrs.evolve(there, arguments={"x": 2})
    assert ModelCall(model="m", messages=()) == ModelCall(model="m", messages=(), ctx=RunContext("deps"))
    assert RunCall(input=()) == RunCall(input=(), ctx=RunContext("deps"))


def test_the_output_of_a_run_is_its_value():
    assert RunResult(value="hello").output == "hello"
    assert RunResult(value=None).output is None


def test_the_output_of_a_run_without_one_says_how_the_run_ended():
    with pytest.raises(RunIncomplete) as caught:
        _ = RunResult(stop_reason="max_steps", cause="50 steps").output

    assert (caught.value.stop_reason, caught.value.cause) == ("max_steps", "50 steps")


async def test_the_stand_in_for_a_missing_tool_names_the_tools_that_there_are():
    tool = no_tool("wether", ("weather", "time"))

    outcome = await tool.invoke(ToolCall(id="1", name="wether", arguments={}))

    assert outcome == Failed(kind="unknown_tool", message="There is no tool 'wether'. The tools are: weather, time.")
    assert (tool.problems({"x": 1}), tool.relaxed({"x": 1}), tool.result_problem(3)) == ((), {"x": 1}, None)


async def test_the_stand_in_says_when_there_are_no_tools():
    outcome = await no_tool("x", ()).invoke(ToolCall(id="1", name="x", arguments={}))

    assert outcome.message == "There is no tool 'x'. There are no tools."


def test_usage_adds_up():
    total = Usage(input_tokens=3, requests=1) + Usage(input_tokens=4, output_tokens=5, requests=1)

    assert (total.input_tokens, total.output_tokens, total.requests) == (7, 5, 2)


@pytest.mark.parametrize("name", ["temperature", "top_p", "max_tokens", "seed"])
def test_a_boolean_is_no_number_in_settings(name):
    with pytest.raises(TypeError, match=name):
        Settings(**{name: True})
