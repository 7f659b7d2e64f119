"""What the rules for the different programs have in common."""

from typing import Final

__all__ = ["NUMBER", "parted"]

NUMBER: Final = "[0-9]{1,9}"


def parted(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Return what stands before the first ``--`` and what stands after it; ``None`` where there is none."""
    if "--" not in tokens:
        return tokens, None
    at = tokens.index("--")
    return tokens[:at], tokens[at + 1 :]
