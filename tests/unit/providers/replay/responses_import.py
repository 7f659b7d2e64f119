"""From a recorded request to the responses API to the call of par that stands for it."""

import json

import httpx2

from par.calls import ModelCall, OutputSpec, PromptCache, Settings, ToolNames, ToolSpec
from par.messages import Assistant, Document, Image, Opaque, System, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._responses_items import blocks_of

API = "openai-responses"
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_OF_THE_CALL = {"model", "input", "instructions", "stream", "tools"}
_CALLS = {"function_call", "custom_tool_call"}
_RESULTS = {"function_call_output", "custom_tool_call_output"}


def tag_of(url):
    """The tag of the server at an address."""
    host = httpx2.URL(url).host
    return API if host == "api.openai.com" else f"{API}@{host}"


def call_of(body, tag):
    """The call that a request stands for."""
    messages = [System(body["instructions"])] if body.get("instructions") else []
    messages += _messages(body["input"], tag)
    settings, output = _settings(body, tag)
    tools = tuple(_spec(tool) for tool in body.get("tools") or [] if tool["type"] == "function")
    return ModelCall(
        model=body["model"],
        messages=tuple(messages),
        tools=tools,
        settings=settings,
        output=output,
        stream=bool(body.get("stream")),
    )


def _spec(tool):
    return ToolSpec(
        name=tool["name"],
        description=tool.get("description") or "",
        parameters=tool["parameters"],
        strict=tool.get("strict"),
    )


def _settings(body, tag):
    """What par has a setting for becomes one; the rest is extra, word for word."""
    rest = {name: value for name, value in body.items() if name not in _OF_THE_CALL}
    fields = {}
    if 0 <= rest.get("temperature", -1) <= 2:
        fields["temperature"] = rest.pop("temperature")
    if rest.get("max_output_tokens"):
        fields["max_tokens"] = rest.pop("max_output_tokens")
    if rest.get("parallel_tool_calls") is False:
        fields["parallel_tool_uses"] = rest.pop("parallel_tool_calls")
    if rest.get("prompt_cache_key"):
        fields["prompt_cache"] = PromptCache(key=rest.pop("prompt_cache_key"))
    if "tool_choice" in rest:
        fields["tool_choice"] = _choice(rest.pop("tool_choice"))
    reasoning = dict(rest.get("reasoning") or {})
    if reasoning.get("effort") in _EFFORTS:
        fields["reasoning_effort"] = reasoning.pop("effort")
        rest["reasoning"] = reasoning
    output = None
    text = dict(rest.get("text") or {})
    if text.get("format", {}).get("type") == "json_schema":
        schema = text.pop("format")
        output = OutputSpec(name=schema["name"], schema=schema["schema"])
        rest["text"] = text
    provided = tuple(Opaque(tag, tool) for tool in body.get("tools") or [] if tool["type"] != "function")
    extra = {name: value for name, value in rest.items() if value != {}}
    return Settings(**fields, provider_tools=provided, extra=extra), output


def _choice(choice):
    if isinstance(choice, str):
        return choice
    if choice["type"] == "allowed_tools":
        return ToolNames(tuple(tool["name"] for tool in choice["tools"]), required=choice["mode"] == "required")
    return ToolNames((choice.get("name") or choice.get("server_label") or choice["type"],))


def _messages(items, tag):
    """Messages of neighbours that belong together: what one answer said, and the results of its calls."""
    names = {item["call_id"]: item["name"] for item in items if item.get("type") in _CALLS}
    messages = []
    for item in items:
        role, kind = item.get("role"), item.get("type", "message")
        if role in ("system", "developer"):
            messages.append(System(item["content"]))
        elif role == "user":
            messages.append(User(tuple(_parts(item["content"], tag))))
        elif kind in _RESULTS:
            _join(messages, ToolResults, "results", [_result(item, names)])
        elif isinstance(item.get("content"), str):
            messages.append(Assistant((Text(item["content"]),)))
        else:
            _join(messages, Assistant, "content", _said(item, kind, tag))
    return messages


def _join(messages, make, field, more):
    before = getattr(messages.pop(), field) if messages and isinstance(messages[-1], make) else ()
    messages.append(make((*before, *more)))


def _result(item, names):
    return ToolResult(tool_use_id=item["call_id"], name=names.get(item["call_id"], ""), content=item["output"])


def _said(item, kind, tag):
    if kind == "function_call" and "id" not in item and "status" not in item:
        return [ToolUse(item["call_id"], item["name"], json.loads(item["arguments"] or "{}"))]
    return list(blocks_of(item, tag, item.get("call_id", ""), stored=True))


def _parts(content, tag):
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part, tag) for part in content]


def _part(part, tag):
    kind, keys = part["type"], set(part) - {"type"}
    if kind == "input_text" and keys == {"text"}:
        return Text(part["text"])
    if kind == "input_image" and keys <= {"image_url", "detail"}:
        url = part["image_url"]
        if url.startswith("data:"):
            head, _, data = url.partition(",")
            return Image(base64=data, media_type=head[5:].removesuffix(";base64"), detail=part.get("detail"))
        return Image(url=url, detail=part.get("detail"))
    if kind == "input_file" and keys == {"file_url"}:
        return Document(url=part["file_url"])
    if kind == "input_file" and keys == {"file_id"}:
        return Document(file_id=part["file_id"])
    if kind == "input_file" and keys == {"file_data", "filename"}:
        head, _, data = part["file_data"].partition(",")
        return Document(base64=data, media_type=head[5:].removesuffix(";base64"), name=part["filename"])
    return Opaque(tag, part)
