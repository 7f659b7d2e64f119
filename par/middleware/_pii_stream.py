"""Mask a stream so that no part of it ever shows what the whole would hide."""

import re
from typing import final

from par._json import dump_json
from par.deltas import Delta, Emit, ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.messages import Assistant
from par.middleware._pii_find import Hit
from par.middleware._pii_masker import Edit, Masker, spread
from par.middleware._pii_secrets import PEM_BEGIN, pem_is_open
from par.middleware._pii_vault import VaultSession

__all__ = ["ReplyStream", "RestoringStream", "StreamMask"]

# what can stand inside a hit: ASCII without spaces, the letters of e-mail addresses, typographic dashes
_BREAK = re.compile(r"[^!-~\u00c0-\u024f\u0370-\u04ff\u2010-\u2013]")
_GAP = " \u00a0\u2009\u202f"
_GROUP = re.compile(r"[+(]?[0-9A-Z][0-9A-Z().\-/\u2010-\u2013]{0,34}|[0-9().+\-/]{1,6}")
# every hit of the built-in detectors has a digit, an @ or a long word in it, or begins a PEM block
_SUSPECT = re.compile(r"[0-9@]|-----|[!-~]{16}")
# a whole word that no hit can have in it, and the beginning of another: what most pieces of most streams come to
_PLAIN = re.compile(r"((?:[A-Za-z,.;:!?']{0,12}[a-z][,.;:!?]?[ \n])?)[A-Za-z]{0,15}")
_CHAIN_CHARS = 72  # longer than any hit with spaces in it
_CONTEXT = 64


@final
class StreamMask:
    """Masks one text that comes in pieces: what may still become a hit is kept back, all else goes on at once."""

    __slots__ = ("_done", "_limit", "_masker", "_plain", "_token", "edits", "text")

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._limit = masker.finder.longest
        self._plain = masker.finder.longest_own == 0 and self._limit > _CHAIN_CHARS
        self.text = ""
        """All that came in, as it was."""
        self.edits: list[Edit] = []
        """What was replaced in it so far."""
        self._done: int = 0
        self._token: int = 0

    def feed(self, piece: str) -> str:
        """Take some more text; return what may be shown now, possibly nothing."""
        before = len(self.text)
        done = self._done
        if done == self._token and self._plain:
            pending = self.text[done:] + piece
            plain = _PLAIN.fullmatch(pending)
            if plain is not None:
                self.text += piece
                shown = plain[1]
                self._done = self._token = done + len(shown)
                return shown
        self.text += piece
        for match in _BREAK.finditer(piece):
            self._token = before + match.end()
        return self._advance(self._cut())

    def finish(self) -> str:
        """Return the rest."""
        return self._advance(len(self.text))

    def _cut(self) -> int:
        text = self.text
        size = len(text)
        cut = _chain_start(text, self._token, max(self._done, size - _CHAIN_CHARS))
        finder = self._masker.finder
        if finder.longest_own:
            cut = min(cut, size - finder.longest_own)
        if finder.has_secrets:
            begin = text.find(PEM_BEGIN, self._done)
            while begin >= 0 and begin < cut:
                if pem_is_open(text, begin):
                    cut = begin
                    break
                begin = text.find(PEM_BEGIN, begin + 1)
        return max(cut, size - self._limit)

    def _advance(self, cut: int) -> str:
        done = self._done
        if cut <= done:
            return ""
        text = self.text
        hits = self._hits_between(done, cut)
        if hits and hits[-1].end > cut:
            # the hit at the edge may still grow, so it waits
            cut = max(done, hits.pop().start)
        edits = [self._masker.edit(text, hit) for hit in hits]
        self.edits.extend(edits)
        self._done = cut
        if not edits:
            return text[done:cut]
        shifted = [Edit(edit.start - done, edit.end - done, edit.text, edit.kind) for edit in edits]
        return spread((text[done:cut],), shifted)[0]

    def _hits_between(self, done: int, cut: int) -> list[Hit]:
        # as far behind the cut as shows whether a hit lies across it
        if not self._masker.finder.longest_own and _SUSPECT.search(self.text, done, cut + _CHAIN_CHARS) is None:
            return []
        start = max(0, done - _CONTEXT)
        found = self._masker.hits(self.text[start:] if start else self.text)
        return [
            Hit(max(hit.start + start, done), hit.end + start, hit.detector)
            for hit in found
            if hit.end + start > done and hit.start + start < cut
        ]


def _chain_start(text: str, token: int, least: int) -> int:
    """Return where the groups of digits and capitals begin that lead up to the last token.

    Groups parted by single spaces may be one card, account or phone number, also when the last is not there yet.
    """
    start = token
    at = token
    while at - 1 > least and text[at - 1] in _GAP:
        begin = at - 1
        while begin > least and _BREAK.match(text, begin - 1) is None:
            begin -= 1
        group = text[begin : at - 1]
        if any(character in "0123456789+(" for character in group):
            start = begin
        if _GROUP.fullmatch(group) is None:
            break  # what begins in the middle of it is kept back with it
        at = begin
    return start


@final
class ReplyStream:
    """Stands between a model and the reader of its deltas."""

    def __init__(self, masker: Masker, emit: Emit) -> None:
        self._masker = masker
        self._emit = emit
        self._restart()

    def _restart(self) -> None:
        self.text = StreamMask(self._masker)
        self.reasoning = StreamMask(self._masker)
        self._arguments: dict[str, tuple[str, list[str]]] = {}

    async def emit(self, delta: Delta, /) -> None:
        """Take a delta; pass on what may be shown.

        Arguments are JSON, in which escapes can hide anything, so they go on as a whole at the end; an empty delta
        goes on at once and tells that the model is at work.
        """
        if isinstance(delta, TextDelta):
            if shown := self.text.feed(delta.text):
                await self._emit(delta if shown == delta.text else TextDelta(shown))
        elif isinstance(delta, ReasoningDelta):
            if shown := self.reasoning.feed(delta.text):
                await self._emit(delta if shown == delta.text else ReasoningDelta(shown))
        elif isinstance(delta, ToolUseDelta):
            self._arguments.setdefault(delta.id, (delta.name, []))[1].append(delta.arguments)
            await self._emit(delta if not delta.arguments else ToolUseDelta(id=delta.id, name=delta.name))
        else:
            self._restart()
            await self._emit(delta)

    async def finish(self, raw: Assistant, masked: Assistant, *, text: str, reasoning: str) -> None:
        """Show what was kept back. ``masked`` is what the reader gets as the reply."""
        if reasoning:
            await self._emit(ReasoningDelta(reasoning))
        if text:
            await self._emit(TextDelta(text))
        plain = {use.id: use for use in raw.tool_uses}
        clean = {use.id: use for use in masked.tool_uses}
        for use_id, (name, pieces) in self._arguments.items():
            arguments = "".join(pieces)
            use = clean.get(use_id)
            if use is None:
                arguments = ""  # a use that the reply does not have
            elif use is not plain.get(use_id):
                arguments = dump_json(use.arguments) if use.malformed is None else use.malformed
            if arguments:
                await self._emit(ToolUseDelta(id=use_id, name=name, arguments=arguments))


@final
class RestoringStream:
    """Puts the real values back into the text that a run's reader sees."""

    def __init__(self, session: VaultSession, emit: Emit) -> None:
        self._session = session
        self._emit = emit
        self._held = ""

    async def emit(self, delta: Delta, /) -> None:
        """Take a delta; pass on its text with the real values."""
        if isinstance(delta, TextDelta):
            text = self._held + delta.text
            cut = self._session.open_tail(text)
            self._held = text[cut:]
            if shown := self._session.restore(text[:cut]):
                await self._emit(delta if shown == delta.text else TextDelta(shown))
            return
        if isinstance(delta, StreamRestarted):
            self._held = ""
        else:
            await self.finish()
        await self._emit(delta)

    async def finish(self) -> None:
        """Pass on what was kept back."""
        held, self._held = self._held, ""
        if held:
            await self._emit(TextDelta(self._session.restore(held)))
