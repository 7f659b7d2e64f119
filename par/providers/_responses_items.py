"""Output items of the responses API as blocks, and blocks as input items again.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from collections.abc import Callable, Iterator, Mapping
from typing import final

import attrs

from par._json import Json, JsonObject, dump_json
from par.messages import Assistant, AssistantBlock, Opaque, Reasoning, Text, ToolUse
from par.providers._reading import array, as_tool_use, obj, string
from par.providers._responses_ids import wire_id
from par.providers._wired import Wired

__all__ = ["CALLS", "Form", "blocks_of", "form_of"]

TEXT_OF: Mapping[str, str] = {
    "output_text": "text",
    "refusal": "refusal",
    "summary_text": "text",
    "reasoning_text": "text",
    "text": "text",
}
"""Which field of a part is its text; other parts have none."""

CALLS: Mapping[str, str] = {"function_call": "arguments", "custom_tool_call": "input"}
"""The items that ask for a tool of the caller's, and the field of what they hand to it."""


@attrs.frozen
class Form:
    """What an assistant message is on the wire.

    ``results`` says which kind of item, with which id, answers a call, for the calls where it is not simply a
    ``function_call_output`` with the id of the call.
    """

    items: tuple[JsonObject, ...]
    results: Mapping[str, tuple[str, str]]


def blocks_of(item: JsonObject, tag: str, call_id: str, *, stored: bool) -> Iterator[AssistantBlock]:
    """Yield the blocks of one output item: its texts or its tool use, then what else stands in it.

    An item of another kind is one opaque block. Log probabilities are not part of what was said. ``call_id`` is the
    id of the call if the item is one. ``stored`` says whether the provider has kept the item, and so knows it again
    by its id alone.
    """
    kind = string(item.get("type"))
    if kind == "message" and item.get("role", "assistant") == "assistant":
        yield from _split(item, ("content",), Text, tag)
    elif kind == "reasoning":
        usable = stored or bool(item.get("encrypted_content") or item.get("content"))
        yield from _split(item, ("summary", "content"), Reasoning, tag, {} if usable else {"forgotten": True})
    elif kind in CALLS:
        yield _tool_use(item, kind, call_id)
        known = ("call_id", "name", CALLS[kind])
        yield Opaque(tag, {"item": {name: value for name, value in item.items() if name not in known}})
    else:
        yield Opaque(tag, item)


def _split(
    item: JsonObject,
    lists: tuple[str, ...],
    make: Callable[[str], Text | Reasoning],
    tag: str,
    more: JsonObject | None = None,
) -> Iterator[AssistantBlock]:
    """Yield the texts of an item as blocks, and after them the item without these texts.

    The texts stand in one place only, so that what a layer makes of a block is what is sent.
    """
    rest = dict(item)
    for name in lists:
        value = item.get(name)
        if not isinstance(value, (list, str)):
            continue
        others: list[Json] = []
        for part in value if isinstance(value, list) else [_text_part(value)]:
            fields = obj(part)
            field = TEXT_OF.get(string(fields.get("type")), "")
            text = string(fields.get(field))
            if text:
                yield make(text)
                others.append({key: said for key, said in fields.items() if key not in (field, "logprobs")})
            else:
                others.append({field: "", **fields} if field else part)
        rest[name] = others
    yield Opaque(tag, {"item": rest, **(more or {})})


def _text_part(text: str) -> JsonObject:
    """Return the part that some servers leave out around the text."""
    return {"type": "output_text", "text": text}


def _tool_use(item: JsonObject, kind: str, call_id: str) -> ToolUse:
    """Return the use that a call asks for; the free text of a custom one becomes ``{"input": text}``."""
    value = item.get(CALLS[kind])
    if kind == "custom_tool_call":
        value = {"input": string(value)}
    text = dump_json(value) if isinstance(value, dict) else string(value)
    return as_tool_use(call_id, string(item.get("name")), text)


def form_of(message: Assistant, tag: str, *, verbatim: bool) -> Form:
    """Return the items that say ``message`` again to the server whose blocks carry ``tag``.

    Of other providers' blocks the texts and tool uses are taken. ``verbatim`` says whether the server takes
    arguments back that are no JSON.
    """
    writer = _Writer(tag, verbatim)
    for block in message.content:
        writer.add(block)
    return writer.end()


@final
class _Writer:
    """Gathers blocks until it is known which item they belong to: the rest of an item follows its blocks."""

    def __init__(self, tag: str, verbatim: bool) -> None:
        self._tag = tag
        self._verbatim = verbatim
        self._waiting: list[Text | Reasoning | ToolUse] = []
        self._items: list[JsonObject] = []
        self._results: dict[str, tuple[str, str]] = {}

    def add(self, block: AssistantBlock) -> None:
        if not isinstance(block, Opaque):
            self._waiting.append(block)
        elif block.provider != self._tag:
            return
        elif "item" in block.data:
            self._restore(obj(block.data["item"]), forgotten=bool(block.data.get("forgotten")))
        elif "type" in block.data or "role" in block.data:
            self._flush(len(self._waiting))
            self._items.append(Wired(block.data))

    def end(self) -> Form:
        self._flush(len(self._waiting))
        return Form(tuple(self._items), self._results)

    def _restore(self, item: JsonObject, *, forgotten: bool) -> None:
        kind = string(item.get("type"))
        if kind in CALLS:
            own = self._waiting[-1:]
            use = own[0] if own else None
            if isinstance(use, ToolUse):
                self._flush(len(self._waiting) - 1)
                self._waiting.clear()
                self._call(use, item)
            return
        lists = ("summary", "content") if kind == "reasoning" else ("content",)
        missing = sum(_lacks_text(part) for name in lists for part in array(item.get(name)))
        texts = self._last_texts(Reasoning if kind == "reasoning" else Text, missing)
        restored = {**item, **{name: list(_with_texts(item[name], texts)) for name in lists if name in item}}
        # a text that a layer took out is not said again, nor an item that has lost all that it said
        if forgotten or (missing and kind != "reasoning" and not restored.get("content")):
            return
        self._items.append(Wired(restored))

    def _last_texts(self, kind: type[Text | Reasoning], most: int) -> Iterator[str]:
        """Take the last blocks, if they are texts of this kind; those before them are items of their own."""
        start = len(self._waiting)
        while start and len(self._waiting) - start < most and isinstance(self._waiting[start - 1], kind):
            start -= 1
        texts = [block.text for block in self._waiting[start:] if isinstance(block, (Text, Reasoning))]
        self._flush(start)
        self._waiting.clear()
        return iter(texts)

    def _flush(self, count: int) -> None:
        """Write the first ``count`` blocks that wait, which have nothing but themselves."""
        said: list[str] = []
        for block in self._waiting[:count]:
            if isinstance(block, Text):
                said.append(block.text)
            elif isinstance(block, ToolUse):
                self._say(said)
                self._call(block, {})
            # thoughts of other providers are not for this one
        self._say(said)
        del self._waiting[:count]

    def _say(self, said: list[str]) -> None:
        text = "".join(said)
        said.clear()
        if text:
            self._items.append(Wired({"role": "assistant", "content": text}))

    def _call(self, use: ToolUse, rest: JsonObject) -> None:
        """Write a call. One that this server made keeps its id, whatever the id is like."""
        id_ = use.id if rest else wire_id(use.id)
        custom = rest.get("type") == "custom_tool_call"
        if custom or id_ != use.id:
            self._results[use.id] = ("custom_tool_call_output" if custom else "function_call_output", id_)
        if use.malformed is not None:
            text = use.malformed if self._verbatim else dump_json({"malformed": use.malformed})
        elif custom and isinstance(use.arguments.get("input"), str):
            text = string(use.arguments["input"])
        else:
            text = dump_json(use.arguments)
        wire: JsonObject = {"type": "function_call", **rest, "call_id": id_, "name": use.name}
        wire["input" if custom else "arguments"] = text
        self._items.append(Wired(wire))


def _lacks_text(part: Json) -> bool:
    fields = obj(part)
    field = TEXT_OF.get(string(fields.get("type")))
    return field is not None and field not in fields


def _with_texts(parts: Json, texts: Iterator[str]) -> Iterator[Json]:
    for part in array(parts):
        if not _lacks_text(part):
            yield part
            continue
        text = next(texts, None)
        if text is not None:
            fields = obj(part)
            yield {**fields, TEXT_OF[string(fields.get("type"))]: text}
