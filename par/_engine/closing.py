"""What must still be done when a run is being cancelled, and how nothing cuts it short."""

import logging
from collections.abc import Awaitable, Callable

import anyio
from typing_extensions import TypeVar

from par.errors import LeaseLost

__all__ = ["CANCELLED_OUTSIDE", "CLOSING_S", "in_own_task", "record_end", "stray_cancellation"]

CLOSING_S = 5.0
"""How long a run that ends may take to record its end; enough for a slow disk, too short to hang a service."""

CANCELLED_OUTSIDE = "cancelled from outside"
"""The cause of a run that ended because its caller was cancelled."""

T = TypeVar("T")

_log = logging.getLogger("par.engine")


async def in_own_task(work: Callable[[], Awaitable[T]]) -> T:
    """Await ``work()`` in a task of its own, and return or raise what it does.

    A shield does not stop asyncio's own ``task.cancel()``: a second one would cut the clean-up after the first.
    The task group turns any number of them into one cancellation of its scope, which shields do stop.
    """
    results: list[T] = []
    errors: list[Exception] = []

    async def run() -> None:
        try:
            results.append(await work())
        except Exception as error:  # noqa: BLE001 # raised below, where a group would wrap it
            errors.append(error)

    async with anyio.create_task_group() as group:  # noqa: ASYNC112 # a task of its own is the point
        group.start_soon(run)
    if errors:
        raise errors[0]
    if not results:
        raise stray_cancellation()
    return results[0]


def stray_cancellation() -> RuntimeError:
    """Return the error of code that raised asyncio's CancelledError though nobody had cancelled it."""
    return RuntimeError("a tool, a layer or a model raised the event loop's cancellation without being cancelled")


async def record_end(record: Callable[[], Awaitable[None]], *, during: BaseException | None = None) -> None:
    """Await ``record()`` though the task is cancelled, for at most ``CLOSING_S`` seconds.

    ``during`` is the exception on whose way out this is: it must not be replaced by another, so a failure is
    logged and noted on it. Without it, the failure is raised.
    """
    with anyio.move_on_after(CLOSING_S, shield=True) as scope:
        try:
            await record()
        except Exception as error:
            if during is None:
                raise
            if isinstance(error, LeaseLost):  # another process records the end
                return
            if error is not during:
                during.add_note(f"the end of the run could not be recorded: {error}")
            _log.error("the end of a run could not be recorded", exc_info=error)  # not this error alone
    if scope.cancelled_caught:
        _log.error("the end of a run could not be recorded within %g s", CLOSING_S)
