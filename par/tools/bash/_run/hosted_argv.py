"""From a command that runs code to the argv that the host's own template makes of it."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from par.errors import CommandRefused
from par.tools.bash._commands.nested import Param as Value
from par.tools.bash._commands.running import RunLinter, RunPython, RunTask, RunTests
from par.tools.bash._policy.hosted import Linter, Param, PythonHost, Task, TestRunner

__all__ = ["READER", "Admit", "linter_argv", "module_argv", "script_argv", "task_argv", "tests_argv"]

Admit = Callable[[str, str], str]
"""Takes a path and the field that it stands in; returns how it is written for the program, or refuses it."""

READER: Final = str(Path(__file__).with_name("script_main.py"))
_TOKEN = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)(?::([^{}]*))?\}")


def tests_argv(runner: TestRunner, command: RunTests, admit: Admit) -> tuple[str, ...]:
    """Return the argv of a test run.

    Raises:
        CommandRefused: for an option or a target that the runner does not take.
    """
    tokens = [*runner.argv]
    for name in ("verbose", "quiet", "collect_only", "last_failed"):
        if getattr(command, name):
            tokens += _offered(runner, name, getattr(runner, name))
    for name in ("keyword", "marker", "max_failures"):
        value = getattr(command, name)
        if value is not None:
            tokens += [token.replace("{}", str(value)) for token in _offered(runner, name, getattr(runner, name))]
    if command.targets:
        if not runner.targets:
            raise _not_offered(runner.name, "targets")
        tokens += runner.guard
        tokens += [_target(target, f"targets[{at}]", admit) for at, target in enumerate(command.targets)]
    return tuple(tokens)


def linter_argv(linter: Linter, command: RunLinter, admit: Admit) -> tuple[str, ...]:
    """Return the argv of a linter.

    Raises:
        CommandRefused: if it is to change files and cannot.
    """
    if command.fix and linter.fix is None:
        raise _not_offered(linter.name, "fix")
    mode = (linter.fix or ()) if command.fix else linter.check
    paths = [admit(path, f"paths[{at}]") for at, path in enumerate(command.paths)]
    return (*linter.argv, *mode, *linter.guard, *paths)


def task_argv(task: Task, command: RunTask, admit: Admit) -> tuple[str, ...]:
    """Return the argv of a task.

    Raises:
        CommandRefused: for a parameter that is missing, unknown or of another kind.
    """
    known = {param.name: param for param in task.params}
    unknown = [name for name, _ in command.params.items if name not in known]
    if unknown:
        there = ", ".join(known) or "none"
        raise CommandRefused(
            "bad_param", f"{task.name} has no parameter {unknown[0]}.", field="params", remedy=f"It has: {there}."
        )
    values = {name: _param(param, command.params.get(name), admit) for name, param in known.items()}
    return (task.argv[0], *_filled(task.argv[1:], values))


def script_argv(host: PythonHost, command: RunPython, *, held: str, shown: str) -> tuple[str, ...]:
    """Return the argv of a script: ``held`` is the descriptor that holds its text, ``shown`` what it is called."""
    return (host.python, "-I", "-X", "utf8", READER, held, shown, *command.args)


def module_argv(host: PythonHost, command: RunPython) -> tuple[str, ...]:
    """Return the argv of a module that the host has set up."""
    return (host.python, "-P", "-s", "-X", "utf8", "-m", command.module or "", *command.args)


def _filled(tokens: Iterable[str], values: dict[str, str | bool | None]) -> Iterable[str]:
    for token in tokens:
        found = _TOKEN.search(token)
        if found is None or found[1] not in values:
            yield token
            continue
        value = values[found[1]]
        if isinstance(value, bool):
            if value:
                yield found[2] or found[1]
        elif value is not None:
            yield token.replace(found[0], value)


def _param(param: Param, value: Value | None, admit: Admit) -> str | bool | None:
    place = f"params.{param.name}"
    if value is None:
        if param.kind == "flag" or not param.required:
            return False if param.kind == "flag" else None
        raise CommandRefused("bad_param", f"the parameter {param.name} is missing.", field="params")
    right = {
        "text": isinstance(value, str) and value != "",
        "path": isinstance(value, str) and value != "",
        "number": type(value) is int,
        "choice": value in param.options,
        "flag": isinstance(value, bool),
    }[param.kind]
    if not right:
        of = f" of {', '.join(param.options)}" if param.options else ""
        raise CommandRefused("bad_param", f"{param.name} must be a {param.kind}{of}.", field=place)
    if isinstance(value, bool):
        return value
    return admit(str(value), place) if param.kind == "path" else str(value)


def _offered(runner: TestRunner, name: str, tokens: tuple[str, ...]) -> tuple[str, ...]:
    if not tokens:
        raise _not_offered(runner.name, name)
    return tokens


def _not_offered(who: str, name: str) -> CommandRefused:
    return CommandRefused("not_offered", f"{who} has no {name} here.", field=name, remedy="Leave it out.")


def _target(target: str, field: str, admit: Admit) -> str:
    file, colons, test = target.partition("::")
    return f"{admit(file, field)}{colons}{test}"
