"""One command, from the record before it to the record after it."""

from contextlib import suppress
from functools import partial
from typing import Final, final

import anyio
import anyio.to_thread

from par._context import RunContext
from par._json import Json, JsonObject
from par.errors import CommandRefused, StoreError
from par.events import BashCompleted, BashInvoked
from par.tools.bash._authorise import Permit
from par.tools.bash._commands.running import RunPython, RunTask, RunTests
from par.tools.bash._commands.table import Command, stages_of
from par.tools.bash._dispatch import dispatch
from par.tools.bash._git.gate import GitGate
from par.tools.bash._native.room import Room
from par.tools.bash._record import recorded
from par.tools.bash._run.output import CommandOutput, Outcome, cleaned
from par.tools.bash._run.runner import Launcher
from par.tools.bash._run.work import Work
from par.tools.bash._walls.supervised import NoWall

__all__ = ["Executor"]

_LAST_WORDS_S: Final = 10.0
_RECORD_S: Final = 5.0
"""Seconds for the record of a command that was cancelled."""


@final
class Executor:
    """Runs the commands of one ``Bash``."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._launcher = Launcher()
        self._gate = GitGate()
        self._no_wall = NoWall()

    async def run(self, command: Command, permit: Permit, ctx: RunContext[object], call_id: str) -> CommandOutput:
        """Record, run, record. What a cancelled command came to is recorded too, in a bounded time.

        Raises:
            CommandRefused: for what only the file system or the repository tells.
            StoreError: if a record cannot be written; before the run, nothing was run.
        """
        asked = recorded(command)
        argv = tuple(f"{name}={value}" for name, value in asked.items())
        await ctx.emit(
            BashInvoked(
                call_id=call_id,
                op=command.op,
                command=asked,
                argv=argv,
                risk=self._room.policy.risk_of(command),
                effects=self._room.policy.effects_of(command),
                wall=None if permit.wall is None else permit.wall.name,
                approved_by=permit.approved_by,
            )
        )
        started = anyio.current_time()

        def ended(output: CommandOutput | None, error_code: str | None) -> BashCompleted:
            return BashCompleted(
                call_id=call_id,
                op=command.op,
                exit_code=None if output is None else output.exit_code,
                duration_s=anyio.current_time() - started,
                stdout_bytes=0 if output is None else output.stdout_bytes,
                stderr_bytes=0 if output is None else output.stderr_bytes,
                truncated=output is not None and output.truncated,
                error_code=error_code,
                details={} if output is None else _details(output),
            )

        try:
            result = await self._attempt(command, permit, ctx, started)
        except BaseException as error:
            code = "crashed" if isinstance(error, Exception) else "cancelled"
            with anyio.move_on_after(_RECORD_S, shield=True):
                # the cancellation or the defect that is under way says more than a store that fails now
                with suppress(StoreError):
                    await ctx.emit(ended(None, code))
            raise
        if isinstance(result, CommandRefused):
            await ctx.emit(ended(None, result.code))
            raise result
        await ctx.emit(ended(result, "timeout" if result.timed_out else None))
        return result

    async def _attempt(
        self, command: Command, permit: Permit, ctx: RunContext[object], started: float
    ) -> CommandOutput | CommandRefused:
        limit_s = self._limit_s(command)
        work = Work(
            room=self._room,
            launcher=self._launcher,
            gate=self._gate,
            wall=permit.wall,
            no_wall=self._no_wall,
            script_sha256=permit.script_sha256,
            deadline=started + limit_s,
            tell=partial(ctx.progress, fraction=None),
        )
        try:
            # a process whose time is up is ended at the deadline and says its last words in the time after it
            margin_s = _LAST_WORDS_S if "execute" in self._room.policy.effects_of(command) else 0.0
            outcome = await _timed(work, command, limit_s + margin_s)
        except CommandRefused as refused:
            return refused
        duration_s = anyio.current_time() - started
        return await anyio.to_thread.run_sync(_output, command.op, outcome, duration_s, limit_s)

    def _limit_s(self, command: Command) -> float:
        policy = self._room.policy
        limit_s = policy.run_timeout_s if "execute" in self._room.policy.effects_of(command) else policy.timeout_s
        asked: list[float | None] = [
            leaf.timeout_s for leaf in stages_of(command) if isinstance(leaf, (RunTests, RunPython))
        ]
        if isinstance(command, RunTask):
            asked.append(policy.hosted.tasks[command.name].timeout_s)
        return min([limit_s, *(seconds for seconds in asked if seconds is not None)])


async def _timed(work: Work, command: Command, limit_s: float) -> Outcome:
    with anyio.move_on_after(limit_s):
        return await dispatch(work, command)
    return Outcome(exit_code=None, timed_out=True)


def _details(output: CommandOutput) -> dict[str, Json]:
    details: JsonObject = {"argv": [[*argv] for argv in output.argv]}
    if output.notes:
        details["notes"] = [*output.notes]
    return details


def _output(op: str, outcome: Outcome, duration_s: float, limit_s: float) -> CommandOutput:
    return CommandOutput(
        op=op,
        exit_code=outcome.exit_code,
        stdout=cleaned(outcome.stdout),
        stderr=cleaned(outcome.stderr),
        truncated=outcome.stdout.cut or outcome.stderr.cut,
        stdout_bytes=outcome.stdout.total,
        stderr_bytes=outcome.stderr.total,
        duration_s=duration_s,
        timed_out=outcome.timed_out,
        limit_s=limit_s if outcome.timed_out else None,
        signal=outcome.signal,
        notes=outcome.notes,
        argv=outcome.argv,
    )
