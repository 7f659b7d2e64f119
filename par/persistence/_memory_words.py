"""The words of a text as an index takes them: the same on each database, and harmless in any query.

An index gets tokens that are made here, of ASCII letters and digits alone, so that a database's own idea of what
a letter is plays no part, and no text of a user can be an operator of its query language.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, TypeAlias

__all__ = [
    "EXCERPT_CHARS",
    "Terms",
    "excerpt",
    "fts5_query",
    "has_words",
    "owner_token",
    "owner_tokens",
    "terms",
    "words",
]

Terms: TypeAlias = tuple[tuple[str, ...], ...]
"""What to look for: any of these, each a sequence of tokens that stand one after the other."""

EXCERPT_CHARS: Final = 500
_BEFORE_CHARS: Final = 180
_TOKEN_CHARS: Final = 64
_MOST_TERMS: Final = 64
_LEVELS: Final = 16

_WORD: Final = re.compile("[^\\W_](?:[^\\W_]|[\u0300-\u036f])*")
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_MARKS: Final = re.compile("[\u0300-\u036f]+")
# scripts that are written without spaces: Thai and Lao, Burmese, Khmer, Kana, Han
_SPACELESS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_PIECE: Final = re.compile(f"[{_SPACELESS}]|[^\\W_{_SPACELESS}]+")
_ALONE: Final = re.compile(f"[{_SPACELESS}]")
_CONSONANTS: Final = "bcdfghjkmnpqvwxz"
"""A digit of base 16 each; without vowels and s, which a stemmer might take for the ending of a word."""


def _fold(word: str) -> str:
    if word.isascii():
        return word.lower()
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold()))
    return unicodedata.normalize("NFC", plain)


def _pieces(word: str) -> list[str]:
    """Return the parts of a word that are looked up by themselves."""
    folded = _fold(word)
    if folded.isascii() and folded.isalnum():
        return [folded[:_TOKEN_CHARS]]
    return [piece[:_TOKEN_CHARS] for piece in _PIECE.findall(folded)]


def _encoded(piece: str) -> str:
    return piece if piece.isascii() else f"zq{_in_consonants(piece.encode())}"


def _in_consonants(data: bytes) -> str:
    return "".join([_CONSONANTS[byte >> 4] + _CONSONANTS[byte & 15] for byte in data])


def _pieces_of(text: str) -> Iterator[str]:
    for match in _WORD.finditer(text):
        yield from _pieces(match[0])


def has_words(text: str) -> bool:
    """Tell whether there is anything in the text by which it could be found."""
    return any(True for _ in _pieces_of(text))


def words(text: str) -> str:
    """Return the tokens of a text for an index, in order, with spaces between them."""
    if text.isascii():  # the same, ten times as fast
        return " ".join([word[:_TOKEN_CHARS] for word in _ASCII_WORD.findall(text.lower())])
    return " ".join([_encoded(piece) for piece in _pieces_of(text)])


def terms(query: str) -> Terms:
    """Return what a query looks for; of a very long one the first words.

    In scripts without spaces these are pairs of neighbours, for a single character says little.
    """
    found: dict[tuple[str, ...], None] = {}
    for match in _WORD.finditer(query):
        pieces = _pieces(match[0])
        for place, piece in enumerate(pieces):
            after = pieces[place + 1 : place + 2]
            before = pieces[place - 1 : place] if place else []
            if _ALONE.fullmatch(piece) and after and _ALONE.fullmatch(after[0]):
                found[_encoded(piece), _encoded(after[0])] = None
            elif not (_ALONE.fullmatch(piece) and before and _ALONE.fullmatch(before[0])):
                found[(_encoded(piece),)] = None
        if len(found) >= _MOST_TERMS:
            break
    return tuple(found)[:_MOST_TERMS]


def owner_token(scope: str, owner: str) -> str:
    """Return the token under which everything of an owner stands in an index; ``""`` owns all of the scope.

    Deep owners share the token of their first levels: the index narrows down, the table's own columns decide.
    """
    levels = owner.split("/")[:_LEVELS]
    named = f"{len(scope)}:{scope}/{'/'.join(levels)}" if owner else f"{len(scope)}:{scope}"
    return f"zk{_in_consonants(sha256(named.encode()).digest()[:12])}"


def owner_tokens(scope: str, session: str) -> str:
    """Return the tokens of all who own a session: itself, each part of its name up to a slash, and the scope."""
    levels = session.split("/")[:_LEVELS]
    owners = ["", *("/".join(levels[: count + 1]) for count in range(len(levels)))]
    return " ".join(dict.fromkeys([owner_token(scope, owner) for owner in owners]))


def fts5_query(owner: str, looked_for: Terms) -> str:
    """Return the query for SQLite's FTS5: what the owner has and any of the terms."""
    any_of = " OR ".join([f'"{" ".join(term)}"' for term in looked_for])
    return f'owner : "{owner}" AND words : ({any_of})'


def excerpt(text: str, looked_for: Terms) -> str | None:
    """Return what stands around the first word that is looked for, ``None`` if the text has none of them."""
    wanted = {token for term in looked_for for token in term}
    stems = {token[:4] for token in wanted if len(token) > 3}
    near: int | None = None
    for match in _WORD.finditer(text):
        tokens = [_encoded(piece) for piece in _pieces(match[0])]
        if not wanted.isdisjoint(tokens):
            return _around(text, match.start())
        if near is None and any(token[:4] in stems for token in tokens):
            near = match.start()  # perhaps another form of the word, which the index counts as the same
    return None if near is None else _around(text, near)


def _around(text: str, place: int) -> str:
    if len(text) <= EXCERPT_CHARS:
        return text
    start = max(0, min(place - _BEFORE_CHARS, len(text) - EXCERPT_CHARS + 1))
    before = "…" if start else ""
    end = start + EXCERPT_CHARS - len(before)
    return f"{before}{text[start:end]}" if end >= len(text) else f"{before}{text[start : end - 1]}…"
