"""What is sent to the chat-completions API."""

import pytest

from par.calls import ModelCall, OutputSpec, Settings, ToolSpec
from par.messages import Assistant, Image, Opaque, Reasoning, System, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._openai_profile import Profile
from par.providers._openai_request import ChatRequests

WEATHER = ToolSpec(
    name="weather",
    description="Tell the weather.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


OPENAI = Profile(max_tokens="max_completion_tokens", verbatim_arguments=True)
OTHER = Profile()


def body(*messages, profile=OPENAI, tag="openai", **fields):
    return ChatRequests("gpt-x", tag=tag, profile=profile).body(
        ModelCall(model="ignored", messages=messages or (User((Text("hi"),)),), **fields)
    )


def test_the_bare_request_has_nothing_that_was_not_asked_for():
    assert body() == {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}]}


def test_a_conversation_with_tools_keeps_roles_ids_and_order():
    sent = body(
        System("be brief"),
        User((Text("weather?"),)),
        Assistant((Text("I look."), ToolUse("a", "weather", {"city": "Köln"}), ToolUse("b", "weather", {}))),
        ToolResults((
            ToolResult(tool_use_id="a", name="weather", content="sun"),
            ToolResult(tool_use_id="b", name="weather", content="no city", outcome="failed"),
        )),
    )

    assert sent["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}},
                {"id": "b", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "sun"},
        {"role": "tool", "tool_call_id": "b", "content": "no city"},
    ]


def test_images_are_sent_as_url_and_as_data():
    sent = body(User((Text("see"), Image(url="https://x/y.png"), Image(base64="QUJD", media_type="image/png"))))

    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ]


def test_a_lone_image_is_sent_too():
    assert body(User((Image(url="u"),)))["messages"][0]["content"] == [{"type": "image_url", "image_url": {"url": "u"}}]


def test_a_tool_call_without_text_has_null_content():
    assert body(Assistant((ToolUse("a", "weather"),)))["messages"][0]["content"] is None


def test_an_empty_answer_in_the_history_is_sent_as_empty_text():
    assert body(Assistant(()))["messages"] == [{"role": "assistant", "content": ""}]


def test_reasoning_is_not_sent_back():
    assert body(Assistant((Reasoning("hm"), Text("yes"))))["messages"] == [{"role": "assistant", "content": "yes"}]


def test_malformed_arguments_go_back_word_for_word_to_openai():
    sent = body(Assistant((ToolUse("a", "weather", malformed='{"city": '),)))

    assert sent["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"city": '


def test_malformed_arguments_go_to_other_servers_within_json():
    sent = body(Assistant((ToolUse("a", "weather", malformed='{"city'),)), profile=OTHER)

    assert sent["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"malformed":"{\\"city"}'


def test_opaque_fields_go_back_to_their_own_server_only():
    block = Opaque("openai", {"message": {"audio": {"id": "x"}}, "tool_calls": {"a": {"extra_content": {"s": 1}}}})
    message = Assistant((Text("t"), ToolUse("a", "weather"), block))

    own = body(message)["messages"][0]
    other = body(message, tag="openai@openrouter.ai")["messages"][0]

    assert own["audio"] == {"id": "x"}
    assert own["tool_calls"][0]["extra_content"] == {"s": 1}
    assert "audio" not in other
    assert "extra_content" not in other["tool_calls"][0]


def test_parts_of_content_that_par_does_not_know_go_back_as_parts():
    message = Assistant((Text("t"), Opaque("openai", {"message": {"content_parts": [{"type": "reference"}]}})))

    assert body(message)["messages"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "t"}, {"type": "reference"}]}
    ]


def test_tools_are_sent_with_their_schema():
    assert body(tools=(WEATHER,))["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Tell the weather.",
                "parameters": WEATHER.parameters,
            },
        }
    ]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"max_tokens": 7}, {"max_completion_tokens": 7}),
        ({"stop": ("a", "b")}, {"stop": ["a", "b"]}),
        ({"seed": 0}, {"seed": 0}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        ({"parallel_tool_uses": False}, {"parallel_tool_calls": False}),
        ({"extra": {"logit_bias": {"1": 2}}}, {"logit_bias": {"1": 2}}),
        ({"temperature": 0.5, "extra": {"temperature": 1}}, {"temperature": 1}),
    ],
)
def test_each_setting_reaches_the_request(setting, expected):
    plain = body(tools=(WEATHER,))

    assert body(tools=(WEATHER,), settings=Settings(**setting)) == {**plain, **expected}


def test_other_servers_are_told_max_tokens():
    assert body(profile=OTHER, settings=Settings(max_tokens=7))["max_tokens"] == 7


def test_without_tools_nothing_is_said_about_them():
    assert body(settings=Settings(tool_choice="required", parallel_tool_uses=False)) == body()


def test_a_stream_asks_for_its_usage():
    assert body(stream=True) == {**body(), "stream": True, "stream_options": {"include_usage": True}}


STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        ({"type": "string"}, True),
        ({**STRICT, "required": []}, False),
        ({**STRICT, "additionalProperties": True}, False),
        ({**STRICT, "properties": {"a": {"type": "object", "properties": {}}}}, False),
        ({"anyOf": [STRICT, {"type": "object"}]}, False),
    ],
)
def test_an_output_type_becomes_a_response_format_strict_where_the_schema_allows(schema, strict):
    sent = body(output=OutputSpec(name="list[Report]", schema=schema))

    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "list_Report_", "schema": schema, "strict": strict},
    }


def test_the_form_of_an_assistant_message_is_built_once():
    requests = ChatRequests("m", tag="openai", profile=OPENAI)
    message = Assistant((Text("a"),))

    first = requests.body(ModelCall(model="m", messages=(message,)))["messages"][0]
    again = requests.body(ModelCall(model="m", messages=(User((Text("x"),)), message)))["messages"][1]

    assert first is again


def test_equal_messages_that_differ_in_type_do_not_share_their_form():
    requests = ChatRequests("m", tag="openai", profile=OPENAI)

    for number in (1, 1.0, True):
        call = ModelCall(model="m", messages=(Assistant((ToolUse("a", "t", {"x": number}),)),))
        sent = requests.body(call)["messages"][0]["tool_calls"][0]["function"]["arguments"]
        assert sent == {"1": '{"x":1}', "1.0": '{"x":1.0}', "True": '{"x":true}'}[str(number)]
