"""The conversation: four kinds of message, built of blocks. All values are frozen."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import attrs

from par._json import Json, JsonObject

__all__ = [
    "Assistant",
    "AssistantBlock",
    "Image",
    "Message",
    "Opaque",
    "Prompt",
    "Reasoning",
    "System",
    "Text",
    "ToolResult",
    "ToolResults",
    "ToolUse",
    "User",
    "UserBlock",
    "as_messages",
]


@attrs.frozen
class Text:
    """Plain text."""

    text: str


@attrs.frozen(kw_only=True)
class Image:
    """A picture: either a URL, or base64 text with its media type (``image/png``)."""

    url: str | None = None
    base64: str | None = None
    media_type: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.base64 is None):
            raise ValueError("an Image has either url or base64")
        if self.base64 is not None and self.media_type is None:
            raise ValueError("an Image given as base64 needs media_type, such as image/png")


@attrs.frozen
class Reasoning:
    """What the model thought. ``signature`` is sent back verbatim where the provider signs its thoughts."""

    text: str
    signature: str | None = None


@attrs.frozen
class ToolUse:
    """The model asks for a tool. ``id`` is the provider's own and is never rewritten.

    ``malformed`` holds the text of the arguments when it was not a JSON object; ``arguments`` is then empty.
    """

    id: str
    name: str
    arguments: JsonObject = attrs.Factory(dict[str, Json])
    malformed: str | None = None


@attrs.frozen
class Opaque:
    """A block that only ``provider`` understands, kept and sent back to it word for word."""

    provider: str
    data: JsonObject


OutcomeKind: TypeAlias = Literal["done", "failed", "timed_out", "cancelled", "unknown", "handoff", "needs_approval"]


@attrs.frozen(kw_only=True)
class ToolResult:
    """What one tool call came to, as the model reads it."""

    tool_use_id: str
    name: str
    content: str
    outcome: OutcomeKind = "done"

    @property
    def is_error(self) -> bool:
        """Everything but ``done`` and ``handoff`` is told to the provider as an error."""
        return self.outcome not in ("done", "handoff")


UserBlock: TypeAlias = Text | Image
AssistantBlock: TypeAlias = Text | Reasoning | ToolUse | Opaque


@attrs.frozen
class System:
    """Instructions from the application."""

    text: str


@attrs.frozen
class User:
    """What the user said."""

    content: tuple[UserBlock, ...]

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return "".join(block.text for block in self.content if isinstance(block, Text))


@attrs.frozen
class Assistant:
    """What the model said, in the order in which it said it."""

    content: tuple[AssistantBlock, ...]

    @property
    def text(self) -> str:
        """The text blocks, joined."""
        return "".join([block.text for block in self.content if isinstance(block, Text)])

    @property
    def tool_uses(self) -> tuple[ToolUse, ...]:
        """The tools that the model asks for, in order."""
        return tuple([block for block in self.content if isinstance(block, ToolUse)])


@attrs.frozen
class ToolResults:
    """One result for each tool use of the assistant message before it, in the same order."""

    results: tuple[ToolResult, ...]


Message: TypeAlias = System | User | Assistant | ToolResults
Prompt: TypeAlias = str | User | Iterable[Message]


def as_messages(prompt: Prompt) -> tuple[Message, ...]:
    """Turn what users write as a prompt into messages.

    Raises:
        ValueError: if there is nothing in it.
        TypeError: if an item is not a message.
    """
    if isinstance(prompt, str):
        if not prompt.strip():
            raise ValueError("the prompt is empty")
        return (User((Text(prompt),)),)
    if isinstance(prompt, User):
        return (prompt,)
    if not isinstance(prompt, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without a checker
        raise TypeError(f"a prompt is text or messages, got {type(prompt).__name__}")
    messages = tuple(prompt)
    if not messages:
        raise ValueError("the prompt is empty")
    for message in messages:
        if not isinstance(message, (System, User, Assistant, ToolResults)):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without a checker
            raise TypeError(f"a prompt is text or messages, got {type(message).__name__}")
    return messages
