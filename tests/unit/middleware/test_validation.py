"""Validation repairs what a model got wrong, within bounds, and teaches it how to call tools."""

import pytest
from unit.middleware.driving import (
    Port,
    Script,
    Tool,
    collector,
    drive_model,
    drive_tool,
    model_call,
    reply,
    tool_call,
    use,
)

from par.calls import OutputSpec, ToolSpec
from par.deltas import StreamRestarted, TextDelta
from par.errors import EmptyReply, InvalidOutput, UnexpectedToolUse
from par.events import ReplyRepaired
from par.messages import Assistant, Reasoning, Text, ToolResults, User
from par.middleware import PiiMask, Validation
from par.outcomes import Done, Failed
from par.usage import Usage

pytestmark = pytest.mark.anyio

TOOLS = (ToolSpec(name="lookup", description="", parameters={"type": "object"}),)


def number(text):
    if not text.isdigit():
        raise InvalidOutput(f"{text!r} is no number.")
    return int(text)


OUTPUT = OutputSpec(name="Number", schema={"type": "integer"}, parse=number)


async def test_a_good_reply_passes_as_it_is():
    good = reply("fine")

    assert await drive_model([Validation()], Script([good]), model_call()) is good


@pytest.mark.parametrize("empty", [reply(""), reply("  \n")], ids=["none", "blank"])
async def test_an_empty_reply_is_asked_for_again(empty):
    script = Script([empty, reply("here")])

    answer = await drive_model([Validation()], script, model_call())

    assert answer.message.text == "here"
    assert "empty" in script.calls[1].messages[-1].text


async def test_a_reply_of_thoughts_alone_is_empty():
    thinking = reply("")
    thinking = type(thinking)(message=Assistant((Reasoning("hm"),)))
    script = Script([thinking, reply("here")])

    assert (await drive_model([Validation()], script, model_call())).message.text == "here"


@pytest.mark.parametrize("finish", ["length", "content_filter", "paused"])
async def test_cut_and_filtered_replies_pass(finish):
    cut = reply("", finish=finish)

    assert await drive_model([Validation()], Script([cut]), model_call()) is cut


@pytest.mark.parametrize("repairs", [0, 1, 3])
async def test_repairs_are_bounded(repairs):
    script = Script([reply("")])

    with pytest.raises(EmptyReply) as caught:
        await drive_model([Validation(repairs=repairs)], script, model_call())

    assert caught.value.repairs == repairs
    assert len(script.calls) == repairs + 1


async def test_the_reply_carries_the_usage_of_all_attempts():
    def costs(text, tokens):
        return reply(text, usage=Usage(input_tokens=tokens, output_tokens=1, requests=1))

    answer = await drive_model([Validation()], Script([costs("", 10), costs("", 20), costs("ok", 30)]), model_call())

    assert answer.usage == Usage(input_tokens=60, output_tokens=3, requests=3)


async def test_each_repair_is_told_in_order():
    port = Port()

    await drive_model([Validation()], Script([reply(""), reply(""), reply("ok")]), model_call(port))

    assert port.events == [
        ReplyRepaired(call_id="call-1", attempt=1, problem="The answer was empty."),
        ReplyRepaired(call_id="call-1", attempt=2, problem="The answer was empty."),
    ]


async def test_the_reader_forgets_a_refused_reply_before_the_next():
    async def says(call, text):
        await call.emit(TextDelta(text))
        return reply(text)

    shown, emit = collector()
    script = Script([lambda call: says(call, "many"), lambda call: says(call, "12")])

    await drive_model([Validation()], script, model_call(emit=emit, stream=True, output=OUTPUT))

    assert shown == [TextDelta("many"), StreamRestarted(reason="'many' is no number."), TextDelta("12")]


async def test_output_of_the_wrong_type_is_sent_back_with_the_reason():
    script = Script([reply("many"), reply("12")])

    answer = await drive_model([Validation()], script, model_call(output=OUTPUT))

    assert answer.message.text == "12"
    refused, feedback = script.calls[1].messages[-2:]
    assert refused == Assistant((Text("many"),))
    assert isinstance(feedback, User)
    assert "'many' is no number." in feedback.text


async def test_output_that_stays_wrong_is_an_error():
    with pytest.raises(InvalidOutput, match="no number") as caught:
        await drive_model([Validation(repairs=1)], Script([reply("many")]), model_call(output=OUTPUT))

    assert caught.value.repairs == 1


async def test_a_tool_use_before_the_output_is_no_wrong_output():
    asks = reply("let me look", use())

    assert await drive_model([Validation()], Script([asks]), model_call(output=OUTPUT, tools=TOOLS)) is asks


async def test_an_unknown_tool_is_answered_in_a_valid_conversation():
    script = Script([reply("", use("search", id="u7")), reply("ok")])

    await drive_model([Validation()], script, model_call(tools=TOOLS))

    asked, answered = script.calls[1].messages[-2:]
    assert [one.id for one in asked.tool_uses] == ["u7"]
    assert isinstance(answered, ToolResults)
    assert [(one.tool_use_id, one.outcome) for one in answered.results] == [("u7", "failed")]
    assert "The tools are: lookup" in answered.results[0].content


async def test_an_unknown_tool_that_stays_is_an_error():
    with pytest.raises(UnexpectedToolUse, match="search"):
        await drive_model([Validation()], Script([reply("", use("search"))]), model_call(tools=TOOLS))


async def test_one_usable_tool_use_lets_the_whole_reply_pass():
    mixed = reply("", use("search", id="u1"), use("lookup", id="u2"), use("lookup", id="u3", malformed="{"))

    assert await drive_model([Validation()], Script([mixed]), model_call(tools=TOOLS)) is mixed


async def test_tools_where_there_are_none_are_refused_without_tool_blocks():
    script = Script([reply("I will look", use()), reply("ok")])

    await drive_model([Validation()], script, model_call())

    said, feedback = script.calls[1].messages[-2:]
    assert said == Assistant((Text("I will look"),))
    assert "no tools" in feedback.text


async def test_a_lone_tool_use_where_there_are_none_leaves_no_empty_message():
    script = Script([reply("", use()), reply("ok")])

    await drive_model([Validation()], script, model_call())

    assert [type(message) for message in script.calls[1].messages] == [User, User]


async def test_tools_where_there_are_none_are_an_error_in_the_end():
    with pytest.raises(UnexpectedToolUse, match="no tools"):
        await drive_model([Validation()], Script([reply("", use())]), model_call())


async def test_malformed_arguments_are_sent_back():
    script = Script([reply("", use(malformed="{oops")), reply("", use(arguments={"a": 1}))])

    answer = await drive_model([Validation()], script, model_call(tools=TOOLS))

    assert answer.message.tool_uses[0].arguments == {"a": 1}
    assert "not a JSON object" in script.calls[1].messages[-1].results[0].content


async def test_arguments_that_stay_malformed_go_the_way_of_failed_tool_results():
    script = Script([reply("", use(malformed="{oops"))])

    answer = await drive_model([Validation(repairs=1)], script, model_call(tools=TOOLS))

    assert answer.message.tool_uses[0].malformed == "{oops"
    assert len(script.calls) == 2


async def test_one_repair_builds_on_the_one_before():
    script = Script([reply(""), reply("many"), reply("12")])

    await drive_model([Validation()], script, model_call(output=OUTPUT))

    assert [len(call.messages) for call in script.calls] == [1, 2, 4]


async def test_malformed_arguments_never_reach_a_tool():
    script = Script([Done("ok")])

    outcome = await drive_tool([Validation()], script, tool_call(malformed="{oops"))

    assert (outcome.kind, script.calls) == ("invalid_arguments", [])
    assert "Send one JSON object" in outcome.message


async def test_wrong_arguments_come_back_with_all_their_problems():
    script = Script([Done("ok")])
    tool = Tool(problems=("city is missing.", "days must be a whole number, got 'two'."))

    outcome = await drive_tool([Validation()], script, tool_call(tool=tool))

    assert outcome == Failed(
        kind="invalid_arguments",
        message="lookup was not called. city is missing. days must be a whole number, got 'two'.",
    )
    assert script.calls == []


def three(arguments):
    return () if arguments == {"n": 3} else ("n must be a whole number.",)


async def test_strict_takes_arguments_as_they_are():
    tool = Tool(problems=three, relaxed={"n": 3})

    assert isinstance(
        await drive_tool([Validation()], Script([Done("ok")]), tool_call(tool=tool, arguments={"n": "3"})), Failed
    )


async def test_lenient_mends_what_is_plainly_meant_and_the_tool_gets_it():
    tool = Tool(problems=three, relaxed={"n": 3})
    script = Script([Done("ok")])

    await drive_tool([Validation(strict=False)], script, tool_call(tool=tool, arguments={"n": "3"}))

    assert script.calls[0].arguments == {"n": 3}


async def test_a_result_of_the_wrong_type_is_a_failure():
    tool = Tool(result_problem="It must be a Forecast, got 'sunny'.")

    outcome = await drive_tool([Validation()], Script([Done("sunny")]), tool_call(tool=tool))

    assert outcome.kind == "invalid_result"
    assert "got 'sunny'" in outcome.message


async def test_results_may_go_unchecked():
    tool = Tool(result_problem="wrong")

    assert await drive_tool([Validation(results=False)], Script([Done("x")]), tool_call(tool=tool)) == Done("x")


async def test_the_problem_of_a_result_that_was_masked_is_not_quoted():
    tool = Tool(result_problem="It must be a Contact, got 'ann@example.com'.")

    outcome = await drive_tool([Validation(), PiiMask()], Script([Done("ann@example.com")]), tool_call(tool=tool))

    assert outcome.kind == "invalid_result"
    assert "ann@example.com" not in outcome.message


async def test_a_result_without_a_json_form_is_not_quoted_either():
    tool = Tool(result_problem="got <secret>")

    outcome = await drive_tool([Validation()], Script([Done(object(), "x")]), tool_call(tool=tool))

    assert "<secret>" not in outcome.message


@pytest.mark.parametrize(
    ("field", "value"), [("repairs", -1), ("repairs", True), ("repairs", "2"), ("strict", 1), ("results", None)]
)
def test_illegal_values_are_refused_by_name(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        Validation(**{field: value})
