"""The conversation: four kinds of message, built of blocks. All values are frozen."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import attrs

from par._json import Json, JsonObject

__all__ = [
    "Assistant",
    "AssistantBlock",
    "Document",
    "Image",
    "Message",
    "Opaque",
    "Prompt",
    "Reasoning",
    "ResultBlock",
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
    """A picture: either a URL, or base64 text with its media type (``image/png``).

    ``detail`` says how closely the model shall look, for providers that let one choose.
    """

    url: str | None = None
    base64: str | None = None
    media_type: str | None = None
    detail: Literal["low", "high", "auto"] | None = None

    def __attrs_post_init__(self) -> None:
        if (self.url is None) == (self.base64 is None):
            raise ValueError("an Image has either url or base64")
        if self.base64 is not None and self.media_type is None:
            raise ValueError("an Image given as base64 needs media_type, such as image/png")
        if self.detail not in (None, "low", "high", "auto"):
            raise ValueError(f'detail is "low", "high" or "auto", not {self.detail!r}')


@attrs.frozen(kw_only=True)
class Document:
    """A file for the model to read: a URL, base64 text with its media type (``application/pdf``), or an id.

    ``file_id`` is the provider's own, of a file that was uploaded to it. ``name`` is what the file is called.
    """

    url: str | None = None
    base64: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    name: str | None = None

    def __attrs_post_init__(self) -> None:
        if [self.url, self.base64, self.file_id].count(None) != 2:
            raise ValueError("a Document has one of url, base64 and file_id")
        if self.base64 is not None and self.media_type is None:
            raise ValueError("a Document given as base64 needs media_type, such as application/pdf")


@attrs.frozen
class Reasoning:
    """What the model thought. ``signature`` is sent back verbatim where the provider signs its thoughts.

    Thoughts that come encrypted or redacted, without text, are ``Opaque``.
    """

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
    """Something that only ``provider`` understands, kept and sent to it word for word; others never see it.

    What you write is for a provider: ``"openai"`` (any server of chat completions), ``"openai-responses"``,
    ``"anthropic"``, ``"ollama"``, or the ``provider`` that you gave an ``OpenAI``. What an adapter keeps of an answer
    has the tag of one server, such as ``"openai@<host>"``, and goes back there alone. ``data`` is in the form of the
    wire. What it stands for depends on its place:

    * Among the blocks of a ``User`` or ``ToolResult``: one content part, in that place
      (``{"type": "input_audio", ...}``; a text part with a cache breakpoint in it).
    * Among the blocks of an ``Assistant``: what the adapter that made it put there, for it to read again.
    * In either message, where ``data`` has the key ``"role"``: a whole message of the wire, sent in that place as it
      is, whatever its role; the blocks before and after it become messages of their own. The responses API, whose
      conversation consists of items, takes every ``data`` as a whole item whose ``"type"`` is no content part
      (``input_*``, ``output_*``).
    * In ``Settings.provider_tools``: one entry of the request's list of tools.
    """

    provider: str
    data: JsonObject


ResultBlock: TypeAlias = Image | Document | Opaque
OutcomeKind: TypeAlias = Literal["done", "failed", "timed_out", "cancelled", "unknown", "handoff", "needs_approval"]


@attrs.frozen(kw_only=True)
class ToolResult:
    """What one tool call came to, as the model reads it: text, and the ``blocks`` that follow it."""

    tool_use_id: str
    name: str
    content: str
    outcome: OutcomeKind = "done"
    blocks: tuple[ResultBlock, ...] = ()

    @property
    def is_error(self) -> bool:
        """Everything but ``done`` and ``handoff`` is told to the provider as an error."""
        return self.outcome not in ("done", "handoff")


UserBlock: TypeAlias = Text | Image | Document | Opaque
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
