"""Virtual time: event loops whose clock jumps to the next timer when nothing else is to do."""

import asyncio  # noqa: TID251 # a clock of asyncio's own can only be made of asyncio
import selectors
from typing import Literal, TypeAlias

from par.errors import MissingExtra

__all__ = ["Backend", "virtual_time"]

Backend: TypeAlias = tuple[str, dict[str, object]]
"""What anyio's pytest plugin takes as ``anyio_backend``."""


class _JumpingSelector(selectors.DefaultSelector):
    """Looks for events, and lets the time pass at once where it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # type: ignore[explicit-any] # what a key holds is Any in the standard library
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None and timeout > 0:
            self.now_s += timeout
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


def virtual_time(backend: Literal["asyncio", "trio"]) -> Backend:
    """Return a backend for anyio's pytest plugin on which sleeping costs no time.

    Deadlines, timeouts and pauses come in their order and at their time by ``anyio.current_time()``. Threads,
    processes and sockets are not waited for before the clock jumps, so keep them out of such tests::

        @pytest.fixture(params=["asyncio", "trio"])
        def anyio_backend(request):
            return virtual_time(request.param)

    Raises:
        MissingExtra: for trio, if it is not installed.
    """
    if backend == "asyncio":
        return ("asyncio", {"loop_factory": _JumpingLoop})
    try:
        from trio.testing import MockClock  # noqa: PLC0415 # only those who test on trio have it
    except ModuleNotFoundError:
        raise MissingExtra("test", "trio") from None
    return ("trio", {"clock": MockClock(autojump_threshold=0)})
