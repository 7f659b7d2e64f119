"""What is sent to the messages API."""

import pytest

from par.calls import ModelCall, OutputSpec, Settings, ToolSpec
from par.errors import UsageError
from par.messages import Assistant, Image, Opaque, Reasoning, System, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._anthropic_request import MessageRequests

WEATHER = ToolSpec(name="weather", description="Tell the weather.", parameters={"type": "object"})


def body(*messages, **fields):
    return MessageRequests("claude-x", 4096).body(
        ModelCall(model="ignored", messages=messages or (User((Text("hi"),)),), **fields)
    )


def content(*blocks):
    return body(Assistant(blocks))["messages"][0]["content"]


def test_the_bare_request_has_nothing_that_was_not_asked_for():
    assert body() == {
        "model": "claude-x",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_a_conversation_with_tools_keeps_roles_ids_and_order():
    sent = body(
        System("be brief"),
        User((Text("weather?"),)),
        Assistant((Reasoning("hm", "sig"), Text("I look."), ToolUse("a", "weather", {"city": "Köln"}))),
        ToolResults((ToolResult(tool_use_id="a", name="weather", content="no city", outcome="failed"),)),
    )

    assert sent["system"] == [{"type": "text", "text": "be brief"}]
    assert sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Köln"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "a", "content": "no city", "is_error": True}],
        },
    ]


def test_neighbours_of_one_role_are_joined_and_the_message_is_not_changed_by_it():
    requests = MessageRequests("m", 1)
    first = Assistant((Text("one"),))
    call = ModelCall(
        model="m",
        messages=(
            ToolResults((ToolResult(tool_use_id="a", name="t", content="r"),)),
            User((Text("and?"),)),
            first,
            Assistant((Text("two"),)),
        ),
    )

    for _ in range(2):
        sent = requests.body(call)["messages"]
        assert [(m["role"], len(m["content"])) for m in sent] == [("user", 2), ("assistant", 2)]
    assert requests.body(ModelCall(model="m", messages=(first,)))["messages"][0]["content"] == [
        {"type": "text", "text": "one"}
    ]


def test_images_are_sent_as_url_and_as_data():
    sent = body(User((Image(url="https://x/y.png"), Image(base64="QUJD", media_type="image/png"))))

    assert sent["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
    ]


def test_what_the_api_refuses_is_left_out():
    assert content(Text(""), Reasoning("unsigned"), Opaque("openai", {"x": 1}), Text("a")) == [
        {"type": "text", "text": "a"}
    ]
    assert body(User((Text("q"),)), Assistant((Reasoning("unsigned"),)))["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "q"}]}
    ]


def test_opaque_blocks_go_back_word_for_word_in_their_place():
    block = {"type": "redacted_thinking", "data": "xyz"}

    assert content(Text("a"), Opaque("anthropic", block), Text("b")) == [
        {"type": "text", "text": "a"},
        block,
        {"type": "text", "text": "b"},
    ]


def test_fields_that_par_has_no_place_for_go_back_into_their_block():
    fields = Opaque("anthropic", {"fields": {"citations": [1]}})

    assert content(Text("a"), fields) == [{"type": "text", "text": "a", "citations": [1]}]
    assert body(User((Text("q"),)), Assistant((fields,)))["messages"][-1]["role"] == "user"


def test_malformed_arguments_are_told_within_an_object():
    assert content(ToolUse("a", "t", malformed="{x"))[0]["input"] == {"malformed": "{x"}


@pytest.mark.parametrize("id_", ["functions.weather:0", "a b", "ü"])
def test_ids_of_other_providers_are_made_acceptable_in_both_places(id_):
    sent = body(
        Assistant((ToolUse(id_, "t"), ToolUse(id_.replace("a", "_"), "t"))),
        ToolResults((ToolResult(tool_use_id=id_, name="t", content="r"),)),
    )

    use = sent["messages"][0]["content"][0]["id"]
    assert use.replace("_", "").replace("-", "").isalnum()
    assert use.isascii()
    assert sent["messages"][1]["content"][0]["tool_use_id"] == use


def test_ids_that_look_alike_after_that_stay_different():
    first, second = content(ToolUse("a.b", "t"), ToolUse("a:b", "t"))

    assert first["id"] != second["id"]


def test_tools_are_sent_with_their_schema():
    assert body(tools=(WEATHER,))["tools"] == [
        {"name": "weather", "description": "Tell the weather.", "input_schema": {"type": "object"}}
    ]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
        ({"stop": ("a", "b")}, {"stop_sequences": ["a", "b"]}),
        ({"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}}),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        ({"tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"parallel_tool_uses": False}, {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}),
        (
            {"parallel_tool_uses": False, "tool_choice": "required"},
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        ),
        ({"parallel_tool_uses": False, "tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"extra": {"thinking": {"type": "adaptive"}}}, {"thinking": {"type": "adaptive"}}),
    ],
)
def test_each_setting_reaches_the_request(setting, expected):
    assert body(tools=(WEATHER,), settings=Settings(**setting)) == {**body(tools=(WEATHER,)), **expected}


def test_a_seed_is_refused_rather_than_ignored():
    with pytest.raises(UsageError, match="seed"):
        body(settings=Settings(seed=1))


def test_a_stream_is_asked_for():
    assert body(stream=True) == {**body(), "stream": True}


def test_an_output_type_is_asked_for_at_the_end_of_the_instructions():
    sent = body(
        System("be brief"), User((Text("q"),)), output=OutputSpec(name="R", schema={"type": "object", "x": "ü"})
    )

    assert sent["system"][0]["text"] == "be brief"
    assert sent["system"][1]["text"].endswith('{"type":"object","x":"ü"}')
