"""What must still be said when a run is being cancelled: shielded, and bounded."""

import logging
from collections.abc import Awaitable, Callable

import anyio
from typing_extensions import TypeVar

__all__ = ["CLOSING_S", "shielded"]

CLOSING_S = 5.0
"""How long a run that ends may take to record its end; enough for a slow disk, too short to hang a service."""

T = TypeVar("T")

_log = logging.getLogger("par.engine")


async def shielded(action: Callable[[T], Awaitable[None]], argument: T, *, during: BaseException | None = None) -> None:
    """Await ``action(argument)`` though the task is cancelled, for at most ``CLOSING_S`` seconds.

    ``during`` is the exception on whose way out this is: it must not be replaced by another, so a failure of
    the action is logged and noted on it. Without it, the failure is raised.
    """
    with anyio.move_on_after(CLOSING_S, shield=True) as scope:
        try:
            await action(argument)
        except Exception as error:
            if during is None:
                raise
            during.add_note(f"its end could not be recorded: {error}")
            _log.error("the end of a call could not be recorded", exc_info=error)  # not this error alone
    if scope.cancelled_caught:
        _log.error("the end of a call could not be recorded within %g s", CLOSING_S)
