"""What the host sets up for commands that run code: test runners, linters, Python, tasks.

The model chooses one by name and fills in typed fields; programs, options and the environment are the host's.
"""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Literal, TypeAlias, cast

import attrs

from par.errors import UsageError
from par.tools.bash._commands.facts import RISKS, CommandEffect, CommandRisk
from par.tools.bash._commands.texts import word_problem

__all__ = ["Linter", "Param", "ParamKind", "Place", "PythonHost", "Task", "TestRunner"]

ParamKind: TypeAlias = Literal["text", "path", "number", "choice", "flag"]
_PARAM_KINDS: Final = ("text", "path", "number", "choice", "flag")
_EFFECTS: Final = ("read", "write", "execute")


def _as_texts(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UsageError(f"give a list of texts, not the text {value!r}")
    return tuple(value)


def _as_effects(value: Iterable[CommandEffect]) -> tuple[CommandEffect, ...]:
    return tuple(value)


def _as_env(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def _check_name(kind: str, name: str) -> None:
    if word_problem("name", name) is not None or len(name) > 64:
        raise UsageError(f"{kind}: a name has letters, digits, dashes, dots and underscores, got {name!r}")


def _check_argv(kind: str, argv: tuple[str, ...]) -> None:
    if not argv or not argv[0].startswith("/"):
        raise UsageError(f"{kind}: argv begins with the absolute path of a program, got {argv!r}")
    if any("\0" in token or "\n" in token for token in argv):
        raise UsageError(f"{kind}: a token of argv has a NUL or a line break")


def _check_option(kind: str, name: str, tokens: tuple[str, ...]) -> None:
    if tokens and sum(token.count("{}") for token in tokens) != 1:
        raise UsageError(f"{kind}: {name} must contain {{}} once, where the value goes, got {tokens!r}")


@attrs.frozen(kw_only=True)
class Place:
    """What a program of the host needs around it.

    Raises:
        UsageError: for a path that is not absolute.
    """

    read_only: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """Folders besides the system's own and the workspace that it reads, such as its virtual environment."""
    env: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=_as_env)
    """Variables besides those that every command gets; nothing of the host's own environment is passed on."""
    data_bytes: int = 4 * 1024**3
    """Private memory of one process; a test suite seldom needs a quarter of it."""
    file_bytes: int = 1024**3
    """The size of one file that it writes."""

    def __attrs_post_init__(self) -> None:
        for path in self.read_only:
            if not path.startswith("/"):
                raise UsageError(f"read_only holds absolute paths, got {path!r}")
        for field, value in (("data_bytes", self.data_bytes), ("file_bytes", self.file_bytes)):
            if type(value) is not int or value < 1024 * 1024:
                raise UsageError(f"{field} must be a whole number of bytes, at least 1048576, got {value!r}")


@attrs.frozen(kw_only=True)
class TestRunner:
    """A test runner that ``run_tests`` may start, by name.

    ``argv`` is its fixed beginning. An option that is empty is not offered: a command that asks for it is refused.
    In ``keyword``, ``marker`` and ``max_failures`` one token has ``{}`` where the value goes.

    Raises:
        UsageError: for a name, an argv or an option that cannot work.
    """

    __test__: ClassVar[bool] = False  # or pytest would take it for tests, by its name

    name: str
    argv: tuple[str, ...] = attrs.field(converter=_as_texts)
    targets: bool = True
    """Whether it takes files, folders and ``file::test``."""
    guard: tuple[str, ...] = attrs.field(default=("--",), converter=_as_texts)
    """What stands before the targets, so that none is taken for an option."""
    keyword: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    marker: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    max_failures: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    verbose: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    quiet: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    collect_only: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    last_failed: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    place: Place = attrs.field(factory=Place)

    def __attrs_post_init__(self) -> None:
        _check_name("TestRunner", self.name)
        _check_argv("TestRunner", self.argv)
        for name in ("keyword", "marker", "max_failures"):
            _check_option("TestRunner", name, cast("tuple[str, ...]", getattr(self, name)))

    @staticmethod
    def pytest(python: str, *, place: Place | None = None) -> "TestRunner":
        """Return the runner ``pytest`` of an interpreter, which is an absolute path."""
        return TestRunner(
            name="pytest",
            argv=(python, "-m", "pytest", "--color=no"),
            keyword=("-k", "{}"),
            marker=("-m", "{}"),
            max_failures=("--maxfail={}",),
            verbose=("-v",),
            quiet=("-q",),
            collect_only=("--collect-only",),
            last_failed=("--last-failed",),
            place=place or Place(),
        )

    @staticmethod
    def unittest(python: str, *, place: Place | None = None) -> "TestRunner":
        """Return the runner ``unittest`` of an interpreter, which is an absolute path."""
        return TestRunner(
            name="unittest",
            argv=(python, "-m", "unittest"),
            keyword=("-k", "{}"),
            verbose=("-v",),
            quiet=("-q",),
            place=place or Place(),
        )

    @staticmethod
    def npm(npm: str, *, place: Place | None = None) -> "TestRunner":
        """Return the runner ``npm``, which runs the package's own script ``test``."""
        return TestRunner(name="npm", argv=(npm, "test"), targets=False, quiet=("--silent",), place=place or Place())

    @staticmethod
    def cargo(cargo: str, *, place: Place | None = None) -> "TestRunner":
        """Return the runner ``cargo``; it works offline."""
        return TestRunner(
            name="cargo",
            argv=(cargo, "test", "--offline", "--color=never"),
            targets=False,
            quiet=("--quiet",),
            verbose=("--verbose",),
            place=place or Place(),
        )

    @staticmethod
    def go(go: str, *, place: Place | None = None) -> "TestRunner":
        """Return the runner ``go``."""
        return TestRunner(
            name="go", argv=(go, "test"), guard=(), keyword=("-run={}",), verbose=("-v",), place=place or Place()
        )


@attrs.frozen(kw_only=True)
class Linter:
    """A linter, formatter or type checker that ``run_linter`` may start, by name.

    Raises:
        UsageError: for a name or an argv that cannot work.
    """

    name: str
    argv: tuple[str, ...] = attrs.field(converter=_as_texts)
    check: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """What is added where files are not to be changed."""
    fix: tuple[str, ...] | None = None
    """What is added where they are; ``None``: it cannot change files."""
    guard: tuple[str, ...] = attrs.field(default=("--",), converter=_as_texts)
    executes: bool = True
    """Whether it runs code or plugins of the project. Only one that surely does not may say ``False``: it then
    counts as a command that reads, or with ``fix`` writes."""
    place: Place = attrs.field(factory=Place)

    def __attrs_post_init__(self) -> None:
        _check_name("Linter", self.name)
        _check_argv("Linter", self.argv)

    @staticmethod
    def ruff(ruff: str, *, place: Place | None = None) -> "Linter":
        """Return the linter ``ruff``."""
        argv = (ruff, "check", "--no-cache", "--color=never")
        return Linter(name="ruff", argv=argv, check=("--no-fix",), fix=("--fix",), place=place or Place())

    @staticmethod
    def ruff_format(ruff: str, *, place: Place | None = None) -> "Linter":
        """Return the formatter ``ruff_format``."""
        argv = (ruff, "format", "--no-cache", "--color=never")
        return Linter(name="ruff_format", argv=argv, check=("--check",), fix=(), place=place or Place())

    @staticmethod
    def mypy(python: str, *, place: Place | None = None) -> "Linter":
        """Return the type checker ``mypy`` of an interpreter; modules of the project do not shadow its own."""
        argv = (python, "-P", "-m", "mypy", "--cache-dir=/dev/null", "--no-color-output")
        return Linter(name="mypy", argv=argv, place=place or Place())


@attrs.frozen(kw_only=True)
class PythonHost:
    """The interpreter of ``run_python``.

    Scripts run isolated: no user site, no variables; ``sys.path`` begins with the script's folder.

    Raises:
        UsageError: for an argv or a module that cannot work.
    """

    python: str
    """The absolute path of the interpreter."""
    modules: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """The modules that may be run."""
    place: Place = attrs.field(factory=Place)

    def __attrs_post_init__(self) -> None:
        _check_argv("PythonHost", (self.python,))
        for name in self.modules:
            _check_name("PythonHost", name)


@attrs.frozen(kw_only=True)
class Param:
    """A parameter of a task: its kind, and the words of a choice."""

    name: str
    kind: ParamKind = "text"
    options: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    required: bool = True

    def __attrs_post_init__(self) -> None:
        _check_name("Param", self.name)
        if self.kind not in _PARAM_KINDS:
            raise UsageError(f"Param: kind is one of {', '.join(_PARAM_KINDS)}, not {self.kind!r}")
        if (self.kind == "choice") != bool(self.options):
            raise UsageError("Param: a choice has options, and nothing else has")


@attrs.frozen(kw_only=True)
class Task:
    """A task that ``run_task`` may start, by name.

    In ``argv`` a token such as ``{target}`` or ``--level={level}`` stands for a parameter; it is left out where an
    optional one was not given. The value of a ``flag`` is its own token: ``{force:--force}`` stands there or not.

    Raises:
        UsageError: for a name, an argv, a risk or a time that cannot work, and for a parameter that no token uses.
    """

    name: str
    argv: tuple[str, ...] = attrs.field(converter=_as_texts)
    params: tuple[Param, ...] = ()
    effects: tuple[CommandEffect, ...] = attrs.field(default=_EFFECTS, converter=_as_effects)
    risk: CommandRisk = "high"
    timeout_s: float | None = None
    """Seconds; the policy may allow less."""
    cwd: str = "."
    """Where it runs, relative to the workspace."""
    place: Place = attrs.field(factory=Place)

    def __attrs_post_init__(self) -> None:
        _check_name("Task", self.name)
        _check_argv("Task", self.argv)
        if self.risk not in RISKS or any(effect not in _EFFECTS for effect in self.effects):
            raise UsageError(f"Task: risk is one of {', '.join(RISKS)}, effects are of {', '.join(_EFFECTS)}")
        if self.timeout_s is not None and not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise UsageError(f"Task: timeout_s must be seconds above 0, got {self.timeout_s!r}")
        if self.cwd.startswith("/") or ".." in self.cwd.split("/"):
            raise UsageError(f"Task: cwd is relative to the workspace, got {self.cwd!r}")
        text = " ".join(self.argv[1:])
        for param in self.params:
            if f"{{{param.name}}}" not in text and f"{{{param.name}:" not in text:
                raise UsageError(f"Task: no token of argv uses the parameter {param.name}")
