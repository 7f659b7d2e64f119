"""``par bash``: check a command, run one, list them all."""

import argparse
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import attrs
from rich.console import Console

from par._json import dump_json
from par._to_json import to_json
from par.approvals import ApprovalRequest, Approved, Approver, Rejected, shown
from par.cli._bash_fields import example_of, fields_of
from par.cli._bash_record import recorded_context
from par.cli._screen import printable
from par.cli._settings import audit_file, repository
from par.errors import CommandRefused, UsageError
from par.persistence import open_sqlite
from par.tools.bash import (
    Allow,
    Ask,
    Bash,
    Command,
    CommandOutput,
    Deny,
    Policy,
    PythonHost,
    TestRunner,
    Workspace,
    command_to_json,
    parse_command,
    planned_argv,
    schema_of_op,
)

__all__ = ["bash_command"]

_FAILED: Final = 1
_SHOWN: Final = 4000
"""Characters of a command that a person is shown before they approve."""
_WALLS: Final = {
    "none": "not needed",
    "prefer": "where one works",
    "require": "needed: without a wall that holds it does not run",
}


@attrs.frozen(kw_only=True)
class _Run:
    """What ``par bash run`` is asked to do."""

    text: str
    policy: Policy
    workspace: Path
    audit: Path
    approve: Approver
    as_json: bool


def bash_command(
    arguments: argparse.Namespace, env: Mapping[str, str], out: Console
) -> Callable[[], Coroutine[object, object, int]]:
    """Return what ``par bash`` is to do."""
    policy = _policy(arguments.policy)
    if arguments.bash_command == "commands":
        return partial(_commands, policy, arguments.op, out)
    text = _from_stdin() if arguments.json == "-" else str(arguments.json)
    if arguments.bash_command == "check":
        return partial(_check, text, policy, out)
    options = _Run(
        text=text,
        policy=policy,
        workspace=arguments.workspace or repository(Path.cwd()),
        audit=arguments.audit or audit_file(env),
        approve=_approved if arguments.yes else _asked,
        as_json=arguments.as_json,
    )
    return partial(_run, options, out)


def _from_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise UsageError("what comes from standard input is no text") from None


def _policy(name: str) -> Policy:
    if name == "read_only":
        return Policy.read_only()
    if name == "coder":
        return Policy.coder()
    python = sys.executable
    return Policy.coder(
        execute=True,
        python=PythonHost(python=python),
        runners=(TestRunner.pytest(python), TestRunner.unittest(python)),
    )


async def _commands(policy: Policy, op: str | None, out: Console) -> int:  # noqa: ASYNC124 # as all of them
    """List the commands of a policy, or tell the fields of one."""
    if op is None:
        for kind in policy.allow:
            _print(out, f"{kind.op:16} {(kind.__doc__ or '').strip()}")
            _print(out, f"{'':16} {dump_json(example_of(schema_of_op(kind.op)))}")
        return 0
    if all(kind.op != op for kind in policy.allow):
        raise UsageError(f"there is no command {shown(op, 80)!r} here; `par bash commands` lists them all")
    schema = schema_of_op(op)
    _print(out, f"{op}: {schema['description']}")
    for field in fields_of(schema):
        _print(out, f"  {field.name:14} {field.what}{', required' if field.required else ''}. {field.doc}")
    _print(out, f"Example: {dump_json(example_of(schema))}")
    return 0


def _decided(policy: Policy, command: Command) -> Allow | Ask:
    decision = policy.decide(command)
    if isinstance(decision, Deny):
        raise CommandRefused(decision.code, decision.reason, field=decision.field, remedy=decision.remedy)
    return decision


async def _check(text: str, policy: Policy, out: Console) -> int:  # noqa: ASYNC124 # as all of them
    """Say what the policy decides about a command, and what would be started."""
    try:
        command = parse_command(text)
        decision = _decided(policy, command)
        argvs = planned_argv(command, policy)
    except CommandRefused as refused:
        _print(out, f"decision: refused\n{refused}")
        return _FAILED
    asks = "allowed" if isinstance(decision, Allow) else f"needs an approval: {decision.reason}"
    _print(out, f"decision: {asks}")
    _print(out, f"risk:     {policy.risk_of(command)}")
    _print(out, f"effects:  {', '.join(policy.effects_of(command))}")
    _print(out, f"wall:     {_WALLS[policy.wall_for(command)]}")
    _print(out, f"command:  {dump_json(command_to_json(command))}")
    for argv in argvs:
        _print(out, f"argv:     {dump_json([*argv])}")
    return 0


async def _run(options: _Run, out: Console) -> int:
    """Run a command as an agent's would be, with a record before and after; return 0 if it ended with 0, else 1."""
    try:
        output = await _output(options, parse_command(options.text))
    except CommandRefused as refused:
        sys.stderr.write(f"par: {printable(str(refused))}\n")
        return _FAILED
    if options.as_json:
        _print(out, dump_json(to_json(output)))
    else:
        _show(output, out)
    return 0 if output.exit_code == 0 else _FAILED


async def _output(options: _Run, command: Command) -> CommandOutput:
    options.audit.parent.mkdir(parents=True, exist_ok=True)
    with Workspace(options.workspace) as workspace:
        bash = Bash(workspace, options.policy, approve=options.approve)
        async with open_sqlite(options.audit) as store:
            return await bash.run(command, ctx=recorded_context(store), call_id="cli")


def _show(output: CommandOutput, out: Console) -> None:
    """Print what the command wrote where it wrote it, and the facts about it to standard error."""
    out.file.write(output.stdout)
    out.file.flush()
    facts = [*output.notes]
    if output.timed_out:
        facts.append(f"It was stopped after {output.duration_s:.1f} s.")
    elif output.exit_code is None:
        facts.append(f"It was ended by signal {output.signal}.")
    elif output.exit_code:
        facts.append(f"It ended with exit code {output.exit_code}.")
    sys.stderr.write(output.stderr)
    for fact in facts:
        sys.stderr.write(f"par: {printable(fact)}\n")


def _print(out: Console, text: str) -> None:
    out.print(printable(text), markup=False, highlight=False, soft_wrap=True)


async def _approved(request: ApprovalRequest) -> Approved | Rejected:  # noqa: ASYNC124 # an approver is async
    del request
    return Approved(by="--yes")


async def _asked(request: ApprovalRequest) -> Approved | Rejected:
    """Ask the person at the terminal. A pipe is nobody: what it says may come from anywhere."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Rejected(reason="there is no terminal to ask at; --yes approves")
    wall = request.details.get("wall") or "none"
    told = shown(dump_json(request.arguments.get("command")), _SHOWN)
    import termios  # noqa: PLC0415 # absent on Windows, where the other commands work

    # what was typed before the question is no answer to it
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    sys.stderr.write(f"{told}\nrisk {request.risk}, effects {', '.join(request.effects)}, wall {wall}\n")
    sys.stderr.write("Run it? [y/N] ")
    sys.stderr.flush()
    await anyio.wait_readable(sys.stdin)
    answer = sys.stdin.readline().strip()
    if answer.casefold() in {"y", "yes"}:
        return Approved(by="terminal")
    return Rejected(by="terminal", reason=shown(answer or "no", 80))
