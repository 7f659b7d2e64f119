"""Execute a run: its scope, its states, and its end, which is recorded however it came."""

import anyio
import attrs

from par._engine.closing import shielded
from par._engine.run import Run
from par.calls import RunCall, RunResult
from par.events import ErrorInfo, RunEnded
from par.states import TaskState

__all__ = ["execute"]


async def execute(run: Run, call: RunCall, *, timeout_s: float | None = None) -> RunResult[object]:
    """Run ``call`` through the onion. When this returns or raises, nothing of the run is alive.

    A cancellation from outside goes through untouched. A deadline, ``run.cancel`` and the closing of the
    runtime end the run with ``stop_reason="cancelled"``.

    Raises:
        Exception: what the run failed with.
    """
    run.move(TaskState.SCHEDULED)
    run.move(TaskState.RUNNING)
    if timeout_s is not None:
        run.scope.deadline = anyio.current_time() + timeout_s
    result: RunResult[object] | None = None
    try:
        with run.scope:
            result = await run.plan.run_handler(call)
    except BaseException as error:  # recorded, and raised again
        failed = isinstance(error, Exception)
        ended = run.ended("failed" if failed else "cancelled", None if failed else "cancelled from outside")
        if failed:
            ended = attrs.evolve(ended, error=ErrorInfo.of(error))
        await shielded(_tell_end, (run, ended), during=error)  # noqa: ASYNC102 # shields itself, for a bounded time
        raise
    finally:
        run.session.history = tuple(run.transcript)
    if result is None:
        cause = run.cause or (None if timeout_s is None else f"the deadline of {timeout_s:g} s")
        result = run.result("cancelled", cause=cause)
    ended = run.ended(result.stop_reason, result.cause)
    await shielded(_tell_end, (run, ended))
    return result


async def _tell_end(what: tuple[Run, RunEnded]) -> None:
    run, ended = what
    if run.listening:
        for event in run.unsent:
            await run.emit(event)
        run.unsent.clear()
        await run.emit(ended)
