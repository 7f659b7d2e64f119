"""A whole chat completion, read into par's values; the parts that streams share are here too."""

from collections.abc import Iterable, Iterator, Mapping

import attrs

from par._json import Json, JsonObject
from par.calls import ModelReply
from par.errors import ServerFailed, UnreadableReply
from par.events import FinishReason
from par.messages import Assistant, AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.providers._failures import failure_in_body
from par.providers._openai_pieces import Pieces, call_parts, split_delta
from par.providers._openai_usage import usage_of
from par.providers._reading import NewId, array, as_tool_use, new_tool_use_id, obj, string
from par.usage import Usage

__all__ = ["Heard", "Source", "build_reply", "details_of_choice", "read_completion", "refuse_failure"]

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "tool_calls": "tool_uses",
    "function_call": "tool_uses",
}
_OWN_WORD: Mapping[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_uses": "tool_calls",
}
_NO_DETAIL = frozenset({"choices", "model", "object"})
_NO_DETAIL_OF_A_CHOICE = frozenset({"index", "message", "delta", "finish_reason"})


@attrs.frozen(kw_only=True)
class Source:
    """Where an answer comes from: the provider's name, the server's tag, and the facts of its headers.

    ``answer_tool`` is the tool that the model was told to give its answer to, if there is one.
    """

    provider: str
    tag: str
    request_id: str | None = None
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    new_id: NewId = new_tool_use_id
    answer_tool: str | None = None


@attrs.frozen(kw_only=True)
class Heard:
    """What an answer says of itself: how it ended, what it cost, which model wrote it, and what else there is."""

    finish: str = ""
    usage: Usage | None = None
    model: str = ""
    details: JsonObject = attrs.Factory(dict[str, Json])


def refuse_failure(body: JsonObject, choice: JsonObject, source: Source) -> None:
    """Raise if a body of status 200, or one event of it, says that the call failed.

    Raises:
        ModelError: the one that fits.
    """
    error = body.get("error") or choice.get("error")
    if not error and "choices" not in body and (body.get("object") == "error" or body.get("detail")):
        error = body
    if error:
        raise failure_in_body(source.provider, error, request_id=source.request_id)
    if choice.get("finish_reason") == "error":
        raise ServerFailed(
            "the answer ended with an error", provider=source.provider, request_id=source.request_id, body=body
        )


def read_completion(body: JsonObject, source: Source) -> ModelReply:
    """Read a whole completion: its first choice; further ones are in ``details["choices"]``.

    Raises:
        ModelError: the one that fits, if the body says that the call failed.
        UnreadableReply: if there is no message in it.
    """
    choices = array(body.get("choices"))
    choice = obj(next(iter(choices), None))
    refuse_failure(body, choice, source)
    if not isinstance(choice.get("message"), dict):
        raise UnreadableReply(
            "there is no message in choices[0]", provider=source.provider, request_id=source.request_id
        )
    pieces = split_delta(obj(choice["message"]))
    ids: set[str] = set()
    uses: list[ToolUse] = []
    call_extras: JsonObject = {}
    for call in pieces.calls:
        parts = call_parts(obj(call))
        if source.answer_tool is not None and parts.name == source.answer_tool:
            pieces.text += parts.arguments
            continue
        id_ = parts.id
        if not id_ or id_ in ids:
            id_ = source.new_id()
        ids.add(id_)
        uses.append(as_tool_use(id_, parts.name, parts.arguments))
        if parts.extras:
            call_extras[id_] = parts.extras
    details: JsonObject = {name: value for name, value in body.items() if name not in _NO_DETAIL and value is not None}
    details.update(details_of_choice(choice))
    if len(choices) > 1:
        details["choices"] = choices[1:]
    heard = Heard(
        finish=string(choice.get("finish_reason")),
        usage=usage_of(body, choice),
        model=string(body.get("model")),
        details=details,
    )
    return build_reply(pieces, uses, call_extras, heard, source)


def details_of_choice(choice: JsonObject) -> JsonObject:
    """Return what a choice says beside its message."""
    return {
        name: value
        for name, value in choice.items()
        if name not in _NO_DETAIL_OF_A_CHOICE and value is not None and value != {}
    }


def build_reply(
    pieces: Pieces, uses: Iterable[ToolUse], call_extras: JsonObject, heard: Heard, source: Source
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
    finish = _finish(heard.finish, refused=bool(pieces.refusal), has_uses=any(isinstance(b, ToolUse) for b in blocks))
    details = heard.details
    if heard.finish and heard.finish != _OWN_WORD[finish]:
        details["finish_reason"] = heard.finish
    return ModelReply(
        message=Assistant(tuple(blocks)),
        finish=finish,
        usage=heard.usage or Usage(requests=1),
        model=heard.model,
        request_id=source.request_id,
        headers=source.headers,
        details=details,
    )


def _spoken(pieces: Pieces) -> Iterator[AssistantBlock]:
    if pieces.reasoning:
        yield Reasoning(pieces.reasoning)
    text = pieces.text + pieces.refusal
    if not text:
        # a spoken answer comes with its words, and with nothing written
        text = string(obj(pieces.extras.get("audio")).get("transcript"))
    if text:
        yield Text(text)


def _finish(word: str, *, refused: bool, has_uses: bool) -> FinishReason:
    """Map the finish reason; the tool uses decide where it is missing, unknown or contradicts them."""
    known = _FINISH.get(word.lower())
    if known in ("length", "content_filter"):
        return known
    if has_uses:
        return "tool_uses"
    return "content_filter" if refused else "stop"
