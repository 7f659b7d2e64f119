"""Messages: what users may write as a prompt, and what the blocks say."""

import attrs
import pytest

from par import Assistant, Document, Image, System, Text, ToolResult, ToolResults, ToolUse, User
from par.messages import Opaque, Reasoning, as_messages


def test_text_becomes_one_user_message():
    assert as_messages("hi") == (User((Text("hi"),)),)


def test_a_user_message_is_a_prompt():
    said = User((Text("what is this?"), Image(url="https://example.org/a.png")))

    assert as_messages(said) == (said,)


def test_any_iterable_of_messages_is_a_prompt():
    said = [User((Text("a"),)), Assistant((Text("b"),)), System("c"), ToolResults(())]

    assert as_messages(iter(said)) == tuple(said)


@pytest.mark.parametrize("prompt", ["", "  \n", [], ()], ids=repr)
def test_an_empty_prompt_is_refused(prompt):
    with pytest.raises(ValueError, match="the prompt is empty"):
        as_messages(prompt)


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [(None, "NoneType"), (3, "int"), (["hi"], "str"), (b"hi", "int"), ({"role": "user"}, "str"), (Text("a"), "Text")],
    ids=repr,
)
def test_what_is_no_message_is_named(prompt, kind):
    with pytest.raises(TypeError, match=f"a prompt is text or messages, got {kind}"):
        as_messages(prompt)


def test_the_text_of_a_message_is_its_text_blocks():
    assert User((Text("a"), Image(url="u"), Text("b"))).text == "ab"
    assert Assistant((Reasoning("hm"), Text("a"), ToolUse("1", "t"), Text("b"), Opaque("x", {}))).text == "ab"


def test_the_tool_uses_of_a_message_are_in_order():
    uses = (ToolUse("1", "a"), ToolUse("2", "b"))

    assert Assistant((uses[0], Text("x"), uses[1])).tool_uses == uses


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "either url or base64"),
        ({"url": "u", "base64": "aGk="}, "either url or base64"),
        ({"base64": "aGk="}, "needs media_type"),
        ({"url": "u", "detail": "some"}, "detail is"),
    ],
    ids=["nothing", "both", "no type", "detail"],
)
def test_an_image_is_one_thing_or_the_other(fields, why):
    with pytest.raises(ValueError, match=why):
        Image(**fields)


@pytest.mark.parametrize(
    ("outcome", "is_error"),
    [
        ("done", False),
        ("handoff", False),
        ("failed", True),
        ("timed_out", True),
        ("cancelled", True),
        ("unknown", True),
        ("needs_approval", True),
    ],
)
def test_everything_but_success_and_handoff_is_an_error_for_the_provider(outcome, is_error):
    assert ToolResult(tool_use_id="1", name="t", content="", outcome=outcome).is_error is is_error


def test_messages_cannot_be_changed():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Text("a").text = "b"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "one of url, base64 and file_id"),
        ({"url": "u", "file_id": "f"}, "one of url, base64 and file_id"),
        ({"base64": "aGk="}, "needs media_type"),
    ],
    ids=["nothing", "two", "no type"],
)
def test_a_document_has_one_source(fields, why):
    with pytest.raises(ValueError, match=why):
        Document(**fields)


@pytest.mark.parametrize(
    "document",
    [Document(url="u"), Document(base64="aGk=", media_type="application/pdf"), Document(file_id="f", name="a.pdf")],
    ids=["url", "base64", "file"],
)
def test_a_document_with_one_source_is_a_user_block(document):
    assert User((document,)).content == (document,)
