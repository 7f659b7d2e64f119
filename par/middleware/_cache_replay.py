"""Make the deltas of a reply that was not streamed when it was made."""

from par._json import dump_json
from par.deltas import Delta, ReasoningDelta, TextDelta, ToolUseDelta
from par.messages import Assistant, Reasoning, Text, ToolUse

__all__ = ["deltas_of"]


def deltas_of(message: Assistant) -> tuple[Delta, ...]:
    """Return one delta for each block, and two for a tool use, which say what the message says."""
    deltas: list[Delta] = []
    for block in message.content:
        if isinstance(block, Text) and block.text:
            deltas.append(TextDelta(block.text))
        elif isinstance(block, Reasoning) and block.text:
            deltas.append(ReasoningDelta(block.text))
        elif isinstance(block, ToolUse):
            arguments = dump_json(block.arguments) if block.malformed is None else block.malformed
            deltas.append(ToolUseDelta(id=block.id, name=block.name))
            deltas.append(ToolUseDelta(id=block.id, name=block.name, arguments=arguments))
    return tuple(deltas)
