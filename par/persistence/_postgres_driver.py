"""asyncpg as par sees it, and its errors in par's words. The only module that knows the driver.

asyncpg has no annotations; the protocols here say what par uses of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from importlib import import_module
from typing import Final, Protocol, cast
from urllib.parse import urlsplit

import attrs

from par.errors import MissingExtra, StoreError, StoreUnavailable

__all__ = [
    "Connection",
    "Driver",
    "Failure",
    "Row",
    "failure_of",
    "forget_library",
    "load_driver",
    "place_of",
    "sqlstate_of",
]


class Row(Protocol):
    """A record: its columns in order, and by place or name."""

    def __getitem__(self, key: int | str, /) -> object: ...
    def __len__(self) -> int: ...


class Connection(Protocol):
    """A connection of asyncpg. It belongs to the driver's event loop: only jobs use it."""

    async def execute(self, query: str, *args: object) -> str: ...
    async def executemany(self, command: str, args: Iterable[Sequence[object]]) -> None: ...
    async def fetch(
        self,
        query: str,
        *args: object,
        timeout: float | None = None,  # noqa: ASYNC109 # the driver's parameter
    ) -> list[Row]: ...
    async def fetchrow(self, query: str, *args: object) -> Row | None: ...
    async def fetchval(self, query: str, *args: object) -> object: ...
    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AbstractAsyncContextManager[object]: ...
    async def add_listener(self, channel: str, callback: Callable[[object, int, str, str], None]) -> None: ...
    def add_termination_listener(self, callback: Callable[[object], None]) -> None: ...
    def is_in_transaction(self) -> bool: ...
    def is_closed(self) -> bool: ...
    async def close(self, *, timeout: float | None = None) -> None: ...  # noqa: ASYNC109 # the driver's parameter
    def terminate(self) -> None: ...


class Driver(Protocol):
    """The module asyncpg."""

    async def connect(
        self,
        dsn: str,
        /,
        *,
        timeout: float,  # noqa: ASYNC109 # the driver's parameter
        command_timeout: float,
        server_settings: Mapping[str, str],
    ) -> Connection: ...


@attrs.frozen
class Failure:
    """What an error of the driver means: the error for the caller, and what may be tried."""

    error: StoreError
    passing: bool = False
    """Whether it may go away by itself."""
    undone: bool = False
    """Whether the server has taken back all that the transaction did."""


_LOST: Final = frozenset({"57P01", "57P02", "57P03", "57P05"})
_PASSING_CLASSES: Final = frozenset({"08"})
_UNAVAILABLE_CLASSES: Final = frozenset({"08", "25", "28", "3D", "42", "53", "55", "57", "58", "XX"})
_UNDONE: Final = frozenset({"40001", "40P01", "55P03"})
_DATA: Final = "22"
"""Errors of this class quote the value."""
_CONFLICT: Final = "tuple concurrently updated"
"""What two changes of one table's rights or partitions at the same time come to; it has no state of its own."""
_TOO_MANY: Final = "53300"
_CANCELED: Final = "57014"
_READ_ONLY: Final = "25006"
"""A server that is a standby, as one is for a moment in a failover."""


def load_driver() -> Driver:
    """Return asyncpg.

    Raises:
        MissingExtra: if it is not installed.
    """
    try:
        module = import_module("asyncpg")
    except ModuleNotFoundError as error:
        raise MissingExtra(extra="postgres", module="asyncpg") from error
    return cast("Driver", module)  # the module has what the protocol says, and no annotations


def forget_library() -> None:
    """Let anyio see on which event loop it runs, at the beginning of a call on the driver's loop.

    Under trio the call brings the caller's context along, and in it the name of the caller's library.
    """
    with suppress(ModuleNotFoundError):  # without it there is no trio, and no such name
        import sniffio  # noqa: PLC0415 # as the line above says

        sniffio.current_async_library_cvar.set(None)


def place_of(dsn: str) -> str:
    """Return the DSN without its password and options: what messages may show.

    Raises:
        ValueError: if it is no URI of Postgres; the message shows nothing of it.
    """
    problem = "dsn must be a URI: postgresql://user:password@host:port/database"
    place: str | None = None
    try:
        parts = urlsplit(dsn)
        if parts.scheme in ("postgresql", "postgres"):
            user = f"{parts.username}@" if parts.username else ""
            port = f":{parts.port}" if parts.port else ""
            place = f"postgresql://{user}{parts.hostname or ''}{port}{parts.path}"
    except ValueError:  # its message has a part of the DSN in it: a password with a "#" looks like a port
        place = None
    if place is None or "\x00" in dsn:
        raise ValueError(problem)
    return place


def sqlstate_of(error: BaseException) -> str | None:
    """Return the five letters by which Postgres names an error, ``None`` for other errors."""
    state: object = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def failure_of(error: Exception, where: str) -> Failure | None:
    """Say what an error of the driver means, ``None`` if it is not one of the driver's."""
    state = sqlstate_of(error)
    if state is not None:
        return _of_state(state, error, where)
    if isinstance(error, TimeoutError):
        return Failure(StoreUnavailable(where, "it did not answer in time"), passing=True)
    if isinstance(error, ConnectionRefusedError):
        return Failure(StoreUnavailable(where, "the connection was refused: no server listens there"), passing=True)
    if isinstance(error, OSError):
        return Failure(StoreUnavailable(where, error.strerror or str(error) or type(error).__name__), passing=True)
    if type(error).__module__.partition(".")[0] == "asyncpg":
        # without a state: the line is closed, or has just been told so; or the DSN's options are wrong
        return Failure(StoreUnavailable(where, _sentence(error)), passing=not isinstance(error, ValueError))
    return None


def _of_state(state: str, error: Exception, where: str) -> Failure:
    sentence = _sentence(error)
    if state == _CANCELED:
        return Failure(StoreUnavailable(where, f"a statement was cancelled ({sentence})"))
    if state in _UNDONE or sentence == _CONFLICT:
        return Failure(StoreUnavailable(where, sentence), passing=True, undone=True)
    passing = state in _LOST or state[:2] in _PASSING_CLASSES or state in (_TOO_MANY, _READ_ONLY)
    if state[:2] in _UNAVAILABLE_CLASSES:
        return Failure(StoreUnavailable(where, sentence), passing=passing)
    if state.startswith(_DATA):
        sentence = f"a value does not fit its type (error {state})"
    return Failure(StoreError(f"the store {where!r} refused: {sentence}"))


def _sentence(error: Exception) -> str:
    # only the first line: DETAIL and CONTEXT quote the row, which may hold anything
    return str(error).partition("\n")[0]
