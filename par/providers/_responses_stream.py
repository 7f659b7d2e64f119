"""A streamed response, built event by event.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import final

from par._json import JsonObject, dump_json
from par.calls import ModelReply
from par.deltas import Delta, ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.errors import StreamInterrupted
from par.messages import Assistant, ToolUse
from par.providers._answers import deltas_of
from par.providers._failures import failure_in_body
from par.providers._reading import array, as_tool_use, obj, parse_body, string
from par.providers._responses_items import CALLS
from par.providers._responses_parts import DELTAS, DONE, ItemBuilder, texts_of
from par.providers._responses_reply import Source, build_reply, failure_of
from par.providers._sse import SseEvent

__all__ = ["ResponseStream"]

_SPOKEN: Mapping[str, type[TextDelta | ReasoningDelta]] = {
    "output_text": TextDelta,
    "refusal": TextDelta,
    "reasoning_text": ReasoningDelta,
    "summary_text": ReasoningDelta,
}
_PARTS = frozenset({
    "response.content_part.added",
    "response.content_part.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
})
_FAILED = frozenset({"error", "response.error"})
_LAST = frozenset({
    "response.completed",
    "response.incomplete",
    "response.failed",
    "response.cancelled",
    "response.done",
})


@final
class ResponseStream:
    """Builds one reply from the events of a stream; events of kinds that it does not know change nothing.

    The stream ends with the event that holds the whole response. What was shown is what is returned: a text that
    came whole and had not been streamed is shown then, and if the whole contradicts what was streamed, the stream is
    shown anew.
    """

    __slots__ = ("_by_index", "_by_item", "_ids", "_last", "_reply", "_shown", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._by_index: dict[int, ItemBuilder] = {}
        self._by_item: dict[str, ItemBuilder] = {}
        self._ids: set[str] = set()
        self._shown: list[Delta] = []
        self._last: JsonObject | None = None
        self._reply = ModelReply(message=Assistant(()))

    @property
    def ended(self) -> bool:
        """Whether the event with the whole response has come."""
        return self._last is not None

    def feed(self, event: SseEvent, /) -> Sequence[Delta]:
        """Take one event.

        Raises:
            ModelError: if the event says that the call failed, or is no JSON.
        """
        if event.data.startswith(b"[DONE]"):
            return ()
        fields = parse_body(event.data, self._source.provider)
        kind = string(fields.get("type")) or event.type
        text_kind = DELTAS.get(kind)
        if text_kind is not None:
            builder, text = self._builder(fields), string(fields.get("delta"))
            builder.add(text_kind, _number(fields), text)
            delta = self._show(builder, text_kind, text) if text else None
            return () if delta is None else (delta,)
        if kind in _LAST:
            self._end(obj(fields.get("response")))
            return ()
        if kind in _FAILED or (not kind and fields.get("error")):
            error = fields["error"] if fields.get("error") else fields
            raise failure_in_body(self._source.provider, error, request_id=self._source.request_id)
        return self._note(kind, fields)

    def finish(self) -> Sequence[Delta]:
        """Take the end of the stream.

        Raises:
            StreamInterrupted: if the event with the whole response has not come.
        """
        if self._last is None:
            raise StreamInterrupted(
                "the event that ends a response was not sent",
                provider=self._source.provider,
                request_id=self._source.request_id,
            )
        before = len(self._shown)
        items, ids = self._items([obj(item) for item in array(self._last.get("output"))])
        reply = self._reply = build_reply(self._last, items, ids, self._source)
        if _told(self._shown) != _told(whole := list(deltas_of(reply.message))):
            return [StreamRestarted(reason="the whole response differs from what was streamed"), *whole]
        return self._shown[before:]

    def reply(self) -> ModelReply:
        """Return the whole answer."""
        return self._reply

    def _end(self, response: JsonObject) -> None:
        error = failure_of(response, self._source)
        if error is not None:
            raise error
        self._last = response

    def _note(self, kind: str, fields: JsonObject) -> Sequence[Delta]:
        """Take an event that is neither a piece of text nor an end."""
        before = len(self._shown)
        if kind in ("response.output_item.added", "response.output_item.done"):
            self._take(self._builder(fields), obj(fields.get("item")), done=kind.endswith("done"))
        elif kind in DONE:
            text_kind, field = DONE[kind]
            self._complete(self._builder(fields), text_kind, _number(fields), string(fields.get(field)))
        elif kind in _PARTS:
            part = obj(fields.get("part"))
            self._builder(fields).describe(string(part.get("type")), _number(fields), part)
        elif kind == "response.output_text.annotation.added":
            self._builder(fields).annotate(_number(fields), fields.get("annotation"))
        return self._shown[before:]

    def _builder(self, fields: JsonObject) -> ItemBuilder:
        """Return the builder of the item that an event is about: by its place, else by its id, else the last one."""
        index = fields.get("output_index")
        if isinstance(index, int):
            builder = self._by_index.get(index)
            return self._new_builder(index, fields) if builder is None else builder
        id_ = _id_of(fields)
        builder = self._by_item.get(id_) if id_ else next(reversed(self._by_index.values()), None)
        return self._new_builder(len(self._by_index), fields) if builder is None else builder

    def _new_builder(self, place: int, fields: JsonObject) -> ItemBuilder:
        builder = self._by_index[place] = ItemBuilder()
        id_ = _id_of(fields)
        if id_:
            self._by_item[id_] = builder
        return builder

    def _take(self, builder: ItemBuilder, item: JsonObject, *, done: bool) -> None:
        builder.whole(item, done=done)
        kind = string(builder.fields.get("type"))
        if kind in CALLS:
            if builder.fields.get("name"):
                self._begin(builder)
            value = item.get(CALLS[kind])
            self._complete(builder, CALLS[kind], 0, dump_json(value) if isinstance(value, dict) else string(value))
        elif kind in ("message", "reasoning"):
            for text_kind, number, text in texts_of(item):
                self._complete(builder, text_kind, number, text)

    def _begin(self, builder: ItemBuilder) -> None:
        """Show a call from when its name is known; what came before goes with the first delta."""
        if builder.call_id:
            return
        id_ = string(builder.fields.get("call_id"))
        builder.call_id = self._source.new_id() if not id_ or id_ in self._ids else id_
        self._ids.add(builder.call_id)
        if builder.fields.get("type") == "custom_tool_call":
            self._use(builder, '{"input":"' + _inside_json(builder.text("input")))
        else:
            self._use(builder, builder.text("arguments"))

    def _use(self, builder: ItemBuilder, more: str) -> Delta:
        delta = ToolUseDelta(id=builder.call_id, name=string(builder.fields.get("name")), arguments=more)
        self._shown.append(delta)
        return delta

    def _complete(self, builder: ItemBuilder, kind: str, number: int, whole: str) -> None:
        rest = builder.missing(kind, number, whole)
        if rest:
            self._show(builder, kind, rest)

    def _show(self, builder: ItemBuilder, kind: str, text: str) -> Delta | None:
        make = _SPOKEN.get(kind)
        if make is not None:
            delta = make(text)
            self._shown.append(delta)
            return delta
        if not builder.call_id:
            return None
        return self._use(builder, _inside_json(text) if kind == "input" else text)

    def _items(self, final: list[JsonObject]) -> tuple[list[JsonObject], list[str]]:
        """Return the items in their order, and the ids of those that are calls."""
        ends = self._match(final)
        items: list[JsonObject] = []
        ids: list[str] = []
        for place in sorted(self._by_index):
            builder = self._by_index[place]
            end = ends.get(place, {})
            if end:
                self._take(builder, end, done=False)
            item = builder.item(end)
            if item.get("type") in CALLS:
                self._begin(builder)
            if item.get("type") == "custom_tool_call":
                self._use(builder, '"}')
            items.append(item)
            ids.append(builder.call_id)
        return items, ids

    def _match(self, final: list[JsonObject]) -> dict[int, JsonObject]:
        """Find the place of each item that the end of the response has; those that were not streamed get one."""
        ids = {string(item.get("id")) for item in final}
        ends: dict[int, JsonObject] = {}
        for number, item in enumerate(final):
            place = self._place_of(item, number, ends, ids)
            if place is None:
                place = max(self._by_index) + 1 if number in self._by_index else number
                self._by_index[place] = ItemBuilder()
            ends[place] = item
        return ends

    def _place_of(self, item: JsonObject, number: int, taken: Container[int], ids: set[str]) -> int | None:
        """Find where an item of the end was streamed: by its id, else by its type, at its number first.

        Some servers give an item another id at the end, so the id decides only where both sides know it.
        """
        id_ = string(item.get("id"))
        free = [place for place in dict.fromkeys((number, *self._by_index)) if place in self._by_index]
        free = [place for place in free if place not in taken]
        for place in free:
            if id_ and self._by_index[place].fields.get("id") == id_:
                return place
        for place in free:
            streamed = self._by_index[place].fields
            other = string(streamed.get("id"))
            if other in ids - {""} or streamed.get("type") not in (item.get("type"), None):
                continue
            if place == number or not (id_ and other):
                return place
        return None


def _id_of(fields: JsonObject) -> str:
    """Return the id of the item that an event is about."""
    return string(fields.get("item_id")) or string(obj(fields.get("item")).get("id"))


def _number(fields: JsonObject) -> int:
    """Return which part of its item an event is about."""
    number = fields.get("summary_index", fields.get("content_index"))
    return number if isinstance(number, int) else 0


def _inside_json(text: str) -> str:
    return dump_json([text])[2:-2]


def _told(deltas: Iterable[Delta]) -> tuple[str, str, dict[str, ToolUse]]:
    """Return what deltas say to those who put them together."""
    text: list[str] = []
    thoughts: list[str] = []
    uses: dict[str, list[ToolUseDelta]] = {}
    for delta in deltas:
        if isinstance(delta, TextDelta):
            text.append(delta.text)
        elif isinstance(delta, ReasoningDelta):
            thoughts.append(delta.text)
        elif isinstance(delta, ToolUseDelta):
            uses.setdefault(delta.id, []).append(delta)
    whole = {id_: as_tool_use(id_, more[0].name, "".join([d.arguments for d in more])) for id_, more in uses.items()}
    return "".join(text), "".join(thoughts), whole
