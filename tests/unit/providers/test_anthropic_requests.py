"""What is sent to the messages API."""

import pytest

from par.calls import ModelCall, Settings, ToolSpec
from par.errors import UsageError
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
from par.providers._anthropic_request import MessageRequests

WEATHER = ToolSpec(name="weather", description="Tell the weather.", parameters={"type": "object"})


def body(*messages, model="claude-x", **fields):
    return MessageRequests(model, 4096).body(
        ModelCall(model="ignored", messages=messages or (User((Text("hi"),)),), **fields)
    )


def content(*blocks):
    return body(Assistant(blocks))["messages"][0]["content"]


def asked(*blocks):
    return body(User(blocks))["messages"][0]["content"]


def result(**fields):
    results = ToolResults((ToolResult(tool_use_id="a", name="t", **{"content": "", **fields}),))
    return body(results)["messages"][0]["content"][0]


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


def test_a_stream_is_asked_for():
    assert body(stream=True) == {**body(), "stream": True}


def test_a_data_url_is_sent_as_the_data_that_it_is():
    sent = asked(Image(url="data:image/png;base64,QUJD"), Document(url="data:application/pdf;base64,QUJD"))

    assert [block["source"] for block in sent] == [
        {"type": "base64", "media_type": "image/png", "data": "QUJD"},
        {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (Document(url="https://x/y.pdf"), {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}),
        (
            Document(base64="QUJD", media_type="application/pdf", name="a.pdf"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"},
                "title": "a.pdf",
            },
        ),
        (
            Document(base64="w7x8", media_type="text/csv; charset=utf-8"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ü|"}},
        ),
        (
            Document(base64="e30=", media_type="application/json"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "{}"}},
        ),
        (Document(file_id="f1"), {"type": "document", "source": {"type": "file", "file_id": "f1"}}),
        (
            Document(file_id="f1", media_type="image/png", name="n"),
            {"type": "image", "source": {"type": "file", "file_id": "f1"}},
        ),
    ],
    ids=["url", "pdf", "text", "json", "file", "picture"],
)
def test_documents_are_sent_as_the_api_reads_them(document, expected):
    assert asked(document) == [expected]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (Document(base64="QUJD", media_type="application/zip"), "application/zip"),
        (Document(base64="?", media_type="text/plain", name="n.txt"), "n.txt"),
        (Document(base64="/w==", media_type="text/plain"), "UTF-8"),
    ],
    ids=["kind", "base64", "text"],
)
def test_a_document_that_the_api_cannot_read_is_refused_before_anything_is_sent(document, problem):
    with pytest.raises(UsageError, match=problem):
        asked(document)


def test_blank_text_is_left_out():
    assert content(Text("\n\n"), Reasoning("hm", "s"), Text("a"))[0]["type"] == "thinking"
    assert asked(Text(" "), Text("a")) == [{"type": "text", "text": "a"}]
    assert "system" not in body(System(" "), User((Text("a"),)))


def test_results_show_what_follows_their_text():
    reference = {"type": "tool_reference", "tool_name": "x"}

    sent = result(
        content="see",
        blocks=(Image(url="https://x/y.png"), Document(url="https://x/y.pdf"), Opaque("anthropic", reference)),
    )

    assert sent["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
        {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
        reference,
    ]
    assert result(blocks=(Image(url="https://x/y.png"), Opaque("openai", {"type": "y"})))["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}
    ]


def test_fields_of_a_result_that_par_has_no_place_for_are_sent_in_it():
    more = Opaque("anthropic", {"result": {"toolset_name": "computer"}})

    assert result(content="r", blocks=(more,))["toolset_name"] == "computer"


def test_a_message_of_the_wire_is_sent_as_it_is_in_its_place():
    whole = {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "x"}}]}

    sent = body(
        ToolResults((ToolResult(tool_use_id="a", name="t", content="r"),)),
        User((Text("a"), Opaque("anthropic", whole), Text("b"))),
        User((Text("c"),)),
    )["messages"]

    assert [m["role"] for m in sent] == ["user", "user", "system", "user", "user"]
    assert sent[2] == whole


def test_other_providers_blocks_are_left_out_of_questions_too():
    assert asked(Opaque("openai", {"type": "input_audio"}), Text("a")) == [{"type": "text", "text": "a"}]


def test_fields_go_back_into_a_block_of_their_own_kind_only():
    fields = Opaque("anthropic", {"fields": {"citations": [1]}, "of": "text"})

    assert content(Text("a"), fields) == [{"type": "text", "text": "a", "citations": [1]}]
    assert content(ToolUse("i", "t"), Text(""), fields) == [{"type": "tool_use", "id": "i", "name": "t", "input": {}}]


CONTAINER = Opaque("anthropic", {"container": {"id": "c1", "expires_at": "2026"}})


def test_the_container_goes_on_with_the_results_of_tools_and_not_with_another_question():
    said = Assistant((ToolUse("a", "t"), CONTAINER))
    results = ToolResults((ToolResult(tool_use_id="a", name="t", content="r"),))

    assert body(said, results)["container"] == "c1"
    assert body(said)["container"] == "c1"
    assert "container" not in body(said, results, User((Text("and?"),)))
    assert body(said, results)["messages"][0]["content"] == [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]


def test_the_form_of_a_message_is_built_once_and_of_tools_too():
    requests = MessageRequests("m", 1)
    said, asked_ = Assistant((Text("one"),)), User((Text("two"),))
    tools = (WEATHER,)

    first, second = (requests.body(ModelCall(model="m", messages=(asked_, said), tools=tools)) for _ in range(2))

    assert all(a is b for a, b in zip(first["messages"], second["messages"], strict=True))
    assert first["tools"][0] is second["tools"][0]


def test_what_the_user_adds_goes_over_everything_else():
    extra = {"max_tokens": 9, "output_config": {"task_budget": 1}, "metadata": {"user_id": "u"}}

    sent = body(settings=Settings(reasoning_effort="low", extra=extra))

    assert sent["max_tokens"] == 9
    assert sent["metadata"] == {"user_id": "u"}
    assert sent["output_config"] == {"effort": "low", "task_budget": 1}
