"""Where the breakpoints of the prompt cache stand.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from functools import partial
from typing import final

import attrs

from par._json import Json, JsonObject
from par.calls import PromptCache
from par.errors import UsageError
from par.providers._reading import array, obj, string
from par.providers._wire_cache import WireCache
from par.providers._wired import Wired

__all__ = ["Breakpoints", "Place"]

_MOST = 4
_MARKABLE = frozenset({"document", "image", "search_result", "text", "tool_result", "tool_use"})


@attrs.frozen
class Place:
    """The last block of a message: the number of the wire's message that holds it, and its own number there."""

    message: int
    block: int


@final
class Breakpoints:
    """Places the breakpoints of requests, at most four.

    A breakpoint stores the request's beginning up to it, and reads what an earlier request has stored at the same
    place, or at one of the twenty blocks before. A step may add more than twenty blocks (calls and results of many
    tools). So there are two in the history: at its end, for the next step to read, and where the request ended that
    the last answer belongs to, which is where the step before has stored. Those at the end of the tools and of the
    instructions keep the beginning for other conversations, and for this one when a layer rewrites its history.

    The forms that are marked stay as they are; the marked ones are copies.
    """

    __slots__ = ("_marked",)

    def __init__(self) -> None:
        self._marked: dict[str | None, WireCache[Wired, Wired]] = {
            ttl: WireCache(partial(_with_mark, ttl)) for ttl in (None, "5m", "1h")
        }

    def place(
        self,
        cache: PromptCache,
        tools: list[Wired],
        system: list[Wired],
        messages: list[JsonObject],
        places: tuple[Place | None, ...],
        taken: int,
    ) -> None:
        """Mark the tools, the instructions, and these places of the messages, replacing items of the three lists.

        ``taken`` is how many breakpoints there are already. Those of the messages come first.

        Raises:
            UsageError: for a time that the API does not have.
        """
        marked = self._marked.get(cache.ttl)
        if marked is None:
            raise UsageError(f"Anthropic's API keeps a prompt cache for 5m or 1h, not for {cache.ttl}")
        left = _MOST - taken
        for place in places:
            if left > 0 and place is not None:
                left -= _mark_message(messages, place, marked)
        if left > 0 and system:
            left -= _mark_last(system, len(system) - 1, marked)
        if left > 0 and tools:
            # a tool that is loaded later is not part of the beginning
            last = next((n for n in reversed(range(len(tools))) if not tools[n].get("defer_loading")), None)
            if last is not None:
                _mark_last(tools, last, marked)


def _with_mark(ttl: str | None, form: Wired) -> Wired:
    control: JsonObject = {"type": "ephemeral"} if ttl is None else {"type": "ephemeral", "ttl": ttl}
    return Wired({**form, "cache_control": control})


def _mark_last(forms: list[Wired], place: int, marked: WireCache[Wired, Wired]) -> int:
    if "cache_control" in forms[place]:
        return 0
    forms[place] = marked.get(forms[place])
    return 1


def _mark_message(messages: list[JsonObject], place: Place, marked: WireCache[Wired, Wired]) -> int:
    """Mark a block, or the nearest before it in its message that can be: thoughts, for one, cannot."""
    message = messages[place.message]
    content: list[Json] = [*array(message.get("content"))]
    for number in reversed(range(min(place.block + 1, len(content)))):
        block = content[number]
        if string(obj(block).get("type")) in _MARKABLE:
            if not isinstance(block, Wired) or "cache_control" in block:
                return 0
            content[number] = marked.get(block)
            messages[place.message] = {**message, "content": content}  # its blocks keep their text
            return 1
    return 0
