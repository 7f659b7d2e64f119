"""A whole chat completion, read into par's values; the parts that streams share are here too."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from par._json import Json, JsonObject, dump_json
from par.calls import ModelReply
from par.errors import UnreadableReply
from par.events import FinishReason
from par.messages import Assistant, AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.providers._failures import failure_in_body
from par.providers._reading import NewId, array, as_tool_use, count, new_tool_use_id, obj, string
from par.usage import Usage

__all__ = ["Pieces", "Source", "build_reply", "extras_of_call", "read_completion", "split_delta", "usage_of"]

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_uses",
    "function_call": "tool_uses",
}
_KNOWN = frozenset({"role", "content", "refusal", "tool_calls", "reasoning", "reasoning_content"})
_KNOWN_OF_A_CALL = frozenset({"id", "type", "index", "function"})


@attrs.frozen(kw_only=True)
class Source:
    """Where an answer comes from: the provider's name, the server's tag, and the facts of its headers."""

    provider: str
    tag: str
    request_id: str | None = None
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    new_id: NewId = new_tool_use_id


@attrs.define
class Pieces:
    """What a message, or a delta of one, holds."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: list[Json] = attrs.Factory(list[Json])
    extras: JsonObject = attrs.Factory(dict[str, Json])


def split_delta(message: JsonObject) -> Pieces:
    """Take a message apart. What par has no place for is in ``extras``."""
    content = message.get("content")
    pieces = Pieces(
        text=content if isinstance(content, str) else "",
        # servers name it one way or the other; where both stand they say the same
        reasoning=string(message.get("reasoning_content")) or string(message.get("reasoning")),
        refusal=string(message.get("refusal")),
        calls=array(message.get("tool_calls")),
    )
    if isinstance(content, list):
        _split_parts(content, pieces)
    for name, value in message.items():
        if name not in _KNOWN and value not in (None, "", [], {}):
            pieces.extras[name] = value
    return pieces


def _split_parts(parts: Iterable[Json], pieces: Pieces) -> None:
    """Read content that is a list of parts, as Mistral writes it."""
    others: list[Json] = []
    for part in parts:
        fields = obj(part)
        if fields.get("type") == "text":
            pieces.text += string(fields.get("text"))
        elif fields.get("type") == "thinking":
            thinking = fields.get("thinking")
            pieces.reasoning += string(thinking) + "".join([string(obj(p).get("text")) for p in array(thinking)])
        else:
            others.append(part)
    if others:
        pieces.extras["content_parts"] = others


def read_completion(body: JsonObject, source: Source) -> ModelReply:
    """Read a whole completion.

    Raises:
        ModelError: the one that fits, if the body says that the call failed.
        UnreadableReply: if there is no message in it.
    """
    choice = obj(next(iter(array(body.get("choices"))), None))
    error = body.get("error") or choice.get("error")
    if error:
        raise failure_in_body(source.provider, error, request_id=source.request_id)
    if not isinstance(choice.get("message"), dict):
        raise UnreadableReply(
            "there is no message in choices[0]", provider=source.provider, request_id=source.request_id
        )
    pieces = split_delta(obj(choice["message"]))
    ids: set[str] = set()
    uses: list[ToolUse] = []
    call_extras: JsonObject = {}
    for call in pieces.calls:
        fields = obj(call)
        function = obj(fields.get("function"))
        id_ = string(fields.get("id"))
        if not id_ or id_ in ids:
            id_ = source.new_id()
        ids.add(id_)
        uses.append(as_tool_use(id_, string(function.get("name")), _arguments(function.get("arguments"))))
        extras = extras_of_call(fields)
        if extras:
            call_extras[id_] = extras
    return build_reply(
        pieces,
        uses,
        call_extras,
        finish=string(choice.get("finish_reason")),
        usage=usage_of(body, choice) or Usage(requests=1),
        model=string(body.get("model")),
        source=source,
    )


def extras_of_call(call: JsonObject) -> JsonObject:
    """Return the fields of a tool call that par has no place for."""
    return {name: value for name, value in call.items() if name not in _KNOWN_OF_A_CALL and value is not None}


def _arguments(value: Json) -> str:
    if isinstance(value, dict):  # some servers send the object itself
        return dump_json(value)
    return string(value)


def build_reply(
    pieces: Pieces,
    uses: Iterable[ToolUse],
    call_extras: JsonObject,
    *,
    finish: str,
    usage: Usage,
    model: str,
    source: Source,
) -> ModelReply:
    """Put a reply together: reasoning, text, tool uses, then what only the server understands."""
    blocks = [*_spoken(pieces), *uses]
    data: JsonObject = {}
    if pieces.extras:
        data["message"] = pieces.extras
    if call_extras:
        data["tool_calls"] = call_extras
    if data:
        blocks.append(Opaque(source.tag, data))
    return ModelReply(
        message=Assistant(tuple(blocks)),
        finish=_finish(finish, refused=bool(pieces.refusal), has_uses=any(isinstance(b, ToolUse) for b in blocks)),
        usage=usage,
        model=model,
        request_id=source.request_id,
        headers=source.headers,
    )


def _spoken(pieces: Pieces) -> Iterator[AssistantBlock]:
    if pieces.reasoning:
        yield Reasoning(pieces.reasoning)
    if pieces.text or pieces.refusal:
        yield Text(pieces.text + pieces.refusal)


def _finish(word: str, *, refused: bool, has_uses: bool) -> FinishReason:
    """Map the finish reason; the tool uses decide where it is missing, unknown or contradicts them."""
    known = _FINISH.get(word)
    if known in ("length", "content_filter"):
        return known
    if has_uses:
        return "tool_uses"
    return "content_filter" if refused else "stop"


def usage_of(body: JsonObject, choice: JsonObject) -> Usage | None:
    """Read the usage from where servers put it: the body, Groq's ``x_groq``, or the choice."""
    usage = obj(body.get("usage")) or obj(obj(body.get("x_groq")).get("usage")) or obj(choice.get("usage"))
    if not usage:
        return None
    read = obj(usage.get("prompt_tokens_details"))
    reasoning = count(obj(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    output = count(usage.get("completion_tokens"))
    return Usage(
        input_tokens=count(usage.get("prompt_tokens")),
        # some servers count reasoning beside the completion, par counts it within the output
        output_tokens=output if reasoning <= output else output + reasoning,
        reasoning_tokens=reasoning,
        cache_read_tokens=count(read.get("cached_tokens")) or count(usage.get("prompt_cache_hit_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        requests=1,
    )
