"""The forms that messages have in chat completions: pictures, files, what tools show, opaque blocks, thoughts."""

import pytest

from par.calls import ModelCall
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
from par.providers._openai_messages import ChatMessages
from par.providers._openai_profile import Profile
from par.providers._openai_request import ChatRequests

PDF = {"base64": "QUJD", "media_type": "application/pdf"}
SOUND = {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}}
DEVELOPER = {"role": "developer", "content": [{"type": "text", "text": "be brief"}]}


def forms(*messages, tag="openai@gateway.example", provider="openai", **profile):
    return ChatMessages(Profile(**profile), tag, provider).of(messages)


def result(content="seen", *blocks, id_="a"):
    return ToolResult(tool_use_id=id_, name="look", content=content, blocks=blocks)


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_instructions_have_the_role_of_the_profile(role):
    assert forms(System("be brief"), instructions=role) == [{"role": role, "content": "be brief"}]


def test_an_image_says_how_closely_to_look():
    (sent,) = forms(User((Image(url="u", detail="low"),)))

    assert sent["content"] == [{"type": "image_url", "image_url": {"url": "u", "detail": "low"}}]


@pytest.mark.parametrize(
    ("document", "file"),
    [
        (Document(file_id="file-1"), {"file_id": "file-1"}),
        (Document(**PDF, name="a.pdf"), {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}),
        (Document(**PDF), {"filename": "document.pdf", "file_data": "data:application/pdf;base64,QUJD"}),
        (Document(url="https://x/y.pdf"), {"filename": "document.bin", "file_data": "https://x/y.pdf"}),
    ],
    ids=["id", "data", "no name", "url"],
)
def test_a_document_is_a_file(document, file):
    assert forms(User((document,))) == [{"role": "user", "content": [{"type": "file", "file": file}]}]


def test_a_document_by_url_is_refused_where_nobody_would_fetch_it():
    with pytest.raises(UsageError, match="takes no document by its URL"):
        forms(User((Document(url="u"),)), document_urls=False)


@pytest.mark.parametrize("tag", ["openai@gateway.example", "openai"])
def test_an_opaque_part_goes_word_for_word_in_its_place(tag):
    (sent,) = forms(User((Text("a"), Opaque(tag, SOUND), Text("b"))))

    assert sent["content"] == [{"type": "text", "text": "a"}, SOUND, {"type": "text", "text": "b"}]


def test_an_opaque_part_is_left_out_for_others_and_a_message_of_nothing_else_too():
    other = Opaque("anthropic", SOUND)

    assert forms(User((Text("a"), other)), User((other,))) == [{"role": "user", "content": "a"}]


def test_an_opaque_text_part_alone_stays_a_part_with_all_its_fields():
    part = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}

    assert forms(User((Opaque("openai", part),))) == [{"role": "user", "content": [part]}]


def test_an_opaque_message_stands_for_itself_between_what_is_around_it():
    sent = forms(User((Text("a"), Opaque("openai", DEVELOPER), Text("b"))))

    assert sent == [{"role": "user", "content": "a"}, DEVELOPER, {"role": "user", "content": "b"}]


@pytest.mark.parametrize("said", [(), (Text("a"),)], ids=["alone", "after a text"])
def test_an_opaque_message_of_the_model_stands_for_itself(said):
    own = {"role": "assistant", "content": None, "audio": {"id": "x"}}

    assert forms(Assistant((*said, Opaque("openai", own))))[-1] == own
    assert len(forms(Assistant((*said, Opaque("openai", own))))) == len(said) + 1


def test_what_tools_show_follows_all_their_answers():
    sent = forms(ToolResults((result("one", Image(url="u")), result("two", Document(file_id="f"), id_="b"))))

    assert sent == [
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "content": "two"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What look shows (call a):"},
                {"type": "image_url", "image_url": {"url": "u"}},
                {"type": "text", "text": "What look shows (call b):"},
                {"type": "file", "file": {"file_id": "f"}},
            ],
        },
    ]


def test_opaque_parts_of_an_answer_stay_in_it_and_opaque_messages_follow():
    blocks = (Opaque("openai", SOUND), Opaque("openai", DEVELOPER), Opaque("anthropic", SOUND))

    assert forms(ToolResults((result("one", *blocks),))) == [
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "one"}, SOUND]},
        DEVELOPER,
    ]


THOUGHT = Assistant((Reasoning("hm"), Text("yes")))


@pytest.mark.parametrize(
    ("place", "sent"),
    [
        (None, {"content": "yes"}),
        ("reasoning", {"content": "yes", "reasoning": "hm"}),
        ("reasoning_content", {"content": "yes", "reasoning_content": "hm"}),
        ("think_tags", {"content": "<think>\nhm\n</think>\n\nyes"}),
        (
            "parts",
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                    {"type": "text", "text": "yes"},
                ]
            },
        ),
    ],
    ids=str,
)
def test_thoughts_go_back_where_the_profile_says(place, sent):
    assert forms(THOUGHT, reasoning=place) == [{"role": "assistant", **sent}]


def test_thoughts_that_another_provider_signed_stay_out():
    signed = Assistant((Reasoning("hm", "signed"), Text("yes")))

    assert forms(signed, reasoning="reasoning") == [{"role": "assistant", "content": "yes"}]


def test_thoughts_before_a_call_go_back_with_it():
    (sent,) = forms(Assistant((Reasoning("hm"), ToolUse("a", "look"))), reasoning="think_tags")

    assert sent["content"] == "<think>\nhm\n</think>"
    assert sent["tool_calls"][0]["id"] == "a"


EXTRAS = {
    "message": {"reasoning_details": [{"n": 1}], "annotations": [{"n": 2}]},
    "tool_calls": {"a": {"extra_content": {"n": 3}, "type": "builtin_function", "function": {"thoughts": "n"}}},
}


def test_fields_of_an_answer_go_back_where_the_server_takes_them():
    tag = "openai@gateway.example"
    message = Assistant((Reasoning("hm"), ToolUse("a", "look"), Opaque(tag, EXTRAS)))

    (all_,) = forms(message, reasoning="reasoning")
    (some,) = forms(message, reasoning="reasoning", returns=frozenset({"annotations"}))

    assert (all_["reasoning_details"], all_["annotations"]) == ([{"n": 1}], [{"n": 2}])
    assert "reasoning" not in all_  # the details say it
    assert all_["tool_calls"] == [
        {
            "id": "a",
            "type": "builtin_function",
            "function": {"name": "look", "arguments": "{}", "thoughts": "n"},
            "extra_content": {"n": 3},
        }
    ]
    assert (some["annotations"], some["reasoning"]) == ([{"n": 2}], "hm")
    assert "reasoning_details" not in some
    assert "extra_content" not in some["tool_calls"][0]


def test_fields_of_an_answer_go_to_no_other_server_of_the_provider():
    message = Assistant((Text("a"), Opaque("openai", {"message": {"annotations": [1]}})))

    assert forms(message) == [{"role": "assistant", "content": "a"}]


def test_a_sound_goes_back_by_its_id_instead_of_its_words():
    sound = {"id": "x", "data": "QUJD", "transcript": "hello", "expires_at": 1}
    message = Assistant((Text("hello"), Opaque("openai@gateway.example", {"message": {"audio": sound}})))

    assert forms(message) == [{"role": "assistant", "content": None, "audio": {"id": "x"}}]


def test_a_call_of_free_text_goes_back_as_it_came():
    custom = {"type": "custom", "custom": {"name": "run", "input": "ls"}}
    use = ToolUse("a", "run", malformed="ls")

    message = Assistant((use, Opaque("openai@gateway.example", {"tool_calls": {"a": custom}})))
    (sent,) = forms(message, returns=frozenset())  # it is the call itself, and no field beside it

    assert sent["tool_calls"] == [{"id": "a", **custom}]


@pytest.mark.parametrize(
    ("takes", "id_", "fits"),
    [
        ("any", "x" * 99, True),
        ("up_to_40", "x" * 40, True),
        ("up_to_40", "x" * 41, False),
        ("nine", "aB3aB3aB3", True),
        ("nine", "call_1234", False),
        ("nine", "aB3aB3aB3a", False),
    ],
)
def test_the_id_of_another_provider_that_the_server_refuses_is_sent_as_another(takes, id_, fits):
    call, answer = forms(Assistant((ToolUse(id_, "look"),)), ToolResults((result(id_=id_),)), tool_ids=takes)

    sent = call["tool_calls"][0]["id"]
    assert answer["tool_call_id"] == sent
    assert (sent == id_) == fits
    assert len(sent) <= {"any": 99, "up_to_40": 40, "nine": 9}[takes]
    assert forms(Assistant((ToolUse(id_ + "x", "look"),)), tool_ids=takes)[0]["tool_calls"][0]["id"] != sent


MESSAGES = [
    System("s"),
    User((Text("u"),)),
    Assistant((Text("a"),)),
    ToolResults((result(),)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_the_form_of_every_kind_of_message_is_made_once(message):
    requests = ChatRequests("m", tag="openai", profile=Profile())

    first = requests.body(ModelCall(model="m", messages=(message,)))["messages"][0]
    again = requests.body(ModelCall(model="m", messages=(User((Text("x"),)), message)))["messages"][1]

    assert first is again
