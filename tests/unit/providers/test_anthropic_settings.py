"""Settings, tools and output types, by what each family of models accepts."""

import attrs
import pytest
from unit.providers import wire

from par import RunContext
from par.calls import ModelCall, OutputSpec, Settings, ToolNames, ToolSpec
from par.errors import UsageError
from par.events import SettingDropped
from par.messages import Assistant, Opaque, Reasoning, System, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._anthropic_request import MessageRequests
from par.providers.anthropic import Anthropic, Profile, profile_of

OBJECT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
WEATHER = ToolSpec(name="weather", description="Tell the weather.", parameters=OBJECT)
TIME = ToolSpec(name="time", description="Tell the time.", parameters=OBJECT)
OUTPUT = OutputSpec(name="R", schema=OBJECT)
OLD, MIDDLE, NEW = "claude-sonnet-4-0", "claude-opus-4-6", "claude-opus-4-8"


def prepare(model="another", profile=None, limit=4096, **fields):
    call = ModelCall(**{"model": "m", "messages": (User((Text("hi"),)),), **fields})
    return MessageRequests(model, limit, profile).prepare(call)


def body(model="another", profile=None, **fields):
    return prepare(model, profile, **fields).body


def added(model="another", settings=None, profile=None, **fields):
    """What a setting changes in the body."""
    before, after = body(model, profile, **fields), body(model, profile, settings=settings, **fields)
    return {name: value for name, value in after.items() if before.get(name) != value}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"stop": ("a", "b")}, {"stop_sequences": ["a", "b"]}),
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"parallel_tool_uses": False}, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
        (
            {"parallel_tool_uses": False, "tool_choice": "required"},
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        ),
        ({"parallel_tool_uses": False, "tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"extra": {"thinking": {"type": "adaptive"}}}, {"thinking": {"type": "adaptive"}}),
        ({"extra": {"betas": ["a"]}}, {}),
    ],
)
def test_each_setting_reaches_the_request(setting, expected):
    assert added(settings=Settings(**setting), tools=(WEATHER,)) == expected


SUMMARIZED = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        (NEW, "minimal", {"output_config": {"effort": "low"}, "thinking": SUMMARIZED}),
        (NEW, "high", {"output_config": {"effort": "high"}, "thinking": SUMMARIZED}),
        (NEW, "xhigh", {"output_config": {"effort": "xhigh"}, "thinking": SUMMARIZED}),
        (NEW, "none", {"thinking": {"type": "disabled"}}),
        (MIDDLE, "medium", {"output_config": {"effort": "medium"}, "thinking": {"type": "adaptive"}}),
        (MIDDLE, "xhigh", {"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}}),
        (OLD, "minimal", {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 5120}),
        (OLD, "high", {"thinking": {"type": "enabled", "budget_tokens": 16384}, "max_tokens": 20480}),
        (OLD, "none", {}),
    ],
)
def test_an_effort_is_an_effort_or_a_budget_by_the_model(model, effort, expected):
    assert added(model, Settings(reasoning_effort=effort)) == expected


def test_the_callers_own_thinking_is_left_alone():
    own = {"type": "enabled", "budget_tokens": 2000}

    assert added(NEW, Settings(reasoning_effort="low", extra={"thinking": own})) == {
        "thinking": own,
        "output_config": {"effort": "low"},
    }
    assert added(OLD, Settings(reasoning_effort="low", extra={"thinking": own})) == {"thinking": own}


def test_a_limit_that_the_thinking_would_use_up_is_refused():
    with pytest.raises(UsageError, match="8192"):
        body(OLD, settings=Settings(reasoning_effort="medium", max_tokens=8192))
    assert added(OLD, Settings(reasoning_effort="medium", max_tokens=8193))["max_tokens"] == 8193


@pytest.mark.parametrize(
    ("said", "thinks"),
    [
        ([Reasoning("hm", "sig"), ToolUse("a", "t")], True),
        ([Opaque("anthropic", {"type": "redacted_thinking", "data": "x"}), ToolUse("a", "t")], True),
        ([ToolUse("a", "t")], False),
        ([Reasoning("another's"), Opaque("openai", {"type": "redacted_thinking"}), ToolUse("a", "t")], False),
    ],
)
def test_a_turn_that_began_without_thinking_goes_on_without(said, thinks):
    results = ToolResults((ToolResult(tool_use_id="a", name="t", content="r"),))
    turn = (User((Text("q"),)), Assistant(tuple(said)), results, Assistant((ToolUse("a", "t"),)), results)
    settings = Settings(reasoning_effort="low")

    request = prepare(OLD, messages=turn, settings=settings)

    assert ("thinking" in request.body) == thinks
    assert [name for name, _ in request.dropped] == ([] if thinks else ["reasoning_effort"])
    assert "thinking" in body(OLD, messages=(*turn, User((Text("and?"),))), settings=settings)
    assert "thinking" in body(NEW, messages=turn, settings=settings)


THINKING = {"extra": {"thinking": {"type": "enabled", "budget_tokens": 2000}}}
REFUSED = [
    pytest.param(NEW, {"temperature": 0.5}, "temperature", id="newest-temperature"),
    pytest.param(NEW, {"top_p": 0.5}, "top_p", id="newest-top_p"),
    pytest.param(MIDDLE, {"temperature": 0.5, "top_p": 0.5}, "top_p", id="both"),
    pytest.param(OLD, {"temperature": 1.5}, "temperature", id="scale"),
    pytest.param(OLD, {"temperature": 0.5, "reasoning_effort": "low"}, "temperature", id="thinking-temperature"),
    pytest.param(OLD, {"temperature": 0.5, **THINKING}, "temperature", id="own-thinking"),
    pytest.param(MIDDLE, {"temperature": 0.5, "reasoning_effort": "low"}, "temperature", id="adaptive"),
    pytest.param(OLD, {"top_p": 0.9, "reasoning_effort": "low"}, "top_p", id="thinking-top_p"),
    pytest.param(OLD, {"seed": 1}, "seed", id="seed"),
    pytest.param(OLD, {"reasoning_effort": "low", "tool_choice": "required"}, "reasoning_effort", id="forced"),
    pytest.param("claude-3-5-haiku", {"reasoning_effort": "low"}, "reasoning_effort", id="thoughtless"),
    pytest.param("claude-fable-5-1", {"tool_choice": "required"}, "tool_choice", id="unforced"),
    pytest.param("claude-fable-5-1", {"tool_choice": ToolNames("weather")}, "tool_choice", id="unforced-name"),
]


@pytest.mark.parametrize(("model", "setting", "name"), REFUSED)
def test_what_a_model_refuses_is_an_error_before_anything_is_sent(model, setting, name):
    profile = attrs.evolve(profile_of(model), drops=frozenset())

    with pytest.raises(UsageError, match=f"refuses {name}"):
        body(model, profile, tools=(WEATHER,), settings=Settings(**setting))


@pytest.mark.parametrize(("model", "setting", "name"), REFUSED)
def test_what_a_model_refuses_is_dropped_where_its_profile_says_so(model, setting, name):
    profile = attrs.evolve(profile_of(model), drops=frozenset({name}))

    request = prepare(model, profile, tools=(WEATHER,), settings=Settings(**setting))

    assert [dropped for dropped, _ in request.dropped] == [name]
    kept = {key: value for key, value in setting.items() if key != name}
    assert request.body == body(model, profile, tools=(WEATHER,), settings=Settings(**kept))


@pytest.mark.parametrize(
    "setting",
    [
        {"temperature": 1.0, "reasoning_effort": "low"},
        {"top_p": 0.95, "reasoning_effort": "low"},
        {"temperature": 0.5, "extra": {"thinking": {"type": "disabled"}}},
        {"tool_choice": "none", "reasoning_effort": "low"},
        {"tool_choice": ToolNames("weather", required=False), "reasoning_effort": "low"},
    ],
)
def test_what_goes_together_is_sent(setting):
    assert prepare(OLD, tools=(WEATHER,), settings=Settings(**setting)).dropped == ()


@pytest.mark.anyio
async def test_each_dropped_setting_is_told():
    told = []

    async def emit(event):  # noqa: ASYNC124 # an emit is async
        told.append(event)

    ctx = RunContext[object](None, call_id="model-3", emit=emit)
    answer = {"type": "message", "content": [], "model": "m", "usage": {}}

    await Anthropic(NEW, wire.serve(json_body=answer).anthropic())(
        wire.hello(ctx=ctx, settings=Settings(temperature=0.2, top_p=0.3))
    )

    assert [(type(e), e.call_id, e.provider, e.setting) for e in told] == [
        (SettingDropped, "model-3", "anthropic", "temperature"),
        (SettingDropped, "model-3", "anthropic", "top_p"),
    ]
    assert all(e.reason for e in told)


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("claude-opus-4-20250514", OLD),
        ("claude-sonnet-4@20250514", OLD),
        ("us.anthropic.claude-opus-4-6-v1:0", MIDDLE),
        ("anthropic/claude-opus-4-8", NEW),
        ("claude-zebra-9", NEW),
        ("claude-sonnet-4-5-20250929", "claude-opus-4-1"),
    ],
)
def test_a_model_is_known_by_its_name_in_any_cloud(name, like):
    assert profile_of(name) == profile_of(like)


@pytest.mark.parametrize(
    "wrong", [{"drops": {"temprature"}}, {"output": "json"}, {"sampling": "some"}], ids=lambda wrong: next(iter(wrong))
)
def test_a_profile_with_a_word_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values()))).strip("{}'")):
        Profile(**wrong)


def test_a_model_of_another_maker_is_taken_for_one_that_accepts_everything():
    assert profile_of("glm-5") == Profile()


# --- tools ---------------------------------------------------------------------------------------------------


def test_tools_are_sent_with_their_schema():
    assert body(tools=(WEATHER,))["tools"] == [
        {"name": "weather", "description": "Tell the weather.", "input_schema": OBJECT}
    ]


def test_a_strict_tool_is_held_to_its_schema():
    loose = {"type": "object", "properties": {"x": {"type": "integer", "minimum": 1}}}

    (tool,) = body(tools=(attrs.evolve(WEATHER, strict=True, parameters=loose),))["tools"]

    assert tool["strict"] is True
    assert tool["input_schema"] == {
        "type": "object",
        "properties": {"x": {"type": "integer", "description": "(minimum: 1)"}},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("model", "schema"), [(OLD, OBJECT), (NEW, {"type": "object", "additionalProperties": {"type": "string"}})]
)
def test_a_tool_that_cannot_be_strict_is_an_error_unless_the_profile_drops_it(model, schema):
    tools = (attrs.evolve(WEATHER, strict=True, parameters=schema),)
    held = attrs.evolve(profile_of(model), drops=frozenset())
    drops = attrs.evolve(held, drops=frozenset({"strict"}))

    with pytest.raises(UsageError, match="weather"):
        body(model, held, tools=tools)
    request = prepare(model, drops, tools=tools)
    assert [name for name, _ in request.dropped] == ["strict"]
    assert request.body["tools"] == [{"name": "weather", "description": "Tell the weather.", "input_schema": schema}]


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


def test_tools_of_the_provider_follow_and_those_of_others_are_left_out():
    provided = (Opaque("openai", {"type": "x"}), Opaque("anthropic", SEARCH))

    assert body(tools=(WEATHER,), settings=Settings(provider_tools=provided))["tools"][1:] == [SEARCH]
    assert body(settings=Settings(provider_tools=provided))["tools"] == [SEARCH]


def test_an_entry_of_the_name_of_a_tool_says_more_of_it():
    deferred = Opaque("anthropic", {"name": "weather", "defer_loading": True})

    sent = body(tools=(WEATHER, TIME), settings=Settings(provider_tools=(deferred,)))["tools"]

    assert [tool["name"] for tool in sent] == ["weather", "time"]
    assert sent[0] == {**body(tools=(WEATHER,))["tools"][0], "defer_loading": True}


def test_an_entry_with_a_type_takes_the_place_of_the_tool_of_its_name():
    memory = {"type": "memory_20250818", "name": "weather"}

    sent = body(tools=(WEATHER, TIME), settings=Settings(provider_tools=(Opaque("anthropic", memory),)))["tools"]

    assert sent[0] == memory
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("choice", "expected", "offered"),
    [
        (ToolNames("time"), {"type": "tool", "name": "time"}, ["weather", "time", "web_search"]),
        (ToolNames(["time", "web_search"]), {"type": "any"}, ["time", "web_search"]),
        (ToolNames("time", required=False), None, ["time"]),
        (ToolNames(["time", "weather"], required=False), None, ["weather", "time"]),
    ],
)
def test_named_tools_are_required_by_name_or_by_being_the_only_ones(choice, expected, offered):
    settings = Settings(tool_choice=choice, provider_tools=(Opaque("anthropic", SEARCH),))

    sent = body(tools=(WEATHER, TIME), settings=settings)

    assert sent.get("tool_choice") == expected
    assert [tool["name"] for tool in sent["tools"]] == offered


def test_a_choice_of_tools_that_are_not_there_is_refused():
    with pytest.raises(UsageError, match="nothere"):
        body(tools=(WEATHER,), settings=Settings(tool_choice=ToolNames("nothere")))
    with pytest.raises(UsageError, match="no tools"):
        body(settings=Settings(tool_choice="required"))


# --- output --------------------------------------------------------------------------------------------------


def test_an_output_type_is_asked_for_by_the_api_where_it_can():
    sent = body(NEW, output=OUTPUT, settings=Settings(reasoning_effort="low"))

    assert sent["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": OBJECT}}
    assert "system" not in sent


@pytest.mark.parametrize(
    ("model", "schema"), [(OLD, OBJECT), (NEW, {"type": "object", "additionalProperties": {"type": "string"}})]
)
def test_it_is_asked_for_in_words_where_it_cannot(model, schema):
    sent = body(model, messages=(System("be brief"), User((Text("q"),))), output=OutputSpec(name="R", schema=schema))

    assert sent["system"][0]["text"] == "be brief"
    assert '"additionalProperties":' in sent["system"][1]["text"]
    assert "output_config" not in sent


BY_TOOL = Profile(output="tool")


@pytest.mark.parametrize(
    ("settings", "choice"),
    [
        (Settings(), {"type": "any"}),
        (Settings(tool_choice="required"), {"type": "any"}),
        (Settings(tool_choice="none"), {"type": "tool", "name": "final_answer"}),
        (Settings(reasoning_effort="low"), None),
        (Settings(tool_choice=ToolNames("weather")), {"type": "tool", "name": "weather"}),
    ],
)
def test_it_is_asked_for_by_a_tool_where_the_profile_says_so(settings, choice):
    request = prepare(profile=BY_TOOL, tools=(WEATHER,), output=OUTPUT, settings=settings)

    assert request.answer == "final_answer"
    assert request.body["tools"][-1]["input_schema"] == OBJECT
    assert request.body.get("tool_choice") == choice


def test_the_tool_for_the_answer_has_a_name_of_its_own():
    request = prepare(profile=BY_TOOL, tools=(attrs.evolve(WEATHER, name="final_answer"),), output=OUTPUT)

    assert request.answer == "final_answer_"


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_what_is_given_to_that_tool_is_the_answer(streamed):
    block = {"type": "tool_use", "id": "a", "name": "final_answer", "input": {"x": 1}}
    other = {"type": "tool_use", "id": "b", "name": "weather", "input": {}}
    message = {"type": "message", "content": [block, other], "model": "m", "stop_reason": "tool_use", "usage": {}}
    events = [
        {"type": "message_start", "message": {**message, "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {**block, "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"x":1}'}},
        {"type": "content_block_start", "index": 1, "content_block": other},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {}},
        {"type": "message_stop"},
    ]
    server = wire.serve_sse(*events)[0] if streamed else wire.serve(json_body=message)
    seen = wire.Seen()

    reply = await Anthropic("another", server.anthropic(), profile=BY_TOOL)(
        wire.hello(output=OUTPUT, stream=streamed, emit=seen)
    )

    assert reply.message.content == (Text('{"x":1}'), ToolUse("b", "weather"))
    assert not streamed or seen.joined() == wire.shown(reply)
