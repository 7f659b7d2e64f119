"""What the real APIs took, the server on the loopback takes: requests of recorded conversations."""

import json
from pathlib import Path

import pytest
from unit.testing.requests_changed import refusal

from par.testing._server.chat_reply import CHAT
from par.testing._server.issued import Issued
from par.testing._server.messages_reply import MESSAGES
from par.testing._server.responses_reply import RESPONSES

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "wire"
APIS = {
    "openai-chat": (CHAT, "https://api.openai.com/v1/chat/completions"),
    "openai-responses": (RESPONSES, "https://api.openai.com/v1/responses"),
    "anthropic-messages": (MESSAGES, "https://api.anthropic.com/v1/messages"),
}
HEADERS = {"anthropic-version": "2023-06-01", "anthropic-beta": "those-of-the-recordings"}


def requests(status):
    for name, (dialect, address) in APIS.items():
        file = SHARED / f"{name}.jsonl"
        if not file.exists():
            yield pytest.param(None, None, marks=pytest.mark.skip(reason=f"{SHARED} is not at hand"), id=name)
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            conversation = json.loads(line)
            for number, interaction in enumerate(conversation["interactions"]):
                request = interaction["request"]
                if request["uri"].partition("?")[0] == address and interaction["response"]["status"] == status:
                    yield pytest.param(dialect, request["json"], id=f"{conversation['name']}-{number}")


def objects(value):
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from objects(item)


def issued_for(body):
    """What the API had given out before the recorded request."""
    issued = Issued()
    for value in objects(body):
        match value.get("type"):
            case "thinking":
                issued.thoughts.add((value["thinking"], value["signature"]))
            case "redacted_thinking":
                issued.redacted.add(value["data"])
            case "reasoning" if "id" in value:
                issued.items[value["id"]] = value
    previous = body.get("previous_response_id")
    if previous is not None:
        issued.answers.add(previous)
        items = body["input"] if isinstance(body["input"], list) else []
        answered = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
        issued.open_calls[previous] = frozenset(answered)
    return issued


@pytest.mark.parametrize(("dialect", "body"), list(requests(200)))
def test_what_was_taken_is_taken(dialect, body):
    assert refusal(dialect, body, HEADERS, issued_for(body)) is None


def test_reasoning_without_what_followed_it_is_refused_as_it_was():
    found = [case.values for case in requests(400) if case.values[0] is RESPONSES]
    if not found:
        pytest.skip(f"{SHARED} is not at hand")

    refusals = [refusal(dialect, body, HEADERS, issued_for(body)) or "" for dialect, body in found]

    assert len(refusals) == 2
    assert any("without its required following item" in message for message in refusals)
    assert any("temperature" in message for message in refusals)
