"""How much text the tools take, and what they say of text that cannot be encoded."""

from par.errors import ToolFailed

__all__ = ["MOST_CHARACTERS", "encoded"]

MOST_CHARACTERS = 200_000
"""More than a model writes; every tool of the set is done with it in well under a second."""


def encoded(text: str) -> bytes:
    """Return the UTF-8 bytes.

    Raises:
        ToolFailed: for half of a surrogate pair, which JSON can write and UTF-8 cannot.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed(
            f"The character at position {error.start + 1} is half of a surrogate pair and has no bytes: "
            "send the whole character."
        ) from None
