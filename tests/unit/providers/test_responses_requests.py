"""What is sent to the responses API."""

import attrs
import pytest

from par import errors
from par.calls import ModelCall, OutputSpec, PromptCache, Settings, ToolNames, ToolSpec
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
from par.providers._openai_profile import Profile
from par.providers._responses_items import blocks_of
from par.providers._responses_request import API, ResponseRequests

OPEN = {"type": "object", "properties": {"city": {"type": "string"}}}
CLOSED = {**OPEN, "required": ["city"], "additionalProperties": False}
WEATHER = ToolSpec(name="weather", description="Tell the weather.", parameters=CLOSED)
CLOCK = ToolSpec(name="clock", description="", parameters=OPEN)
OPENAI = Profile(verbatim_arguments=True, allowed_tools=True)
HI = User((Text("hi"),))


def requests(model="gpt-4o", tag=API, profile=OPENAI):
    return ResponseRequests(model, tag=tag, profile=profile)


def body(*messages, model="gpt-4o", tag=API, profile=OPENAI, **fields):
    return requests(model, tag, profile).body(ModelCall(model="ignored", messages=messages or (HI,), **fields))


def sent(*messages, **options):
    return body(*messages, **options)["input"]


def said(*items, tag=API, stored=False):
    """The message of an answer with these items."""
    blocks = [block for item in items for block in blocks_of(item, tag, item.get("call_id", ""), stored=stored)]
    return Assistant(tuple(blocks))


def thoughts(text=None, **fields):
    summary = [] if text is None else [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "secret", **fields}


def message(text="Hello.", **part):
    content = [{"type": "output_text", "text": text, "annotations": [], **part}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def function_call(call_id="call_1", name="weather", arguments='{"city":"Rome"}'):
    return {
        "type": "function_call",
        "id": "fc_1",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def result(id_="call_1", content="sun", **fields):
    return ToolResults((ToolResult(tool_use_id=id_, name="weather", content=content, **fields),))


# --- the conversation ---------------------------------------------------------------------------------------


def test_the_bare_request_stores_nothing_and_has_nothing_else_that_was_not_asked_for():
    assert body() == {"model": "gpt-4o", "input": [{"role": "user", "content": "hi"}], "store": False}


@pytest.mark.parametrize(
    ("model", "asks"),
    [
        ("gpt-5", True),
        ("gpt-5.6-sol", True),
        ("o4-mini", True),
        ("openai/gpt-5-mini", True),
        ("gpt-oss-120b", True),
        ("ft:o4-mini:me", True),
        ("gpt-5-chat-latest", False),
        ("gpt-4o", False),
        ("my-deployment", False),
    ],
)
def test_models_that_think_are_asked_for_their_encrypted_thoughts(model, asks):
    assert body(model=model).get("include") == (["reasoning.encrypted_content"] if asks else None)


def test_the_first_instructions_stand_apart_and_later_ones_in_their_place():
    told = body(System("be brief"), HI, System("be kind"), profile=attrs.evolve(OPENAI, instructions="developer"))

    assert told["instructions"] == "be brief"
    assert told["input"] == [{"role": "user", "content": "hi"}, {"role": "developer", "content": "be kind"}]


def test_empty_instructions_are_none():
    assert body(System(""), HI) == body(HI)


def test_a_conversation_of_another_provider_is_told_by_its_texts_and_tools():
    foreign = Assistant((
        Reasoning("hm", signature="signed"),
        Text("I look"),
        Opaque("anthropic", {"type": "redacted_thinking"}),
        Text(" it up."),
        ToolUse("toolu_1", "weather", {"city": "Köln"}),
        Opaque("openai", {"message": {"annotations": []}}),
        Text("Wait."),
    ))

    assert sent(HI, foreign, result("toolu_1"), model="gpt-5") == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "I look it up."},
        {"type": "function_call", "call_id": "toolu_1", "name": "weather", "arguments": '{"city":"Köln"}'},
        {"role": "assistant", "content": "Wait."},
        {"type": "function_call_output", "call_id": "toolu_1", "output": "sun"},
    ]


@pytest.mark.parametrize("id_", ["functions.weather:0", "x" * 65, "ä"])
def test_an_id_that_the_api_refuses_is_changed_in_the_call_and_its_result_alike(id_):
    call, output = sent(Assistant((ToolUse(id_, "weather"),)), result(id_))

    assert call["call_id"] == output["call_id"] != id_
    assert len(call["call_id"]) <= 64
    assert call["call_id"].replace("_", "").isalnum()
    assert call["call_id"].isascii()


def test_an_id_of_the_same_server_stays_whatever_it_is_like():
    call, output = sent(said(function_call("functions.weather:0")), result("functions.weather:0"))

    assert call["call_id"] == output["call_id"] == "functions.weather:0"


def test_images_and_documents_are_parts():
    user = User((
        Text("see"),
        Image(url="https://x/y.png", detail="low"),
        Image(base64="QUJD", media_type="image/png"),
        Document(url="https://x/y.pdf", name="y.pdf"),
        Document(base64="QUJD", media_type="application/pdf"),
        Document(base64="QUJD", media_type="application/pdf", name="a.pdf"),
        Document(file_id="file-1"),
    ))

    assert sent(user)[0] == {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
            {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
            {"type": "input_file", "file_url": "https://x/y.pdf"},
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,QUJD"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"},
            {"type": "input_file", "file_id": "file-1"},
        ],
    }


def test_an_opaque_part_is_a_part_and_an_opaque_item_an_item():
    part = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}}
    item = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
    whole = {"role": "developer", "content": "be kind"}
    blocks = [Text("a"), Opaque(API, part), Opaque(API, item), Opaque(API, whole), Opaque("anthropic", part), Text("b")]

    assert sent(User(tuple(blocks))) == [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, part]},
        item,
        whole,
        {"role": "user", "content": "b"},
    ]


def test_what_a_tool_shows_follows_its_text():
    shown = result(blocks=(Image(url="https://x/y.png"), Opaque("anthropic", {"type": "search_result"})))

    assert sent(shown)[0]["output"] == [
        {"type": "input_text", "text": "sun"},
        {"type": "input_image", "image_url": "https://x/y.png"},
    ]


# --- what the API said itself -------------------------------------------------------------------------------

ITEMS = {
    "thoughts": [thoughts("hm"), message()],
    "encrypted thoughts": [thoughts(), message()],
    "open thoughts": [thoughts(content=[{"type": "reasoning_text", "text": "hm"}]), message()],
    "two summaries": [
        thoughts(summary=[{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]),
        message(),
    ],
    "citations": [message(annotations=[{"type": "url_citation", "url": "https://x", "start_index": 0}])],
    "a phase": [{**message(), "phase": "commentary"}, function_call()],
    "two texts": [
        {**message(), "content": [*message("a")["content"], *message("b")["content"]]},
        {**message("c"), "id": "msg_2"},
    ],
    "no text": [thoughts("hm"), message("")],
    "a refusal": [{**message(), "content": [{"type": "refusal", "refusal": "No."}]}],
    "an unknown part": [{**message(), "content": [{"type": "output_audio", "data": "QUJD"}]}],
    "calls": [thoughts("hm"), function_call("a"), {**function_call("b"), "namespace": "n"}],
    "server-side items": [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "x"}},
        thoughts("hm"),
        {"type": "mcp_call", "id": "mcp_1", "arguments": "{}", "error": None, "output": "x"},
        message(),
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "secret"},
        {"type": "image_generation_call", "id": "ig_1", "result": "QUJD", "status": "completed"},
    ],
    "a user's message": [{**message(), "role": "user"}],
    "a text without its part": [{**message(), "content": "Hello."}],
}


@pytest.mark.parametrize("items", ITEMS.values(), ids=list(ITEMS))
def test_what_the_api_said_goes_back_item_by_item(items):
    again = sent(said(*items))

    if isinstance(items[0].get("content"), str):
        items = [{**items[0], "content": [{"type": "output_text", "text": "Hello."}]}]
    assert again == items


def test_log_probabilities_do_not_go_back():
    assert sent(said(message(logprobs=[{"token": "Hello"}]))) == [message()]


def test_the_items_of_another_server_are_told_by_their_texts_and_tools():
    other = said(thoughts("hm"), message(), function_call(), {"type": "web_search_call"}, tag=f"{API}@other.example")

    assert sent(other) == [
        {"role": "assistant", "content": "Hello."},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Rome"}'},
    ]


def changed(message_, kind, *new):
    """The message with its blocks of a kind replaced by others."""
    fresh = list(new)
    blocks = []
    for block in message_.content:
        if not isinstance(block, kind):
            blocks.append(block)
        elif fresh:
            blocks.append(fresh.pop(0))
    return Assistant(tuple(blocks))


def test_what_a_layer_made_of_a_text_is_what_goes_back():
    before = said(thoughts("I saw 4711"), message("It is 4711."))

    after = changed(changed(before, Text, Text("It is …")), Reasoning, Reasoning("I saw …"))

    assert sent(after) == [thoughts("I saw …"), message("It is …")]


def test_a_text_that_a_layer_took_out_stays_out():
    two = {**message(), "content": [*message("a")["content"], *message("b")["content"]]}

    assert sent(HI, changed(said(message()), Text)) == sent(HI)
    assert sent(changed(said(two), Text, Text("only"))) == [message("only")]
    assert sent(changed(said(thoughts("hm"), message()), Reasoning)) == [thoughts(), message()]


def test_a_text_that_a_layer_put_in_is_said_before():
    before = said(message())

    assert sent(Assistant((Text("New. "), *before.content))) == [
        {"role": "assistant", "content": "New. "},
        message(),
    ]


def test_a_call_that_a_layer_took_out_stays_out_and_one_that_it_changed_is_sent_so():
    before = said(function_call())

    assert sent(HI, changed(before, ToolUse)) == sent(HI)
    assert sent(changed(before, ToolUse, ToolUse("call_1", "weather", {"city": "Bonn"}))) == [
        function_call(arguments='{"city":"Bonn"}')
    ]


def test_thoughts_that_led_to_nothing_stay_out():
    only = said(thoughts("hm"))

    assert sent(HI, only, HI) == sent(HI, HI)
    assert sent(HI, only) == sent(HI)
    assert sent(HI, only, said(message())) == [*sent(HI), thoughts("hm"), message()]


def test_thoughts_that_the_api_has_not_kept_and_not_encrypted_stay_out():
    plain = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}

    assert sent(said(plain, message(), stored=False)) == [message()]
    assert sent(said(plain, message(), stored=True)) == [plain, message()]


def test_a_custom_tool_is_called_with_its_text_and_answered_as_such():
    call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "sql", "input": 'select "a"'}
    answer = said(call)

    assert answer.tool_uses == (ToolUse("call_1", "sql", {"input": 'select "a"'}),)
    assert sent(answer, result()) == [call, {"type": "custom_tool_call_output", "call_id": "call_1", "output": "sun"}]
    assert sent(changed(answer, ToolUse, ToolUse("call_1", "sql", {"q": 1})))[0]["input"] == '{"q":1}'
    assert sent(changed(answer, ToolUse, ToolUse("call_1", "sql", {"input": ""})))[0]["input"] == ""


@pytest.mark.parametrize(("verbatim", "expected"), [(True, '{"city": '), (False, '{"malformed":"{\\"city\\": "}')])
def test_malformed_arguments_go_back_as_the_server_takes_them(verbatim, expected):
    profile = attrs.evolve(OPENAI, verbatim_arguments=verbatim)

    assert sent(said(function_call(arguments='{"city": ')), profile=profile)[0]["arguments"] == expected


def test_the_form_of_a_message_and_of_a_list_of_tools_is_built_once():
    made = requests()
    messages = (HI, said(thoughts("hm"), message()), result(), System("be kind"))
    tools, provided = (WEATHER,), (Opaque(API, {"type": "web_search"}),)

    def build(*more):
        return made.body(
            ModelCall(model="m", messages=(*messages, *more), tools=tools, settings=Settings(provider_tools=provided))
        )

    first, again = build(), build(HI)

    assert len(first["input"]) == 5
    assert all(one is other for one, other in zip(first["input"], again["input"], strict=False))
    assert all(one is other for one, other in zip(first["tools"], again["tools"], strict=True))


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"top_p": 0.5}, {"top_p": 0.5}),
        ({"max_tokens": 7}, {"max_output_tokens": 7}),
        ({"reasoning_effort": "xhigh"}, {"reasoning": {"effort": "xhigh"}}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": "none"}, {"tool_choice": "none"}),
        ({"parallel_tool_uses": False}, {"parallel_tool_calls": False}),
        ({"prompt_cache": PromptCache(key="k")}, {"prompt_cache_key": "k"}),
        ({"prompt_cache": PromptCache(ttl="24h")}, {"prompt_cache_retention": "24h"}),
        ({"prompt_cache": PromptCache(ttl="5m")}, {}),
        ({"extra": {"service_tier": "flex"}}, {"service_tier": "flex"}),
        ({"temperature": 0.5, "extra": {"temperature": 1}}, {"temperature": 1}),
        ({"extra": {"truncation": None}}, {"truncation": None}),
        (
            {"reasoning_effort": "low", "extra": {"reasoning": {"summary": "auto"}}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        (
            {"reasoning_effort": "low", "extra": {"reasoning": {"effort": "high"}}},
            {"reasoning": {"effort": "high"}},
        ),
        ({"reasoning_effort": "low", "extra": {"reasoning": None}}, {"reasoning": None}),
    ],
)
def test_each_setting_reaches_the_request(setting, expected):
    plain = body(tools=(WEATHER,))

    assert body(tools=(WEATHER,), settings=Settings(**setting)) == {**plain, **expected}


@pytest.mark.parametrize("setting", [{"stop": ("x",)}, {"seed": 1}])
def test_a_setting_that_the_api_does_not_have_is_refused_unless_the_profile_drops_it(setting):
    name = next(iter(setting))
    profile = attrs.evolve(OPENAI, drops=frozenset({name}))

    with pytest.raises(errors.UsageError, match=name):
        body(settings=Settings(**setting))
    assert body(settings=Settings(**setting), profile=profile) == body()


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("temperature", {"temperature": 1.0}),
        ("top_p", {"top_p": 0.5}),
        ("reasoning_effort", {"reasoning_effort": "low"}),
        ("prompt_cache", {"prompt_cache": PromptCache(key="k")}),
        ("parallel_tool_uses", {"parallel_tool_uses": False}),
    ],
)
def test_what_the_model_refuses_is_left_out_and_named(name, setting):
    made = requests(profile=attrs.evolve(OPENAI, drops=frozenset({name})))

    call = ModelCall(model="m", messages=(HI,), tools=(WEATHER,), settings=Settings(**setting))

    assert made.body(call) == body(tools=(WEATHER,))
    assert made.dropped(call) == [name]
    assert made.dropped(ModelCall(model="m", messages=(HI,))) == []


def test_what_the_model_refuses_while_it_thinks_is_left_out_only_then():
    profile = attrs.evolve(OPENAI, drops_thinking=frozenset({"temperature"}))

    assert "temperature" not in body(settings=Settings(temperature=1.0, reasoning_effort="low"), profile=profile)
    assert "temperature" in body(settings=Settings(temperature=1.0, reasoning_effort="none"), profile=profile)
    assert "temperature" in body(settings=Settings(temperature=1.0), profile=profile)


def test_a_stream_is_asked_for_as_one():
    assert body(stream=True) == {**body(), "stream": True}


@pytest.mark.parametrize(
    "extra", [{"store": True}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}, {"store": None}]
)
def test_whoever_relies_on_what_the_api_stores_decides_on_storing(extra):
    plain = {name: value for name, value in body().items() if name != "store"}

    assert body(settings=Settings(extra=extra)) == {**plain, **extra}


def test_of_a_history_that_the_api_has_only_what_follows_is_sent():
    answer = Assistant((Text("a"), Opaque(API, {"response": {"id": "resp_1"}})))
    history = (System("be brief"), HI, answer, result(), User((Text("b"),)))

    def told(id_):
        return body(*history, settings=Settings(extra={"previous_response_id": id_}))

    assert told("resp_1")["instructions"] == "be brief"
    assert told("resp_1")["input"] == sent(*history)[2:]
    assert told("resp_2")["input"] == sent(*history)


def test_a_response_in_the_background_can_only_be_streamed():
    settings = Settings(extra={"background": True})

    with pytest.raises(errors.UsageError, match="background"):
        body(settings=settings)
    streamed = body(settings=settings, stream=True)
    assert streamed["background"] is True
    assert "store" not in streamed


# --- tools and output ---------------------------------------------------------------------------------------


def entry(spec=WEATHER, **more):
    wire = {"type": "function", "name": spec.name, "parameters": spec.parameters, **more}
    return {**wire, "description": spec.description} if spec.description else wire


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (WEATHER, {}),
        (CLOCK, {"strict": False}),
        (attrs.evolve(WEATHER, strict=False), {"strict": False}),
        (attrs.evolve(CLOCK, strict=True), {"strict": True}),
    ],
)
def test_a_tool_is_strict_where_it_says_so_and_left_to_the_api_where_that_changes_nothing(spec, said):
    assert body(tools=(spec,))["tools"] == [entry(spec, **said)]


def test_where_the_model_has_no_strict_tools_nothing_is_said_of_it():
    tools = (CLOCK, attrs.evolve(WEATHER, strict=True))

    assert body(tools=tools, profile=attrs.evolve(OPENAI, drops={"strict"}))["tools"] == [entry(CLOCK), entry()]


def test_tools_of_the_provider_follow_the_own_ones_and_only_their_provider_gets_them():
    search = {"type": "web_search"}
    provided = (Opaque(API, search), Opaque("anthropic", {"type": "web_search_20250305"}))

    assert body(tools=(WEATHER,), settings=Settings(provider_tools=provided))["tools"] == [entry(), search]
    assert body(settings=Settings(provider_tools=provided), tag=f"{API}@gateway.example")["tools"] == [search]


def test_a_tool_of_the_provider_with_an_own_ones_name_says_more_of_it_or_takes_its_place():
    more = Opaque(API, {"type": "function", "name": "weather", "defer_loading": True})
    other = Opaque(API, {"type": "custom", "name": "weather"})

    assert body(tools=(WEATHER,), settings=Settings(provider_tools=(more,)))["tools"] == [
        {**entry(), "defer_loading": True}
    ]
    assert body(tools=(WEATHER,), settings=Settings(provider_tools=(other,)))["tools"] == [other.data]


def test_without_tools_nothing_is_said_about_them():
    assert body(settings=Settings(tool_choice="required", parallel_tool_uses=False)) == body()


PROVIDED = (
    Opaque(API, {"type": "web_search", "search_context_size": "low"}),
    Opaque(API, {"type": "mcp", "server_label": "wiki", "server_url": "https://x"}),
)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolNames("weather"), {"type": "function", "name": "weather"}),
        (ToolNames("web_search"), {"type": "web_search"}),
        (ToolNames("wiki"), {"type": "mcp", "server_label": "wiki"}),
        (
            ToolNames(("weather", "wiki")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "weather"}, {"type": "mcp", "server_label": "wiki"}],
            },
        ),
        (
            ToolNames("weather", required=False),
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
        ),
    ],
)
def test_tools_are_chosen_by_name(choice, expected):
    told = body(tools=(WEATHER, CLOCK), settings=Settings(tool_choice=choice, provider_tools=PROVIDED))

    assert told["tool_choice"] == expected
    assert len(told["tools"]) == 4


@pytest.mark.parametrize(("required", "mode"), [(True, "required"), (False, None)])
def test_where_there_is_no_list_of_allowed_tools_the_others_are_not_offered(required, mode):
    choice = ToolNames(("weather", "web_search"), required=required)
    settings = Settings(tool_choice=choice, provider_tools=PROVIDED)

    told = body(tools=(WEATHER, CLOCK), settings=settings, profile=attrs.evolve(OPENAI, allowed_tools=False))

    assert told["tools"] == [entry(), PROVIDED[0].data]
    assert told.get("tool_choice") == mode


def test_a_name_that_no_tool_has_is_refused():
    with pytest.raises(errors.UsageError, match="winter"):
        body(tools=(WEATHER,), settings=Settings(tool_choice=ToolNames(("weather", "winter"))))


@pytest.mark.parametrize(("schema", "strict"), [(CLOSED, True), (OPEN, False)])
def test_an_output_type_is_the_format_of_the_text(schema, strict):
    told = body(output=OutputSpec(name="list[Report]", schema=schema))

    assert told["text"] == {
        "format": {"type": "json_schema", "name": "list_Report_", "schema": schema, "strict": strict}
    }


def test_the_format_of_the_text_stands_beside_what_extra_says_of_it():
    told = body(output=OutputSpec(name="a", schema=CLOSED), settings=Settings(extra={"text": {"verbosity": "low"}}))

    assert told["text"]["verbosity"] == "low"
    assert told["text"]["format"]["name"] == "a"


@pytest.mark.parametrize(
    ("way", "text"), [("json", {"format": {"type": "json_object"}}), ("words", None), ("tool", None)]
)
def test_a_model_without_formats_is_asked_for_its_output_in_words(way, text):
    profile = attrs.evolve(OPENAI, output=way)

    told = body(System("be brief"), HI, output=OutputSpec(name="a", schema=CLOSED), profile=profile)

    assert told.get("text") == text
    assert told["instructions"] == "be brief"
    assert told["input"][0]["role"] == "system"
    assert '"required":["city"]' in told["input"][0]["content"]
    assert told["input"][1:] == sent(HI)
