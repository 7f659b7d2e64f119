"""Scenarios of tools."""

from typing import TypeAlias

from par.calls import ModelReply, Settings, ToolNames, ToolSpec
from par.messages import Assistant, Message, Text, ToolResult, ToolResults, ToolUse, User
from par.testing._contract.scenario import Scenario, Stage, scenario
from par.testing._contract.subject import expect
from par.testing._scripted import Call, Say, call, call_malformed, say

__all__ = ["BOTH", "QUESTION", "TOOLS", "answered"]

WEATHER = ToolSpec(
    name="weather",
    description="Tell the weather of a city.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    effect="read",
)
TIME = ToolSpec(name="time", description="Tell the time.", parameters={"type": "object", "properties": {}})
BOTH = (WEATHER, TIME)
Said: TypeAlias = Say | Call

QUESTION = User((Text("How is the weather?"),))


def answered(reply: ModelReply, *results: str, question: User = QUESTION) -> tuple[Message, ...]:
    """Return the conversation after the tools that a reply asks for have answered."""
    uses = reply.message.tool_uses
    expect(len(uses) == len(results), f"{len(results)} tools should have been called, not {len(uses)}")
    told = tuple(
        ToolResult(tool_use_id=use.id, name=use.name, content=result) for use, result in zip(uses, results, strict=True)
    )
    return (question, reply.message, ToolResults(told))


@scenario()
async def a_tool_is_called_and_answers(stage: Stage) -> None:
    """The call comes with its arguments, and its result goes back as a result."""
    async with stage.bench([call("weather", city="Zürich"), say("Sunny.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)

        expect(reply.finish == "tool_uses", f"the finish is {reply.finish!r}")
        uses = [(use.name, use.arguments, use.malformed) for use in reply.message.tool_uses]
        expect(uses == [("weather", {"city": "Zürich"}, None)], f"the tool uses are {uses!r}")
        last = await bench.ask(answered(reply, "sunny in Zürich"), tools=BOTH)
        expect(last.message.text == "Sunny.", f"got {last.message!r}")
        expect("sunny in Zürich" in bench.sent(), "the result was not sent")
        expect("Tell the weather of a city." in bench.sent(), "the description of the tool was not sent")


@scenario()
async def parallel_calls_keep_their_order(stage: Stage) -> None:
    """Several calls in one answer, with text before them, come and go back in order."""
    line: list[Said] = [say("Let me see."), call("weather", city="A"), call("time"), call("weather", city="B")]
    async with stage.bench([line, say("Done.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)

        cities = [use.arguments.get("city", use.name) for use in reply.message.tool_uses]
        expect(cities == ["A", "time", "B"], f"the calls came as {cities!r}")
        expect(reply.message.text == "Let me see.", f"the text is {reply.message.text!r}")
        await bench.ask(answered(reply, "first", "second", "third"), tools=BOTH)
        sent = bench.sent()
        places = [sent.find(text) for text in ("first", "second", "third")]
        expect(-1 not in places and places == sorted(places), f"the results were sent as {sent}")


@scenario()
async def ids_of_calls_are_kept(stage: Stage) -> None:
    """The provider's own ids are never rewritten."""
    ids = ("toolu_01AbC-xyz", "call_9f8e7d")
    uses = (ToolUse(ids[0], "weather", {"city": "A"}), ToolUse(ids[1], "weather", {"city": "B"}))
    async with stage.bench([ModelReply(message=Assistant(uses), finish="tool_uses"), say("Done.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)

        got = tuple(use.id for use in reply.message.tool_uses)
        expect(got == ids, f"the ids are {got!r}")
        await bench.ask(answered(reply, "1", "2"), tools=BOTH)
        for id_ in ids:
            expect(bench.sent().count(f"'{id_}'") == 2, f"{id_} went back as something else: {bench.sent()}")


@scenario(modes=(False,))
async def ids_of_other_providers_are_taken(stage: Stage) -> None:
    """A conversation that another provider began goes on, whatever its ids look like."""
    use = ToolUse("call|a:b/c.0", "weather", {"city": "A"})
    result = ToolResult(tool_use_id=use.id, name=use.name, content="rain")
    async with stage.bench([say("Rain.")]) as bench:
        reply = await bench.ask((QUESTION, Assistant((use,)), ToolResults((result,))), tools=BOTH)

        expect(reply.message.text == "Rain.", f"got {reply.message!r}")


@scenario(modes=(False,))
async def a_failed_tool_is_told(stage: Stage) -> None:
    """A result that is an error goes back, as an error where the API has such."""
    async with stage.bench([call("weather", city="A"), say("It broke.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)
        expect(reply.message.tool_uses, "no tool was called")
        use = reply.message.tool_uses[0]
        failed = ToolResult(tool_use_id=use.id, name=use.name, content="no such city", outcome="failed")
        await bench.ask((QUESTION, reply.message, ToolResults((failed,))), tools=BOTH)

        expect("no such city" in bench.sent(), "the error was not sent")
        if stage.api == "anthropic":
            expect("'is_error': True" in bench.sent(), "the result is not marked as an error")


@scenario()
async def malformed_arguments_spoil_only_their_call(stage: Stage) -> None:
    """The text of arguments that are no JSON is kept, the other call is whole, and the conversation goes on."""
    line: list[Said] = [call_malformed("weather", '{"city": "A'), call("weather", city="B")]
    async with stage.bench([line, say("One of two.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)

        uses = [(use.arguments, use.malformed) for use in reply.message.tool_uses]
        expect(uses == [({}, '{"city": "A'), ({"city": "B"}, None)], f"the tool uses are {uses!r}")
        last = await bench.ask(answered(reply, "your arguments are no JSON", "rain"), tools=BOTH)
        expect(last.message.text == "One of two.", f"got {last.message!r}")


@scenario()
async def a_call_without_arguments(stage: Stage) -> None:
    """No arguments are an empty object, there and back."""
    async with stage.bench([call("time"), say("Noon.")]) as bench:
        reply = await bench.ask((QUESTION,), tools=BOTH)

        uses = [(use.arguments, use.malformed) for use in reply.message.tool_uses]
        expect(uses == [({}, None)], f"the tool uses are {uses!r}")
        await bench.ask(answered(reply, "noon"), tools=BOTH)


@scenario(modes=(False,))
async def a_tool_must_be_called(stage: Stage) -> None:
    """tool_choice="required" is sent in the API's words."""
    wanted = {"chat": "required", "responses": "required", "anthropic": {"type": "any"}}[stage.api]
    await _choice(stage, Settings(tool_choice="required"), wanted)


@scenario(modes=(False,))
async def no_tool_may_be_called(stage: Stage) -> None:
    """tool_choice="none" is sent in the API's words; the tools stay in the request, or the history has unknown ones."""
    wanted = {"chat": "none", "responses": "none", "anthropic": {"type": "none"}}[stage.api]
    await _choice(stage, Settings(tool_choice="none"), wanted)


@scenario(modes=(False,))
async def a_named_tool_must_be_called(stage: Stage) -> None:
    """ToolNames of one tool forces that tool."""
    async with stage.bench([call("weather", city="A")]) as bench:
        await bench.ask((QUESTION,), tools=BOTH, settings=Settings(tool_choice=ToolNames("weather")))

        chosen = bench.request(0).body.get("tool_choice")
        expect(chosen not in (None, "auto"), "the choice was not sent")
        expect("weather" in str(chosen) or "time" not in bench.sent(), f"the choice was sent as {chosen!r}")


async def _choice(stage: Stage, settings: Settings, wanted: object) -> None:
    async with stage.bench([say("Yes.")]) as bench:
        await bench.ask((QUESTION,), tools=BOTH, settings=settings)

        chosen = bench.request(0).body.get("tool_choice")
        expect(chosen == wanted, f"the choice was sent as {chosen!r}, and should be {wanted!r}")


@scenario(modes=(False,))
async def one_call_at_a_time(stage: Stage) -> None:
    """parallel_tool_uses=False is sent in the API's words."""
    async with stage.bench([say("Yes.")]) as bench:
        await bench.ask((QUESTION,), tools=BOTH, settings=Settings(parallel_tool_uses=False))

        body = bench.request(0).body
        told: object = body.get("parallel_tool_calls")
        if stage.api == "anthropic":
            choice = body.get("tool_choice")
            told = not (isinstance(choice, dict) and choice.get("disable_parallel_tool_use"))
        expect(told is False, f"the request does not say so: {bench.sent()}")


TOOLS: tuple[Scenario, ...] = (
    a_tool_is_called_and_answers,
    parallel_calls_keep_their_order,
    ids_of_calls_are_kept,
    ids_of_other_providers_are_taken,
    a_failed_tool_is_told,
    malformed_arguments_spoil_only_their_call,
    a_call_without_arguments,
    a_tool_must_be_called,
    no_tool_may_be_called,
    a_named_tool_must_be_called,
    one_call_at_a_time,
)
