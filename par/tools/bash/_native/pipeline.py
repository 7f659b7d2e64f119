"""pipeline: one stage after the other, each an ordinary command that reads what the one before wrote.

The stages do not run at the same time. So each has all limits to itself, nothing waits for a reader that has gone,
and a cancelled pipeline has one process to end. What flows between two stages is bounded, and it is told when it
was cut.
"""

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from typing import TypeAlias, cast, get_args

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.filters import Cut
from par.tools.bash._commands.leaves import Leaf
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.filter_argv import ProgramFilter
from par.tools.bash._native.filters import entered, plan
from par.tools.bash._native.flow import FLOW_BYTES, spooled
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_file import save_output
from par.tools.bash._native.write_place import place
from par.tools.bash._run.capture import Captured, HeadTail
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.work import Work

__all__ = ["RunLeaf", "pipeline"]

RunLeaf: TypeAlias = Callable[[Work, Leaf], Awaitable[Outcome]]


@attrs.define
class _Passed:
    """What the stages so far have come to."""

    codes: list[str] = attrs.field(factory=list[str])
    notes: list[str] = attrs.field(factory=list[str])
    argvs: list[tuple[str, ...]] = attrs.field(factory=list[tuple[str, ...]])
    timed_out: bool = False


async def pipeline(work: Work, command: Pipeline, run_leaf: RunLeaf) -> Outcome:
    """Run the stages and return what the last one came to, with the exit codes of all; with ``save_to`` without output.

    A stage that fails does not stop the next ones, as in a shell.

    Raises:
        CommandRefused: what a stage refuses, with the stage in ``field``.
    """
    for number, stage in enumerate(command.stages[1:], start=1):
        _check(work, stage, number)
    if command.save_to is not None and not command.append:
        await in_thread(partial(_check_absent, work.room, command.save_to))
    passed = _Passed()
    errors = HeadTail(work.room.policy.max_output_bytes, work.room.policy.max_output_lines)
    stdin: int | None = None
    last = len(command.stages) - 1
    outcome = Outcome()
    with ExitStack() as held:
        for number, stage in enumerate(command.stages):
            flows = number < last or command.save_to is not None
            room = work.room.flow() if flows else work.room
            outcome = await _stage(attrs.evolve(work, room=room, stdin=stdin), stage, number, run_leaf)
            held.close()  # what this stage has read is not needed any more
            _note(passed, number, stage, outcome, flows=flows)
            merged = command.merge_stderr and flows
            if not merged:
                for part in (outcome.stderr.head, outcome.stderr.tail):
                    errors.add(part)
            if flows:
                given = (outcome.stdout, outcome.stderr) if merged else (outcome.stdout,)
                parts = [part for captured in given for part in (captured.head, captured.tail)]
                stdin = await entered(held, spooled(*parts))
        if command.save_to is not None and stdin is not None:
            save = partial(save_output, work.room, command.save_to, stdin, append=command.append)
            passed.notes.extend(await in_thread(save))
            outcome = attrs.evolve(outcome, stdout=Captured())
    return attrs.evolve(
        outcome,
        stderr=errors.captured(),
        timed_out=passed.timed_out,
        notes=(f"Exit codes: {', '.join(passed.codes)}.", *passed.notes),
        argv=tuple(passed.argvs),
    )


def _check(work: Work, stage: Leaf, number: int) -> None:
    """Refuse a stage that cannot run before the stages before it have run for nothing."""
    if isinstance(stage, get_args(ProgramFilter)) and not (isinstance(stage, Cut) and stage.chars is not None):
        try:
            plan(work.room, cast("ProgramFilter", stage))
        except CommandRefused as refused:
            raise _at(refused, number) from None


def _check_absent(room: Room, path: str) -> None:
    with place(room, path, "save_to") as spot:
        if spot.facts() is not None:
            remedy = "Choose another name, or send append: true."
            raise CommandRefused(
                "exists", f"{quote(path)}: something has this name already.", field="save_to", remedy=remedy
            )


async def _stage(work: Work, stage: Leaf, number: int, run_leaf: RunLeaf) -> Outcome:
    try:
        return await run_leaf(work, stage)
    except CommandRefused as refused:
        raise _at(refused, number) from None


def _at(refused: CommandRefused, number: int) -> CommandRefused:
    return CommandRefused(
        refused.code, refused.problem, field=f"stages[{number}].{refused.field}", remedy=refused.remedy
    )


def _note(passed: _Passed, number: int, stage: Leaf, outcome: Outcome, *, flows: bool) -> None:
    ended = f"signal {outcome.signal}" if outcome.exit_code is None else str(outcome.exit_code)
    passed.codes.append(f"{stage.op} {'stopped' if outcome.timed_out else ended}")
    passed.argvs.extend(outcome.argv)
    passed.timed_out = passed.timed_out or outcome.timed_out
    label = f"Stage {number + 1}, {stage.op}: "
    passed.notes.extend(label + note for note in outcome.notes)
    if flows and outcome.stdout.cut:
        passed.notes.append(f"{label}not all of its output was passed on; {FLOW_BYTES} bytes are the most.")
