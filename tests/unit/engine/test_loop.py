"""The ReAct loop: what is asked, what is answered, and how a run ends."""

import attrs
import pytest

from par import (
    Agent,
    Assistant,
    Done,
    Failed,
    Handoff,
    ModelReply,
    NeedsApproval,
    RunContext,
    RunIncomplete,
    Runtime,
    Settings,
    System,
    Text,
    ToolFailed,
    ToolOutcome,
    ToolResults,
    Usage,
    User,
    tool,
    wrap_model,
    wrap_tool,
)
from par.errors import EmptyReply, InvalidOutput, InvalidReply, MissingDeps, Overloaded, ReplyTruncated
from par.messages import Opaque
from par.testing import ScriptedModel, ScriptExhausted, call, fail, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


async def test_a_run_without_tools_returns_the_text():
    result = await Agent(ScriptedModel([say("hello")])).run("hi")

    assert (result.output, result.steps, result.stop_reason) == ("hello", 1, "finished")
    assert result.messages == (User((Text("hi"),)), Assistant((Text("hello"),)))


async def test_tool_results_go_back_to_the_model_in_call_order():
    model = ScriptedModel([[call("weather", city="Paris"), call("weather", city="Rome")], say("done")])

    await Agent(model, tools=[weather]).run("go")

    results = model.calls[1].messages[-1]
    assert isinstance(results, ToolResults)
    assert [result.content for result in results.results] == ["sunny in Paris", "sunny in Rome"]


async def test_instructions_head_each_call_and_are_no_part_of_the_history():
    model = ScriptedModel([call("weather", city="Paris"), say("done")])

    result = await Agent(model, tools=[weather], instructions="be brief").run("go")

    assert [c.messages[0] for c in model.calls] == [System("be brief"), System("be brief")]
    assert not any(isinstance(message, System) for message in result.messages)


async def test_instructions_may_be_computed_from_the_context():
    model = ScriptedModel([say("done")])

    await Agent(model, instructions=lambda ctx: f"you serve {ctx.deps}").run("go", deps="Ann")

    assert model.calls[0].messages[0] == System("you serve Ann")


async def test_settings_and_tool_specs_reach_the_model():
    model = ScriptedModel([say("done")])

    await Agent(model, tools=[weather], settings=Settings(temperature=0.5)).run("go")

    assert model.calls[0].settings.temperature == 0.5
    assert model.calls[0].tools == (weather.spec,)


async def test_the_step_limit_stops_the_run_after_its_tools_have_run():
    model = ScriptedModel([call("weather", city="Paris")] * 9)

    result = await Agent(model, tools=[weather], max_steps=3).run("go")

    assert (result.stop_reason, result.steps) == ("max_steps", 3)
    assert isinstance(result.messages[-1], ToolResults)
    with pytest.raises(RunIncomplete, match="max_steps"):
        _ = result.output


async def test_usage_adds_up_over_the_run():
    model = ScriptedModel([
        [say("", usage=Usage(input_tokens=5, output_tokens=1)), call("weather", city="P")],
        say("done", usage=Usage(input_tokens=9, output_tokens=2)),
    ])

    result = await Agent(model, tools=[weather]).run("go")

    assert (result.usage.input_tokens, result.usage.output_tokens, result.usage.requests) == (14, 3, 2)


async def test_a_model_error_is_raised_and_the_history_stays_valid():
    error = Overloaded(status=529)
    async with Runtime() as runtime:
        with pytest.raises(Overloaded) as caught:
            await runtime.run(Agent(ScriptedModel([fail(error)])), "go", session="s")

        assert caught.value is error
        assert runtime.history("s") == (User((Text("go"),)),)


async def test_an_empty_answer_is_an_error_and_not_an_answer():
    with pytest.raises(EmptyReply):
        await Agent(ScriptedModel([say("")])).run("go")


async def test_an_answer_cut_by_the_content_filter_is_an_error():
    with pytest.raises(InvalidReply, match="content filter"):
        await Agent(ScriptedModel([say("half", finish="content_filter")])).run("go")


async def test_an_answer_cut_by_length_is_continued_and_stored_as_one_message():
    model = ScriptedModel([say("one ", finish="length"), say("two ", finish="length"), say("three")])

    result = await Agent(model).run("count")

    assert result.output == "one two three"
    assert result.messages[-1] == Assistant((Text("one two three"),))
    assert len(result.messages) == 2
    assert model.calls[2].messages[-2] == Assistant((Text("one two "),))


async def test_continuations_are_bounded():
    model = ScriptedModel([say("more ", finish="length")] * 9)

    with pytest.raises(ReplyTruncated, match="2 continuations"):
        await Agent(model, max_continuations=2).run("count")

    assert len(model.calls) == 3


async def test_an_empty_answer_cut_by_length_is_an_error():
    with pytest.raises(ReplyTruncated):
        await Agent(ScriptedModel([say("", finish="length")])).run("go")


def paused(*blocks):
    return ModelReply(message=Assistant(blocks), finish="paused")


SEARCH = Opaque("anthropic", {"type": "server_tool_use", "id": "s"})
FOUND = Opaque("anthropic", {"type": "web_search_tool_result", "tool_use_id": "s"})


async def test_a_paused_answer_goes_on_when_it_is_sent_back_as_it_is():
    model = ScriptedModel([paused(SEARCH), paused(FOUND, Text("so ")), say("it is")])

    result = await Agent(model).run("search")

    asked = User((Text("search"),))
    assert [c.messages for c in model.calls[1:]] == [
        (asked, Assistant((SEARCH,))),
        (asked, Assistant((SEARCH, FOUND, Text("so ")))),
    ]
    assert result.messages == (asked, Assistant((SEARCH, FOUND, Text("so "), Text("it is"))))
    assert (result.output, result.steps) == ("so it is", 3)


async def test_a_paused_answer_that_asks_for_tools_in_the_end_keeps_what_was_said_before():
    model = ScriptedModel([paused(SEARCH, FOUND), call("weather", city="Paris"), say("done")])

    result = await Agent(model, tools=[weather]).run("go")

    assert result.messages[1].content[:2] == (SEARCH, FOUND)
    assert [use.name for use in result.messages[1].tool_uses] == ["weather"]


async def test_an_answer_that_is_paused_and_then_cut_loses_nothing():
    model = ScriptedModel([paused(SEARCH, FOUND), say("one ", finish="length"), say("two")])

    result = await Agent(model).run("search")

    assert model.calls[2].messages[-2] == Assistant((SEARCH, FOUND, Text("one ")))
    assert result.messages[-1] == Assistant((SEARCH, FOUND, Text("one two")))


async def test_an_answer_that_stays_paused_ends_with_the_steps():
    model = ScriptedModel([paused(SEARCH)] * 9)

    result = await Agent(model, max_steps=3).run("search")

    assert (result.stop_reason, len(model.calls)) == ("max_steps", 3)
    assert result.messages[-1] == Assistant((SEARCH, SEARCH, SEARCH))


async def test_an_unknown_tool_is_told_to_the_model():
    model = ScriptedModel([call("wether", city="Paris"), say("sorry")])

    result = await Agent(model, tools=[weather]).run("go")

    assert result.messages[-2].results[0].outcome == "failed"
    assert "The tools are: weather." in result.messages[-2].results[0].content


async def test_one_malformed_call_spoils_only_itself():
    from par.testing._scripted import call_malformed

    model = ScriptedModel([[call_malformed("weather", '{"city": "Par'), call("weather", city="Rome")], say("done")])

    result = await Agent(model, tools=[weather]).run("go")

    first, second = result.messages[-2].results
    assert first.outcome == "failed" and "not a JSON object" in first.content
    assert second.content == "sunny in Rome"


@attrs.frozen
class Report:
    city: str
    degrees: int


async def test_structured_output_has_the_declared_type():
    result = await Agent(ScriptedModel([say('{"city": "Paris", "degrees": 21}')]), output=Report).run("go")

    assert result.output == Report("Paris", 21)


async def test_structured_output_may_stand_in_a_fence():
    result = await Agent(ScriptedModel([say('```json\n{"city": "Paris", "degrees": 21}\n```')]), output=Report).run("x")

    assert result.output.city == "Paris"


async def test_output_types_that_are_no_objects_are_asked_for_in_one():
    model = ScriptedModel([say('{"value": [1, 2]}')])

    result = await Agent(model, output=list[int]).run("go")

    assert result.output == [1, 2]
    assert model.calls[0].output.schema["properties"]["value"]["type"] == "array"


@pytest.mark.parametrize("text", ["Paris", '{"city": 3, "degrees": 1}', '{"city": "Paris"}', "[1]"])
async def test_an_answer_of_another_type_is_an_error(text):
    with pytest.raises(InvalidOutput):
        await Agent(ScriptedModel([say(text)]), output=Report).run("go")


async def test_a_handoff_ends_the_run_and_its_call_has_a_result():
    @tool
    async def transfer(to: str) -> ToolOutcome:
        """Hand the conversation over."""
        return Handoff(target=to, task="the rest")

    result = await Agent(ScriptedModel([call("transfer", to="billing")]), tools=[transfer]).run("go")

    assert result.stop_reason == "handed_off"
    assert result.handoff == Handoff(target="billing", task="the rest")
    assert result.messages[-1].results[0].outcome == "handoff"


async def test_a_call_that_needs_approval_suspends_the_run():
    @tool
    async def pay(amount: int) -> ToolOutcome:
        """Pay."""
        return NeedsApproval(prompt=f"pay {amount}?")

    result = await Agent(ScriptedModel([call("pay", amount=3)]), tools=[pay]).run("go")

    assert result.stop_reason == "suspended"
    assert result.approvals == (NeedsApproval(prompt="pay 3?"),)


async def test_a_tool_with_typed_deps_refuses_a_run_without_them():
    class Deps: ...

    async def needs(ctx: RunContext[Deps]) -> str:
        """Need."""
        return "x"

    needs.__annotations__["ctx"] = RunContext[Deps]
    model = ScriptedModel([say("x")])

    with pytest.raises(MissingDeps, match="Deps"):
        await Agent(model, tools=[tool(needs)]).run("go")
    assert model.calls == []


async def test_earlier_messages_precede_the_prompt():
    model = ScriptedModel([say("second")])
    first = await Agent(ScriptedModel([say("first")])).run("one")

    result = await Agent(model).run("two", messages=first.messages)

    assert [m.text for m in model.calls[0].messages] == ["one", "first", "two"]
    assert len(result.messages) == 4


async def test_an_agent_is_a_plain_async_function_away():
    async def echo(call):
        return ModelReply(message=Assistant((Text(call.messages[-1].text.upper()),)))

    assert (await Agent(echo).run("hi")).output == "HI"


async def test_a_model_that_returns_something_else_is_a_programming_error():
    async def wrong(call):
        return "text"

    with pytest.raises(TypeError, match="ModelReply"):
        await Agent(wrong).run("hi")


async def test_a_layer_that_returns_something_else_is_a_programming_error():
    @wrap_tool
    async def wrong(call, call_next):
        return "text"

    with pytest.raises(TypeError, match="outcome"):
        await Agent(ScriptedModel([call("weather", city="P")]), tools=[weather], middleware=[wrong]).run("hi")


async def test_a_bug_in_a_layer_is_raised_and_not_told_to_the_model():
    @wrap_tool
    async def buggy(call, call_next):
        if call.arguments["city"] == "P":
            raise ZeroDivisionError
        return await call_next(call)

    model = ScriptedModel([[call("weather", city="P"), call("weather", city="Q")], say("x")])
    with pytest.raises(ZeroDivisionError):
        await Agent(model, tools=[weather], middleware=[buggy]).run("hi")


async def test_a_layer_may_refuse_a_call_with_an_error_of_par():
    @wrap_tool
    async def strict(call, call_next):
        raise ToolFailed("not on Sundays")

    model = ScriptedModel([call("weather", city="P"), say("ok")])
    result = await Agent(model, tools=[weather], middleware=[strict]).run("hi")

    assert result.messages[-2].results[0].content == "not on Sundays"


async def test_what_a_layer_hands_on_is_what_the_tool_gets():
    @wrap_tool
    async def elsewhere(call, call_next):
        return await call_next(attrs.evolve(call, arguments={"city": "Oslo"}))

    model = ScriptedModel([call("weather", city="Paris"), say("ok")])
    result = await Agent(model, tools=[weather], middleware=[elsewhere]).run("hi")

    assert result.messages[-2].results[0].content == "sunny in Oslo"


async def test_a_layer_may_answer_in_place_of_the_tool():
    @wrap_tool
    async def cached(call, call_next):
        return Done("from the cache")

    model = ScriptedModel([call("weather", city="Paris"), say("ok")])
    result = await Agent(model, tools=[weather], middleware=[cached]).run("hi")

    assert result.messages[-2].results[0].content == "from the cache"


async def test_a_layer_may_call_the_model_twice():
    @wrap_model
    async def twice(call, call_next):
        await call_next(call)
        return await call_next(call)

    model = ScriptedModel([say("first"), say("second")])

    assert (await Agent(model, middleware=[twice]).run("hi")).output == "second"


async def test_concurrent_runs_of_one_agent_share_nothing():
    import anyio

    agent = Agent(ScriptedModel([call("weather", city="P"), say("done")]), tools=[weather])
    results = []

    async def one(number):
        results.append(await agent.run(f"run {number}"))

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(one, number)

    assert sorted(r.messages[0].text for r in results) == sorted(f"run {n}" for n in range(20))
    assert {r.steps for r in results} == {2}
    assert len({r.run_id for r in results}) == 20


async def test_the_script_ends_with_a_clear_error():
    with pytest.raises(ScriptExhausted, match="1 replies"):
        await Agent(ScriptedModel([call("weather", city="P")]), tools=[weather]).run("hi")


async def test_a_failed_outcome_returned_by_a_tool_is_its_outcome():
    @tool
    async def picky(x: int) -> ToolOutcome:
        """Refuse."""
        return Failed(kind="failed", message="not this one")

    result = await Agent(ScriptedModel([call("picky", x=1), say("ok")]), tools=[picky]).run("hi")

    assert result.messages[-2].results[0].content == "not this one"
