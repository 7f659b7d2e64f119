"""The body of a messages request, made of par's values.

Source: https://docs.anthropic.com/en/api/messages
"""

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import final

from par._json import Json, JsonObject, dump_json
from par.calls import ModelCall, OutputSpec, Settings, ToolSpec
from par.errors import UsageError
from par.messages import Assistant, Image, Message, Opaque, Reasoning, System, Text, ToolResults, ToolUse, User
from par.providers._reading import obj
from par.providers._wire_cache import WireCache

__all__ = ["PROVIDER", "MessageRequests"]

PROVIDER = "anthropic"

_ID = re.compile(r"[a-zA-Z0-9_-]+\Z")
_NOT_IN_AN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_EFFORT: Mapping[str, str] = {"minimal": "low"}
_CHOICE: Mapping[str, str] = {"auto": "auto", "none": "none", "required": "any"}


@final
class MessageRequests:
    """Builds the requests for one model."""

    __slots__ = ("_assistants", "_max_tokens", "_model")

    def __init__(self, model: str, max_tokens: int) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._assistants: WireCache[Assistant, list[Json]] = WireCache(_assistant_content)

    def body(self, call: ModelCall) -> JsonObject:
        """Return the body for ``call``. It shares parts with other bodies: send it, do not change it.

        Raises:
            UsageError: for a setting that the API does not have.
        """
        system, messages = self._conversation(call.messages)
        if call.output is not None:
            system.append({"type": "text", "text": _instruction(call.output)})
        settings = call.settings
        body: JsonObject = {
            "model": self._model,
            "max_tokens": settings.max_tokens or self._max_tokens,
            "messages": messages,
        }
        if system:
            body["system"] = system
        if call.tools:
            body["tools"] = [_tool(spec) for spec in call.tools]
            if settings.tool_choice != "auto" or not settings.parallel_tool_uses:
                body["tool_choice"] = _tool_choice(settings)
        _settle(settings, body)
        if call.stream:
            body["stream"] = True
        body.update(settings.extra)
        return body

    def _conversation(self, history: tuple[Message, ...]) -> tuple[list[Json], list[Json]]:
        """Split off the instructions, and join neighbours of one role, as the API wants it."""
        system: list[Json] = []
        messages: list[Json] = []
        last_role = ""
        parts: list[Json] = []
        for message in history:
            if isinstance(message, System):
                if message.text:
                    system.append({"type": "text", "text": message.text})
                continue
            role = "assistant" if isinstance(message, Assistant) else "user"
            content = self._assistants.get(message) if isinstance(message, Assistant) else _user_content(message)
            if not content:
                continue
            if role == last_role:
                parts.extend(content)
            else:
                parts = list(content)
                messages.append({"role": role, "content": parts})
                last_role = role
        return system, messages


def _user_content(message: User | ToolResults) -> list[Json]:
    if isinstance(message, User):
        # the API refuses empty text
        return [_user_block(block) for block in message.content if not isinstance(block, Text) or block.text]
    return [
        {
            "type": "tool_result",
            "tool_use_id": wire_id(result.tool_use_id),
            "content": result.content,
            "is_error": result.is_error,
        }
        for result in message.results
    ]


def _user_block(block: Text | Image) -> JsonObject:
    if isinstance(block, Text):
        return {"type": "text", "text": block.text}
    if block.url is not None:
        return {"type": "image", "source": {"type": "url", "url": block.url}}
    return {"type": "image", "source": {"type": "base64", "media_type": block.media_type, "data": block.base64}}


def _assistant_content(message: Assistant) -> list[Json]:
    content: list[Json] = []
    for block in message.content:
        match block:
            case Text():
                if block.text:
                    content.append({"type": "text", "text": block.text})
            case Reasoning():
                # without a signature it is another provider's, and the API refuses it
                if block.signature is not None:
                    content.append({"type": "thinking", "thinking": block.text, "signature": block.signature})
            case ToolUse():
                content.append({
                    "type": "tool_use",
                    "id": wire_id(block.id),
                    "name": block.name,
                    "input": _input(block),
                })
            case Opaque():
                if block.provider == PROVIDER:
                    _add_opaque(block.data, content)
    return content


def _add_opaque(data: JsonObject, content: list[Json]) -> None:
    """Put back a block, or the fields that par has no place for into the block before."""
    if "type" in data:
        content.append(data)
    elif content:
        content[-1] = {**obj(content[-1]), **obj(data.get("fields"))}


def _input(use: ToolUse) -> JsonObject:
    # the API takes nothing but an object here
    return use.arguments if use.malformed is None else {"malformed": use.malformed}


def wire_id(id_: str) -> str:
    """Return an id that the API accepts: its own as they are, others' without the characters that it refuses."""
    if _ID.match(id_):
        return id_
    return f"{_NOT_IN_AN_ID.sub('_', id_)}_{blake2b(id_.encode(), digest_size=6).hexdigest()}"


def _tool(spec: ToolSpec) -> JsonObject:
    return {"name": spec.name, "description": spec.description, "input_schema": spec.parameters}


def _tool_choice(settings: Settings) -> JsonObject:
    choice: JsonObject = {"type": _CHOICE[settings.tool_choice]}
    if not settings.parallel_tool_uses and settings.tool_choice != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


def _settle(settings: Settings, body: JsonObject) -> None:
    if settings.seed is not None:
        raise UsageError("Anthropic's API has no seed: leave Settings.seed unset")
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.top_p is not None:
        body["top_p"] = settings.top_p
    if settings.stop:
        body["stop_sequences"] = list(settings.stop)
    if settings.reasoning_effort is not None:
        effort = settings.reasoning_effort
        body["output_config"] = {"effort": _EFFORT.get(effort, effort)}


def _instruction(output: OutputSpec) -> str:
    """Ask for the output in words.

    A forced tool would shut out the agent's own tools and extended thinking, and the answer would not be text
    that can stream. The API's own output format exists for its newer models only.
    """
    return (
        "When you give your final answer, it must be one JSON value that fits the JSON Schema below, and nothing "
        f"else: no words around it, no code fence.\n\n{dump_json(output.schema)}"
    )
