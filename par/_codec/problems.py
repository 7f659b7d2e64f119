"""Turn what cattrs raises into one sentence with the path to the first wrong place."""

from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)

__all__ = ["first_problem"]

_MAX_CHARS = 400


def first_problem(error: BaseException) -> str:
    """Return where and why, such as ``at content[2].text: expected text, got int``."""
    path = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        path += _step_to(error)
    problem = _sentence(error)[:_MAX_CHARS]
    return f"at {path.removeprefix('.')}: {problem}" if path else problem


def _step_to(error: BaseException) -> str:
    path = ""
    notes: list[object] = getattr(error, "__notes__", [])
    for note in reversed(notes):  # the outermost was added last
        if isinstance(note, AttributeValidationNote) and not isinstance(error, KeyError):
            path += f".{note.name}"
        elif isinstance(note, IterableValidationNote):
            path += f"[{note.index!r}]"
    return path


def _sentence(error: BaseException) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown keys: {', '.join(sorted(map(repr, error.extra_fields)))}"
    if isinstance(error, KeyError):
        return f"the key {error.args[0]!r} is missing"
    return str(error)
