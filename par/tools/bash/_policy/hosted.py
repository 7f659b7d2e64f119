"""What the host sets up for commands that run code: test runners, linters, Python, tasks."""

from collections.abc import Iterable

import attrs

__all__ = ["Linter", "PythonHost", "Task", "TestRunner"]


def _as_texts(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True)
class TestRunner:
    """A test runner that ``run_tests`` may start, by name."""

    name: str
    argv: tuple[str, ...] = attrs.field(converter=_as_texts)


@attrs.frozen(kw_only=True)
class Linter:
    """A linter, formatter or type checker that ``run_linter`` may start, by name."""

    name: str
    argv: tuple[str, ...] = attrs.field(converter=_as_texts)


@attrs.frozen(kw_only=True)
class PythonHost:
    """The interpreter of ``run_python``."""

    argv: tuple[str, ...] = attrs.field(converter=_as_texts)


@attrs.frozen(kw_only=True)
class Task:
    """A task that ``run_task`` may start, by name."""

    name: str
    argv: tuple[str, ...] = attrs.field(converter=_as_texts)
