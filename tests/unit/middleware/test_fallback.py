"""Fallback asks other models, tells of it, and shows nobody half an answer."""

import anyio
import pytest
from support.memory_store import MemoryStore
from unit.middleware.driving import Port, Script, collector, drive_model, model_call, reply

from par import Agent, Runtime, tool
from par._pipeline.onion import check_order
from par.deltas import StreamRestarted, TextDelta
from par.errors import (
    AuthenticationFailed,
    ContextTooLong,
    ImpossibleOrder,
    ModelTimedOut,
    Overloaded,
    RateLimited,
    StoreUnavailable,
)
from par.events import ModelAttempted, ToolCallStarted
from par.middleware import Fallback, PiiMask, Retry, ThinkTagStrip, Timeout, Validation
from par.testing import ScriptedModel, call, fail, say
from par.usage import Usage

pytestmark = pytest.mark.anyio


def named(name, *answers):
    script = Script(list(answers))

    async def model(call):
        return await script(call)

    model.__name__ = name
    model.calls = script.calls
    return model


async def fall(*models, first, port=None, **facts):
    return await drive_model([Fallback(models=models, **facts)], first, model_call(port))


async def test_a_model_that_answers_is_all_there_is():
    other = named("b", reply("b"))

    answer = await fall(other, first=Script([reply("a")]))

    assert answer.message.text == "a"
    assert other.calls == []


@pytest.mark.parametrize("error", [Overloaded(), RateLimited(), ContextTooLong()])
async def test_another_model_answers_after_an_error(error):
    other = named("b", reply("b"))

    answer = await fall(other, first=Script([error]))

    assert (answer.message.text, answer.model) == ("b", "b")
    assert other.calls[0].model == "b"


async def test_models_are_asked_in_order():
    models = [named("b", Overloaded()), named("c", reply("c", model="c-2026")), named("d", reply("d"))]

    answer = await fall(*models, first=Script([Overloaded()]))

    assert answer.model == "c-2026"
    assert [len(model.calls) for model in models] == [1, 1, 0]


async def test_if_all_fail_the_last_error_is_raised():
    last = Overloaded(status=503)

    with pytest.raises(Overloaded) as caught:
        await fall(named("b", last), first=Script([RateLimited()]))

    assert caught.value is last
    assert isinstance(caught.value.__context__, RateLimited)


async def test_other_errors_pass():
    other = named("b", reply("b"))

    with pytest.raises(AuthenticationFailed):
        await fall(other, first=Script([AuthenticationFailed()]))

    assert other.calls == []


async def test_the_errors_may_be_named():
    assert await fall(named("b", reply("b")), first=Script([AuthenticationFailed()]), on=(AuthenticationFailed,))
    with pytest.raises(Overloaded):
        await fall(named("b", reply("b")), first=Script([Overloaded()]), on=[AuthenticationFailed])


async def test_an_error_of_another_model_that_is_not_named_ends_the_search():
    third = named("c", reply("c"))

    with pytest.raises(AuthenticationFailed):
        await fall(named("b", AuthenticationFailed()), third, first=Script([Overloaded()]))

    assert third.calls == []


def breaks_off(*texts):
    async def model(call):
        for text in texts:
            await call.emit(TextDelta(text))
        raise Overloaded

    return model


async def test_nobody_goes_on_after_a_delta_was_shown():
    shown, emit = collector()
    other = named("b", reply("b"))

    with pytest.raises(Overloaded):
        await drive_model([Fallback(models=[other])], breaks_off("half"), model_call(emit=emit, stream=True))

    assert other.calls == []
    assert shown == [TextDelta("half")]


async def test_with_restart_the_reader_is_told_first():
    shown, emit = collector()
    layer = Fallback(models=[breaks_off("again"), named("c", reply("c"))], restart=True)

    await drive_model([layer], breaks_off("half"), model_call(emit=emit, stream=True))

    restart = StreamRestarted(reason="Overloaded")
    assert shown == [TextDelta("half"), restart, TextDelta("again"), restart]


async def test_a_failure_before_the_first_delta_needs_no_restart():
    shown, emit = collector()

    async def speaks(call):
        await call.emit(TextDelta("whole"))
        return reply("whole")

    await drive_model([Fallback(models=[speaks])], breaks_off(), model_call(emit=emit, stream=True))

    assert shown == [TextDelta("whole")]


async def test_each_request_to_another_model_is_told():
    port = Port()
    usage = Usage(input_tokens=3, requests=1)
    models = [named("b", Overloaded()), named("c", reply("c", usage=usage, request_id="r-1"))]

    await fall(*models, first=Script([Overloaded()]), port=port)

    failed, answered = port.of(ModelAttempted)
    assert (failed.model, failed.outcome, failed.error_type, failed.call_id) == ("b", "failed", "Overloaded", "call-1")
    assert (answered.model, answered.outcome, answered.usage, answered.request_id) == ("c", "answered", usage, "r-1")
    assert answered.duration_s >= 0


async def test_a_cancelled_request_is_told_as_cancelled():
    port = Port()

    async def hangs(call):
        await anyio.sleep_forever()

    with anyio.move_on_after(0.02):
        await fall(hangs, first=Script([Overloaded()]), port=port)

    assert [event.outcome for event in port.of(ModelAttempted)] == ["cancelled"]


async def test_a_store_that_fails_does_not_hide_the_error():
    class Broken(Port):
        async def emit(self, event):
            raise StoreUnavailable("disk", "it is full")

    with pytest.raises(Overloaded) as caught:
        await fall(named("b", Overloaded()), first=Script([Overloaded()]), port=Broken())

    assert "could not be recorded" in caught.value.__notes__[0]


async def test_what_returns_no_reply_is_no_model():
    with pytest.raises(TypeError, match="ModelReply"):
        await fall(named("b", "text"), first=Script([Overloaded()]))


async def test_a_hanging_model_is_left_for_another_by_a_timeout_further_in():
    async def hangs(call):
        await anyio.sleep_forever()

    layers = [Fallback(models=[named("b", reply("b"))]), Timeout(attempt_s=0.01)]
    assert (await drive_model(layers, hangs, model_call())).message.text == "b"

    with pytest.raises(ModelTimedOut):
        await drive_model(layers[::-1], hangs, model_call())


@pytest.mark.parametrize(("outside", "asked"), [(True, (2, 2)), (False, (2, 1))])
async def test_retry_may_stand_on_either_side(outside, asked):
    first, other = Script([Overloaded()]), named("b", Overloaded())
    layers = [Retry(attempts=2, base_s=0.001), Fallback(models=[other])]

    with pytest.raises(Overloaded):
        await drive_model(layers if outside else layers[::-1], first, model_call())

    assert (len(first.calls), len(other.calls)) == asked


async def test_tools_run_once_whoever_answers_and_the_audit_names_all_models():
    ran = []

    @tool(effect="once")
    async def pay(x: int) -> str:
        """Pay."""
        ran.append(x)
        return "paid"

    first = ScriptedModel([call("pay", x=1), fail(Overloaded())])
    agent = Agent(first, tools=[pay], middleware=[Fallback(models=[named("b", reply("done by b"))])])
    store = MemoryStore()

    async with Runtime(store=store) as runtime:
        result = await runtime.run(agent, "go")

    events = [envelope.event for envelope in store.envelopes]
    told = [(e.model, e.outcome) for e in events if isinstance(e, ModelAttempted)]
    assert result.output == "done by b"
    assert ran == [1]
    assert told == [("scripted", "answered"), ("scripted", "failed"), ("b", "answered")]
    assert sum(isinstance(event, ToolCallStarted) for event in events) == 1


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"models": ()}, "models"),
        ({"models": ["openai:gpt"]}, "models"),
        ({"models": [ScriptedModel]}, "models"),
        ({"models": [ScriptedModel([say("x")])], "on": ()}, "on"),
        ({"models": [ScriptedModel([say("x")])], "on": (ValueError,)}, "on"),
        ({"models": [ScriptedModel([say("x")])], "restart": None}, "restart"),
    ],
)
def test_illegal_values_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        Fallback(**facts)


@pytest.mark.parametrize("outer", [PiiMask(), Validation(), ThinkTagStrip()])
def test_what_guards_contents_must_stand_further_out(outer):
    with pytest.raises(ImpossibleOrder):
        check_order([Fallback(models=[ScriptedModel([say("x")])]), outer])
