"""What a command does and what may be lost by it, told by its type and its fields alone."""

from typing import Final, Literal, TypeAlias, get_args

from par.tools.bash._commands.git_writing import GitBranch, GitCommit, GitReset, GitRestore, GitStash
from par.tools.bash._commands.leaves import GitWrite, Leaf, Run, Write
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.running import RunLinter
from par.tools.bash._commands.table import Command, stages_of
from par.tools.bash._commands.writing import Copy, Move, Remove, WriteFile

__all__ = ["RISKS", "CommandEffect", "CommandRisk", "effects_of", "risk_of", "riskier"]

CommandEffect: TypeAlias = Literal["read", "write", "execute"]
CommandRisk: TypeAlias = Literal["low", "medium", "high", "critical"]

RISKS: Final[tuple[CommandRisk, ...]] = get_args(CommandRisk)
_WRITES: Final = (*get_args(Write), *get_args(GitWrite))
_RUNS: Final = get_args(Run)
_HEAVY_READS: Final = frozenset({"sort", "json_query"})


def effects_of(command: Command) -> tuple[CommandEffect, ...]:
    """Return the effects of a command, those of all stages of a pipeline."""
    found: set[CommandEffect] = set()
    for leaf in stages_of(command):
        found.update(_leaf_effects(leaf))
    if isinstance(command, Pipeline) and command.save_to is not None:
        found.add("write")
    order: tuple[CommandEffect, ...] = ("read", "write", "execute")
    return tuple(effect for effect in order if effect in found)


def _leaf_effects(leaf: Leaf) -> tuple[CommandEffect, ...]:
    if isinstance(leaf, _RUNS):
        reads_only = isinstance(leaf, RunLinter) and not leaf.fix
        return ("read", "execute") if reads_only else ("read", "write", "execute")
    return ("write",) if isinstance(leaf, _WRITES) else ("read",)


def risk_of(command: Command) -> CommandRisk:
    """Return the risk of a command, the highest of the stages of a pipeline.

    High is what may lose work that no commit holds, and what runs code of the project.
    """
    risk: CommandRisk = "medium" if isinstance(command, Pipeline) and command.save_to is not None else "low"
    for leaf in stages_of(command):
        risk = riskier(risk, _leaf_risk(leaf))
    return risk


def riskier(one: CommandRisk, other: CommandRisk) -> CommandRisk:
    """Return the higher of two risks."""
    return one if RISKS.index(one) >= RISKS.index(other) else other


def _leaf_risk(leaf: Leaf) -> CommandRisk:
    if isinstance(leaf, _RUNS):
        return "high"
    if _loses_work(leaf):
        return "high"
    if isinstance(leaf, _WRITES) or leaf.op in _HEAVY_READS:
        return "medium"
    return "low"


def _loses_work(leaf: Leaf) -> bool:
    if isinstance(leaf, Remove):
        return leaf.recursive
    if isinstance(leaf, (Copy, Move)):
        return False  # overwrite is asked for by name, and a folder is never replaced
    if isinstance(leaf, WriteFile):
        return False
    if isinstance(leaf, GitRestore):
        return leaf.in_worktree
    if isinstance(leaf, GitCommit):
        return leaf.amend
    if isinstance(leaf, GitBranch):
        return leaf.force
    if isinstance(leaf, GitReset):
        return leaf.mode == "hard"
    return isinstance(leaf, GitStash)
