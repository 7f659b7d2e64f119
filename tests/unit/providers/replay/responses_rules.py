"""What may differ between our request to the responses API and the recorded one; see ``normalise``."""

from unit.providers.replay import normalise

_ENCRYPTED = "reasoning.encrypted_content"


def nothing_is_stored_by_us(body):
    """par says ``"store": false`` unless it is told otherwise; the recorded client left the API its default."""
    return {key: value for key, value in body.items() if not (key == "store" and value is False)}


def thoughts_are_always_asked_for(body):
    """par asks every model that thinks for its encrypted thoughts; the recorded client did so later than others."""
    include = sorted(value for value in body.get("include") or [] if value != _ENCRYPTED)
    return {**body, "include": include} if include else {k: v for k, v in body.items() if k != "include"}


def instructions_are_the_first_system_message(body):
    """``instructions`` is a system message before the input; an empty one says nothing."""
    items = body["input"]
    if items and items[0].get("role") == "system" and not body.get("instructions"):
        return {**body, "instructions": items[0]["content"], "input": items[1:]}
    return {key: value for key, value in body.items() if not (key == "instructions" and value == "")}


def an_empty_assistant_message_says_nothing(body):
    """Older versions of the recorded client sent an assistant message without text before each call."""
    return {**body, "input": [item for item in body["input"] if item != {"role": "assistant", "content": ""}]}


def messages_are_messages(body):
    """``"type": "message"`` may be left out of an item with a role."""
    items = [{"type": "message", **item} if "role" in item else item for item in body["input"]]
    return {**body, "input": items}


def text_is_one_part(body):
    """A user's content that is text is content of one part of type ``input_text``."""

    def change(item):
        content = item.get("content")
        if item.get("role") == "user" and isinstance(content, str):
            return {**item, "content": [{"type": "input_text", "text": content}]}
        return item

    return {**body, "input": [change(item) for item in body["input"]]}


def one_required_tool_may_be_a_list_of_one(body):
    """``allowed_tools`` with one tool and the mode ``required`` is that tool; the order of several says nothing."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        tools = sorted(choice["tools"], key=str)
        one = len(tools) == 1 and choice["mode"] == "required"
        return {**body, "tool_choice": tools[0] if one else {**choice, "tools": tools}}
    return body


RESPONSES = (
    normalise.null_is_absent,
    normalise.not_streaming_is_the_default,
    normalise.arguments_are_json,
    normalise.the_model_may_choose_by_default,
    normalise.an_empty_description_is_none,
    nothing_is_stored_by_us,
    thoughts_are_always_asked_for,
    instructions_are_the_first_system_message,
    an_empty_assistant_message_says_nothing,
    messages_are_messages,
    text_is_one_part,
    one_required_tool_may_be_a_list_of_one,
)
