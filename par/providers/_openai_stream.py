"""A streamed chat completion, built chunk by chunk.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from collections.abc import Sequence
from typing import final

from par._json import Json, JsonObject
from par.calls import ModelReply
from par.deltas import Delta, ReasoningDelta, TextDelta
from par.errors import StreamInterrupted
from par.providers._failures import failure_in_body
from par.providers._openai_calls import CallBuilder
from par.providers._openai_reply import Pieces, Source, build_reply, split_delta, usage_of
from par.providers._reading import array, obj, parse_body, string
from par.providers._sse import SseEvent
from par.usage import Usage

__all__ = ["ChatStream"]


@final
class ChatStream:
    """Builds one reply from the chunks of a stream.

    The stream ends with ``[DONE]``; a body that ends without it is accepted only after a finish reason, because
    some servers leave ``[DONE]`` out.
    """

    __slots__ = (
        "_calls",
        "_ended",
        "_extras",
        "_finish",
        "_model",
        "_reasoning",
        "_refusal",
        "_source",
        "_text",
        "_usage",
    )

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls = CallBuilder(source.new_id)
        self._extras: JsonObject = {}
        self._finish = ""
        self._model = ""
        self._usage: Usage | None = None
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether ``[DONE]`` has come."""
        return self._ended

    def feed(self, event: SseEvent, /) -> Sequence[Delta]:
        """Take one chunk.

        Raises:
            ModelError: if the chunk is an error, or no JSON.
        """
        if event.data.strip() == b"[DONE]":
            self._ended = True
            return ()
        chunk = parse_body(event.data, self._source.provider)
        choice = obj(next(iter(array(chunk.get("choices"))), None))
        error = chunk.get("error") or choice.get("error")
        if error:
            raise failure_in_body(self._source.provider, error, request_id=self._source.request_id)
        # each usage is of the whole answer so far: the last one counts
        self._usage = usage_of(chunk, choice) or self._usage
        self._model = self._model or string(chunk.get("model"))
        self._finish = string(choice.get("finish_reason")) or self._finish
        delta = obj(choice.get("delta"))
        return self._take(split_delta(delta)) if delta else ()

    def finish(self) -> Sequence[Delta]:
        """Take the end of the stream.

        Raises:
            StreamInterrupted: if neither ``[DONE]`` nor a finish reason has come.
        """
        if not self._finish and not (self._ended and self._has_content()):
            raise StreamInterrupted(
                "neither a finish reason nor the end of the stream was sent",
                provider=self._source.provider,
                request_id=self._source.request_id,
            )
        return tuple(self._calls.finish())

    def reply(self) -> ModelReply:
        """Return the whole answer."""
        pieces = Pieces(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            refusal="".join(self._refusal),
            extras=self._extras,
        )
        return build_reply(
            pieces,
            self._calls.uses(),
            self._calls.extras(),
            finish=self._finish,
            usage=self._usage or Usage(requests=1),
            model=self._model,
            source=self._source,
        )

    def _has_content(self) -> bool:
        return bool(self._text or self._reasoning or self._refusal or self._calls.uses())

    def _take(self, pieces: Pieces) -> Sequence[Delta]:
        deltas: list[Delta] = []
        if pieces.reasoning:
            self._reasoning.append(pieces.reasoning)
            deltas.append(ReasoningDelta(pieces.reasoning))
        if pieces.text:
            self._text.append(pieces.text)
            deltas.append(TextDelta(pieces.text))
        if pieces.refusal:
            self._refusal.append(pieces.refusal)
            deltas.append(TextDelta(pieces.refusal))
        if pieces.calls:
            deltas.extend(self._calls.feed(pieces.calls))
        for name, value in pieces.extras.items():
            self._extras[name] = _joined(self._extras.get(name), value)
        return deltas


def _joined(before: Json, more: Json) -> Json:
    """Put together an unknown field that comes in pieces."""
    if isinstance(before, list) and isinstance(more, list):
        return _joined_lists(before, more)
    if isinstance(before, dict) and isinstance(more, dict):
        return {**before, **more}
    return more


def _joined_lists(before: list[Json], more: list[Json]) -> list[Json]:
    """Append, but join the text of neighbours that are pieces of one item (OpenRouter's ``reasoning_details``)."""
    result = list(before)
    for item in more:
        last = obj(result[-1]) if result else {}
        new = obj(item)
        same = last.get("index") == new.get("index") and last.get("type") == new.get("type")
        if new and "index" in new and "type" in new and same:
            joined = dict(last)
            for name, value in new.items():
                old = joined.get(name)
                grows = name in ("text", "summary", "data") and isinstance(old, str) and isinstance(value, str)
                joined[name] = f"{old}{value}" if grows else (old if value is None else value)
            result[-1] = joined
        else:
            result.append(item)
    return result
