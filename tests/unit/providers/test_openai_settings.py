"""What a profile makes of the settings, the tools and the output of a call."""

import json

import pytest
from unit.providers import wire

from par import Agent, tool
from par.calls import ModelCall, OutputSpec, PromptCache, Settings, ToolNames, ToolSpec
from par.deltas import TextDelta, ToolUseDelta
from par.errors import UsageError
from par.events import SettingDropped
from par.messages import Assistant, Opaque, System, Text, ToolUse, User
from par.providers._openai_request import ChatRequests
from par.providers.openai import OpenAI, Profile, profile_of

pytestmark = pytest.mark.anyio


def spec(name, **fields):
    return ToolSpec(name=name, description="", parameters={"type": "object", "properties": {}}, **fields)


HI = (User((Text("hi"),)),)
TOOLS = (spec("a"), spec("b"), spec("c"))
ANSWER = OutputSpec(name="Answer", schema={"type": "object", "properties": {"x": {"type": "integer"}}})


def function(name):
    return {"type": "function", "function": {"name": name}}


def body(profile=None, tools=TOOLS, messages=HI, output=None, **settings):
    requests = ChatRequests("m", tag="openai", profile=profile or Profile())
    call = ModelCall(model="m", messages=messages, tools=tools, settings=Settings(**settings), output=output)
    return requests.body(call)


def names(sent):
    return [item["function"]["name"] for item in sent["tools"]]


# --- the choice of tools --------------------------------------------------------------------------------------


@pytest.mark.parametrize("allowed", [True, False])
def test_one_tool_that_must_be_called_is_named(allowed):
    sent = body(Profile(allowed_tools=allowed), tool_choice=ToolNames("b"))

    assert (sent["tool_choice"], names(sent)) == (function("b"), ["a", "b", "c"])


@pytest.mark.parametrize(("required", "mode"), [(True, "required"), (False, "auto")])
def test_several_tools_are_allowed_where_the_server_can_be_told(required, mode):
    sent = body(Profile(allowed_tools=True), tool_choice=ToolNames(["a", "c"], required=required))

    allowed = {"mode": mode, "tools": [function("a"), function("c")]}
    assert sent["tool_choice"] == {"type": "allowed_tools", "allowed_tools": allowed}
    assert names(sent) == ["a", "b", "c"]


@pytest.mark.parametrize(("required", "choice"), [(True, "required"), (False, None)])
def test_other_servers_are_sent_the_chosen_tools_alone(required, choice):
    sent = body(tool_choice=ToolNames(["a", "c"], required=required))

    assert (sent.get("tool_choice"), names(sent)) == (choice, ["a", "c"])


def test_one_tool_that_may_be_called_need_not_be():
    choice = ToolNames("b", required=False)

    assert body(Profile(allowed_tools=True), tool_choice=choice)["tool_choice"]["allowed_tools"]["mode"] == "auto"
    assert names(body(tool_choice=choice)) == ["b"]
    assert "tool_choice" not in body(tool_choice=choice)


def test_a_choice_of_a_tool_that_there_is_not_is_a_mistake():
    with pytest.raises(UsageError, match="tool_choice names x, z"):
        body(tool_choice=ToolNames(["z", "a", "x"]))


def test_tools_of_the_provider_follow_and_go_to_no_other():
    search = {"type": "openrouter:web_search"}
    tools = (Opaque("openai", search), Opaque("anthropic", {"type": "web_search"}))

    assert body(tools=(), provider_tools=tools)["tools"] == [search]
    assert body(provider_tools=tools)["tools"][3:] == [search]
    assert "tools" not in body(tools=(), provider_tools=tools[1:])


@pytest.mark.parametrize(("strict", "sent"), [(True, {"strict": True}), (False, {"strict": False}), (None, {})])
def test_a_tool_says_whether_it_is_strict(strict, sent):
    tool_ = body(tools=(spec("a", strict=strict),))["tools"][0]["function"]

    assert tool_ == {"name": "a", "description": "", "parameters": TOOLS[0].parameters, **sent}


def test_the_list_of_tools_is_made_once_for_the_tools_of_an_agent():
    requests = ChatRequests("m", tag="openai", profile=Profile())
    same = (*TOOLS,)  # what a layer makes that puts the tools together anew

    first, again = [requests.body(ModelCall(model="m", messages=(), tools=tools))["tools"] for tools in (TOOLS, same)]

    assert all(one is other for one, other in zip(first, again, strict=True))


# --- settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "settings", "expected"),
    [
        ({"reasoning_effort": "reasoning"}, {"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ({"seed": "random_seed"}, {"seed": 3}, {"random_seed": 3}),
        ({"max_tokens": "max_completion_tokens"}, {"max_tokens": 3}, {"max_completion_tokens": 3}),
        ({}, {"prompt_cache": PromptCache(key="k")}, {"prompt_cache_key": "k"}),
        ({}, {"prompt_cache": PromptCache(ttl="24h")}, {"prompt_cache_retention": "24h"}),
        ({}, {"prompt_cache": PromptCache(ttl="1h")}, {"prompt_cache_retention": "in_memory"}),
        ({}, {"prompt_cache": PromptCache()}, {}),
    ],
)
def test_a_setting_is_called_what_the_server_calls_it(profile, settings, expected):
    assert body(Profile(**profile), tools=(), **settings) == {**body(tools=()), **expected}


def test_a_stream_of_a_server_that_sends_its_usage_anyway_is_not_asked_for_it():
    requests = ChatRequests("m", tag="openai", profile=Profile(stream_usage=False))

    assert "stream_options" not in requests.body(ModelCall(model="m", messages=(), stream=True))


EVERY = {
    "parallel_tool_uses": False,
    "prompt_cache": PromptCache(key="k"),
    "reasoning_effort": "low",
    "seed": 1,
    "stop": ("x",),
    "temperature": 0.5,
    "top_p": 0.5,
}


@pytest.mark.parametrize("name", [*EVERY, "strict"])
def test_a_setting_that_the_model_refuses_is_dropped_alone(name):
    tools = (spec("a", strict=True),)
    call = ModelCall(model="m", messages=(), tools=tools, settings=Settings(**EVERY))
    requests = ChatRequests("m", tag="openai", profile=Profile(drops=frozenset({name})))
    without = ModelCall(
        model="m",
        messages=(),
        tools=(spec("a"),) if name == "strict" else tools,
        settings=Settings(**{key: value for key, value in EVERY.items() if key != name}),
    )

    assert requests.dropped(call) == [name]
    assert requests.dropped(without) == []
    assert requests.body(call) == ChatRequests("m", tag="openai", profile=Profile()).body(without)


@pytest.mark.parametrize(("effort", "dropped"), [("low", ["temperature"]), ("none", []), (None, [])])
def test_some_settings_are_refused_only_while_the_model_thinks(effort, dropped):
    requests = ChatRequests("m", tag="openai", profile=Profile(drops_thinking=frozenset({"temperature"})))
    call = ModelCall(model="m", messages=(), settings=Settings(temperature=1, reasoning_effort=effort))

    assert requests.dropped(call) == dropped
    assert ("temperature" in requests.body(call)) == (not dropped)


def test_a_profile_drops_nothing_that_it_does_not_know():
    with pytest.raises(UsageError, match="max_tokens cannot be dropped"):
        Profile(drops=frozenset({"max_tokens"}))


async def test_a_run_is_told_of_what_was_dropped():
    server = wire.serve(json_body={"choices": [{"message": {"content": "hi"}}]})
    model = OpenAI("o3", server.openai())
    told = []

    async with Agent(model, settings=Settings(temperature=0.5, seed=1)).run_stream("hello") as stream:
        told = [item async for item in stream if isinstance(item, SettingDropped)]

    assert [(event.provider, event.setting) for event in told] == [("openai", "temperature")]
    assert told[0].call_id.startswith("model-")
    assert "temperature" not in server.body
    assert server.body["seed"] == 1


# --- profiles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "model", "expected"),
    [
        ("api.openai.com", "gpt-4o", {"max_tokens": "max_completion_tokens", "drops": {"reasoning_effort"}}),
        ("api.openai.com", "gpt-4", {"output": "tool"}),
        ("api.openai.com", "gpt-3.5-turbo", {"output": "tool"}),
        ("api.openai.com", "gpt-4.1-mini", {"output": "native"}),
        ("api.openai.com", "ft:gpt-4o-mini:me", {"drops": {"reasoning_effort"}}),
        ("api.openai.com", "o1-mini", {"instructions": "user", "output": "words"}),
        ("api.openai.com", "o3", {"drops": {"temperature", "top_p", "stop", "parallel_tool_uses"}}),
        ("api.openai.com", "gpt-5-mini", {"drops": {"temperature", "top_p", "stop"}}),
        ("api.openai.com", "gpt-5.2", {"drops": {"stop"}, "drops_thinking": {"temperature", "top_p", "stop"}}),
        ("api.openai.com", "gpt-5-chat-latest", {"drops": {"reasoning_effort"}}),
        ("api.openai.com", "gpt-7", {"drops": set(), "returns": {"audio"}}),
        ("me.openai.azure.com", "my-deployment", {"max_tokens": "max_completion_tokens", "tool_ids": "up_to_40"}),
        ("openrouter.ai", "x/y", {"reasoning_effort": "reasoning", "returns": {"reasoning_details", "annotations"}}),
        ("api.groq.com", "openai/gpt-oss-20b", {"output": "native", "returns": set()}),
        ("api.groq.com", "llama-3.3-70b-versatile", {"output": "tool"}),
        ("api.cerebras.ai", "gpt-oss-120b", {"reasoning": "reasoning"}),
        ("api.cerebras.ai", "zai-glm-4.7", {"reasoning": "think_tags"}),
        ("api.deepseek.com", "deepseek-reasoner", {"reasoning": "reasoning_content", "output": "json"}),
        ("api.mistral.ai", "mistral-large", {"seed": "random_seed", "stream_usage": False, "tool_ids": "nine"}),
        ("api.x.ai", "grok-4", {"drops": {"prompt_cache", "reasoning_effort", "stop"}}),
        ("api.x.ai", "grok-4-fast-non-reasoning", {"drops": {"prompt_cache", "reasoning_effort"}}),
        ("api.x.ai", "grok-3-mini", {"drops": {"prompt_cache", "stop"}}),
        ("generativelanguage.googleapis.com", "gemini-3", {"returns": {"extra_content"}}),
        ("api.moonshot.ai", "kimi-k3", {"reasoning": "reasoning_content"}),
        ("localhost", "anything", {"max_tokens": "max_tokens", "drops": {"prompt_cache"}, "returns": None}),
    ],
)
def test_a_profile_is_known_by_host_and_model(host, model, expected):
    profile = profile_of(host, model)

    assert {name: getattr(profile, name) for name in expected} == expected


async def test_a_profile_of_ones_own_takes_the_place_of_the_known_one():
    server = wire.serve(json_body={"choices": [{"message": {"content": "hi"}}]})

    for profile in (None, Profile(instructions="developer")):
        await OpenAI("o3", server.openai(), profile=profile)(wire.hello(messages=(System("be brief"),)))

    assert [json.loads(request.content)["messages"][0]["role"] for request in server.requests] == [
        "system",
        "developer",
    ]


# --- the output -----------------------------------------------------------------------------------------------


def test_an_output_is_asked_for_by_a_tool():
    sent = body(Profile(output="tool"), output=ANSWER)

    assert (sent["tool_choice"], names(sent)) == ("required", ["a", "b", "c", "final_answer"])
    assert sent["tools"][3]["function"]["parameters"] == ANSWER.schema
    assert "response_format" not in sent


@pytest.mark.parametrize(("tools", "choice"), [((), "auto"), (TOOLS, "none")], ids=["no tools", "none wanted"])
def test_the_tool_for_the_answer_is_the_only_one_where_no_other_may_be_called(tools, choice):
    sent = body(Profile(output="tool"), tools=tools, output=ANSWER, tool_choice=choice)

    assert (sent["tool_choice"], names(sent)) == (function("final_answer"), ["final_answer"])


def test_the_tool_for_the_answer_may_be_called_beside_chosen_ones():
    sent = body(Profile(output="tool"), output=ANSWER, tool_choice=ToolNames("b"))

    assert (sent["tool_choice"], names(sent)) == ("required", ["b", "final_answer"])


def test_the_tool_for_the_answer_has_a_name_of_its_own():
    sent = body(Profile(output="tool"), tools=(spec("final_answer"),), output=ANSWER)

    assert names(sent) == ["final_answer", "final_answer_"]


@pytest.mark.parametrize(("output", "format_"), [("json", {"type": "json_object"}), ("words", None)])
def test_an_output_is_asked_for_in_words_after_the_instructions(output, format_):
    messages = (System("be brief"), User((Text("hi"),)))

    sent = body(Profile(output=output, instructions="developer"), messages=messages, output=ANSWER)

    assert [message["role"] for message in sent["messages"]] == ["developer", "developer", "user"]
    assert json.dumps(ANSWER.schema, separators=(",", ":")) in sent["messages"][1]["content"]
    assert sent.get("response_format") == format_


BY_TOOL = {"id": "z", "function": {"name": "final_answer", "arguments": '{"x": 1}'}}
LOOK = {"id": "l", "function": {"name": "look", "arguments": "{}"}}


async def by_tool(*calls, stream):
    seen = wire.Seen()
    if stream:
        pieces = [{**call, "index": index} for index, call in enumerate(calls)]
        server, _ = wire.serve_sse(
            {"choices": [{"delta": {"tool_calls": pieces}}]},
            {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        )
    else:
        server = wire.serve(json_body={"choices": [{"message": {"tool_calls": list(calls)}}]})
    model = OpenAI("gpt-4", server.openai())
    reply = await model(wire.hello(output=ANSWER, stream=stream, emit=seen))
    return reply, seen.deltas


@pytest.mark.parametrize("stream", [False, True])
async def test_what_goes_to_the_tool_for_the_answer_is_the_text_of_the_answer(stream):
    reply, deltas = await by_tool(BY_TOOL, stream=stream)

    assert (reply.message, reply.finish) == (Assistant((Text('{"x": 1}'),)), "stop")
    assert deltas == ([TextDelta('{"x": 1}')] if stream else [])


@pytest.mark.parametrize("stream", [False, True])
async def test_other_tools_that_are_called_beside_it_are_called(stream):
    reply, deltas = await by_tool(LOOK, BY_TOOL, stream=stream)

    assert reply.message == Assistant((Text('{"x": 1}'), ToolUse("l", "look")))
    assert reply.finish == "tool_uses"
    assert not any(isinstance(delta, ToolUseDelta) and delta.name == "final_answer" for delta in deltas)


async def test_an_agent_gets_its_output_by_a_tool():
    server = wire.serve(json_body={"choices": [{"message": {"tool_calls": [BY_TOOL]}}]})

    @tool
    def look() -> str:
        """Look."""
        return ""

    run = await Agent(OpenAI("gpt-4", server.openai()), tools=[look], output=dict[str, int]).run("hi")

    assert run.output == {"x": 1}
