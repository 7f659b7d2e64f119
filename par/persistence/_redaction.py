"""Finding a person's data in the stored text of events."""

import json
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final, final

__all__ = ["Texts", "checked_seqs", "checked_word"]

_LEVELS: Final = 3
"""How often JSON may be wrapped in the text of JSON: an event, the result of a tool in it, what that quotes."""


def checked_word(name: str, value: str) -> str:
    """Return a reason, or who gives it.

    Raises:
        ValueError: if it is empty.
    """
    if not value.strip():
        raise ValueError(f"{name} must not be empty")
    return value


def checked_seqs(seqs: Iterable[int]) -> tuple[int, ...]:
    """Return the numbers of events, sorted, each once.

    Raises:
        ValueError: for numbers below 1.
    """
    numbers = sorted(set(seqs))
    if numbers and numbers[0] < 1:
        raise ValueError(f"seqs must be 1 or more, got {numbers[0]}")
    return tuple(numbers)


def _plain(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


_ESCAPES: Final[tuple[Callable[[str], str], ...]] = (_plain, _ascii)


@final
class Texts:
    """Texts to look for, in each way in which JSON may write them; upper and lower case count as the same."""

    def __init__(self, texts: Iterable[str]) -> None:
        given = list(texts)
        if not given or any(not text.strip() for text in given):
            raise ValueError("texts must hold at least one text, and no empty one")
        self._forms = sorted({form.casefold() for text in given for form in _forms(text)}, key=len)

    def are_in(self, body: str) -> bool:
        """Tell whether the JSON text holds one of the texts."""
        folded = body.casefold()
        return any(form in folded for form in self._forms)


def _forms(text: str) -> set[str]:
    # letters with accents are one character or two, depending on who wrote them
    forms = {text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}
    for _ in range(_LEVELS):
        forms |= {escape(form) for form in forms for escape in _ESCAPES}
    return forms
