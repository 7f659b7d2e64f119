"""What chat completions refuse beyond the form of the single fields."""

from collections.abc import Mapping

from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par.testing._server.chat_fields import check_fields
from par.testing._server.issued import Issued
from par.testing._server.refused import Refused
from par.testing._server.shape import items_of, object_of, text_of
from par.testing._server.strict_schema import strict_problem

__all__ = ["check_request"]


def check_request(body: JsonObject, headers: Mapping[str, str], issued: Issued) -> None:
    """Look at a whole request.

    Raises:
        Misshapen: for a field of the wrong form.
        Refused: for what does not fit together.
    """
    del headers, issued  # thoughts that come back are not looked at by servers of this API
    check_fields(body)
    _check_tools(body)
    _check_format(body)
    if body.get("stream_options") is not None and body.get("stream") is not True:
        raise Refused(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise Refused("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    _check_conversation([object_of(message) for message in items_of(body["messages"])])


def _check_tools(body: JsonObject) -> None:
    tools = [object_of(object_of(tool).get("function")) for tool in items_of(body.get("tools"))]
    names = [text_of(tool.get("name")) for tool in tools]
    if not names:
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in body and body[name] != "none":
                raise Refused(
                    f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", param=name
                )
    for tool in tools:
        name = text_of(tool.get("name"))
        if names.count(name) > 1:
            raise Refused(f"Invalid 'tools': the function name '{name}' is not unique.", param="tools")
        parameters = object_of(tool.get("parameters"))
        if tool.get("parameters") is not None and parameters.get("type") != "object":
            raise Refused(
                f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"'.",
                param="tools",
                code="invalid_function_parameters",
            )
        problem = strict_problem(parameters, all_required=True) if tool.get("strict") is True else None
        if problem is not None:
            raise Refused(
                f"Invalid schema for function '{name}': {problem}", param="tools", code="invalid_function_parameters"
            )
    for name in _chosen(body.get("tool_choice")):
        if name not in names:
            raise Refused(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")


def _chosen(tool_choice: Json) -> list[str]:
    chosen = object_of(tool_choice)
    allowed = items_of(object_of(chosen.get("allowed_tools")).get("tools"))
    named = [chosen] if "function" in chosen else [object_of(tool) for tool in allowed]
    return [text_of(object_of(tool.get("function")).get("name")) for tool in named]


def _check_format(body: JsonObject) -> None:
    chosen = object_of(object_of(body.get("response_format")).get("json_schema"))
    problem = strict_problem(chosen.get("schema"), all_required=True) if chosen.get("strict") is True else None
    if problem is not None:
        raise Refused(
            f"Invalid schema for response_format '{text_of(chosen.get('name'))}': {problem}", param="response_format"
        )


def _check_conversation(messages: list[JsonObject]) -> None:
    waiting: list[str] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message["role"] == "tool":
            id_ = text_of(message["tool_call_id"])
            if id_ not in waiting:
                raise Refused(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    f"'tool_calls' ({id_!r} is not awaited).",
                    param=f"{where}.role",
                )
            waiting.remove(id_)
            continue
        _check_answered(waiting, where)
        if message["role"] == "assistant":
            waiting = _calls_of(message, where)
    _check_answered(waiting, f"messages[{len(messages)}]")


def _check_answered(waiting: list[str], where: str) -> None:
    if waiting:
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}",
            param=f"{where}.role",
        )


def _calls_of(message: JsonObject, where: str) -> list[str]:
    calls = [object_of(call) for call in items_of(message.get("tool_calls"))]
    if not calls and message.get("content") is None and not message.get("refusal") and not message.get("audio"):
        raise Refused(
            "Invalid value for 'content': expected a string, got null.", param=f"{where}.content", code="invalid_type"
        )
    ids = [text_of(call["id"]) for call in calls]
    for index, call in enumerate(calls):
        if ids.count(ids[index]) > 1:
            raise Refused(f"Duplicate value for 'tool_call_id' of '{ids[index]}'.", param=f"{where}.tool_calls")
        arguments = text_of(object_of(call["function"])["arguments"])
        if not _is_object(arguments):
            # OpenAI itself lets it pass; many compatible servers read the arguments and refuse
            raise Refused(
                f"Invalid value for '{where}.tool_calls[{index}].function.arguments': expected a JSON object.",
                param=f"{where}.tool_calls[{index}].function.arguments",
            )
    return ids


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(load_json(arguments), dict)
    except JsonSyntaxError:
        return False
