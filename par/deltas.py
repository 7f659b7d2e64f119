"""What streams while a model answers. Deltas are shown, never stored: the reply is the record."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs

__all__ = ["Delta", "Emit", "ReasoningDelta", "StreamRestarted", "TextDelta", "ToolUseDelta", "discard"]


@attrs.frozen
class TextDelta:
    """Some more text of the answer."""

    text: str


@attrs.frozen
class ReasoningDelta:
    """Some more of what the model thinks."""

    text: str


@attrs.frozen(kw_only=True)
class ToolUseDelta:
    """Some more of a tool use: its id and name at the start, then its arguments as pieces of JSON text."""

    id: str
    name: str
    arguments: str = ""


@attrs.frozen(kw_only=True)
class StreamRestarted:
    """Forget the deltas of this model call: the call starts anew."""

    reason: str


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolUseDelta | StreamRestarted
Emit: TypeAlias = Callable[[Delta], Awaitable[None]]


async def discard(delta: Delta, /) -> None:  # noqa: ASYNC124 # an Emit is async
    """Take a delta and do nothing with it; does not checkpoint."""
    del delta
