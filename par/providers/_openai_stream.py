"""A streamed chat completion, built chunk by chunk.

Source: https://platform.openai.com/docs/api-reference/chat-streaming
"""

from collections.abc import Sequence
from typing import Final, final

from par._json import Json, JsonObject
from par.calls import ModelReply
from par.deltas import Delta, ReasoningDelta, TextDelta, ToolUseDelta
from par.errors import StreamInterrupted
from par.providers._openai_calls import CallBuilder
from par.providers._openai_pieces import Pieces, joined, split_delta
from par.providers._openai_reply import Heard, Source, build_reply, refuse_failure
from par.providers._openai_usage import usage_of
from par.providers._reading import array, obj, parse_body, string
from par.providers._sse import SseEvent
from par.usage import Usage

__all__ = ["ChatStream"]

_EVERYWHERE: Final = frozenset({"id", "created", "service_tier", "system_fingerprint", "provider"})
"""What every chunk says again; the first and the last ones are read."""
_USUAL: Final = _EVERYWHERE | {"choices", "model", "object", "usage", "obfuscation"}
_SAID_OF_A_CHOICE: Final = frozenset({"index", "delta", "message", "finish_reason", "usage", "error"})
_USUAL_OF_A_CHOICE: Final = frozenset({"index", "delta", "finish_reason", "logprobs", "native_finish_reason"})


@final
class ChatStream:
    """Builds one reply from the chunks of a stream: of its first choice; others are in ``details["choices"]``.

    The stream ends with ``[DONE]``; a body that ends without it is accepted only after a finish reason, because
    some servers leave ``[DONE]`` out.
    """

    __slots__ = (
        "_calls",
        "_details",
        "_ended",
        "_extras",
        "_finish",
        "_model",
        "_others",
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
        self._details: JsonObject = {}
        self._others: dict[int, JsonObject] = {}
        self._usage: Usage | None = None
        self._model = ""
        self._finish = ""
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
        choices = array(chunk.get("choices"))
        choice = obj(choices[0]) if len(choices) == 1 else {}
        if not choice or choice.get("index"):
            choice = self._first(choices)
        delta = obj(choice.get("delta"))
        news = bool(choice.get("finish_reason")) or not choice.keys() <= _USUAL_OF_A_CHOICE
        if news or not delta or not chunk.keys() <= _USUAL or chunk.get("usage") or not self._model:
            self._note(chunk, choice)
        if news or choice.get("logprobs") is not None:
            self._note_choice(choice)
        if len(delta) == 1:
            text = delta.get("content")
            if isinstance(text, str) and text:  # nearly all of them
                self._text.append(text)
                return (TextDelta(text),)
        if not delta and not self._has_content():  # a server that does not stream may still say that it does
            delta = obj(choice.get("message"))
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
        return [delta for use in self._calls.finish() for delta in self._shown(use)]

    def reply(self) -> ModelReply:
        """Return the whole answer."""
        answer_tool = self._source.answer_tool
        given = "" if answer_tool is None else self._calls.arguments(answer_tool)
        pieces = Pieces(
            text="".join(self._text) + given,
            reasoning="".join(self._reasoning),
            refusal="".join(self._refusal),
            extras=self._extras,
        )
        if self._others:
            self._details["choices"] = [self._others[index] for index in sorted(self._others)]
        heard = Heard(finish=self._finish, usage=self._usage, model=self._model, details=self._details)
        extras = self._calls.extras()
        uses = self._calls.uses(but=answer_tool)
        kept = {use.id: extras[use.id] for use in uses if use.id in extras}
        return build_reply(pieces, uses, kept, heard, self._source)

    # --- one chunk -------------------------------------------------------------------------------------

    def _first(self, choices: list[Json]) -> JsonObject:
        """Return the piece of the first choice, and put those of others where they belong."""
        first: JsonObject = {}
        for item in choices:
            choice = obj(item)
            index = choice.get("index")
            if isinstance(index, int) and index > 0:
                before = self._others.get(index, {})
                self._others[index] = obj(joined(before, choice))
            else:
                first = choice
        return first

    def _note(self, chunk: JsonObject, choice: JsonObject) -> None:
        """Take what a chunk says of the answer; most say nothing new."""
        refuse_failure(chunk, choice, self._source)
        self._finish = string(choice.get("finish_reason")) or self._finish
        # each usage is of the whole answer so far: the last one counts
        self._usage = usage_of(chunk, choice) or self._usage
        if chunk.get("usage"):
            self._details["usage"] = chunk["usage"]
        self._model = self._model or string(chunk.get("model"))
        for name, value in chunk.items():
            if value is not None and (name in _EVERYWHERE or name not in _USUAL):
                # lists of sources and the like come whole, each time longer
                self._details[name] = value

    def _note_choice(self, choice: JsonObject) -> None:
        for name, value in choice.items():
            if value is None or value == {} or name in _SAID_OF_A_CHOICE:
                continue
            before = self._details.get(name)
            self._details[name] = value if before is None else joined(before, value, name)

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
            deltas.extend([delta for use in self._calls.feed(pieces.calls) for delta in self._shown(use)])
        for name, value in pieces.extras.items():
            before = self._extras.get(name)
            self._extras[name] = value if before is None else joined(before, value, name)
        return deltas

    def _shown(self, use: ToolUseDelta) -> Sequence[Delta]:
        """Show what goes to the tool for the answer as the text that it will be."""
        if use.name != self._source.answer_tool:
            return (use,)
        return (TextDelta(use.arguments),) if use.arguments else ()

    def _has_content(self) -> bool:
        return bool(self._text or self._reasoning or self._refusal or self._extras or self._calls.uses())
