"""PiiMask at the three borders of a run, in both modes."""

import json
from dataclasses import dataclass
from random import Random

import anyio
import attrs
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
    use,
)

from par._pipeline.onion import check_order
from par.deltas import ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.errors import ImpossibleOrder, InvalidArguments, RequestRejected
from par.events import PiiMasked, ToolProgress
from par.messages import (
    Assistant,
    Document,
    Image,
    Opaque,
    Reasoning,
    System,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
)
from par.middleware import Emails, IpAddresses, PatternDetector, PiiMask, Sanitize, Vault
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, Unknown

pytestmark = pytest.mark.anyio

MAIL = "ann@example.com"
CARD = "4111 1111 1111 1111"
NUMBER = 4111111111111111


def vault(**facts):
    return PiiMask(mode="vault", vault=Vault(rng=Random(5)), **facts)


# --- what comes in


async def test_a_run_sees_only_what_was_masked():
    script = Script([ended()])
    port = Port()

    await drive_run([PiiMask()], script, port, text=f"I am {MAIL}, card {CARD}, {MAIL}")

    assert script.calls[0].input[0].text == "I am [email], card [card], [email]"
    assert port.events == [PiiMasked(where="input", found={"email": 2, "card": 1})]


async def test_all_blocks_and_the_history_are_masked_when_a_run_begins():
    history = (
        System(f"ask {MAIL}"),
        User((Text(f"a {MAIL}"), Image(url=f"https://x.test/?u={MAIL}"))),
        Assistant((Reasoning(f"r {MAIL}", "signed"), Text(f"t {MAIL}"), use(arguments={MAIL: [NUMBER, f"x {MAIL}"]}))),
        ToolResults((ToolResult(tool_use_id="u1", name="lookup", content=f'{{"m": "{MAIL}"}}'),)),
    )
    script = Script([ended()])

    await drive_run([PiiMask()], script, history=history)

    seen = script.calls[0].history
    assert MAIL not in repr(seen)
    assert str(NUMBER) not in repr(seen)
    assert seen[2].content[0] == Reasoning("r [email]", None)
    assert seen[2].tool_uses[0].arguments == {"[email]": ["[card]", "x [email]"]}


async def test_what_a_user_and_a_tool_show_is_masked_in_its_address_and_name():
    opaque = Opaque("openai", {"type": "input_audio"})
    shown = (Image(url=f"https://x.test/a {MAIL}"), Document(file_id="f", name=f"of {MAIL}"), opaque)
    history = (
        User((*shown, Text(f"a {MAIL}"))),
        ToolResults((ToolResult(tool_use_id="u1", name="lookup", content="", blocks=shown),)),
    )
    script = Script([ended()])

    await drive_run([PiiMask()], script, history=history)

    user, results = script.calls[0].history
    masked = (Image(url="https://x.test/a [email]"), Document(file_id="f", name="of [email]"), opaque)
    assert user.content == (*masked, Text("a [email]"))
    assert results.results[0].blocks == masked


async def test_what_a_tool_shows_is_masked_on_its_way_out():
    script = Script([Done([f"see {MAIL}", Image(url=f"https://x.test/a {MAIL}")])])

    outcome = await drive_tool([PiiMask()], script, tool_call())

    assert (outcome.content, outcome.blocks) == ("see [email]", (Image(url="https://x.test/a [email]"),))


async def test_the_body_of_an_error_is_masked():
    error = RequestRejected("no", body={"error": {"message": f"for {MAIL}", MAIL: [1]}})

    with pytest.raises(RequestRejected):
        await drive_model([PiiMask()], Script([error]), model_call())

    assert error.body == {"error": {"message": "for [email]", "[email]": [1]}}


async def test_clean_input_is_passed_on_as_the_same_objects():
    history = (System("hello"), User((Text("x"), Image(url="https://x.test/a.png"))), Assistant((Text("y"),)))
    script = Script([ended()])

    await drive_run([PiiMask()], script, history=history)

    assert all(new is old for new, old in zip(script.calls[0].history, history, strict=True))


async def test_a_hit_that_lies_across_two_blocks_is_found():
    call = model_call(messages=(User((Text("card 4111 1111 "), Text("1111 1111 ok"))),))
    script = Script([reply("ok")])

    await drive_model([PiiMask()], script, call)

    assert [block.text for block in script.calls[0].messages[0].content] == ["card [card]", " ok"]


async def test_what_the_provider_must_get_back_word_for_word_is_left_alone():
    block = Opaque("p", {"x": MAIL})
    script = Script([reply("ok")])

    await drive_model([PiiMask()], script, model_call(messages=(Assistant((block,)),)))

    assert script.calls[0].messages[0].content == (block,)


async def test_the_net_before_the_provider_catches_what_a_layer_put_in():
    port = Port()
    script = Script([reply("ok")])

    await drive_model([PiiMask()], script, model_call(port, messages=(System(f"help: {MAIL}"), User((Text("x"),)))))

    assert script.calls[0].messages[0] == System("help: [email]")
    assert port.events == [PiiMasked(where="input", found={"email": 1}, call_id="call-1")]


async def test_each_message_of_a_run_is_looked_at_once():
    looked = []

    class Counting:
        kind = "counting"
        max_chars = 10

        def find(self, text):
            looked.append(text)
            return ()

        def surrogate(self, value, rng):
            return value

    layer = PiiMask(detectors=(Counting(),))
    messages = [System("s"), User((Text("u"),))]

    async def engine(call):
        for turn in range(5):
            await drive_model([layer], Script([reply(f"a{turn}")]), model_call(call.ctx.port, messages=tuple(messages)))
            messages.append(Assistant((Text(f"m{turn}"),)))
        return ended()

    await drive_run([layer], engine)

    assert looked.count("s") == 1
    assert looked.count("m0") == 1


async def test_a_changed_history_is_looked_at_again():
    layer = PiiMask()
    script = Script([reply("ok")])

    async def engine(call):
        for messages in ((System("a"), User((Text("b"),))), (System(MAIL), User((Text("b"),)), User((Text("c"),)))):
            await drive_model([layer], script, model_call(call.ctx.port, messages=messages))
        return ended()

    await drive_run([layer], engine)

    assert script.calls[1].messages[0] == System("[email]")


async def test_masked_messages_stay_masked_in_later_calls():
    layer = PiiMask()
    script = Script([reply("ok")])
    messages = (System(f"{MAIL}"), User((Text("b"),)))

    async def engine(call):
        await drive_model([layer], script, model_call(call.ctx.port, messages=messages))
        await drive_model([layer], script, model_call(call.ctx.port, messages=(*messages, User((Text(f"c {MAIL}"),)))))
        return ended()

    await drive_run([layer], engine)

    assert [message.text for message in script.calls[1].messages] == ["[email]", "b", "c [email]"]


async def test_nothing_of_a_run_is_kept_when_it_is_over():
    layer = PiiMask()

    await drive_run([layer], Script([ended()]))
    with pytest.raises(KeyError):
        await drive_run([layer], Script([KeyError("bug")]))

    assert layer._runs == {}


# --- what the model says


async def test_everything_that_a_model_makes_up_is_masked():
    port = Port()
    said = Assistant((
        Reasoning(f"hm {MAIL}", "signature"),
        Text(f"card {CARD}"),
        ToolUse("u1", "t", {MAIL: {"deep": [f"x {CARD}", NUMBER, True, None, 1.5]}}),
        ToolUse("u2", "t", {}, f'{{"a": "{MAIL}"'),
    ))

    answer = await drive_model([PiiMask()], Script([reply("")]), model_call())
    answer = await drive_model([PiiMask()], Script([attrs.evolve(answer, message=said)]), model_call(port))

    assert answer.message.content == (
        Reasoning("hm [email]", None),
        Text("card [card]"),
        ToolUse("u1", "t", {"[email]": {"deep": ["x [card]", "[card]", True, None, 1.5]}}),
        ToolUse("u2", "t", {}, '{"a": "[email]"'),
    )
    assert port.events == [PiiMasked(where="reply", found={"email": 3, "card": 3}, call_id="call-1")]


async def test_a_clean_reply_is_passed_on_as_the_same_object():
    good = reply("fine", use(arguments={"n": 1}))

    assert await drive_model([PiiMask()], Script([good]), model_call()) is good


async def test_keys_that_become_equal_keep_their_entries():
    answer = await drive_model(
        [PiiMask()], Script([reply("", use(arguments={MAIL: 1, "bob@example.com": 2}))]), model_call()
    )

    assert answer.message.tool_uses[0].arguments == {"[email]": 1, "[email] (2)": 2}


def streams(*deltas, answer):
    async def speak(call):
        for delta in deltas:
            await call.emit(delta)
        return answer

    return speak


async def test_a_clean_stream_flows_word_by_word():
    shown, emit = collector()
    words = [TextDelta(word) for word in ("The ", "weather ", "is ", "fine ")]

    await drive_model([PiiMask()], streams(*words, answer=reply("The weather is fine ")), model_call(emit=emit))

    assert shown == words


async def test_the_end_of_a_stream_is_shown_before_the_reply_is_returned():
    shown, emit = collector()
    speak = streams(TextDelta("mail an"), TextDelta("n@example.c"), TextDelta("om"), answer=reply(f"mail {MAIL}"))

    answer = await drive_model([PiiMask()], speak, model_call(emit=emit))

    assert shown == [TextDelta("mail "), TextDelta("[email]")]
    assert answer.message.text == "mail [email]"


async def test_what_was_kept_back_is_forgotten_when_the_call_starts_anew():
    shown, emit = collector()
    speak = streams(TextDelta("mail ann@"), StreamRestarted(reason="x"), TextDelta("hello"), answer=reply("hello"))

    await drive_model([PiiMask()], speak, model_call(emit=emit))

    assert shown == [TextDelta("mail "), StreamRestarted(reason="x"), TextDelta("hello")]


async def test_what_was_kept_back_is_not_shown_when_the_call_fails():
    shown, emit = collector()

    async def breaks(call):
        await call.emit(TextDelta(f"mail {MAIL}"))
        raise RequestRejected("no")

    with pytest.raises(RequestRejected):
        await drive_model([PiiMask()], breaks, model_call(emit=emit))

    assert shown == [TextDelta("mail ")]


async def test_arguments_whose_escapes_hide_something_are_shown_masked():
    shown, emit = collector()
    raw = '{"to": "ann\\u0040example.com"}'
    speak = streams(
        ToolUseDelta(id="u1", name="t"),
        ToolUseDelta(id="u1", name="t", arguments=raw[:12]),
        ToolUseDelta(id="u1", name="t", arguments=raw[12:]),
        answer=reply("", ToolUse("u1", "t", {"to": MAIL})),
    )

    await drive_model([PiiMask()], speak, model_call(emit=emit))

    assert json.loads("".join(delta.arguments for delta in shown)) == {"to": "[email]"}
    assert len(shown) == 4


async def test_arguments_of_a_use_that_the_reply_has_not_are_not_shown():
    shown, emit = collector()
    speak = streams(ToolUseDelta(id="u1", name="t", arguments=MAIL), answer=reply("ok"))

    await drive_model([PiiMask()], speak, model_call(emit=emit))

    assert shown == [ToolUseDelta(id="u1", name="t")]


async def test_a_stream_that_differs_from_its_reply_is_masked_all_the_same():
    shown, emit = collector()
    speak = streams(TextDelta(f"a {MAIL}"), ReasoningDelta(f"b {MAIL}"), answer=reply(f"c {CARD}"))

    answer = await drive_model([PiiMask()], speak, model_call(emit=emit))

    assert MAIL not in repr(shown)
    assert answer.message.text == "c [card]"


async def test_errors_lose_their_personal_data_and_stay_themselves():
    error = RequestRejected(f"bad input {MAIL}", provider="p", request_id="r")

    with pytest.raises(RequestRejected) as caught:
        await drive_model([PiiMask()], Script([error]), model_call())

    assert caught.value is error
    assert "bad input [email]" in str(error)
    assert MAIL not in repr(error)
    assert error.provider == "p"


async def test_errors_that_leave_a_run_or_a_tool_are_masked_too():
    for drive, call in ((drive_run, Port()), (drive_tool, None)):
        error = RequestRejected(f"bad {MAIL}")
        with pytest.raises(RequestRejected):
            await drive([PiiMask()], Script([error]), call or tool_call())
        assert MAIL not in str(error)


async def test_notes_lists_of_facts_and_the_errors_behind_lose_theirs_too():
    behind = RequestRejected(f"first {MAIL}")
    error = InvalidArguments("lookup", [f"{MAIL} is no number"])
    error.add_note(f"seen by {MAIL}")
    error.__cause__ = behind
    behind.__context__ = error  # a ring must not hold it up

    with pytest.raises(InvalidArguments):
        await drive_model([PiiMask()], Script([error]), model_call())

    assert error.problems == ("[email] is no number",)
    assert error.__notes__ == ["seen by [email]"]
    assert "first [email]" in str(behind)


# --- tools


@pytest.mark.parametrize(
    ("outcome", "field", "expected"),
    [
        (Done({"m": MAIL, CARD: [NUMBER]}), "content", {"m": "[email]", "[card]": ["[card]"]}),
        (Done(MAIL), "content", "[email]"),
        (Done(NUMBER), "content", "[card]"),
        (Done({"phone": 4155552671, "id": 4155552671}), "content", {"phone": "[phone]", "id": 4155552671}),
        (Failed(kind="failed", message=f"no {MAIL}"), "message", "no [email]"),
        (TimedOut(after_s=1, message=f"no {MAIL}"), "message", "no [email]"),
        (Cancelled(reason=f"no {MAIL}"), "reason", "no [email]"),
        (Unknown(reason=f"no {MAIL}"), "reason", "no [email]"),
        (Handoff(target="b", task=f"ask {MAIL}"), "task", "ask [email]"),
        (NeedsApproval(prompt=f"ask {MAIL}"), "prompt", "ask [email]"),
        (NeedsApproval(prompt="ask", details={"to": MAIL}), "details", {"to": "[email]"}),
    ],
)
async def test_every_outcome_of_a_tool_is_masked(outcome, field, expected):
    port = Port()

    answer = await drive_tool([PiiMask()], Script([outcome]), tool_call(port))

    assert getattr(answer, field) == expected
    assert [event.where for event in port.of(PiiMasked)] == ["tool_result"]


@pytest.mark.parametrize(
    "outcome",
    [Done({"a": [1, "x"]}), Failed(kind="failed", message="no"), Handoff(target="b"), NeedsApproval(prompt="ok?")],
)
async def test_clean_outcomes_are_passed_on_as_the_same_object(outcome):
    assert await drive_tool([PiiMask()], Script([outcome]), tool_call()) is outcome


async def test_progress_is_masked_on_its_way():
    told = []

    async def sink(event):
        told.append(event.message)

    async def works(call):
        await call.emit(ToolProgress(call_id="u1", name="lookup", message=f"asking {MAIL}"))
        return Done("ok")

    await drive_tool([PiiMask()], works, tool_call(emit=sink))

    assert told == ["asking [email]"]


async def test_progress_without_a_sink_is_an_event():
    port = Port()

    async def works(call):
        await call.emit(ToolProgress(call_id="u1", name="lookup", message=f"asking {MAIL}"))
        return Done("ok")

    await drive_tool([PiiMask()], works, tool_call(port))

    assert [event.message for event in port.of(ToolProgress)] == ["asking [email]"]


async def test_a_tool_that_may_not_see_it_never_gets_raw_arguments():
    script = Script([Done("ok")])

    await drive_tool([PiiMask()], script, tool_call(arguments={"to": MAIL}))

    assert script.calls[0].arguments == {"to": "[email]"}


# --- the vault


async def through_a_run(layer, answers, tool=None, text=f"mail {MAIL} about {CARD}", port=None, output=None):
    """Run a small engine: one model call, one tool call; return what each of them saw and the result."""
    seen = {}

    async def engine(call):
        seen["input"] = call.input[0].text
        script = Script([reply("", use(arguments={"q": seen["input"], seen["input"]: NUMBER}))])
        said = await drive_model([layer], script, model_call(call.ctx.port, messages=call.input))
        seen["model"] = script.calls[0].messages[0].text
        handler = Script(answers)
        seen["arguments"] = said.message.tool_uses[0].arguments
        seen["outcome"] = await drive_tool(
            [layer], handler, tool_call(call.ctx.port, tool=tool, arguments=seen["arguments"])
        )
        seen["tool"] = handler.calls[0].arguments
        return ended(output(seen) if output else seen["input"])

    seen["result"] = await drive_run([layer], engine, port, text=text)
    return seen


async def test_only_the_output_and_tools_that_may_see_it_get_the_real_values():
    seen = await through_a_run(vault(), [Done("ok")], Tool(sees_pii=True))

    assert seen["result"].output == f"mail {MAIL} about {CARD}"
    assert seen["tool"] == {"q": f"mail {MAIL} about {CARD}", f"mail {MAIL} about {CARD}": NUMBER}
    for place in ("input", "model", "arguments"):
        assert MAIL not in repr(seen[place])
        assert CARD not in repr(seen[place])
        assert str(NUMBER) not in repr(seen[place])


async def test_a_tool_that_does_not_say_so_gets_surrogates():
    seen = await through_a_run(vault(), [Done("ok")], Tool(sees_pii=False))

    assert seen["tool"] == seen["arguments"]


async def test_in_redact_mode_even_a_tool_that_may_see_it_gets_what_is_left():
    seen = await through_a_run(PiiMask(), [Done("ok")], Tool(sees_pii=True))

    assert seen["tool"]["q"] == "mail [email] about [card]"


async def test_surrogates_are_the_same_for_the_same_value_throughout_a_session():
    layer = vault()
    one = await through_a_run(layer, [Done(MAIL)], port=Port("run-1", "session-1"))
    two = await through_a_run(layer, [Done(MAIL)], port=Port("run-2", "session-1"))
    other = await through_a_run(layer, [Done(MAIL)], port=Port("run-3", "session-2"))

    assert one["input"] == two["input"]
    assert one["outcome"].content in one["input"]
    assert one["input"] != other["input"]


async def test_a_model_that_repeats_a_surrogate_is_not_masked_twice():
    layer = vault()
    said = []

    async def engine(call):
        masked = call.input[0].text
        answer = await drive_model([layer], Script([reply(f"so: {masked}")]), model_call(call.ctx.port))
        said.append(answer.message.text == f"so: {masked}")
        return ended(answer.message.text)

    result = await drive_run([layer], engine, text=f"mail {MAIL}")

    assert said == [True]
    assert result.output == f"so: mail {MAIL}"


@attrs.frozen
class Contact:
    mail: str
    tags: tuple[str, ...] = ()
    _private: str = ""


@dataclass
class Plain:
    mail: str


@pytest.mark.parametrize(
    "shape",
    [
        lambda mail: {"a": [mail, 1], mail: None},
        lambda mail: (mail, [mail]),
        lambda mail: Contact(mail, (mail,), mail),
        lambda mail: [Contact(mail)],
        Plain,
    ],
)
async def test_structured_output_gets_its_real_values_back(shape):
    result = (await through_a_run(vault(), [Done("ok")], text=MAIL, output=lambda seen: shape(seen["input"])))["result"]

    assert result.output == shape(MAIL)


async def test_an_output_without_surrogates_stays_the_same_object():
    value = Contact("nobody")

    assert (await through_a_run(vault(), [Done("ok")], output=lambda seen: value))["result"].output is value


async def test_a_number_gets_its_real_value_back():
    layer = vault()
    session = layer.vault.session("session-1")

    async def engine(call):
        outcome = await drive_tool([layer], Script([Done(NUMBER)]), tool_call(call.ctx.port))
        assert isinstance(outcome.content, int)
        assert outcome.content != NUMBER
        return ended(outcome.content)

    assert (await drive_run([layer], engine)).output == NUMBER
    assert len(session.real) == 1


async def test_the_reader_of_a_run_gets_the_real_values_in_the_stream():
    layer = vault()
    shown, emit = collector()

    async def engine(call):
        masked = call.input[0].text
        for character in masked:
            await call.emit(TextDelta(character))
        await call.emit(ReasoningDelta(masked))
        return ended(masked)

    await drive_run([layer], engine, text=f"mail {MAIL}", emit=emit)

    assert "".join(delta.text for delta in shown if isinstance(delta, TextDelta)) == f"mail {MAIL}"
    assert MAIL not in next(delta.text for delta in shown if isinstance(delta, ReasoningDelta))


async def test_a_restart_of_the_stream_forgets_half_a_surrogate():
    layer = vault()
    shown, emit = collector()

    async def engine(call):
        await call.emit(TextDelta(call.input[0].text[:8]))
        await call.emit(StreamRestarted(reason="x"))
        await call.emit(TextDelta("hello"))
        return ended()

    await drive_run([layer], engine, text=MAIL, emit=emit)

    assert shown == [StreamRestarted(reason="x"), TextDelta("hello")]


async def test_two_masks_that_share_a_vault_share_its_values():
    shared = Vault(rng=Random(5))
    one = await through_a_run(PiiMask(mode="vault", vault=shared), [Done("ok")])
    two = await through_a_run(PiiMask(mode="vault", vault=shared), [Done("ok")])

    assert one["input"] == two["input"]


async def test_concurrent_runs_never_see_each_others_values():
    layer = vault()
    results = {}

    async def one(number):
        text = f"mail user{number}@example.com"
        seen = await through_a_run(layer, [Done("ok")], text=text, port=Port(f"run-{number}", f"session-{number}"))
        results[number] = (seen["result"].output, seen["input"])

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(one, number)

    assert all(results[number][0] == f"mail user{number}@example.com" for number in range(50))
    assert len({masked for _, masked in results.values()}) == 50


def test_a_vault_forgets_the_oldest_session_and_the_oldest_value():
    vault = Vault(max_sessions=2, max_entries=2, rng=Random(1))
    first = vault.session("a")
    made = [first.replace(Emails(), f"u{number}@example.com") for number in range(3)]

    assert first.restore(" ".join(made)) == f"{made[0]} u1@example.com u2@example.com"
    vault.session("b")
    assert vault.session("a") is first
    vault.session("c")
    assert vault.session("a") is first
    vault.session("d")
    vault.session("e")
    assert vault.session("a") is not first


def test_a_form_that_has_no_room_left_gets_a_numbered_name():
    class Same:
        kind = "same"
        max_chars = 5

        def surrogate(self, value, rng):
            return "made"

    session = Vault().session("a")

    assert [session.replace(Same(), value) for value in ("x", "y", "z")] == ["made", "[same_1]", "[same_2]"]


@pytest.mark.parametrize("facts", [{"max_sessions": 0}, {"max_entries": 0}, {"max_entries": True}])
def test_a_vault_without_room_is_refused_by_name(facts):
    with pytest.raises(ValueError, match=next(iter(facts))):
        Vault(**facts)


# --- configuration


async def test_detectors_say_what_is_looked_for():
    text = f"{MAIL} from 10.1.2.3 is C-123456"
    own = PatternDetector("customer", "C-[0-9]{6}")
    expected = {
        (Emails(),): "[email] from 10.1.2.3 is C-123456",
        (IpAddresses(), own): f"{MAIL} from [ip] is [customer]",
    }
    for detectors, masked in expected.items():
        script = Script([ended()])
        await drive_run([PiiMask(detectors=detectors)], script, text=text)
        assert script.calls[0].input[0].text == masked


async def test_ones_own_values_come_back_from_the_vault():
    layer = vault(detectors=(PatternDetector("customer", "C-[0-9]{6}"),))

    seen = await through_a_run(layer, [Done("ok")], text="who is C-123456?")

    assert "C-123456" not in seen["input"]
    assert seen["result"].output == "who is C-123456?"


def test_the_longest_detector_says_how_far_a_stream_is_held_back():
    assert PiiMask(detectors=(Emails(),)).holds_back == 320
    assert PiiMask(detectors=(PatternDetector("x", "x", max_chars=7),)).holds_back == 7
    assert PiiMask().holds_back == 4200


@pytest.mark.parametrize("facts", [{"mode": "hide"}, {"vault": "file"}])
def test_illegal_values_are_refused_by_name(facts):
    with pytest.raises((ValueError, TypeError), match=next(iter(facts))):
        PiiMask(**facts)


def test_the_mask_must_stand_outside_of_what_joins_torn_text():
    with pytest.raises(ImpossibleOrder, match=r"PiiMask.*Sanitize"):
        check_order([Sanitize(), PiiMask()])


async def test_data_that_hidden_characters_tear_apart_is_found_behind_sanitize():
    torn = Done("card 4111\u200b1111\u200b1111\u200b1111")

    outcome = await drive_tool([PiiMask(), Sanitize()], Script([torn]), tool_call())

    assert outcome.content == "card [card]"


async def test_the_record_of_a_command_is_masked_too():
    from par.events import BashCompleted, BashInvoked

    seen = []

    async def sink(event):
        seen.append(event)

    async def works(call):
        command = {"op": "grep", "pattern": MAIL}
        await call.emit(BashInvoked(call_id="u1", op="grep", command=command, argv=("grep", MAIL), risk="low"))
        await call.emit(
            BashCompleted(
                call_id="u1", op="grep", exit_code=0, duration_s=0.1, stdout_bytes=0, stderr_bytes=0, truncated=False,
                details={"argv": [["grep", MAIL]]},
            )
        )  # fmt: skip
        return Done("ok")

    await drive_tool([PiiMask()], works, tool_call(emit=sink))

    assert len(seen) == 2
    assert MAIL not in repr(seen)
