"""Execute a run: its scope, its states, and its end, which is recorded however it came."""

from typing import cast

import anyio

from par._engine.closing import CANCELLED_OUTSIDE, record_end
from par._engine.groups import unwrapped
from par._engine.run import Run
from par.calls import RunCall, RunResult
from par.errors import StoreUnavailable
from par.events import StopReason

__all__ = ["execute"]


async def execute(run: Run, call: RunCall, *, timeout_s: float | None = None) -> RunResult[object]:
    """Run ``call`` through the onion. When this returns or raises, nothing of the run is alive.

    A cancellation from outside goes through untouched. A deadline, ``run.cancel`` and the closing of the
    runtime end the run with ``stop_reason="cancelled"``; a run of a durable session that was only parked, or whose
    store was away, is ``suspended``.

    Raises:
        Exception: what the run failed with.
    """
    run.enter()
    if timeout_s is not None:
        run.scope.deadline = anyio.current_time() + timeout_s
    result: RunResult[object] | None = None
    try:
        result = await _within(run, call)
        if result is None:
            cause = run.cause or (None if timeout_s is None else f"the deadline of {timeout_s:g} s")
            reason: StopReason = "suspended" if run.parked else "cancelled"
            result = run.result(reason, cause=cause)
            run.end(reason, cause)
            await record_end(run.record_end)
        else:
            run.end(result.stop_reason, result.cause)
            await run.record_end()
    except Exception as error:  # recorded, and raised again
        if run.can_suspend and isinstance(error, StoreUnavailable):
            run.end("suspended", str(error))  # once the store is back, the turn is gone on with
        else:
            run.end("failed", None, error)
        await record_end(run.record_end, during=error)  # noqa: ASYNC120 # shields itself
        raise
    except BaseException as error:
        run.end("cancelled", run.cause or CANCELLED_OUTSIDE)
        await record_end(run.record_end, during=error)  # noqa: ASYNC102 # shields itself, for a bounded time
        raise
    finally:
        run.session.history = tuple(run.transcript)
    return result


async def _within(run: Run, call: RunCall) -> RunResult[object] | None:
    """Run the call in the run's scope; ``None`` if that was cancelled.

    Where a call of a batch fails while the scope is being cancelled, trio takes the cancellation out of their group and
    leaves a group of one.
    """
    try:
        with run.scope:
            return _checked(await run.plan.run_handler(call))
    except BaseExceptionGroup as errors:
        raise unwrapped(errors) from None
    return None


def _checked(result: object) -> RunResult[object]:
    if not isinstance(result, RunResult):
        raise TypeError(f"a run layer returns a RunResult, one returned {type(result).__name__}")
    return cast("RunResult[object]", result)  # checked in the line above
