"""What the messages API refuses beyond the form of the single fields."""

from collections.abc import Iterator, Mapping

from par._json import Json, JsonObject
from par.testing._server.issued import Issued
from par.testing._server.messages_fields import check_fields
from par.testing._server.refused import Refused
from par.testing._server.shape import items_of, object_of, text_of
from par.testing._server.strict_schema import strict_problem

__all__ = ["blocks_of", "check_request"]

_MOST_BREAKPOINTS = 4


def check_request(body: JsonObject, headers: Mapping[str, str], issued: Issued) -> None:
    """Look at a whole request.

    Raises:
        Misshapen: for a field of the wrong form.
        Refused: for what does not fit together.
    """
    if "anthropic-version" not in headers:
        raise Refused("anthropic-version: header is required")
    check_fields(body)
    everything = [object_of(message) for message in items_of(body["messages"])]
    messages = [message for message in everything if message["role"] != "system"]
    if len(messages) < len(everything) and "anthropic-beta" not in headers:
        raise Refused(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as '
            "an input message role."
        )
    _check_tools(body, messages)
    _check_thinking(body, messages)
    _check_conversation(messages)
    _check_signatures(messages, issued)
    count = sum(1 for _ in _breakpoints(body))
    if count > _MOST_BREAKPOINTS:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {count}.")


def _check_tools(body: JsonObject, messages: list[JsonObject]) -> None:
    tools = [object_of(tool) for tool in items_of(body.get("tools"))]
    names = [text_of(tool.get("name")) for tool in tools]
    choice = object_of(body.get("tool_choice"))
    if choice and not tools:
        raise Refused("tool_choice: tool_choice may only be specified while providing tools.")
    if choice.get("type") == "tool" and choice.get("name") not in names:
        raise Refused(f"Tool '{text_of(choice.get('name'))}' not found in provided tools")
    if len(set(names)) < len(names):
        raise Refused("tools: Tool names must be unique.")
    for index, tool in enumerate(tools):
        schema = object_of(tool.get("input_schema"))
        if "input_schema" in tool and schema.get("type") != "object":
            raise Refused(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
        problem = strict_problem(schema, all_required=False) if tool.get("strict") is True else None
        if problem is not None:
            raise Refused(f"tools.{index}.custom: For 'strict' tools: {problem}")
    wanted = object_of(object_of(body.get("output_config")).get("format"))
    problem = strict_problem(wanted.get("schema"), all_required=False) if wanted else None
    if problem is not None:
        raise Refused(f"output_config.format.schema: {problem}")
    if not tools and any(block.get("type") in ("tool_use", "tool_result") for m in messages for block in blocks_of(m)):
        raise Refused("Requests which include `tool_use` or `tool_result` blocks must define tools")


def _check_thinking(body: JsonObject, messages: list[JsonObject]) -> None:
    thinking = object_of(body.get("thinking"))
    if thinking.get("type") not in ("enabled", "adaptive"):
        return
    budget = thinking.get("budget_tokens")
    most = body["max_tokens"]
    if isinstance(budget, int) and isinstance(most, int) and budget >= most:
        raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.get("temperature", 1) != 1:
        raise Refused("`temperature` may only be set to 1 when thinking is enabled.")
    if object_of(body.get("tool_choice")).get("type") in ("any", "tool"):
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")
    if thinking["type"] == "enabled":
        _check_turn_begins_with_thinking(messages)


def _check_turn_begins_with_thinking(messages: list[JsonObject]) -> None:
    """Within a tool loop the assistant's part of the turn must begin with its thoughts."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        blocks = blocks_of(message)
        if message["role"] == "user" and not any(block.get("type") == "tool_result" for block in blocks):
            return
        first = text_of(blocks[0].get("type"))
        if message["role"] == "assistant" and first not in ("thinking", "redacted_thinking"):
            raise Refused(
                f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. "
                "When `thinking` is enabled, a final `assistant` message must start with a thinking block."
            )


def blocks_of(message: JsonObject) -> list[JsonObject]:
    """Return the blocks of a message; a string is one block of text."""
    content = message["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [object_of(block) for block in items_of(content)]


def _check_conversation(messages: list[JsonObject]) -> None:
    waiting: list[str] = []
    used: set[str] = set()
    joined = _joined(messages)
    for index, (role, blocks) in enumerate(joined):
        if role == "user":
            _check_results(index, blocks, waiting)
            waiting = []
        else:
            waiting = _uses(index, blocks, used)
    last_role, last = joined[-1]
    if last_role == "assistant":
        _check_prefill(len(messages) - 1, last, waiting)


def _joined(messages: list[JsonObject]) -> list[tuple[str, list[JsonObject]]]:
    """Neighbours of one role are one message to the API."""
    joined: list[tuple[str, list[JsonObject]]] = []
    for message in messages:
        role = text_of(message["role"])
        if joined and joined[-1][0] == role:
            joined[-1][1].extend(blocks_of(message))
        else:
            joined.append((role, blocks_of(message)))
    return joined


def _uses(index: int, blocks: list[JsonObject], used: set[str]) -> list[str]:
    ids: list[str] = []
    for place, block in enumerate(blocks):
        if block.get("type") == "tool_use":
            id_ = text_of(block["id"])
            if id_ in used:
                raise Refused(f"messages.{index}.content.{place}: `tool_use` ids must be unique")
            used.add(id_)
            ids.append(id_)
    return ids


def _check_results(index: int, blocks: list[JsonObject], waiting: list[str]) -> None:
    results: list[str] = []
    others = False
    for place, block in enumerate(blocks):
        if block.get("type") != "tool_result":
            others = True
            continue
        id_ = text_of(block["tool_use_id"])
        if id_ in results:
            raise Refused(
                f"messages.{index}.content.{place}: each tool_use must have a single result. Found multiple "
                f"`tool_result` blocks with id: {id_}"
            )
        if id_ not in waiting:
            raise Refused(
                f"messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if others:
            raise Refused(f"messages.{index}: `tool_result` blocks must come before all other content.")
        results.append(id_)
    missing = [id_ for id_ in waiting if id_ not in results]
    if missing:
        raise Refused(
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )


def _check_prefill(index: int, blocks: list[JsonObject], waiting: list[str]) -> None:
    if waiting:
        raise Refused(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(waiting)}."
        )
    text = text_of(blocks[-1].get("text"))
    if text != text.rstrip():
        raise Refused("messages: final assistant content cannot end with trailing whitespace")


def _check_signatures(messages: list[JsonObject], issued: Issued) -> None:
    for index, message in enumerate(messages):
        for place, block in enumerate(blocks_of(message)):
            kind = block.get("type")
            if kind == "thinking":
                thought = (text_of(block["thinking"]), text_of(block["signature"]))
                if thought not in issued.thoughts:
                    raise Refused(f"messages.{index}.content.{place}: Invalid `signature` in `thinking` block")
            elif kind == "redacted_thinking" and text_of(block["data"]) not in issued.redacted:
                raise Refused(f"messages.{index}.content.{place}: Invalid `data` in `redacted_thinking` block")


def _breakpoints(value: Json) -> Iterator[JsonObject]:
    """Find the cache breakpoints, but not in what tools were called with."""
    if isinstance(value, list):
        for item in value:
            yield from _breakpoints(item)
    elif isinstance(value, dict):
        if value.get("cache_control") is not None:
            yield value
        for name, item in value.items():
            if name not in ("input", "input_schema"):
                yield from _breakpoints(item)
