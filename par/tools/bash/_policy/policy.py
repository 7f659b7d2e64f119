"""What an agent may run: a closed set of commands, names that may not be read, and limits."""

import math
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase, translate
from typing import TypeAlias, cast

import attrs

from par.errors import CommandRefused, UsageError
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow
from par.tools.bash._commands.reading import Grep, Head, ReadFile, Tail, WordCount
from par.tools.bash._commands.table import COMMANDS, Command, example, rebuilt

__all__ = ["READ_DENY", "Allow", "Decision", "Deny", "Policy", "deny_parts"]

READ_DENY = (".env*", "*.pem", "*.key", "id_*", ".netrc", ".pypirc", ".aws/**", ".ssh/**")
PROGRAMS = ("git", "grep")
_MAX_TIMEOUT_S = 600.0


@attrs.frozen
class Allow:
    """The policy lets the command run."""


@attrs.frozen(kw_only=True)
class Deny:
    """The policy does not let the command run: a stable code, the reason, and what to do instead."""

    code: str
    reason: str
    remedy: str


Decision: TypeAlias = Allow | Deny


def _as_classes(value: Iterable[type[Command]]) -> tuple[type[Command], ...]:
    return tuple(value)


def _as_texts(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UsageError(f"give a list of texts, not the text {value!r}")
    return tuple(value)


def _as_pairs(value: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    items = cast("Mapping[str, str]", value).items() if isinstance(value, Mapping) else value
    return tuple((name, place) for name, place in items)


@attrs.frozen(kw_only=True)
class Policy:
    """What a ``Bash`` may run. Nothing is allowed that ``allow`` does not name.

    ``Policy.read_only()`` allows all commands that read. A policy of one's own names the classes::

        Policy(name="reader", allow=(ReadFile, ListDir))

    Raises:
        UsageError: for an unknown class or program, an empty pattern, and a limit that is zero, negative,
            not finite or above its maximum.
    """

    name: str
    """Told to the model in refusals."""
    allow: tuple[type[Command], ...] = attrs.field(converter=_as_classes)
    """The commands; the model is shown no others."""
    read_deny: tuple[str, ...] = attrs.field(default=READ_DENY, converter=_as_texts)
    """Names whose content is never shown, in any letter case: ``*.pem`` is any part of a path that matches,
    ``.ssh/**`` everything below such a folder. Listing the names is allowed."""
    timeout_s: float = 30.0
    """Wall-clock seconds for one command, at most 600; 30 is ten times what a large repository's log takes."""
    max_output_bytes: int = 50 * 1024
    """Per stream; 50 KiB are about 12,000 tokens."""
    max_output_lines: int = 2000
    """Per stream."""
    max_concurrent: int = 4
    """Commands at once in one event loop; others wait, and the wait is not counted."""
    programs: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_as_pairs)
    """Absolute paths of ``git`` and ``grep`` where the system's own shall not be used; a mapping is fine."""
    git_keys: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """Keys of a repository's configuration that are allowed besides the harmless ones, such as ``core.abbrev``.
    Git runs programs for some keys: name none of those."""

    # walks ask about every name that they meet, so the patterns are made ready once
    _denied_names: re.Pattern[str] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: _names_of(self.read_deny), takes_self=True)
    )
    _denied_paths: tuple[tuple[str, ...], ...] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: _paths_of(self.read_deny), takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        if not self.name.strip():
            raise UsageError("name: a policy needs a name")
        for kind in self.allow:
            if all(kind is not known for known in COMMANDS.values()):
                raise UsageError(f"allow: {kind!r} is not a command; the commands are the classes of par.tools.bash")
        for entry in (*self.read_deny, *self.git_keys):
            if not entry.strip("/*") or entry.startswith("/") or "\\" in entry or "**" in deny_parts(entry):
                raise UsageError(f"read_deny and git_keys hold names and patterns of names, not {entry!r}")
        for program, place in self.programs:
            if program not in PROGRAMS or not place.startswith("/"):
                raise UsageError(
                    f"programs: {program!r}: {place!r} is not one of {', '.join(PROGRAMS)} with an absolute path"
                )
        _check_seconds("timeout_s", self.timeout_s)
        _check_count("max_output_bytes", self.max_output_bytes, 1024, 16 * 1024 * 1024)
        _check_count("max_output_lines", self.max_output_lines, 1, 1_000_000)
        _check_count("max_concurrent", self.max_concurrent, 1, 64)

    @staticmethod
    def read_only() -> "Policy":
        """Return the policy that allows every command that reads, and no other."""
        return Policy(name="read_only", allow=tuple(COMMANDS.values()))

    def decide(self, command: Command) -> Decision:
        """Say whether ``command`` may run. It depends on nothing but the two values, and never raises."""
        if all(type(command) is not kind for kind in self.allow):
            op = getattr(type(command), "op", type(command).__name__)
            there = ", ".join(kind.op for kind in self.allow) or "none"
            remedy = f"Allowed: {there}."
            if self.allow:
                remedy += f" For example {example(self.allow[0].op)}"
            return Deny(code="denied_by_policy", reason=f"the policy {self.name} does not allow {op}.", remedy=remedy)
        try:
            checked = rebuilt(command)  # one that was forged without its checks may lack fields
        except CommandRefused as refused:
            return Deny(code=refused.code, reason=refused.problem, remedy=refused.remedy)
        for path in _content_paths(checked):
            if self.denies_reading(path):
                return self.read_denied(path)
        return Allow()

    def denies_reading(self, path: str) -> bool:
        """Tell whether a pattern of ``read_deny`` covers ``path``, which is relative to the workspace."""
        parts = [part for part in path.casefold().split("/") if part not in {"", "."}]
        return any(map(self._denied_names.match, parts)) or any(
            _covers(pattern, parts) for pattern in self._denied_paths
        )

    def read_denied(self, path: str) -> Deny:
        """Return the refusal to show the content of ``path``."""
        return Deny(
            code="read_denied",
            reason=f"the policy {self.name} keeps {path[:200]!a} from being read: such files hold secrets.",
            remedy="Listing its name is allowed. Ask the user if you need something in it.",
        )

    @property
    def cpu_s(self) -> int:
        """Seconds of processor time that one process gets: those of the clock, and one for the start."""
        return math.ceil(self.timeout_s) + 1

    def program(self, name: str) -> str | None:
        """Return the place that the policy names for a program, if it does."""
        return dict(self.programs).get(name)


def _content_paths(command: Command) -> tuple[str, ...]:
    """Return the paths of a command whose content it would show."""
    if isinstance(command, (ReadFile, Head, Tail)):
        found: tuple[object, ...] = (command.path,)
    elif isinstance(command, (WordCount, Grep)):
        found = command.paths
    elif isinstance(command, GitShow):
        found = (_below(command.cwd, command.path),)
    elif isinstance(command, (GitDiff, GitLog)):
        found = tuple(_below(command.cwd, path) for path in command.paths or ())
    else:
        found = ()
    return tuple(path for path in found if isinstance(path, str))


def _below(cwd: str | None, path: str | None) -> str | None:
    return path if cwd is None or path is None else f"{cwd}/{path}"


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


def _check_seconds(name: str, value: float) -> None:
    if type(value) not in {int, float} or not math.isfinite(value):
        raise UsageError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 < value <= _MAX_TIMEOUT_S:
        raise UsageError(f"{name} must be above 0 and at most {_MAX_TIMEOUT_S:g} seconds, got {value!r}")


def _check_count(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UsageError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
