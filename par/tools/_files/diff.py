"""A unified diff of two texts, of bounded length, made in bounded time."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, TypeAlias

import attrs

__all__ = ["TextDiff", "diff_of"]

_CONTEXT: Final = 3
_MAX_COMPARED: Final = 1_500
"""Lines between the first and the last change; comparing more of them could take minutes."""
_MAX_LINES: Final = 200
_MAX_CHARACTERS: Final = 16_000

_Span: TypeAlias = tuple[str, int, int, int, int]


@attrs.frozen(kw_only=True)
class TextDiff:
    """What two texts differ in."""

    text: str
    added: int
    removed: int
    cut: bool


def diff_of(old: str, new: str, path: str) -> TextDiff:
    """Return how ``old`` became ``new``, in at most 200 lines and 16,000 characters."""
    before, after = _lines(old), _lines(new)
    groups = list(_groups(before, after))
    added = sum(span[4] - span[3] for group in groups for span in group if span[0] != "equal")
    removed = sum(span[2] - span[1] for group in groups for span in group if span[0] != "equal")
    kept: list[str] = []
    size = 0
    cut = False
    for line in _written(before, after, groups, path):
        size += len(line)
        if len(kept) >= _MAX_LINES or size > _MAX_CHARACTERS:
            cut = True
            break
        kept.append(line)
    return TextDiff(text="".join(kept), added=added, removed=removed, cut=cut)


def _lines(text: str) -> list[str]:
    parts = text.split("\n")
    last = parts.pop()
    return [part + "\n" for part in parts] + ([last] if last else [])


def _groups(before: Sequence[str], after: Sequence[str]) -> Iterator[list[_Span]]:
    """Yield the hunks: spans that changed, with the equal lines around them."""
    most = min(len(before), len(after))
    head = next((at for at in range(most) if before[at] != after[at]), most)
    tail = next((at for at in range(most - head) if before[-1 - at] != after[-1 - at]), most - head)
    start = max(0, head - _CONTEXT)
    ends = (min(len(before), len(before) - tail + _CONTEXT), min(len(after), len(after) - tail + _CONTEXT))
    if max(ends) - start > _MAX_COMPARED:
        change = (head, len(before) - tail, head, len(after) - tail)
        around = (("equal", start, head, start, head), ("replace", *change))
        yield [*around, ("equal", change[1], ends[0], change[3], ends[1])]
        return
    matcher = SequenceMatcher(None, before[start : ends[0]], after[start : ends[1]], autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        yield [(tag, a + start, b + start, c + start, d + start) for tag, a, b, c, d in group]


def _written(before: Sequence[str], after: Sequence[str], groups: list[list[_Span]], path: str) -> Iterator[str]:
    yield f"--- a/{path}\n"
    yield f"+++ b/{path}\n"
    for group in groups:
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, a, b, c, d in group:
            if tag == "equal":
                yield from _marked(" ", before[a:b])
            else:
                yield from _marked("-", before[a:b])
                yield from _marked("+", after[c:d])


def _range(start: int, end: int) -> str:
    return f"{start + 1 if end > start else start},{end - start}"


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"
