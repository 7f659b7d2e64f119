"""A whole response, read into par's values; the parts that streams share are here too.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from collections.abc import Iterable, Iterator

import attrs

from par._json import Json, JsonObject
from par.calls import ModelReply
from par.errors import ModelError, StreamInterrupted, UnreadableReply
from par.events import FinishReason
from par.messages import Assistant, AssistantBlock, Opaque, ToolUse
from par.providers._failures import failure_in_body
from par.providers._reading import NewId, array, count, new_tool_use_id, obj, string
from par.providers._responses_items import CALLS, blocks_of
from par.usage import Usage

__all__ = ["Source", "build_reply", "call_ids", "failure_of", "read_response"]

_NOT_KEPT = frozenset({"error", "instructions", "model", "object", "output", "output_text", "tools"})
"""The fields of a response that ``details`` does not hold: the reply has them, or they are the request's own."""

_UNFINISHED = frozenset({"queued", "in_progress"})
_EMPTY: tuple[Json, ...] = (None, "", [], {})


@attrs.frozen(kw_only=True)
class Source:
    """Where an answer comes from: the provider's name, the server's tag, and the facts of its headers."""

    provider: str
    tag: str
    request_id: str | None = None
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    new_id: NewId = new_tool_use_id


def read_response(body: JsonObject, source: Source) -> ModelReply:
    """Read a whole response.

    Raises:
        ModelError: the one that fits, if the body says that the call failed.
        UnreadableReply: if there is no output in it, or not yet.
    """
    error = failure_of(body, source)
    if error is not None:
        raise error
    status = string(body.get("status"))
    if status in _UNFINISHED:
        raise UnreadableReply(
            f"the response {string(body.get('id'))} is {status}: par does not ask again for a response in the "
            "background, so leave background out, or stream",
            provider=source.provider,
            request_id=source.request_id,
        )
    output = body.get("output")
    if not isinstance(output, list):
        raise UnreadableReply("there is no output", provider=source.provider, request_id=source.request_id)
    items = [obj(item) for item in output]
    return build_reply(body, items, call_ids(items, source.new_id), source)


def failure_of(body: JsonObject, source: Source) -> ModelError | None:
    """Return the error of a response that failed or was cancelled."""
    status = body.get("status")
    error = body.get("error")
    if error:
        return failure_in_body(source.provider, error, request_id=source.request_id)
    if status == "failed":
        said: JsonObject = {"code": "server_error", "message": "the response failed, and does not say why"}
        return failure_in_body(source.provider, said, request_id=source.request_id)
    if status == "cancelled":
        return StreamInterrupted(
            "the response was cancelled", provider=source.provider, request_id=source.request_id, body=body
        )
    return None


def call_ids(items: Iterable[JsonObject], new_id: NewId) -> list[str]:
    """Return an id for each item that is a call, and an empty one for the others; no two calls share theirs."""
    taken: set[str] = set()
    ids: list[str] = []
    for item in items:
        id_ = ""
        if item.get("type") in CALLS:
            id_ = string(item.get("call_id"))
            if not id_ or id_ in taken:
                id_ = new_id()
            taken.add(id_)
        ids.append(id_)
    return ids


def build_reply(body: JsonObject, items: Iterable[JsonObject], ids: Iterable[str], source: Source) -> ModelReply:
    """Put a reply together: the blocks of the items in their order, and what the response says of itself."""
    items = list(items)
    content = tuple(_content(body, items, ids, source.tag))
    return ModelReply(
        message=Assistant(content),
        finish=_finish(body, content),
        usage=_usage(obj(body.get("usage"))),
        model=string(body.get("model")),
        request_id=source.request_id,
        headers=source.headers,
        details=_details(body, items),
    )


def _content(body: JsonObject, items: Iterable[JsonObject], ids: Iterable[str], tag: str) -> Iterator[AssistantBlock]:
    stored = body.get("store") is not False
    for item, id_ in zip(items, ids, strict=True):
        yield from blocks_of(item, tag, id_, stored=stored)
    if stored and body.get("id"):
        # a later previous_response_id may name it
        yield Opaque(tag, {"response": {"id": body["id"]}})


def _details(body: JsonObject, items: Iterable[JsonObject]) -> JsonObject:
    details: JsonObject = {name: value for name, value in body.items() if name not in _NOT_KEPT and value not in _EMPTY}
    parts = [obj(part) for item in items for part in array(item.get("content"))]
    logprobs = [token for part in parts for token in array(part.get("logprobs"))]
    return {**details, "logprobs": logprobs} if logprobs else details


def _finish(body: JsonObject, content: tuple[AssistantBlock, ...]) -> FinishReason:
    if body.get("status") == "incomplete":
        reason = obj(body.get("incomplete_details")).get("reason")
        return "content_filter" if reason == "content_filter" else "length"
    if any(isinstance(block, ToolUse) for block in content):
        return "tool_uses"
    return "content_filter" if any(_refuses(block) for block in content) else "stop"


def _refuses(block: AssistantBlock) -> bool:
    if not isinstance(block, Opaque):
        return False
    parts = array(obj(block.data.get("item")).get("content"))
    return any(obj(part).get("type") == "refusal" for part in parts)


def _usage(usage: JsonObject) -> Usage:
    read = obj(usage.get("input_tokens_details"))
    reasoning = count(obj(usage.get("output_tokens_details")).get("reasoning_tokens"))
    output = count(usage.get("output_tokens"))
    return Usage(
        input_tokens=count(usage.get("input_tokens")),
        # some servers count reasoning beside the output, par counts it within
        output_tokens=output if reasoning <= output else output + reasoning,
        reasoning_tokens=reasoning,
        cache_read_tokens=count(read.get("cached_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        requests=1,
    )
