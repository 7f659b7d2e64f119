"""What providers demand of a conversation, checked without them."""

from par import Assistant, ToolResults


def replay_problems(messages) -> list[str]:
    """Return why a provider would refuse the messages; nothing: it would not."""
    problems = []
    waiting: list[str] = []
    for place, message in enumerate(messages):
        if isinstance(message, ToolResults):
            got = [result.tool_use_id for result in message.results]
            if got != waiting:
                problems.append(f"message {place}: results {got} for uses {waiting}")
            waiting = []
            continue
        if waiting:
            problems.append(f"message {place}: uses {waiting} have no results")
        waiting = [use.id for use in message.tool_uses] if isinstance(message, Assistant) else []
    if waiting:
        problems.append(f"at the end: uses {waiting} have no results")
    return problems
