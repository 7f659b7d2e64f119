"""Reads a recorded chat-completions request back into par's values: what a program would have written for it.

What par has a word for becomes that word. What it has none for goes where the documentation says: parts and whole
messages into ``Opaque``, other tools into ``Settings.provider_tools``, other fields into ``Settings.extra``.
"""

import re

import attrs

from par.calls import ModelCall, OutputSpec, PromptCache, Settings, ToolNames, ToolSpec
from par.messages import Assistant, Document, Image, Opaque, Reasoning, System, Text, ToolResult, ToolResults, User
from par.providers._openai_pieces import call_parts
from par.providers._reading import as_tool_use

_DATA = re.compile(r"data:([^;,]*);base64,(.*)", re.DOTALL)
_THOUGHT = re.compile(r"<think>\n(.*?)\n</think>(?:\n\n)?(.*)", re.DOTALL)


def profile_for(request, profile):
    """Return the profile with the one choice that a request shows and a name does not: the role of instructions."""
    roles = {message["role"] for message in request["messages"]} & {"system", "developer"}
    return attrs.evolve(profile, instructions=roles.pop()) if len(roles) == 1 else profile


def call_of(request, profile, tag):
    """Return the call that asks for the same."""
    request = dict(request)
    stream = bool(request.pop("stream", False))
    if stream and request.get("stream_options") == {"include_usage": True}:
        del request["stream_options"]
    tools, provider_tools = _tools(request.pop("tools", []), tag)
    messages = _messages(request.pop("messages"), profile, tag)
    model = request.pop("model")
    output = _output(request, profile)
    settings = _settings(request, profile, tools, provider_tools)
    return ModelCall(model=model, messages=messages, tools=tools, output=output, settings=settings, stream=stream)


# --- messages -------------------------------------------------------------------------------------------------


def _messages(wire, profile, tag):
    messages, names = [], {}
    for message in wire:
        role, content = message["role"], message.get("content")
        if role == profile.instructions and isinstance(content, str) and set(message) == {"role", "content"}:
            messages.append(System(content) if role != "user" else User((Text(content),)))
        elif role == "user" and set(message) == {"role", "content"}:
            messages.append(User(tuple(_user(content, tag))))
        elif role == "assistant":
            messages.append(_assistant(message, profile, tag))
            names.update({use.id: use.name for use in messages[-1].tool_uses})
        elif role == "tool" and message["tool_call_id"] in names:
            result = _result(message, names, tag)
            if messages and isinstance(messages[-1], ToolResults):
                messages[-1] = ToolResults((*messages[-1].results, result))
            else:
                messages.append(ToolResults((result,)))
        else:
            messages.append(User((Opaque(tag, message),)))
    return tuple(messages)


def _user(content, tag):
    return [Text(content)] if isinstance(content, str) else [_part(part, tag) for part in content]


def _part(part, tag):
    if set(part) == {"type", "text"}:
        return Text(part["text"])
    if part.get("type") == "image_url" and set(part) == {"type", "image_url"}:
        image = dict(part["image_url"])
        url = image.pop("url")
        data = _DATA.fullmatch(url)
        where = {"media_type": data[1], "base64": data[2]} if data else {"url": url}
        return Image(**where, **image)
    if part.get("type") == "file":
        return _file(part["file"])
    return Opaque(tag, part)


def _file(file):
    if "file_id" in file:
        return Document(file_id=file["file_id"])
    data = _DATA.fullmatch(file["file_data"])
    where = {"media_type": data[1], "base64": data[2]} if data else {"url": file["file_data"]}
    return Document(name=file["filename"], **where)


def _result(message, names, tag):
    content = message["content"]
    id_ = message["tool_call_id"]
    if isinstance(content, str):
        return ToolResult(tool_use_id=id_, name=names[id_], content=content)
    return ToolResult(tool_use_id=id_, name=names[id_], content="", blocks=tuple(Opaque(tag, p) for p in content))


def _assistant(message, profile, tag):
    message = {key: value for key, value in message.items() if key != "role" and value not in (None, [])}
    content, blocks = message.pop("content", ""), []
    if isinstance(content, list):
        return Assistant((Opaque(tag, {"role": "assistant", "content": content, **message}),))
    thought = _THOUGHT.fullmatch(content) if profile.reasoning == "think_tags" else None
    if thought:
        blocks, content = [Reasoning(thought[1])], thought[2]
    elif profile.reasoning in message:
        blocks = [Reasoning(message.pop(profile.reasoning))]
    uses, extras = [], {}
    for call in message.pop("tool_calls", []):
        parts = call_parts(call)
        uses.append(as_tool_use(parts.id, parts.name, parts.arguments))
        if parts.extras:
            extras[parts.id] = parts.extras
    data = {key: value for key, value in (("message", message), ("tool_calls", extras)) if value}
    opaque = [Opaque(tag, data)] if data else []
    return Assistant((*blocks, *([Text(content)] if content else []), *uses, *opaque))


# --- tools, settings, output ----------------------------------------------------------------------------------


def _tools(wire, tag):
    specs, others = [], []
    for tool in wire:
        function = tool.get("function") or {}
        if set(function) <= {"name", "description", "parameters", "strict"} and "parameters" in function:
            specs.append(
                ToolSpec(
                    name=function["name"],
                    description=function.get("description", ""),
                    parameters=function["parameters"],
                    strict=function.get("strict"),
                )
            )
        else:
            others.append(Opaque(tag, tool))
    return tuple(specs), tuple(others)


def _settings(request, profile, tools, provider_tools):
    known = {"tool_choice": _choice(request, tools)}
    for ours, theirs in (
        ("temperature", "temperature"),
        ("top_p", "top_p"),
        ("max_tokens", profile.max_tokens),
        ("seed", profile.seed),
    ):
        if theirs in request:
            known[ours] = request.pop(theirs)
    if "stop" in request:
        stop = request.pop("stop")
        known["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if profile.reasoning_effort == "reasoning_effort" and "reasoning_effort" in request:
        known["reasoning_effort"] = request.pop("reasoning_effort")
    if profile.reasoning_effort == "reasoning" and set(request.get("reasoning", ())) == {"effort"}:
        known["reasoning_effort"] = request.pop("reasoning")["effort"]
    if request.get("parallel_tool_calls") is False and tools:
        known["parallel_tool_uses"] = request.pop("parallel_tool_calls")
    if "prompt_cache_key" in request and "prompt_cache" not in profile.drops:
        known["prompt_cache"] = PromptCache(key=request.pop("prompt_cache_key"))
    return Settings(**known, provider_tools=provider_tools, extra=request)


def _choice(request, tools):
    choice = request.get("tool_choice")
    if choice in ("auto", "none", "required", "any") and tools:
        del request["tool_choice"]
        return "required" if choice == "any" else choice
    if isinstance(choice, dict) and "function" in choice:
        name = choice["function"]["name"]
        if name in {spec.name for spec in tools}:
            del request["tool_choice"]
            return ToolNames(name)
    return "auto"


def _output(request, profile):
    wanted = request.get("response_format", {})
    schema = wanted.get("json_schema", {})
    if profile.output != "native" or not set(schema) <= {"name", "schema", "strict"} or "schema" not in schema:
        return None
    del request["response_format"]
    return OutputSpec(name=schema["name"], schema=schema["schema"])
