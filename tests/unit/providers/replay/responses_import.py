"""From a recorded request to the responses API to the call of par that stands for it."""

import json

import httpx2

from par.calls import ModelCall, OutputSpec, PromptCache, Settings, ToolNames, ToolSpec
from par.messages import Assistant, Document, Image, Opaque, System, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._responses_items import blocks_of
from par.providers._responses_tools import output_format

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
    items = body["input"]
    messages += _messages([{"role": "user", "content": items}] if isinstance(items, str) else items, tag)
    settings, output = _settings(body, tag)
    tools = tuple(_spec(tool) for tool in body.get("tools") or [] if _is_own(tool))
    return ModelCall(
        model=body["model"],
        messages=tuple(messages),
        tools=tools,
        settings=settings,
        output=output,
        stream=bool(body.get("stream")),
    )


def _is_own(tool):
    return tool["type"] == "function" and set(tool) <= {"type", "name", "description", "parameters", "strict"}


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
    if 0 <= (-1 if rest.get("temperature") is None else rest["temperature"]) <= 2:
        fields["temperature"] = rest.pop("temperature")
    if rest.get("max_output_tokens"):
        fields["max_tokens"] = rest.pop("max_output_tokens")
    if rest.get("parallel_tool_calls") is False:
        fields["parallel_tool_uses"] = rest.pop("parallel_tool_calls")
    if rest.get("prompt_cache_key"):
        fields["prompt_cache"] = PromptCache(key=rest.pop("prompt_cache_key"))
    choice = _choice(rest.get("tool_choice"))
    if choice is not None:
        fields["tool_choice"] = choice
        del rest["tool_choice"]
    reasoning = dict(rest.get("reasoning") or {})
    if reasoning.get("effort") in _EFFORTS:
        fields["reasoning_effort"] = reasoning.pop("effort")
        rest["reasoning"] = reasoning
    output = None
    text = dict(rest.get("text") or {})
    spec = OutputSpec(name=text.get("format", {}).get("name", ""), schema=text.get("format", {}).get("schema", {}))
    if text.get("format") == output_format(spec)["format"]:
        output = spec
        rest["text"] = {name: value for name, value in text.items() if name != "format"}
    provided = tuple(Opaque(tag, tool) for tool in body.get("tools") or [] if not _is_own(tool))
    extra = {name: value for name, value in rest.items() if value != {}}
    return Settings(**fields, provider_tools=provided, extra=extra), output


def _choice(choice):
    """The choice as par has it, ``None`` where it has no word for it."""
    if choice is None or isinstance(choice, str):
        return choice
    if choice["type"] == "allowed_tools":
        names = tuple(_name(tool) for tool in choice["tools"])
        return ToolNames(names, required=choice["mode"] == "required")
    return ToolNames((_name(choice),)) if len(choice) <= 2 else None


def _name(tool):
    return tool.get("name") or tool.get("server_label") or tool["type"]


def _messages(items, tag):
    """Messages of neighbours that belong together: what one answer said, and the results of its calls."""
    names = {item["call_id"]: item["name"] for item in items if item.get("type") in _CALLS}
    messages = []
    for item in items:
        role, kind = item.get("role"), item.get("type", "message")
        if role == "system" and isinstance(item["content"], str):
            messages.append(System(item["content"]))
        elif role in ("system", "developer"):
            messages.append(User((Opaque(tag, item),)))
        elif role == "user":
            messages.append(User(tuple(_parts(item["content"], tag))))
        elif kind in _RESULTS:
            _join(messages, ToolResults, "results", [_result(item, names, tag)])
        elif isinstance(item.get("content"), str):
            messages.append(Assistant((Text(item["content"]),)))
        else:
            _join(messages, Assistant, "content", _said(item, kind, tag))
    return messages


def _join(messages, make, field, more):
    before = getattr(messages.pop(), field) if messages and isinstance(messages[-1], make) else ()
    messages.append(make((*before, *more)))


def _result(item, names, tag):
    output = item["output"] if isinstance(item["output"], list) else [{"type": "input_text", "text": item["output"]}]
    text = output[0]["text"] if output and set(output[0]) == {"type", "text"} else ""
    blocks = tuple(_shown(part, tag) for part in output[bool(text) or isinstance(item["output"], str) :])
    return ToolResult(tool_use_id=item["call_id"], name=names.get(item["call_id"], ""), content=text, blocks=blocks)


def _shown(part, tag):
    block = _part(part, tag)
    return Opaque(tag, part) if isinstance(block, Text) else block


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
