"""The provider contract finds out a provider that breaks it, in every scenario."""

from contextlib import asynccontextmanager

import attrs
import httpx2
import pytest
from openai import AsyncOpenAI

from par import Assistant, ModelReply, ParError, Text, ToolUse
from par.deltas import TextDelta
from par.errors import Overloaded
from par.providers.openai import OpenAI
from par.testing.contract import ALL_SCENARIOS, ContractBroken, Subject

pytestmark = pytest.mark.anyio

BY_NAME = {scenario.name: scenario for scenario in ALL_SCENARIOS}


def subject(spoil, **fields):
    """A provider that works, spoilt."""

    @asynccontextmanager
    async def opened(server):
        http = httpx2.AsyncClient(verify=False, trust_env=False)
        async with AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", http_client=http) as client:
            model = OpenAI("gpt-test", client=client)
            yield lambda call: spoil(model, call)

    return Subject(api="chat", open=opened, **fields)


async def mute(model, call):
    return ModelReply(message=Assistant(()))


async def crashing(model, call):
    raise Overloaded("always")


async def working(model, call):
    return await model(call)


def test_there_are_scenarios_and_each_says_what_it_is_about():
    assert len(ALL_SCENARIOS) > 30
    assert len(BY_NAME) == len(ALL_SCENARIOS)
    assert all(scenario.about and str(scenario) == scenario.name for scenario in ALL_SCENARIOS)


@pytest.mark.parametrize("scenario", ALL_SCENARIOS, ids=str)
async def test_a_provider_that_does_nothing_passes_no_scenario(scenario):
    spoil = crashing if scenario.name in ("an_empty_answer", "what_others_sealed_is_not_sent") else mute

    with pytest.raises((ContractBroken, Overloaded)):
        await scenario(subject(spoil))


def with_blocks(change):
    async def spoil(model, call):
        reply = await model(call)
        return attrs.evolve(reply, message=Assistant(tuple(change(list(reply.message.content)))))

    return spoil


def with_reply(**fields):
    async def spoil(model, call):
        return attrs.evolve(await model(call), **fields)

    return spoil


def with_call(change):
    async def spoil(model, call):
        return await model(change(call))

    return spoil


def new_ids(blocks):
    return [attrs.evolve(b, id=f"own_{n}") if isinstance(b, ToolUse) else b for n, b in enumerate(blocks)]


def first_call(blocks):
    uses = [b for b in blocks if isinstance(b, ToolUse)]
    return [b for b in blocks if not isinstance(b, ToolUse)] + uses[:1]


def without_pictures(call):
    def texts(message):
        content = getattr(message, "content", ())
        return attrs.evolve(message, content=tuple(b for b in content if isinstance(b, Text)))

    return attrs.evolve(call, messages=tuple(texts(message) for message in call.messages))


async def retrying(model, call):
    try:
        return await model(call)
    except ParError:
        return await model(call)


async def talking(model, call):
    await call.emit(TextDelta("well, "))
    return await model(call)


async def hanging_on(model, call):
    reply = ModelReply(message=Assistant((Text("partly"),)))
    try:
        return await model(call)
    except ParError:
        await call.emit(TextDelta("partly"))
        return reply


SPOILT = [
    ("a_plain_answer", with_reply(finish="length"), "the finish is 'length'"),
    ("a_plain_answer", talking, "deltas were emitted although nobody asked"),
    ("usage_is_counted", with_reply(usage=ModelReply(message=Assistant(())).usage), "the usage is"),
    ("the_request_id_and_the_limits", with_reply(request_id=None), "the request id is None"),
    ("the_request_id_and_the_limits", with_reply(headers={}), "the limits are"),
    ("parallel_calls_keep_their_order", with_blocks(lambda blocks: blocks[::-1]), "streamed|came as"),
    ("parallel_calls_keep_their_order", with_blocks(first_call), "came as|returned"),
    ("ids_of_calls_are_kept", with_blocks(new_ids), "the ids are|was returned and not streamed"),
    ("a_picture_as_bytes", with_call(without_pictures), "it was not sent"),
    ("settings_are_sent", with_call(lambda call: attrs.evolve(call, settings=type(call.settings)())), "temperature"),
    ("extras_are_sent", with_call(lambda call: attrs.evolve(call, settings=type(call.settings)())), "the extra"),
    ("an_output_type", with_call(lambda call: attrs.evolve(call, output=None)), "the schema was not sent"),
    ("a_rate_limit", retrying, "the call (was made 2 times|should have failed)|is none of"),
    ("a_cut_stream_is_no_answer", hanging_on, "should have failed|streamed .* returned"),
    ("an_answer_that_is_garbage", hanging_on, "should have failed|nobody asked"),
    ("a_tool_is_called_and_answers", with_call(lambda call: attrs.evolve(call, tools=())), "description"),
    (
        "instructions",
        with_call(lambda call: attrs.evolve(call, messages=call.messages[1:])),
        "instructions are missing",
    ),
]


@pytest.mark.parametrize(("name", "spoil", "match"), SPOILT, ids=[f"{case[0]}-{n}" for n, case in enumerate(SPOILT)])
async def test_what_is_broken_is_named(name, spoil, match):
    with pytest.raises(ContractBroken, match=match) as caught:
        await BY_NAME[name](subject(spoil))

    assert str(caught.value).startswith(name)


async def test_what_is_lacking_must_be_refused():
    with pytest.raises(ContractBroken, match="nobody was told"):
        await BY_NAME["a_picture_as_bytes"](subject(with_call(without_pictures), lacks=["images"]))


async def test_what_is_lacking_and_cannot_be_asked_for_is_passed_over():
    await BY_NAME["reasoning_is_kept_and_sent_back"](subject(mute, lacks=["reasoning"]))


async def test_a_working_provider_passes():
    await BY_NAME["parallel_calls_keep_their_order"](subject(working))
