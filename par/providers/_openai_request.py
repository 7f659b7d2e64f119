"""The body of a chat-completions request, made of par's values.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

import re
from typing import final

from par._json import Json, JsonObject, dump_json
from par.calls import ModelCall, OutputSpec, Settings, ToolSpec
from par.messages import Assistant, Image, Message, Opaque, System, Text, ToolResults, ToolUse, User, UserBlock
from par.providers._reading import array, obj
from par.providers._wire_cache import WireCache

__all__ = ["ChatRequests"]

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64


@final
class ChatRequests:
    """Builds the requests for one model at one server.

    ``tag`` names the server in opaque blocks: only its own go back to it. ``official`` says that it is OpenAI or
    Azure: it is told ``max_completion_tokens``, which others do not all know, and gets malformed arguments back
    word for word, which others refuse.
    """

    __slots__ = ("_messages", "_model", "_official", "tag")

    def __init__(self, model: str, *, tag: str, official: bool) -> None:
        self._model = model
        self.tag = tag
        self._official = official
        self._messages: WireCache[Assistant, JsonObject] = WireCache(self._assistant)

    def body(self, call: ModelCall) -> JsonObject:
        """Return the body for ``call``. It shares parts with other bodies: send it, do not change it."""
        messages: list[Json] = []
        for message in call.messages:
            self._add(message, messages)
        body: JsonObject = {"model": self._model, "messages": messages}
        settings = call.settings
        if call.tools:
            body["tools"] = [_tool(spec) for spec in call.tools]
            if isinstance(settings.tool_choice, str) and settings.tool_choice != "auto":
                body["tool_choice"] = settings.tool_choice
            if not settings.parallel_tool_uses:
                body["parallel_tool_calls"] = False
        if call.output is not None:
            body["response_format"] = _response_format(call.output)
        self._settle(settings, body)
        if call.stream:
            body["stream"] = True
            body["stream_options"] = {"include_usage": True}
        body.update(settings.extra)
        return body

    def _settle(self, settings: Settings, body: JsonObject) -> None:
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.top_p is not None:
            body["top_p"] = settings.top_p
        if settings.max_tokens is not None:
            body["max_completion_tokens" if self._official else "max_tokens"] = settings.max_tokens
        if settings.stop:
            body["stop"] = list(settings.stop)
        if settings.seed is not None:
            body["seed"] = settings.seed
        if settings.reasoning_effort is not None:
            body["reasoning_effort"] = settings.reasoning_effort

    def _add(self, message: Message, messages: list[Json]) -> None:
        match message:
            case Assistant():
                # the one kind that is dear to build: arguments become text
                messages.append(self._messages.get(message))
            case ToolResults():
                messages.extend(
                    {"role": "tool", "tool_call_id": result.tool_use_id, "content": result.content}
                    for result in message.results
                )
            case User():
                messages.append({"role": "user", "content": _user_content(message.content)})
            case System():
                messages.append({"role": "system", "content": message.text})

    def _assistant(self, message: Assistant) -> JsonObject:
        wire: JsonObject = {"role": "assistant", "content": message.text or None}
        calls: dict[str, JsonObject] = {use.id: self._tool_call(use) for use in message.tool_uses}
        for block in message.content:
            if isinstance(block, Opaque) and block.provider == self.tag:
                extras = obj(block.data.get("message"))
                wire.update({name: value for name, value in extras.items() if name != "content_parts"})
                parts = array(extras.get("content_parts"))
                if parts:
                    wire["content"] = [{"type": "text", "text": message.text}, *parts] if message.text else parts
                for id_, fields in obj(block.data.get("tool_calls")).items():
                    if id_ in calls:
                        calls[id_].update(obj(fields))
        if calls:
            wire["tool_calls"] = list(calls.values())
        elif wire["content"] is None:
            wire["content"] = ""
        return wire

    def _tool_call(self, use: ToolUse) -> JsonObject:
        if use.malformed is None:
            arguments = dump_json(use.arguments)
        else:
            arguments = use.malformed if self._official else dump_json({"malformed": use.malformed})
        return {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": arguments}}


def _user_content(blocks: tuple[UserBlock, ...]) -> Json:
    if len(blocks) == 1 and isinstance(blocks[0], Text):
        return blocks[0].text
    return [
        {"type": "text", "text": block.text}
        if isinstance(block, Text)
        else {"type": "image_url", "image_url": {"url": _image_url(block)}}
        for block in blocks
        if isinstance(block, (Text, Image))
    ]


def _image_url(image: Image) -> str:
    return image.url if image.url is not None else f"data:{image.media_type};base64,{image.base64}"


def _tool(spec: ToolSpec) -> JsonObject:
    function: JsonObject = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


def _response_format(output: OutputSpec) -> JsonObject:
    name = _NOT_IN_A_NAME.sub("_", output.name)[:_MAX_NAME] or "output"
    schema: JsonObject = {"name": name, "schema": output.schema, "strict": _fits_strict(output.schema)}
    return {"type": "json_schema", "json_schema": schema}


def _fits_strict(schema: Json) -> bool:
    """Tell whether OpenAI takes the schema as strict: every property required, no others allowed, at each level."""
    if isinstance(schema, list):
        return all(_fits_strict(item) for item in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        required = schema.get("required", [])
        if schema.get("additionalProperties") is not False or not isinstance(required, list):
            return False
        if set(obj(schema.get("properties"))) != {name for name in required if isinstance(name, str)}:
            return False
    return all(_fits_strict(item) for item in schema.values())
