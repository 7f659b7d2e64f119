"""Ids of tool calls as the responses API takes them."""

import re
from hashlib import blake2b

__all__ = ["wire_id"]

_TAKEN = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_NOT_TAKEN = re.compile(r"[^a-zA-Z0-9_-]")
_KEPT = 48


def wire_id(id_: str) -> str:
    """Return an id that the API takes for a call that another provider made: its own if it may stay as it is.

    The API takes 64 characters, of letters, digits, ``_`` and ``-``.
    """
    if _TAKEN.match(id_):
        return id_
    return f"{_NOT_TAKEN.sub('_', id_)[:_KEPT]}_{blake2b(id_.encode(), digest_size=6).hexdigest()}"
