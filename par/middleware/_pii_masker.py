"""Mask texts, numbers, JSON and messages with what the detectors find."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol, cast, final

import attrs

from par._json import Json, JsonObject
from par.errors import ParError
from par.messages import (
    Assistant,
    AssistantBlock,
    Document,
    Image,
    Message,
    Opaque,
    Reasoning,
    ResultBlock,
    System,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
    UserBlock,
)
from par.middleware._pii_detector import Detector
from par.middleware._pii_find import Finder, Hit
from par.middleware._walk import map_json, map_object

__all__ = ["Edit", "Masker", "Redactor", "Replacer", "spread"]

_SMALL = 1_000_000  # numbers below it have fewer than 7 digits


class Replacer(Protocol):
    """Says what stands in the place of a hit."""

    def knows(self, text: str) -> bool: ...
    def replace(self, detector: Detector, value: str) -> str: ...


@final
class Redactor:
    """Puts ``[kind]`` in the place of a hit."""

    def knows(self, text: str) -> bool:
        """Nothing is put back, so nothing is known."""
        del text
        return False

    def replace(self, detector: Detector, value: str) -> str:
        """Return the kind in brackets."""
        del value
        return f"[{detector.kind}]"


@attrs.frozen
class Edit:
    """One replacement in a text."""

    start: int
    end: int
    text: str
    kind: str


def spread(texts: Sequence[str], edits: Iterable[Edit]) -> list[str]:
    """Make edits of the joined ``texts`` in the texts themselves; a replacement goes where its hit begins."""
    result: list[str] = []
    begin = 0
    edits = tuple(edits)
    for text in texts:
        end = begin + len(text)
        pieces: list[str] = []
        at = begin
        for edit in edits:
            if edit.end <= begin or edit.start >= end:
                continue
            if edit.start >= at:
                pieces.append(text[at - begin : edit.start - begin])
            if edit.start >= begin:
                pieces.append(edit.text)
            at = min(end, edit.end)
        result.append("".join(pieces) + text[at - begin :])
        begin = end
    return result


@final
class Masker:
    """Masks for one run; ``found`` counts by kind in every method."""

    __slots__ = ("finder", "replacer")

    def __init__(self, finder: Finder, replacer: Replacer) -> None:
        self.finder = finder
        self.replacer = replacer

    def hits(self, text: str, key: str = "") -> list[Hit]:
        """Return what is to be replaced; made-up values of a vault are left alone."""
        hits = self.finder.find(text, key)
        return [hit for hit in hits if not self.replacer.knows(text[hit.start : hit.end])] if hits else hits

    def edit(self, text: str, hit: Hit) -> Edit:
        """Return the replacement for a hit."""
        made = self.replacer.replace(hit.detector, text[hit.start : hit.end])
        return Edit(hit.start, hit.end, made, hit.detector.kind)

    def edits(self, text: str, key: str = "") -> list[Edit]:
        """Return the replacements for all hits in a text."""
        return [self.edit(text, hit) for hit in self.hits(text, key)]

    def text(self, text: str, found: Counter[str], key: str = "") -> str:
        """Return the text masked, the same object if nothing was found."""
        edits = self.edits(text, key)
        if not edits:
            return text
        found.update(edit.kind for edit in edits)
        return spread((text,), edits)[0]

    def number(self, value: "int | float", found: Counter[str], key: str = "") -> "int | float | str":
        """Return the number masked: as text, or as a number where the made-up value is one."""
        if -_SMALL < value < _SMALL:
            return value
        plain = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        masked = self.text(plain, found, key)
        if masked is plain:
            return value
        return int(masked) if masked.isascii() and masked.isdigit() and masked[0] != "0" else masked

    def json(self, value: Json, found: Counter[str]) -> Json:
        """Return the value masked in all its texts, keys and numbers."""
        return map_json(
            value,
            lambda text, key: self.text(text, found, key),
            lambda number, key: self.number(number, found, key),
        )

    def json_object(self, value: JsonObject, found: Counter[str]) -> JsonObject:
        """The same for an object."""
        if not value:
            return value
        return map_object(
            value,
            lambda text, key: self.text(text, found, key),
            lambda number, key: self.number(number, found, key),
        )

    def message(self, message: Message, found: Counter[str]) -> Message:
        """Return the message masked, the same object if nothing was found."""
        if isinstance(message, System):
            text = self.text(message.text, found)
            return message if text is message.text else System(text)
        if isinstance(message, User):
            return self._user(message, found)
        if isinstance(message, ToolResults):
            results = tuple([self._result(result, found) for result in message.results])
            return message if _same(results, message.results) else ToolResults(results)
        return self.assistant(message, found)

    def assistant(
        self,
        message: Assistant,
        found: Counter[str],
        *,
        text_edits: list[Edit] | None = None,
        reasoning_edits: list[Edit] | None = None,
    ) -> Assistant:
        """Return the message masked; edits that a stream has already shown are made as they are."""
        blocks = self._joined(message.content, Text, found, text_edits)
        blocks = self._joined(blocks, Reasoning, found, reasoning_edits)
        blocks = tuple([self._use(block, found) if isinstance(block, ToolUse) else block for block in blocks])
        return message if _same(blocks, message.content) else Assistant(blocks)

    def _joined(
        self,
        blocks: tuple[AssistantBlock, ...],
        kind: type[Text | Reasoning],
        found: Counter[str],
        edits: list[Edit] | None,
    ) -> tuple[AssistantBlock, ...]:
        # all blocks of a kind as one text: they are streamed and shown as one
        texts = [block.text for block in blocks if isinstance(block, kind)]
        if not texts:
            return blocks
        if edits is None:
            edits = self.edits(texts[0] if len(texts) == 1 else "".join(texts))
        if not edits:
            return blocks
        found.update(edit.kind for edit in edits)
        masked = iter(spread(texts, edits))
        result: list[AssistantBlock] = []
        for block in blocks:
            if isinstance(block, kind):
                text = next(masked)
                # a signature over other words would be refused, so it goes with them
                changed = Text(text) if isinstance(block, Text) else Reasoning(text)
                result.append(block if text == block.text else changed)
            else:
                result.append(block)
        return tuple(result)

    def _use(self, use: ToolUse, found: Counter[str]) -> ToolUse:
        arguments = self.json_object(use.arguments, found)
        malformed = None if use.malformed is None else self.text(use.malformed, found)
        if arguments is use.arguments and malformed is use.malformed:
            return use
        return attrs.evolve(use, arguments=arguments, malformed=malformed)

    def _result(self, result: ToolResult, found: Counter[str]) -> ToolResult:
        content = self.text(result.content, found)
        blocks = self.shown(result.blocks, found)
        if content is result.content and blocks is result.blocks:
            return result
        return attrs.evolve(result, content=content, blocks=blocks)

    def shown(self, blocks: tuple[ResultBlock, ...], found: Counter[str]) -> tuple[ResultBlock, ...]:
        """Return what a tool shows with its addresses and names masked, the same object if nothing was found."""
        masked = tuple([block if isinstance(block, Opaque) else self._media(block, found) for block in blocks])
        return blocks if _same(masked, blocks) else masked

    def _user(self, message: User, found: Counter[str]) -> User:
        texts = [block.text for block in message.content if isinstance(block, Text)]
        edits = self.edits(texts[0] if len(texts) == 1 else "".join(texts))
        found.update(edit.kind for edit in edits)
        masked = iter(spread(texts, edits) if edits else texts)
        blocks: list[UserBlock] = []
        for block in message.content:
            if isinstance(block, Text):
                text = next(masked)
                blocks.append(block if text == block.text else Text(text))
            else:
                blocks.append(block if isinstance(block, Opaque) else self._media(block, found))
        return message if _same(blocks, message.content) else User(tuple(blocks))

    def _media(self, block: Image | Document, found: Counter[str]) -> Image | Document:
        url = None if block.url is None else self.text(block.url, found)
        if isinstance(block, Image):
            return block if url is block.url else attrs.evolve(block, url=url)
        name = None if block.name is None else self.text(block.name, found)
        return block if url is block.url and name is block.name else attrs.evolve(block, url=url, name=name)

    def scrub(self, error: ParError) -> None:
        """Mask the texts that an error carries, in place, so that it stays the same object.

        The errors behind it are masked as well where they are par's own: a traceback prints them all.
        """
        behind: BaseException | None = error
        seen: set[int] = set()
        while behind is not None and id(behind) not in seen:
            seen.add(id(behind))
            if isinstance(behind, ParError):
                self._scrub_one(behind)
            behind = behind.__cause__ or behind.__context__

    def _scrub_one(self, error: ParError) -> None:
        error.args = tuple(self._scrubbed(item) for item in error.args)
        facts: dict[str, object] = error.__dict__
        for name, value in facts.items():
            if isinstance(value, tuple):
                facts[name] = tuple(self._scrubbed(item) for item in cast("tuple[object, ...]", value))
            elif isinstance(value, (list, dict)):  # the notes on the error, and the body that the provider sent
                facts[name] = self.json(cast("Json", value), Counter())  # par's errors hold no other kind
            else:
                facts[name] = self._scrubbed(value)

    def _scrubbed(self, item: object) -> object:
        return self.text(item, Counter()) if isinstance(item, str) else item


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))
