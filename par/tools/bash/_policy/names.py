"""Names that a policy keeps from being read or written, as patterns."""

import re
from fnmatch import fnmatchcase, translate

import attrs

__all__ = ["Names", "deny_parts"]


def deny_parts(pattern: str) -> tuple[str, ...]:
    """Return the names of a pattern of ``read_deny``, which may begin at any depth and covers what is below."""
    parts = [part for part in pattern.casefold().split("/") if part]
    while parts and parts[-1] == "**":
        parts.pop()
    while parts and parts[0] == "**":
        del parts[0]
    return tuple(parts)


def _names_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    single = [translate(parts[0]) for pattern in patterns if len(parts := deny_parts(pattern)) == 1]
    return re.compile("|".join(single) or "(?!)")


def _paths_of(patterns: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(parts for pattern in patterns if len(parts := deny_parts(pattern)) > 1)


def _covers(wanted: tuple[str, ...], parts: list[str]) -> bool:
    starts = range(len(parts) - len(wanted) + 1)
    return any(all(map(fnmatchcase, parts[at:], wanted)) for at in starts)


@attrs.frozen
class Names:
    """Patterns of names, made ready once: walks ask about every name that they meet."""

    patterns: tuple[str, ...]
    _single: re.Pattern[str] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: _names_of(self.patterns), takes_self=True)
    )
    _paths: tuple[tuple[str, ...], ...] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: _paths_of(self.patterns), takes_self=True)
    )

    def cover(self, path: str) -> bool:
        """Tell whether a pattern covers ``path``, which is relative to the workspace."""
        parts = [part for part in path.casefold().split("/") if part not in {"", "."}]
        return any(map(self._single.match, parts)) or any(_covers(pattern, parts) for pattern in self._paths)
