"""What a command does, told by its fields and by what the host has declared of the programs that it names."""

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.facts import CommandEffect, CommandRisk, effects_of, risk_of, riskier
from par.tools.bash._commands.leaves import Leaf
from par.tools.bash._commands.refusals import quote
from par.tools.bash._commands.running import RunLinter, RunPython, RunTask, RunTests
from par.tools.bash._commands.table import Command, stages_of
from par.tools.bash._policy.hosted import Linter, PythonHost, Task, TestRunner

__all__ = ["Hosted"]

_ORDER: tuple[CommandEffect, ...] = ("read", "write", "execute")


@attrs.frozen(kw_only=True)
class Hosted:
    """The programs of a host, by name."""

    runners: dict[str, TestRunner]
    linters: dict[str, Linter]
    python: PythonHost | None
    tasks: dict[str, Task]

    def problem(self, leaf: Leaf) -> CommandRefused | None:
        """Say why a command names what the host has not set up."""
        if isinstance(leaf, RunTests):
            return _unknown(leaf.runner, tuple(self.runners), "runner", "runner")
        if isinstance(leaf, RunLinter):
            return _unknown(leaf.tool, tuple(self.linters), "tool", "tool")
        if isinstance(leaf, RunTask):
            return _unknown(leaf.name, tuple(self.tasks), "task", "name")
        if not isinstance(leaf, RunPython):
            return None
        if self.python is None:
            return CommandRefused("not_offered", "no Python is set up here.", field="op", remedy="Ask the user.")
        return None if leaf.module is None else _unknown(leaf.module, self.python.modules, "module", "module")

    def effects(self, command: Command) -> tuple[CommandEffect, ...]:
        """Return the effects of a command, of all stages of a pipeline."""
        found: set[CommandEffect] = set()
        for leaf in stages_of(command):
            found.update(self._leaf_effects(leaf))
        if "write" in effects_of(command) and not isinstance(command, (RunTask, RunLinter)):
            found.add("write")
        return tuple(effect for effect in _ORDER if effect in found)

    def _leaf_effects(self, leaf: Leaf) -> tuple[CommandEffect, ...]:
        if isinstance(leaf, RunTask) and leaf.name in self.tasks:
            return self.tasks[leaf.name].effects
        if isinstance(leaf, RunLinter) and leaf.tool in self.linters and not self.linters[leaf.tool].executes:
            return ("read", "write") if leaf.fix else ("read",)
        return effects_of(leaf)

    def risk(self, command: Command) -> CommandRisk:
        """Return the risk of a command, the highest of the stages of a pipeline."""
        if isinstance(command, RunTask) and command.name in self.tasks:
            return self.tasks[command.name].risk
        if isinstance(command, RunLinter) and "execute" not in self.effects(command):
            return "medium" if command.fix else "low"
        risk = risk_of(command)
        return riskier(risk, "high") if "execute" in self.effects(command) else risk


def _unknown(name: str | None, known: tuple[str, ...], what: str, field: str) -> CommandRefused | None:
    if name in known:
        return None
    problem = f"there is no {what} {quote(name or '')} here."
    remedy = f"There are: {', '.join(known) or 'none'}."
    return CommandRefused("not_offered", problem, field=field, remedy=remedy)
