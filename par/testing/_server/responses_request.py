"""What the responses API refuses beyond the form of the single fields."""

from collections.abc import Mapping

from par._json import Json, JsonObject
from par.testing._server.issued import Issued
from par.testing._server.refused import Refused
from par.testing._server.responses_fields import check_fields
from par.testing._server.shape import items_of, object_of, text_of
from par.testing._server.strict_schema import strict_problem

__all__ = ["check_request"]


def check_request(body: JsonObject, headers: Mapping[str, str], issued: Issued) -> None:
    """Look at a whole request.

    Raises:
        Misshapen: for a field of the wrong form.
        Refused: for what does not fit together.
    """
    del headers
    check_fields(body)
    _check_tools(body)
    if body.get("stream_options") is not None and body.get("stream") is not True:
        raise Refused(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options"
        )
    previous = text_of(body.get("previous_response_id"))
    if previous and previous not in issued.answers:
        raise Refused(
            f"Previous response with id '{previous}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    items = [object_of(item) for item in items_of(body["input"])]
    _check_calls(items, issued.open_calls.get(previous, frozenset()))
    _check_ids(items)
    _check_thoughts(items, issued, stored=body.get("store") is not False)
    _check_neighbours(items, issued)


def _check_tools(body: JsonObject) -> None:
    tools = [object_of(tool) for tool in items_of(body.get("tools"))]
    names = [text_of(tool.get("name")) for tool in tools if tool.get("type") == "function"]
    choice = body.get("tool_choice")
    if not tools and choice not in (None, "auto", "none"):
        raise Refused("Tool choices other than 'auto' and 'none' need 'tools'.", param="tool_choice")
    chosen = object_of(choice)
    listed = items_of(chosen.get("tools")) if chosen.get("type") == "allowed_tools" else [chosen]
    for tool in listed:
        name = text_of(object_of(tool).get("name"))
        if object_of(tool).get("type") == "function" and name not in names:
            raise Refused(f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice")
    for tool in tools:
        name = text_of(tool.get("name"))
        if tool.get("type") == "function" and names.count(name) > 1:
            raise Refused(f"Invalid 'tools': the function name '{name}' is not unique.", param="tools")
        parameters = tool.get("parameters")
        if parameters is not None and object_of(parameters).get("type") != "object":
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
    wanted = object_of(object_of(body.get("text")).get("format"))
    problem = strict_problem(wanted.get("schema"), all_required=True) if wanted.get("strict") is True else None
    if problem is not None:
        raise Refused(f"Invalid schema for response_format '{text_of(wanted.get('name'))}': {problem}", param="text")


def _check_calls(items: list[JsonObject], open_calls: frozenset[str]) -> None:
    calls: list[str] = []
    outputs: list[str] = []
    for index, item in enumerate(items):
        id_ = text_of(item.get("call_id"))
        if item.get("type") == "function_call":
            if id_ in calls:
                raise Refused(f"Duplicate function call with call_id {id_}.", param=f"input[{index}].call_id")
            calls.append(id_)
        elif item.get("type") == "function_call_output":
            if id_ not in calls and id_ not in open_calls:
                raise Refused(f"No tool call found for function call output with call_id {id_}.", param="input")
            if id_ in outputs:
                raise Refused(
                    f"Duplicate output for function call with call_id {id_}.", param=f"input[{index}].call_id"
                )
            outputs.append(id_)
    for id_ in [*calls, *sorted(open_calls)]:
        if id_ not in outputs:
            raise Refused(f"No tool output found for function call {id_}.", param="input")


def _check_ids(items: list[JsonObject]) -> None:
    ids = [text_of(item.get("id")) for item in items]
    for id_ in ids:
        if id_ and ids.count(id_) > 1:
            raise Refused(
                f"Duplicate item found with id {id_}. Remove duplicate items from your input and try again.",
                param="input",
            )


def _check_thoughts(items: list[JsonObject], issued: Issued, *, stored: bool) -> None:
    for item in items:
        if item.get("type") != "reasoning":
            continue
        id_ = text_of(item.get("id"))
        known = issued.items.get(id_)
        if item.get("encrypted_content") is not None:
            if known is None or item["encrypted_content"] != known.get("encrypted_content"):
                raise Refused(
                    f"The encrypted content for item {id_} could not be verified.", code="invalid_encrypted_content"
                )
        elif known is None:
            raise Refused(f"Item with id '{id_}' not found.", status=404, param="input")
        elif not stored:
            raise Refused(
                f"Item with id '{id_}' not found. Items are not persisted when `store` is set to false. Try again with "
                "`store` set to true, or remove this item from your input.",
                status=404,
                param="input",
            )


def _check_neighbours(items: list[JsonObject], issued: Issued) -> None:
    before: set[str] = set()
    for index, item in enumerate(items):
        id_ = text_of(item.get("id"))
        before.add(id_)
        kind = _kind(item)
        leader = issued.leader.get(id_)
        if leader is not None and leader not in before:
            raise Refused(
                f"Item '{id_}' of type '{kind}' was provided without its required 'reasoning' item: '{leader}'.",
                param="input",
            )
        following: JsonObject = items[index + 1] if index + 1 < len(items) else {}
        if kind == "reasoning" and not _is_said(following):
            raise Refused(
                f"Item '{id_}' of type 'reasoning' was provided without its required following item.", param="input"
            )


def _kind(item: JsonObject) -> str:
    kind: Json = item.get("type")
    return kind if isinstance(kind, str) else "message"


def _is_said(item: JsonObject) -> bool:
    """Tell whether the item can be what the model did after it had thought; its words have an id then."""
    if not item:
        return False
    if _kind(item) == "message":
        return item.get("role") == "assistant" and "id" in item
    return not _kind(item).endswith(("_output", "_response"))
