"""Patterns of names: those of include and exclude, and those of .gitignore.

``fnmatch`` compiles its stars into groups that do not go back, so no pattern takes more than a moment.
"""

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase

import attrs

__all__ = ["Ignore", "ignored", "matches", "read_ignore"]

_MAX_FILE = 64 * 1024
_MAX_RULES = 1000
_MAX_STARS = 16


def matches(pattern: str, path: str) -> bool:
    """Tell whether ``pattern`` covers ``path``, as ripgrep's globs do.

    A pattern without ``/`` is matched with the last name, one with ``/`` with the whole path from its beginning;
    ``**`` stands for any number of folders.
    """
    parts = path.split("/")
    if "/" not in pattern.rstrip("/"):
        return fnmatchcase(parts[-1], pattern.rstrip("/"))
    return _match_parts([part for part in pattern.split("/") if part], parts)


def _match_parts(pattern: list[str], parts: list[str]) -> bool:
    # which lengths of ``parts`` the pattern so far can have taken; linear in both, whatever the pattern
    taken: set[int] = {0}
    for place, wanted in enumerate(pattern):
        if not taken:
            return False
        if wanted == "**":
            # at the end ** stands for at least one name, elsewhere also for none
            least = min(taken) + (1 if place == len(pattern) - 1 else 0)
            taken = set(range(least, len(parts) + 1))
        else:
            taken = {at + 1 for at in taken if at < len(parts) and fnmatchcase(parts[at], wanted)}
    return len(parts) in taken


@attrs.frozen
class _Rule:
    pattern: str
    negated: bool
    folders_only: bool
    anchored: bool


@attrs.frozen(kw_only=True)
class Ignore:
    """The rules of one .gitignore file, for the paths below its folder."""

    folder: str
    rules: tuple[_Rule, ...]

    def verdict(self, path: str, *, is_dir: bool) -> bool | None:
        """Say whether ``path`` is ignored; ``None`` if no rule speaks of it. The last rule that does decides."""
        if self.folder and not path.startswith(f"{self.folder}/"):
            return None
        below = path[len(self.folder) + 1 :] if self.folder else path
        for rule in reversed(self.rules):
            if rule.folders_only and not is_dir:
                continue
            name = below if rule.anchored else below.rsplit("/", 1)[-1]
            if (
                matches(rule.pattern, name)
                if not rule.anchored
                else _match_parts(rule.pattern.split("/"), name.split("/"))
            ):
                return not rule.negated
        return None


def ignored(rules: Iterable[Ignore], path: str, *, is_dir: bool) -> bool:
    """Tell whether ``path`` is ignored; of several files the last one that speaks of it decides."""
    answer = False
    for file in rules:
        verdict = file.verdict(path, is_dir=is_dir)
        answer = answer if verdict is None else verdict
    return answer


def read_ignore(folder_fd: int, folder: str) -> Ignore | None:
    """Read the .gitignore in a folder; ``None`` if there is none. It is not followed if it is a link."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(".gitignore", flags, dir_fd=folder_fd)
    except OSError:
        return None
    try:
        text = os.read(fd, _MAX_FILE).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    finally:
        os.close(fd)
    rules = [rule for line in text.split("\n")[:_MAX_RULES] if (rule := _rule(line)) is not None]
    return Ignore(folder="" if folder == "." else folder, rules=tuple(rules))


def _rule(line: str) -> _Rule | None:
    line = line.rstrip("\r").rstrip(" ")
    if not line or line.startswith("#") or line.count("*") > _MAX_STARS:
        return None
    negated = line.startswith("!")
    line = line[1:] if negated else line.removeprefix("\\")
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    anchored = "/" in line
    line = line.lstrip("/")
    return _Rule(line, negated, folders_only, anchored) if line else None
