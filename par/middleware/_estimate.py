"""Guess how many tokens a model call will read, before it is made."""

from par._json import dump_json
from par.calls import ModelCall, ToolSpec
from par.messages import Assistant, Message, Reasoning, System, Text, ToolResults, ToolUse

__all__ = ["estimate_tokens", "message_tokens", "spec_tokens"]

_CHARS_PER_SHOWN = 6000  # a picture or a page comes to about 1500 tokens, however many bytes it has
_CHARS_PER_TOKEN = 4  # what English text comes to; the estimate is replaced by the real usage


def estimate_tokens(call: ModelCall) -> int:
    """Return about how many tokens a call would have a model read, without asking anybody.

    It takes 4 characters of text for a token, which is near for English; other languages and code come to up to
    three times as many. A picture or a document counts as 1,500 tokens. Adapters whose API counts tokens have
    ``count_tokens``.
    """
    return message_tokens(call) + spec_tokens(call)


def message_tokens(call: ModelCall) -> int:
    """Return about how many tokens the messages have."""
    return sum(map(_chars, call.messages)) // _CHARS_PER_TOKEN


def spec_tokens(call: ModelCall) -> int:
    """Return about how many tokens the tools and the output type add."""
    chars = sum(map(_spec_chars, call.tools))
    if call.output is not None:
        chars += len(dump_json(call.output.schema))
    return chars // _CHARS_PER_TOKEN


def _spec_chars(spec: ToolSpec) -> int:
    return len(spec.name) + len(spec.description) + len(dump_json(spec.parameters))


def _chars(message: Message) -> int:
    if isinstance(message, System):
        return len(message.text)
    if isinstance(message, ToolResults):
        return sum(len(result.content) + len(result.blocks) * _CHARS_PER_SHOWN for result in message.results)
    if isinstance(message, Assistant):
        return sum(len(_text_of(block)) for block in message.content)
    return sum(len(block.text) if isinstance(block, Text) else _CHARS_PER_SHOWN for block in message.content)


def _text_of(block: object) -> str:
    if isinstance(block, (Text, Reasoning)):
        return block.text
    if isinstance(block, ToolUse):
        return block.malformed or str(block.arguments)
    return ""
