"""The decision about one command: it depends on nothing but the policy and the command, and never fails."""

import json
from typing import TypeAlias

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.examples import example
from par.tools.bash._commands.facts import RISKS, CommandEffect, CommandRisk
from par.tools.bash._commands.filters import Cut, Sort, Uniq
from par.tools.bash._commands.git_history import GitBlame
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow
from par.tools.bash._commands.git_writing import GitAdd, GitRestore
from par.tools.bash._commands.leaves import Leaf
from par.tools.bash._commands.looking import Checksum, Diff, FileType, HexDump, JsonQuery
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.protected import asked_name
from par.tools.bash._commands.reading import Grep, Head, ReadFile, Tail, WordCount
from par.tools.bash._commands.running import RunPython
from par.tools.bash._commands.table import Command, command_to_json, rebuilt, stages_of
from par.tools.bash._commands.writing import (
    ArchiveExtract,
    ArchiveList,
    Copy,
    MakeDir,
    Move,
    Remove,
    SetExecutable,
    Touch,
    WriteFile,
)
from par.tools.bash._policy.hosted_facts import Hosted
from par.tools.bash._policy.names import Names

__all__ = ["Allow", "Ask", "Decision", "Deny", "Rules", "decide", "read_denied"]


@attrs.frozen(kw_only=True)
class Rules:
    """The part of a policy that decides."""

    name: str
    allow: tuple[type[Command], ...]
    effects: tuple[CommandEffect, ...]
    approve_at: CommandRisk | None
    read_deny: Names
    write_protect: Names
    hosted: Hosted


@attrs.frozen
class Allow:
    """The policy lets the command run."""


@attrs.frozen(kw_only=True)
class Ask:
    """The policy lets the command run if somebody approves of it."""

    reason: str
    risk: CommandRisk
    summary: str


@attrs.frozen(kw_only=True)
class Deny:
    """The policy does not let the command run: a stable code, the reason, and what to do instead."""

    code: str
    reason: str
    remedy: str
    field: str = "op"


Decision: TypeAlias = Allow | Ask | Deny


def decide(rules: Rules, command: Command) -> Decision:
    """Say whether ``command`` may run, with every stage of a pipeline; the strictest answer wins."""
    if all(type(command) is not kind for kind in rules.allow):
        return _not_allowed(rules, command)
    try:
        checked = rebuilt(command)  # one that was forged without its checks may lack fields
    except CommandRefused as refused:
        return Deny(code=refused.code, reason=refused.problem, remedy=refused.remedy, field=refused.field)
    for leaf in stages_of(checked):
        denied = _leaf_denied(rules, leaf)
        if denied is not None:
            return denied
    denied = _effects_denied(rules, checked) or _writes_denied(rules, _written(checked))
    if denied is not None:
        return denied
    return _asked(rules, checked)


def _not_allowed(rules: Rules, command: object) -> Deny:
    op = getattr(type(command), "op", type(command).__name__)
    there = ", ".join(kind.op for kind in rules.allow) or "none"
    remedy = f"Allowed: {there}."
    if rules.allow:
        remedy += f" For example {example(rules.allow[0].op)}"
    return Deny(code="denied_by_policy", reason=f"the policy {rules.name} does not allow {op}.", remedy=remedy)


def _leaf_denied(rules: Rules, leaf: Leaf) -> Deny | None:
    if all(type(leaf) is not kind for kind in rules.allow):
        return _not_allowed(rules, leaf)
    absent = rules.hosted.problem(leaf)
    if absent is not None:
        return Deny(code=absent.code, reason=absent.problem, remedy=absent.remedy, field=absent.field)
    for path in _content_paths(leaf):
        if rules.read_deny.cover(path):
            return read_denied(rules, path)
    return None


def _effects_denied(rules: Rules, command: Command) -> Deny | None:
    missing = [effect for effect in rules.hosted.effects(command) if effect not in rules.effects]
    if not missing:
        return None
    reason = f"{command.op} needs the effect {missing[0]}, which the policy {rules.name} does not grant."
    granted = ", ".join(rules.effects) or "nothing"
    return Deny(code="denied_by_policy", reason=reason, remedy=f"Granted: {granted}. Ask the user.")


def _writes_denied(rules: Rules, paths: tuple[str, ...]) -> Deny | None:
    for path in paths:
        if rules.write_protect.cover(path):
            reason = f"the policy {rules.name} keeps {path[:200]!a} from being written."
            return Deny(code="protected_path", reason=reason, remedy="Ask the user to change it.", field="path")
    return None


def read_denied(rules: Rules, path: str) -> Deny:
    """Return the refusal to show the content of ``path``."""
    return Deny(
        code="read_denied",
        reason=f"the policy {rules.name} keeps {path[:200]!a} from being read: such files hold secrets.",
        remedy="Listing its name is allowed. Ask the user if you need something in it.",
        field="path",
    )


def _asked(rules: Rules, command: Command) -> Decision:
    risk = rules.hosted.risk(command)
    summary = json.dumps(command_to_json(command))[:500]
    if rules.approve_at is not None and RISKS.index(risk) >= RISKS.index(rules.approve_at):
        return Ask(reason=f"{command.op} has {risk} risk.", risk=risk, summary=summary)
    if rules.approve_at is not None:
        for path in _written(command):
            asked = asked_name(path)
            if asked is not None:
                return Ask(reason=f"{asked} is run or obeyed by programs later.", risk="high", summary=summary)
    return Allow()


def _content_paths(leaf: Leaf) -> tuple[str, ...]:
    """Return the paths of a command whose content it shows, or takes to where it can be shown."""
    found: tuple[str | None, ...] = ()
    if isinstance(leaf, (ReadFile, Head, Tail, Sort, Uniq, Cut, JsonQuery, HexDump, ArchiveList, ArchiveExtract)):
        found = (leaf.path,)
    elif isinstance(leaf, (WordCount, Grep, Checksum, FileType)):
        found = leaf.paths or ()
    elif isinstance(leaf, Diff):
        found = (leaf.left, leaf.right)
    elif isinstance(leaf, (Copy, Move)):
        found = (leaf.src,)
    elif isinstance(leaf, RunPython):
        found = (leaf.script,)
    elif isinstance(leaf, (GitShow, GitBlame)):
        found = (_below(leaf.cwd, leaf.path),)
    elif isinstance(leaf, (GitDiff, GitLog, GitAdd)):
        found = tuple(_below(leaf.cwd, path) for path in leaf.paths or ())
    return tuple(path for path in found if path is not None)


def _written(command: Command) -> tuple[str, ...]:
    """Return the paths that a command writes by itself."""
    if isinstance(command, Pipeline):
        return () if command.save_to is None else (command.save_to,)
    if isinstance(command, (MakeDir, Touch, WriteFile, SetExecutable)):
        return (command.path,)
    if isinstance(command, (Copy, ArchiveExtract)):
        return (command.dst,)
    if isinstance(command, Move):
        return (command.src, command.dst)
    if isinstance(command, GitRestore) and command.in_worktree:
        return tuple(path for path in (_below(command.cwd, path) for path in command.paths) if path is not None)
    return command.paths if isinstance(command, Remove) else ()


def _below(cwd: str | None, path: str | None) -> str | None:
    return path if cwd is None or path is None else f"{cwd}/{path}"
