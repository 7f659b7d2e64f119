"""Messages in the form that chat completions have for them; each is made once.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, final

from par._json import Json, JsonObject, dump_json
from par.errors import UsageError
from par.messages import (
    Assistant,
    Document,
    Image,
    Message,
    Opaque,
    Reasoning,
    System,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
    UserBlock,
)
from par.providers._openai_profile import Profile
from par.providers._reading import array, obj, string
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["ChatMessages"]

_NINE: Final = re.compile(r"[a-zA-Z0-9]{9}")
_NOT_IN_A_SUFFIX: Final = re.compile(r"[^a-z0-9]")


@final
class ChatMessages:
    """Gives messages the form of one server.

    ``tag`` names the server in the opaque blocks of its answers: only its own go back to it. What a user writes for
    ``provider`` goes to it as well.
    """

    __slots__ = ("_cache", "_profile", "_tag", "_tags")

    def __init__(self, profile: Profile, tag: str, provider: str) -> None:
        self._profile = profile
        self._tag = tag
        self._tags = frozenset({tag, provider})
        self._cache: WireCache[Message, tuple[Wired, ...]] = WireCache(self._forms)

    def of(self, messages: Iterable[Message]) -> list[Json]:
        """Return the forms, to be sent and not changed; some messages have several, some none.

        Raises:
            UsageError: for a document in a form that the server does not take.
        """
        get = self._cache.get
        return [form for message in messages for form in get(message)]

    def instructions(self, text: str) -> Wired:
        """Return a message with instructions."""
        return Wired({"role": self._profile.instructions, "content": text})

    def _forms(self, message: Message) -> tuple[Wired, ...]:
        match message:
            case System():
                return (self.instructions(message.text),)
            case User():
                return tuple(self._user(message.content))
            case ToolResults():
                return tuple(self._results(message.results))
            case Assistant():
                return tuple(self._assistant(message))

    # --- what users and tools say ----------------------------------------------------------------------

    def _user(self, blocks: Iterable[UserBlock]) -> Iterator[Wired]:
        parts: list[Json] = []
        for block in blocks:
            if not isinstance(block, Opaque):
                parts.append(self._part(block))
            elif block.provider in self._tags:
                if "role" not in block.data:
                    parts.append(block.data)
                    continue
                yield from _said(parts)
                parts = []
                yield Wired(block.data)
        yield from _said(parts)

    def _part(self, block: Text | Image | Document) -> JsonObject:
        if isinstance(block, Text):
            return {"type": "text", "text": block.text}
        if isinstance(block, Document):
            return {"type": "file", "file": self._file(block)}
        url = block.url if block.url is not None else f"data:{block.media_type};base64,{block.base64}"
        image: JsonObject = {"url": url}
        if block.detail is not None:
            image["detail"] = block.detail
        return {"type": "image_url", "image_url": image}

    def _file(self, document: Document) -> JsonObject:
        if document.file_id is not None:
            return {"file_id": document.file_id}
        if document.url is None:
            data = f"data:{document.media_type};base64,{document.base64}"
        elif self._profile.document_urls:
            data = document.url
        else:
            raise UsageError(
                "this server takes no document by its URL: give its content as base64, upload it and give its "
                'file_id, or use api="responses"'
            )
        return {"filename": document.name or _file_name(document.media_type), "file_data": data}

    def _results(self, results: Iterable[ToolResult]) -> Iterator[Wired]:
        shown: list[Json] = []
        whole: list[Wired] = []
        for result in results:
            own = [b.data for b in result.blocks if isinstance(b, Opaque) and b.provider in self._tags]
            whole += [Wired(data) for data in own if "role" in data]
            yield self._result(result, [data for data in own if "role" not in data])
            shown += self._shown(result)
        # a tool's answer is text here, and all answers have to stand together
        yield from _said(shown)
        yield from whole

    def _result(self, result: ToolResult, parts: list[JsonObject]) -> Wired:
        content: Json = [*_texts(result.content), *parts] if parts else result.content
        return Wired({"role": "tool", "tool_call_id": self._id(result.tool_use_id), "content": content})

    def _id(self, id_: str) -> str:
        takes = self._profile.tool_ids
        if takes == "any" or (takes == "up_to_40" and len(id_) <= 40) or (takes == "nine" and _NINE.fullmatch(id_)):
            return id_
        digest = sha256(id_.encode(errors="surrogatepass")).hexdigest()
        return digest[:9] if takes == "nine" else f"call_{digest[:32]}"

    def _shown(self, result: ToolResult) -> list[Json]:
        blocks = [block for block in result.blocks if not isinstance(block, Opaque)]
        if not blocks:
            return []
        what = Text(f"What {result.name} shows (call {result.tool_use_id}):")
        return [self._part(what), *[self._part(block) for block in blocks]]

    # --- what the model says ---------------------------------------------------------------------------

    def _assistant(self, message: Assistant) -> Iterator[Wired]:
        opaque = [block for block in message.content if isinstance(block, Opaque)]
        own = [block.data for block in opaque if block.provider == self._tag]
        whole = [Wired(block.data) for block in opaque if block.provider in self._tags and "role" in block.data]
        if whole and all(isinstance(block, Opaque) for block in message.content):
            yield from whole
            return
        yield Wired(self._said_by_model(message, [data for data in own if "role" not in data]))
        yield from whole

    def _said_by_model(self, message: Assistant, own: Iterable[JsonObject]) -> JsonObject:
        wire: JsonObject = {"role": "assistant", "content": message.text or None}
        self._think(message, wire)
        calls = {use.id: self._call(use) for use in message.tool_uses}
        for data in own:
            for name, value in obj(data.get("message")).items():
                if self._returns(name):
                    _put_back(wire, name, value)
            for id_, fields in obj(data.get("tool_calls")).items():
                if id_ in calls:
                    _put_back_in_call(calls[id_], {k: v for k, v in obj(fields).items() if self._returns(k)})
        if "reasoning_details" in wire:
            wire.pop("reasoning", None)  # they say the same
        if calls:
            wire["tool_calls"] = list(calls.values())
        elif wire["content"] is None and "audio" not in wire:
            wire["content"] = ""
        return wire

    def _returns(self, name: str) -> bool:
        returns = self._profile.returns
        return returns is None or name in returns or name in ("type", "custom")

    def _think(self, message: Assistant, wire: JsonObject) -> None:
        place = self._profile.reasoning
        if place is None:
            return
        thoughts = "".join([b.text for b in message.content if isinstance(b, Reasoning) and b.signature is None])
        if not thoughts:
            return
        if place == "think_tags":
            wire["content"] = "\n\n".join([f"<think>\n{thoughts}\n</think>", *filter(None, [message.text])])
        elif place == "parts":
            parts: list[Json] = [{"type": "thinking", "thinking": [{"type": "text", "text": thoughts}]}]
            wire["content"] = [*parts, *_texts(message.text)]
        else:
            wire[place] = thoughts

    def _call(self, use: ToolUse) -> JsonObject:
        if use.malformed is None:
            arguments = dump_json(use.arguments)
        elif self._profile.verbatim_arguments:
            arguments = use.malformed
        else:
            arguments = dump_json({"malformed": use.malformed})
        return {"id": self._id(use.id), "type": "function", "function": {"name": use.name, "arguments": arguments}}


def _said(parts: list[Json]) -> Iterator[Wired]:
    """Make a message of parts, unless there are none; a text alone is written as one."""
    if len(parts) == 1:
        only = obj(parts[0])
        if only.keys() == {"type", "text"} and only["type"] == "text":
            yield Wired({"role": "user", "content": only["text"]})
            return
    if parts:
        yield Wired({"role": "user", "content": parts})


def _texts(text: str) -> list[Json]:
    return [{"type": "text", "text": text}] if text else []


def _file_name(media_type: str | None) -> str:
    suffix = _NOT_IN_A_SUFFIX.sub("", (media_type or "").lower().partition("/")[2].partition(";")[0])
    return f"document.{suffix or 'bin'}"


def _put_back(wire: JsonObject, name: str, value: Json) -> None:
    """Put a field of an answer into the message that it came in."""
    if name == "content_parts":
        before = wire["content"]
        wire["content"] = [*(before if isinstance(before, list) else _texts(string(before))), *array(value)]
    elif name == "audio":
        sound = obj(value)
        wire["audio"] = {"id": sound.get("id")}
        if wire["content"] == sound.get("transcript"):
            wire["content"] = None  # the sound says it
    else:
        wire[name] = value


def _put_back_in_call(call: JsonObject, fields: JsonObject) -> None:
    call.update({**fields, "function": {**obj(call["function"]), **obj(fields.get("function"))}})
    if "custom" in fields:  # a call whose argument is free text: its own form has no function
        call.pop("function", None)
