"""Takes keys out of what a provider said, before anybody is told."""

import re

__all__ = ["without_keys"]

_KEYS = re.compile(r"\b(?:sk|pk|gsk|xai|csk|hf|key)[-_][A-Za-z0-9*._-]{6,}|\bAIza[A-Za-z0-9_-]{10,}")
_BEARER = re.compile(r"(?i)\bbearer\s+\S+")


def without_keys(text: str) -> str:
    """Return the text without what looks like a key; providers quote the one that they refuse."""
    return _BEARER.sub("Bearer …", _KEYS.sub("…", text))
