"""Answers in the form of the responses API.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from hashlib import sha256

from par._json import Json, JsonObject, dump_json
from par.messages import AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.testing._server.dialect import Dialect
from par.testing._server.issued import Issued
from par.testing._server.openai_words import failure_body, key_in, worded
from par.testing._server.refused import Refused
from par.testing._server.responses_request import check_request
from par.testing._server.script import Playback
from par.testing._server.shape import items_of, text_of
from par.testing._server.sse import ServerEvent
from par.usage import Usage

__all__ = ["RESPONSES"]

_REASON = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _whole(played: Playback, body: JsonObject, issued: Issued) -> JsonObject:
    output = _output(played, body, issued)
    finish = played.reply.finish
    cut = finish in _REASON and not played.refused
    return {
        **_frame(played, body),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": _REASON[finish]} if cut else None,
        "output": [*output],
        "usage": _usage(played.reply.usage),
    }


def _output(played: Playback, body: JsonObject, issued: Issued) -> list[JsonObject]:
    sealed = "reasoning.encrypted_content" in items_of(body.get("include"))
    output: list[JsonObject] = []
    leader = ""
    for index, block in enumerate(played.reply.message.content):
        item = _item(block, f"{played.number}_{index}", refused=played.refused)
        id_ = text_of(item.get("id"))
        if isinstance(block, Reasoning):
            if not sealed:
                item["encrypted_content"] = None
            leader = id_
        elif leader and id_:
            issued.leader[id_] = leader
        issued.items[id_] = item
        output.append(item)
    answer = f"resp_{played.number}"
    issued.answers.add(answer)
    issued.open_calls[answer] = frozenset(use.id for use in played.reply.message.tool_uses)
    return output


def _item(block: AssistantBlock, suffix: str, *, refused: bool) -> JsonObject:
    match block:
        case Text():
            part: JsonObject = {"type": "output_text", "text": block.text, "annotations": [], "logprobs": []}
            if refused:
                part = {"type": "refusal", "refusal": block.text}
            return {
                "type": "message",
                "id": f"msg_{suffix}",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        case Reasoning():
            return {
                "type": "reasoning",
                "id": f"rs_{suffix}",
                "summary": [{"type": "summary_text", "text": block.text}] if block.text else [],
                "encrypted_content": block.signature or sha256(block.text.encode()).hexdigest(),
            }
        case ToolUse():
            arguments = block.malformed if block.malformed is not None else dump_json(block.arguments)
            return {
                "type": "function_call",
                "id": f"fc_{suffix}",
                "status": "completed",
                "call_id": block.id,
                "name": block.name,
                "arguments": arguments,
            }
        case Opaque():
            return dict(block.data)


def _events(played: Playback, body: JsonObject, issued: Issued) -> list[ServerEvent]:
    whole = _whole(played, body, issued)
    begun: JsonObject = {**_frame(played, body), "status": "in_progress", "output": [], "usage": None}
    events: list[JsonObject] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    blocks = zip(items_of(whole["output"]), played.reply.message.content, played.pieces, strict=True)
    for index, (item, block, pieces) in enumerate(blocks):
        if isinstance(item, dict):
            events.extend(_item_events(item, index, block, pieces))
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return [
        ServerEvent(text_of(event["type"]), {**event, "sequence_number": number}) for number, event in enumerate(events)
    ]


def _item_events(item: JsonObject, index: int, block: AssistantBlock, pieces: tuple[str, ...]) -> list[JsonObject]:
    where: JsonObject = {"item_id": item.get("id"), "output_index": index}
    opening = {**item, "status": "in_progress"} if "status" in item else dict(item)
    match block:
        case Text():
            opening["content"] = []
            within = _part_events(item, {**where, "content_index": 0}, pieces)
        case ToolUse():
            opening["arguments"] = ""
            kind = "response.function_call_arguments"
            within = [{"type": f"{kind}.delta", **where, "delta": piece} for piece in pieces]
            within.append({"type": f"{kind}.done", **where, "arguments": item["arguments"]})
        case Reasoning() if block.text:
            opening["summary"] = []
            within = _summary_events(block.text, {**where, "summary_index": 0})
        case _:
            within = []
    return [
        {"type": "response.output_item.added", "output_index": index, "item": opening},
        *within,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _part_events(item: JsonObject, where: JsonObject, pieces: tuple[str, ...]) -> list[JsonObject]:
    part: Json = items_of(item["content"])[0]
    said = part if isinstance(part, dict) else {}
    field = "refusal" if said.get("type") == "refusal" else "text"
    kind = "response.refusal" if field == "refusal" else "response.output_text"
    return [
        {"type": "response.content_part.added", **where, "part": {**said, field: ""}},
        *[{"type": f"{kind}.delta", **where, "delta": piece} for piece in pieces],
        {"type": f"{kind}.done", **where, field: said.get(field)},
        {"type": "response.content_part.done", **where, "part": said},
    ]


def _summary_events(text: str, where: JsonObject) -> list[JsonObject]:
    part: JsonObject = {"type": "summary_text", "text": text}
    kind = "response.reasoning_summary"
    return [
        {"type": f"{kind}_part.added", **where, "part": {**part, "text": ""}},
        {"type": f"{kind}_text.delta", **where, "delta": text},
        {"type": f"{kind}_text.done", **where, "text": text},
        {"type": f"{kind}_part.done", **where, "part": part},
    ]


def _frame(played: Playback, body: JsonObject) -> JsonObject:
    return {
        "id": f"resp_{played.number}",
        "object": "response",
        "created_at": 1_700_000_000 + played.number,
        "error": None,
        "incomplete_details": None,
        "model": played.reply.model or body["model"],
        "metadata": {},
        "store": body.get("store") is not False,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _usage(usage: Usage) -> JsonObject:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _failure_event(refused: Refused, request_id: str) -> ServerEvent:
    del request_id
    return ServerEvent(
        "error",
        {"type": "error", "code": refused.code or refused.kind, "message": refused.message, "param": refused.param},
    )


RESPONSES = Dialect(
    name="responses",
    path="/responses",
    id_header="x-request-id",
    key_of=key_in,
    check=check_request,
    worded=worded,
    whole=_whole,
    events=_events,
    failure=failure_body,
    failure_event=_failure_event,
)
