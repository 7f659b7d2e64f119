"""Take a model's thoughts out of its text, where it writes them between tags."""

import re
from collections.abc import Callable, Iterable
from typing import ClassVar, Literal, TypeAlias, final

import attrs

from par._pipeline.handler import ModelHandler
from par._pipeline.middleware import Order
from par.calls import ModelCall, ModelReply
from par.deltas import Delta, Emit, ReasoningDelta, StreamRestarted, TextDelta, discard
from par.messages import Assistant, AssistantBlock, Reasoning, Text
from par.middleware._checks import Field, flag
from par.middleware._pii_mask import PiiMask
from par.middleware._validation import Validation

__all__ = ["ThinkTagStrip"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_:-]{0,31}")
_Kind: TypeAlias = Literal["text", "thought"]


def _names(value: Iterable[str]) -> tuple[str, ...]:
    # a lone text is a mistake, which the validator names; it must not be taken letter by letter
    return (f"{value!r}",) if isinstance(value, str) else tuple(value)


def _tag_names(_instance: object, field: Field, value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError(f"{field.name} must hold at least one name: without any nothing is taken out")
    for name in value:
        if _NAME.fullmatch(str(name)) is None:
            raise ValueError(f"{field.name} must hold names without brackets, such as 'think', got {name!r}")


@attrs.frozen(kw_only=True, eq=False)
class ThinkTagStrip:
    """Removes ``<think>...</think>`` and its like from a reply's text and from its stream.

    A block ends at the first closing tag of its own name, so the text between two blocks survives. A block that is
    never closed reaches to the end of the reply: what a model was still thinking is no answer. Upper and lower case
    are the same. Blank space at the beginning of the text goes with a block that stood before it. A closing tag
    without an opening one stays where it is.

    A stream is held back by what may still become a tag, never by more than ``holds_back`` characters.
    """

    order: ClassVar[Order] = Order(inside_of=(PiiMask, Validation))

    tags: tuple[str, ...] = attrs.field(
        default=("think", "thinking", "reasoning"), converter=_names, validator=_tag_names
    )
    """The names of the tags, without brackets."""
    keep: bool = attrs.field(default=False, validator=flag)
    """Keep the thoughts as ``Reasoning`` blocks, and stream them as ``ReasoningDelta``."""

    _open: re.Pattern[str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        names = "|".join(re.escape(name) for name in self.tags)
        object.__setattr__(self, "_open", re.compile(f"<({names})>", re.IGNORECASE | re.ASCII))

    @property
    def holds_back(self) -> int:
        """The most characters of a stream that are ever kept back."""
        return max(map(len, self.tags)) + (2 if self.keep else 1)

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call with a reply without thoughts in its text."""
        stream = None
        if call.emit is not discard:
            stream = _Stream(self._splitter, call.emit)
            call = attrs.evolve(call, emit=stream.emit)
        reply = await call_next(call)
        if stream is not None:
            await stream.finish()
        blocks = self._stripped(reply.message.content)
        return reply if blocks is None else attrs.evolve(reply, message=Assistant(blocks))

    def _splitter(self) -> "_Splitter":
        return _Splitter(self._open, self.tags, keep=self.keep)

    def _stripped(self, blocks: tuple[AssistantBlock, ...]) -> tuple[AssistantBlock, ...] | None:
        text = "".join([block.text for block in blocks if isinstance(block, Text)])
        if self._open.search(text) is None:
            return None
        # one text through all blocks, as it is streamed; a tag may begin in one and end in another
        splitter = self._splitter()
        last = max(place for place, block in enumerate(blocks) if isinstance(block, Text))
        result: list[AssistantBlock] = []
        for place, block in enumerate(blocks):
            if not isinstance(block, Text):
                result.append(block)
                continue
            parts = splitter.feed(block.text)
            if place == last:
                parts += splitter.finish()
            result += _as_blocks(parts)
        return tuple(result)


def _as_blocks(parts: list[tuple[_Kind, str]]) -> list[AssistantBlock]:
    joined: list[tuple[_Kind, str]] = []
    for kind, text in parts:
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return [Text(text) if kind == "text" else Reasoning(text) for kind, text in joined]


@final
class _Splitter:
    """Parts a text that comes in pieces into text and thoughts."""

    __slots__ = ("_blank", "_close", "_held", "_keep", "_open", "_removed", "_tags")

    def __init__(self, opening: re.Pattern[str], tags: tuple[str, ...], *, keep: bool) -> None:
        self._open = opening
        self._tags = tuple(f"<{tag.lower()}>" for tag in tags)
        self._keep = keep
        self._close: str | None = None  # the closing tag that is waited for, inside a block
        self._held = ""
        self._blank = True  # nothing but blank space was shown so far
        self._removed = False

    def feed(self, piece: str) -> list[tuple[_Kind, str]]:
        """Take some more; return what is known of it, in order, without empty parts."""
        parts: list[tuple[_Kind, str]] = []
        rest = self._held + piece
        while True:
            rest, found = self._inside(rest, parts) if self._close else self._outside(rest, parts)
            if not found:
                self._held = rest
                return parts

    def finish(self) -> list[tuple[_Kind, str]]:
        """Return what was kept back, which has turned out to be no tag."""
        parts: list[tuple[_Kind, str]] = []
        held, self._held = self._held, ""
        self._add("thought" if self._close else "text", held, parts)
        return parts

    def _outside(self, text: str, parts: list[tuple[_Kind, str]]) -> tuple[str, bool]:
        match = self._open.search(text)
        if match is None:
            cut = _may_begin(text, self._tags)
            self._add("text", text[:cut], parts)
            return text[cut:], False
        self._add("text", text[: match.start()], parts)
        self._close = f"</{match[1].lower()}>"
        return text[match.end() :], True

    def _inside(self, text: str, parts: list[tuple[_Kind, str]]) -> tuple[str, bool]:
        close = self._close or ""
        at = text.translate(_LOWER).find(close)
        if at < 0:
            cut = _may_begin(text, (close,))
            self._add("thought", text[:cut], parts)
            return text[cut:], False
        self._add("thought", text[:at], parts)
        self._close = None
        self._removed = True
        return text[at + len(close) :], True

    def _add(self, kind: _Kind, text: str, parts: list[tuple[_Kind, str]]) -> None:
        if kind == "thought":
            if self._keep and text:
                parts.append((kind, text))
            return
        if self._blank:
            shown = text.lstrip()
            self._blank = not shown
            text = shown if self._removed else text
        if text:
            parts.append((kind, text))


# ASCII alone, for which every text keeps its length
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _may_begin(text: str, tags: tuple[str, ...]) -> int:
    """Return where a tag may have begun that is not all there yet; the text's length if nowhere."""
    at = text.rfind("<")
    if at >= 0:
        tail = text[at:].translate(_LOWER)
        if any(tag.startswith(tail) for tag in tags):
            return at
    return len(text)


@final
class _Stream:
    """Stands between a model and the reader of its deltas."""

    def __init__(self, new: Callable[[], _Splitter], emit: Emit) -> None:
        self._new = new
        self._emit = emit
        self._splitter = new()

    async def emit(self, delta: Delta, /) -> None:
        """Take a delta; pass on what is to be shown."""
        if isinstance(delta, TextDelta):
            parts = self._splitter.feed(delta.text)
            if parts == [("text", delta.text)]:
                await self._emit(delta)
            else:
                await self._pass(parts)
            return
        if isinstance(delta, StreamRestarted):
            self._splitter = self._new()
        await self._emit(delta)

    async def finish(self) -> None:
        """Pass on what was kept back."""
        await self._pass(self._splitter.finish())

    async def _pass(self, parts: list[tuple[_Kind, str]]) -> None:
        for kind, text in parts:
            await self._emit(TextDelta(text) if kind == "text" else ReasoningDelta(text))
