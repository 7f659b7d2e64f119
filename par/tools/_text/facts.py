"""Tools that say something of a text: the text itself, its hash, its counts."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal, Protocol, TypeAlias

import attrs

from par import Param, tool
from par.tools._text.limits import MOST_CHARACTERS, encoded

__all__ = ["HashAlgorithm", "TextHash", "TextStats", "echo", "hash_text", "string_stats"]

HashAlgorithm: TypeAlias = Literal["sha256", "sha512", "sha3_256", "blake2b", "sha1", "md5"]


class _Digest(Protocol):
    def hexdigest(self) -> str: ...


_HASHES: Mapping[HashAlgorithm, Callable[[bytes], _Digest]] = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "sha3_256": hashlib.sha3_256,
    "blake2b": hashlib.blake2b,
    # these two name things, they protect nothing: systems that forbid them for security still have them for that
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "md5": partial(hashlib.md5, usedforsecurity=False),
}


@attrs.frozen(kw_only=True)
class TextHash:
    """What ``hash_text`` returns."""

    algorithm: HashAlgorithm
    hexdigest: str


@attrs.frozen(kw_only=True)
class TextStats:
    """What ``string_stats`` returns."""

    characters: int
    """Code points."""
    bytes: int
    """Of the UTF-8 form."""
    words: int
    """Runs of characters between white space."""
    lines: int
    """An empty text has none, and an end of line at the end begins no further one."""


@tool(effect="read", timeout=5.0)
def echo(text: Annotated[str, Param(max_length=MOST_CHARACTERS)]) -> str:
    """Return the text as it is."""
    return text


@tool(effect="read", timeout=5.0)
def hash_text(
    text: Annotated[str, Param(description="its UTF-8 bytes are hashed", max_length=MOST_CHARACTERS)],
    algorithm: Annotated[HashAlgorithm, Param(description="sha1 and md5 only to compare with old sums")] = "sha256",
) -> TextHash:
    """Hash a text and return the hexadecimal digest."""
    return TextHash(algorithm=algorithm, hexdigest=_HASHES[algorithm](encoded(text)).hexdigest())


@tool(effect="read", timeout=5.0)
def string_stats(text: Annotated[str, Param(max_length=MOST_CHARACTERS)]) -> TextStats:
    """Count the characters, UTF-8 bytes, words and lines of a text."""
    ends = text.replace("\r\n", "\n").replace("\r", "\n")
    unfinished = bool(ends) and not ends.endswith("\n")
    return TextStats(
        characters=len(text), bytes=len(encoded(text)), words=len(text.split()), lines=ends.count("\n") + unfinished
    )
