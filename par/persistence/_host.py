"""Where drivers that speak only asyncio run: in place on asyncio and uvloop, in a thread of their own on trio.

This is the only module of par that knows asyncio.
"""

import asyncio  # noqa: TID251 # the one module that may, see above
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar, TypeVarTuple, final

import anyio
import anyio.from_thread
import anyio.to_thread

from par.errors import StoreUnavailable

__all__ = ["Host", "open_host"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_CANCEL_S: Final = 5.0
"""How long a cancelled caller waits for the far side to end; a driver that ignores cancellation is left behind."""
_STOP_S: Final = 30.0
"""How long leaving ``open_host`` waits for its thread."""


class Host(Protocol):
    """Runs a driver's coroutines on an asyncio event loop."""

    async def call(self, function: Callable[[*Ts], Awaitable[T]], /, *args: *Ts) -> T:
        """Return what ``function(*args)`` returns, or raise what it raises.

        Cancelling the caller cancels the function, and waits until it has ended (at most 5 s).
        """
        ...


@final
class _InPlace:
    async def call(self, function: Callable[[*Ts], Awaitable[T]], /, *args: *Ts) -> T:
        return await function(*args)


@final
class _Far:
    """One call on its way through the thread; its fields are written there before ``ended`` is set here."""

    __slots__ = ("ended", "error")

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.error: BaseException | None = None


@final
class _InThread:
    """The caller runs on trio; the asyncio loop runs in another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.closed = False

    async def call(self, function: Callable[[*Ts], Awaitable[T]], /, *args: *Ts) -> T:
        if self.closed:
            raise StoreUnavailable("database", "it has been closed")
        tell = _teller()
        far = _Far()
        results: list[T] = []

        async def run() -> None:
            try:
                results.append(await function(*args))
            except BaseException as error:  # noqa: BLE001, ASYNC103 # carried to the caller, who raises it
                far.error = error
            finally:
                tell(far.ended.set)

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            await far.ended.wait()
        except anyio.get_cancelled_exc_class():
            future.cancel()
            with anyio.move_on_after(_CANCEL_S, shield=True):
                await far.ended.wait()
            raise
        if far.error is not None:
            raise far.error
        return results[0]


def _teller() -> Callable[[Callable[[], object]], None]:
    # trio is installed where this runs, because it runs under trio
    import trio.lowlevel  # noqa: PLC0415 # as the line above says

    soon = trio.lowlevel.current_trio_token().run_sync_soon

    def tell(function: Callable[[], object]) -> None:
        try:
            soon(function)
        except trio.RunFinishedError:
            return  # nobody is left to be told

    return tell


def _on_asyncio() -> bool:
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


@asynccontextmanager
async def open_host() -> AsyncGenerator[Host, None]:
    """Open the host that fits the running event loop.

    On asyncio and uvloop calls run in place. On trio they run in a thread with an asyncio loop of its own; when the
    block has been left, that thread has ended.
    """
    if _on_asyncio():
        yield _InPlace()
        return
    portal = anyio.from_thread.start_blocking_portal("asyncio")

    def start() -> asyncio.AbstractEventLoop:
        return portal.__enter__().call(asyncio.get_running_loop)

    # the thread is not abandoned when the caller is cancelled: half a start could not be undone
    host = _InThread(await anyio.to_thread.run_sync(start))
    try:
        yield host
    finally:
        host.closed = True
        with anyio.move_on_after(_STOP_S, shield=True):
            await anyio.to_thread.run_sync(portal.__exit__, None, None, None, abandon_on_cancel=True)
