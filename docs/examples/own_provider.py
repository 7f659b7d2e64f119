"""A provider of one's own: chat completions over plain HTTP, whole answers only."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2

from par import Assistant, Json, JsonObject, ModelCall, ModelReply, System, Text, ToolResults, ToolUse, Usage, User
from par.calls import ToolNames
from par.deltas import TextDelta, ToolUseDelta
from par.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestRejected,
    RequestTooLarge,
    ServerFailed,
    UnreadableReply,
    UsageError,
)
from par.events import FinishReason
from par.messages import Message
from par.testing import ProviderServer

ERRORS: dict[int, type[ModelError]] = {
    401: AuthenticationFailed,
    403: AccessDenied,
    404: ModelNotFound,
    413: RequestTooLarge,
    429: RateLimited,
    503: Overloaded,
}
FINISH: dict[Json, FinishReason] = {"length": "length", "content_filter": "content_filter", "tool_calls": "tool_uses"}


class OwnModel:
    """A model at a server that speaks chat completions."""

    name = "own:model"

    def __init__(self, client: httpx2.AsyncClient, key: str) -> None:
        self._client = client
        self._key = key

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        headers = {"authorization": f"Bearer {self._key}"}
        try:
            answer = await self._client.post("/chat/completions", json=request_of(call), headers=headers)
        except httpx2.TransportError as error:
            raise ConnectionFailed(type(error).__name__, provider="own") from error
        if answer.status_code != 200:
            raise self._failure(answer)
        reply = reply_of(answer)
        if call.stream:
            for block in reply.message.content:
                if isinstance(block, Text):
                    await call.emit(TextDelta(block.text))
                elif isinstance(block, ToolUse):
                    arguments = json.dumps(block.arguments) if block.malformed is None else block.malformed
                    await call.emit(ToolUseDelta(id=block.id, name=block.name, arguments=arguments))
        return reply

    def _failure(self, answer: httpx2.Response) -> ModelError:
        said = answer.text.replace(self._key, "…")
        kind = ERRORS.get(answer.status_code, ServerFailed if answer.status_code >= 500 else RequestRejected)
        if "context_length_exceeded" in said:
            kind = ContextTooLong
        wait = answer.headers.get("retry-after")
        return kind(
            said[:500],
            provider="own",
            status=answer.status_code,
            request_id=answer.headers.get("x-request-id"),
            retry_after_s=float(wait) if wait else None,
            body=said,
        )


def request_of(call: ModelCall) -> JsonObject:
    messages: list[Json] = []
    for message in call.messages:
        messages.extend(wire(message))
    body: JsonObject = {"model": "own", "messages": messages}
    settings = call.settings
    if call.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
            }
            for tool in call.tools
        ]
        choice = settings.tool_choice
        if isinstance(choice, ToolNames):
            body["tool_choice"] = {"type": "function", "function": {"name": choice.names[0]}}
        elif choice != "auto":
            body["tool_choice"] = choice
        if not settings.parallel_tool_uses:
            body["parallel_tool_calls"] = False
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.max_tokens is not None:
        body["max_tokens"] = settings.max_tokens
    if call.output is not None:
        schema: JsonObject = {"name": "output", "schema": call.output.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {**body, **settings.extra}


def wire(message: Message) -> list[JsonObject]:
    match message:
        case System():
            return [{"role": "system", "content": message.text}]
        case User():
            if not all(isinstance(block, Text) for block in message.content):
                raise UsageError("this provider takes text and nothing else")
            return [{"role": "user", "content": message.text}]
        case ToolResults():
            if any(result.blocks for result in message.results):
                raise UsageError("this provider takes text and nothing else")
            return [
                {"role": "tool", "tool_call_id": result.tool_use_id, "content": result.content}
                for result in message.results
            ]
        case Assistant():
            said: JsonObject = {"role": "assistant", "content": message.text or None}
            if message.tool_uses:
                said["tool_calls"] = [wire_use(use) for use in message.tool_uses]
            return [said]


def wire_use(use: ToolUse) -> JsonObject:
    arguments: JsonObject = use.arguments if use.malformed is None else {"malformed": use.malformed}
    function: JsonObject = {"name": use.name, "arguments": json.dumps(arguments)}
    return {"id": use.id, "type": "function", "function": function}


def reply_of(answer: httpx2.Response) -> ModelReply:
    try:
        body: Json = answer.json()
    except ValueError as error:
        raise UnreadableReply("the answer is no JSON", provider="own") from error
    choice = first(at(body, "choices"))
    message = at(choice, "message")
    if not isinstance(message, dict):
        raise UnreadableReply("the answer has no message", provider="own")
    refusal = message.get("refusal")
    text = refusal or message.get("content")
    uses = [use_of(call) for call in listed(message.get("tool_calls"))]
    finish = FINISH.get(at(choice, "finish_reason"), "stop")
    usage = at(body, "usage")
    return ModelReply(
        message=Assistant((*([Text(str(text))] if text else []), *uses)),
        finish="content_filter" if refusal else finish,
        usage=Usage(
            input_tokens=whole(at(usage, "prompt_tokens")),
            output_tokens=whole(at(usage, "completion_tokens")),
            cache_read_tokens=whole(at(at(usage, "prompt_tokens_details"), "cached_tokens")),
            reasoning_tokens=whole(at(at(usage, "completion_tokens_details"), "reasoning_tokens")),
            requests=1,
        ),
        model=str(at(body, "model")),
        request_id=answer.headers.get("x-request-id"),
        headers={name: value for name, value in answer.headers.items() if "ratelimit" in name},
    )


def use_of(call: Json) -> ToolUse:
    id_, function = str(at(call, "id")), at(call, "function")
    name, text = str(at(function, "name")), str(at(function, "arguments"))
    try:
        arguments: Json = json.loads(text)
    except ValueError:
        return ToolUse(id_, name, malformed=text)
    return ToolUse(id_, name, arguments) if isinstance(arguments, dict) else ToolUse(id_, name, malformed=text)


def at(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, dict) else None


def listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def first(value: Json) -> Json:
    return next(iter(listed(value)), None)


def whole(value: Json) -> int:
    return value if isinstance(value, int) else 0


@asynccontextmanager
async def own_model(server: ProviderServer) -> AsyncGenerator[OwnModel]:
    """Open the model at a server of ``par.testing``."""
    async with httpx2.AsyncClient(base_url=server.base_url, verify=False) as client:
        yield OwnModel(client, server.key)
