"""What an agent may run: a closed set of commands, effects, names that stay shut, and limits."""

import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, cast, get_args

import attrs

from par.errors import UsageError
from par.tools.bash._commands.facts import RISKS, CommandEffect, CommandRisk
from par.tools.bash._commands.leaves import LEAVES, GitRead, Read, Run
from par.tools.bash._commands.table import COMMANDS, Command
from par.tools.bash._policy.decide import Decision, Deny, Rules, decide, read_denied
from par.tools.bash._policy.hosted import Linter, PythonHost, Task, TestRunner
from par.tools.bash._policy.hosted_facts import Hosted
from par.tools.bash._policy.names import Names, deny_parts

__all__ = ["READ_DENY", "Identity", "Policy", "WallMode"]

READ_DENY: Final = (".env*", "*.pem", "*.key", "id_*", ".netrc", ".pypirc", ".aws/**", ".ssh/**")
_STORES: Final = (".git/objects/**", ".git/modules/**")
"""Where repositories keep the content of all files, also of those that are kept from being read."""
PROGRAMS: Final = ("git", "grep", "sort", "uniq", "cut", "tr", "diff", "jq", "file", "bwrap")
_MAX_TIMEOUT_S: Final = 600.0
_EFFECTS: Final[tuple[CommandEffect, ...]] = ("read", "write", "execute")

WallMode: TypeAlias = Literal["none", "prefer", "require"]
"""Whether commands of an effect run behind a wall: never, where there is one, or not at all without one."""
_WALLED: Final[tuple[CommandEffect, ...]] = ("execute",)
_WALLS: Final[tuple[tuple[CommandEffect, WallMode], ...]] = (("execute", "require"),)


@attrs.frozen(kw_only=True)
class Identity:
    """Whose name the commits of an agent carry."""

    name: str = "par agent"
    email: str = "agent@localhost"

    def __attrs_post_init__(self) -> None:
        for field, value in (("name", self.name), ("email", self.email)):
            if not value.strip() or any(character in value for character in "<>\n\0"):
                raise UsageError(f"identity.{field} must be a text in one line without < and >, got {value!r}")


def _as_classes(value: Iterable[type[Command]]) -> tuple[type[Command], ...]:
    return tuple(value)


def _as_texts(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UsageError(f"give a list of texts, not the text {value!r}")
    return tuple(value)


def _as_pairs(value: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    items = cast("Mapping[str, str]", value).items() if isinstance(value, Mapping) else value
    return tuple((name, place) for name, place in items)


def _as_effects(value: Iterable[CommandEffect]) -> tuple[CommandEffect, ...]:
    return tuple(value)


def _as_walls(
    value: Mapping[CommandEffect, WallMode] | Iterable[tuple[CommandEffect, WallMode]],
) -> tuple[tuple[CommandEffect, WallMode], ...]:
    walls: dict[CommandEffect, WallMode] = dict(_WALLS)
    walls.update(cast("Mapping[CommandEffect, WallMode]", value) if isinstance(value, Mapping) else dict(value))
    return tuple(walls.items())


def _as_runners(value: Iterable[TestRunner]) -> tuple[TestRunner, ...]:
    return tuple(value)


def _as_linters(value: Iterable[Linter]) -> tuple[Linter, ...]:
    return tuple(value)


def _as_tasks(value: Iterable[Task]) -> tuple[Task, ...]:
    return tuple(value)


def _rules_of(policy: "Policy") -> Rules:
    return Rules(
        name=policy.name,
        allow=policy.allow,
        effects=policy.effects,
        approve_at=policy.approve_at,
        read_deny=Names((*policy.read_deny, *(_STORES if policy.read_deny else ()))),
        write_protect=Names(policy.write_protect),
        hosted=Hosted(
            runners={runner.name: runner for runner in policy.runners},
            linters={linter.name: linter for linter in policy.linters},
            python=policy.python,
            tasks={task.name: task for task in policy.tasks},
        ),
    )


@attrs.frozen(kw_only=True)
class Policy:
    """What a ``Bash`` may run. Nothing is allowed that ``allow`` does not name and ``effects`` do not cover.

    ``Policy.read_only()`` allows all commands that read, ``Policy.coder()`` also those that change files and the
    repository. A policy of one's own names the classes::

        Policy(name="reader", allow=(ReadFile, ListDir))

    Raises:
        UsageError: for an unknown class, effect or program, an empty pattern, two runners of one name, and a limit
            that is zero, negative, not finite or above its maximum.
    """

    name: str
    """Told to the model in refusals."""
    allow: tuple[type[Command], ...] = attrs.field(converter=_as_classes)
    """The commands; the model is shown no others."""
    effects: tuple[CommandEffect, ...] = attrs.field(default=("read",), converter=_as_effects)
    """What commands may do: ``read``, ``write`` files and the repository, ``execute`` code of the project."""
    approve_at: CommandRisk | None = "high"
    """From this risk on a person, or a program in their place, decides; ``None``: never."""
    walls: tuple[tuple[CommandEffect, WallMode], ...] = attrs.field(default=_WALLS, converter=_as_walls)
    """Whether code of the project needs a wall around it; a mapping is fine. ``{"execute": "none"}`` is the opt-out by
    name. The other effects have no wall: what has them opens files by descriptor, and starts no code of the project."""
    read_deny: tuple[str, ...] = attrs.field(default=READ_DENY, converter=_as_texts)
    """Names whose content is never shown, in any letter case: ``*.pem`` is any part of a path that matches,
    ``.ssh/**`` everything below such a folder. Listing the names is allowed."""
    write_protect: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """Names that are never written, patterns as in ``read_deny``, besides those that no policy opens, as ``.git``."""
    timeout_s: float = 30.0
    """Wall-clock seconds for one command, at most 600; 30 is ten times what a large repository's log takes."""
    run_timeout_s: float = 600.0
    """The same for commands that run code, which may be a test suite; a command may ask for less."""
    max_output_bytes: int = 50 * 1024
    """Per stream; 50 KiB are about 12,000 tokens."""
    max_output_lines: int = 2000
    """Per stream."""
    max_concurrent: int = 4
    """Commands at once in one event loop; others wait, and the wait is not counted."""
    programs: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_as_pairs)
    """Absolute paths of ``git``, ``grep`` and others where the system's own shall not be used; a mapping is fine."""
    git_keys: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """Keys of a repository's configuration that are allowed besides the harmless ones, such as ``core.abbrev``.
    Git runs programs for some keys: name none of those."""
    identity: Identity = attrs.field(factory=Identity)
    """The author of commits."""
    runners: tuple[TestRunner, ...] = attrs.field(default=(), converter=_as_runners)
    """What ``run_tests`` may start."""
    linters: tuple[Linter, ...] = attrs.field(default=(), converter=_as_linters)
    """What ``run_linter`` may start."""
    python: PythonHost | None = None
    """What ``run_python`` runs scripts with."""
    tasks: tuple[Task, ...] = attrs.field(default=(), converter=_as_tasks)
    """What ``run_task`` may start."""

    # walks ask about every name that they meet, so the patterns are made ready once
    _rules: Rules = attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(_rules_of, takes_self=True))

    def __attrs_post_init__(self) -> None:
        if not self.name.strip():
            raise UsageError("name must not be empty: refusals tell it")
        for kind in self.allow:
            if all(kind is not known for known in COMMANDS.values()):
                raise UsageError(f"allow: {kind!r} is not a command; the commands are the classes of par.tools.bash")
        _check_words("effects", self.effects, _EFFECTS)
        _check_words("walls", [effect for effect, _ in self.walls], _WALLED)
        _check_words("walls", [mode for _, mode in self.walls], ("none", "prefer", "require"))
        if self.approve_at is not None:
            _check_words("approve_at", [self.approve_at], RISKS)
        for entry in (*self.read_deny, *self.write_protect, *self.git_keys):
            if not entry.strip("/*") or entry.startswith("/") or "\\" in entry or "**" in deny_parts(entry):
                raise UsageError(
                    f"read_deny, write_protect and git_keys hold names and patterns of names, not {entry!r}"
                )
        for program, place in self.programs:
            if program not in PROGRAMS or not place.startswith("/"):
                raise UsageError(
                    f"programs: {program!r}: {place!r} is not one of {', '.join(PROGRAMS)} with an absolute path"
                )
        for field, entries in (("runners", self.runners), ("linters", self.linters), ("tasks", self.tasks)):
            names = [entry.name for entry in entries]
            if len(set(names)) != len(names):
                raise UsageError(f"{field}: each name once, got {', '.join(names)}")
        _check_seconds("timeout_s", self.timeout_s)
        _check_seconds("run_timeout_s", self.run_timeout_s)
        _check_count("max_output_bytes", self.max_output_bytes, 1024, 16 * 1024 * 1024)
        _check_count("max_output_lines", self.max_output_lines, 1, 1_000_000)
        _check_count("max_concurrent", self.max_concurrent, 1, 64)

    @staticmethod
    def read_only() -> "Policy":
        """Return the policy that allows every command that reads, and no other."""
        return Policy(name="read_only", allow=(*_READERS, COMMANDS["pipeline"]))

    @staticmethod
    def coder(
        *,
        execute: bool = False,
        identity: Identity | None = None,
        runners: Iterable[TestRunner] = (),
        linters: Iterable[Linter] = (),
        python: PythonHost | None = None,
        tasks: Iterable[Task] = (),
    ) -> "Policy":
        """Return the policy that also allows to change files and the repository.

        What may lose work asks first. With ``execute`` it also runs what the host has set up in the other arguments:
        each time somebody approves, and only behind a wall.
        """
        effects: tuple[CommandEffect, ...] = _EFFECTS if execute else ("read", "write")
        allow = tuple(kind for kind in COMMANDS.values() if execute or kind not in _RUNNERS)
        return Policy(
            name="coder",
            allow=allow,
            effects=effects,
            identity=identity or Identity(),
            runners=tuple(runners),
            linters=tuple(linters),
            python=python,
            tasks=tuple(tasks),
        )

    def decide(self, command: Command) -> Decision:
        """Say whether ``command`` may run. It depends on nothing but the two values, and never raises."""
        return decide(self._rules, command)

    def read_denied(self, path: str) -> Deny:
        """Return the refusal to show the content of ``path``."""
        return read_denied(self._rules, path)

    def denies_reading(self, path: str) -> bool:
        """Tell whether a pattern of ``read_deny`` covers ``path``, which is relative to the workspace."""
        return self._rules.read_deny.cover(path)

    def denies_writing(self, path: str) -> bool:
        """Tell whether a pattern of ``write_protect`` covers ``path``, which is relative to the workspace."""
        return self._rules.write_protect.cover(path)

    @property
    def hosted(self) -> Hosted:
        """The programs of the host, by name."""
        return self._rules.hosted

    def effects_of(self, command: Command) -> tuple[CommandEffect, ...]:
        """Return what a command does, as its fields and the host's declarations say."""
        return self._rules.hosted.effects(command)

    def risk_of(self, command: Command) -> CommandRisk:
        """Return the risk of a command, as its fields and the host's declarations say."""
        return self._rules.hosted.risk(command)

    def wall_for(self, command: Command) -> WallMode:
        """Return whether a command needs a wall."""
        return dict(self.walls)["execute"] if "execute" in self.effects_of(command) else "none"

    @property
    def cpu_s(self) -> int:
        """Seconds of processor time that one process gets: those of the clock, and one for the start."""
        return math.ceil(self.timeout_s) + 1

    def program(self, name: str) -> str | None:
        """Return the place that the policy names for a program, if it does."""
        return dict(self.programs).get(name)


_RUNNERS: Final[tuple[type[Command], ...]] = get_args(Run)
_READERS: Final[tuple[type[Command], ...]] = tuple(
    kind for kind in LEAVES.values() if kind in (*get_args(Read), *get_args(GitRead))
)


def _check_words(name: str, given: Iterable[str], known: Iterable[str]) -> None:
    for word in given:
        if word not in tuple(known):
            raise UsageError(f"{name}: {word!r} is not one of {', '.join(known)}")


def _check_seconds(name: str, value: float) -> None:
    if type(value) not in {int, float} or not math.isfinite(value):
        raise UsageError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 < value <= _MAX_TIMEOUT_S:
        raise UsageError(f"{name} must be above 0 and at most {_MAX_TIMEOUT_S:g} seconds, got {value!r}")


def _check_count(name: str, value: int, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise UsageError(f"{name} must be a whole number from {low} to {high}, got {value!r}")
