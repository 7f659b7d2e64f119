"""What goes into a memory and what is asked of it, checked alike for each database."""

from typing import Final

from par._clock import Clock
from par._ids import new_ulid
from par.memory import Memory
from par.persistence._memory_words import has_words

__all__ = ["INDEX_S", "checked_limit", "checked_memory", "checked_owner", "checked_query", "storable"]

INDEX_S: Final = 4.0
"""How long one search indexes before it answers with what there is; the next one goes on. Less than a tool may take."""

_CONTENT_CHARS: Final = 20_000
_SUMMARY_CHARS: Final = 1_000
_CATEGORIES: Final = 20
_CATEGORY_CHARS: Final = 100
_SOURCE_CHARS: Final = 500
_SCOPE_CHARS: Final = 500
_QUERY_CHARS: Final = 10_000
_LIMIT: Final = 50


def checked_memory(content: str, summary: str, categories: tuple[str, ...], source: str, clock: Clock) -> Memory:
    """Return a new memory of these facts.

    Raises:
        ValueError: for a text that is too long, too many categories, or a content without any word.
    """
    memory = Memory(
        id=new_ulid(),
        content=_checked("content", content, _CONTENT_CHARS),
        summary=_checked("summary", summary, _SUMMARY_CHARS),
        categories=tuple([_checked("categories", category, _CATEGORY_CHARS) for category in categories]),
        at=clock.now(),
        source=_checked("source", source, _SOURCE_CHARS),
    )
    if len(memory.categories) > _CATEGORIES:
        raise ValueError(f"categories must be at most {_CATEGORIES}, got {len(memory.categories)}")
    if not has_words(memory.content):
        raise ValueError("content must have a letter or a digit: nothing else can be found again")
    return memory


def checked_owner(owner: str | None) -> str:
    """Return the owner as the tables have it: ``""`` for what all share.

    Raises:
        ValueError: for one that is empty, longer than 500 characters, or no text that can be stored.
    """
    if owner is None:
        return ""
    if not owner or len(owner) > _SCOPE_CHARS:
        raise ValueError(f"scope must have 1 to {_SCOPE_CHARS} characters, got {len(owner)}")
    if "\0" in owner or storable(owner) != owner:
        raise ValueError("scope must be a text that can be stored: no NUL, no half of a surrogate pair")
    return owner


def checked_limit(limit: int) -> int:
    """Return the limit.

    Raises:
        ValueError: unless it is a whole number from 1 to 50.
    """
    if type(limit) is not int or not 1 <= limit <= _LIMIT:
        raise ValueError(f"limit must be a whole number from 1 to {_LIMIT}, got {limit!r}")
    return limit


def checked_query(query: str) -> str:
    """Return what counts of a query: its beginning."""
    return query[:_QUERY_CHARS]


def storable(text: str) -> str:
    """Return the text with a question mark for what no encoding can write."""
    return text.encode(errors="replace").decode()


def _checked(name: str, text: str, limit: int) -> str:
    if len(text) > limit:
        raise ValueError(f"{name} must be at most {limit} characters, got {len(text)}")
    return storable(text)
