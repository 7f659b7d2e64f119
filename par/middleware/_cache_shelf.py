"""Where a cache keeps its answers, and how callers of one and the same call wait for each other."""

from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock
from typing import Generic, Literal, TypeAlias, TypeVar, final
from weakref import WeakKeyDictionary

import anyio
import attrs
from anyio.lowlevel import RunVar

from par._clock import Clock

__all__ = ["Flights", "Shelf"]

V = TypeVar("V")

_Ending: TypeAlias = Literal["open", "landed", "cancelled", "failed"]


@attrs.frozen
class _Entry(Generic[V]):
    value: V
    owners: tuple[object, ...]
    at_s: float


@final
class Shelf(Generic[V]):
    """The answers that were used last, for a while. Safe to share between threads."""

    def __init__(self, max_entries: int, ttl_s: float | None, clock: Clock) -> None:
        self._max_entries = max_entries
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[tuple[object, ...], _Entry[V]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str, owners: tuple[object, ...] = ()) -> V | None:
        """Return what is kept under ``key`` for these very objects, if it is still good."""
        place = (key, *map(id, owners))
        with self._lock:
            entry = self._entries.get(place)
            if entry is None:
                return None
            if self._ttl_s is not None and self._clock.steady_s() - entry.at_s >= self._ttl_s:
                del self._entries[place]
                return None
            self._entries.move_to_end(place)
            return entry.value

    def put(self, key: str, value: V, owners: tuple[object, ...] = ()) -> None:
        """Keep a value; what was not used for longest makes room."""
        place = (key, *map(id, owners))
        with self._lock:
            self._entries[place] = _Entry(value, owners, self._clock.steady_s())
            self._entries.move_to_end(place)
            if len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)


@final
class _Flight:
    def __init__(self) -> None:
        self.over = anyio.Event()
        self.ending: _Ending = "open"


@final
class Flights:
    """The calls that are being made, each with one leader, by event loop."""

    def free(self, key: str) -> bool:
        """Whether nobody makes this call in this event loop."""
        return key not in self._here()

    @contextmanager
    def lead(self, key: str) -> Generator[None]:
        """Let others wait while the block makes the call."""
        flights = self._here()
        flight = flights[key] = _Flight()
        try:
            yield
            flight.ending = "landed"
        except Exception:
            flight.ending = "failed"
            raise
        finally:
            del flights[key]
            if flight.ending == "open":
                flight.ending = "cancelled"
            flight.over.set()

    async def wait(self, key: str) -> _Ending:
        """Wait until the call that is being made has ended, and say how."""
        flight = self._here()[key]
        await flight.over.wait()
        return flight.ending

    def _here(self) -> dict[str, _Flight]:
        # an event belongs to its event loop, so callers in other loops make the call for themselves
        flights = _FLIGHTS.get(None)
        if flights is None:
            flights = WeakKeyDictionary[Flights, dict[str, _Flight]]()
            _FLIGHTS.set(flights)
        return flights.setdefault(self, {})


_FLIGHTS: RunVar[WeakKeyDictionary[Flights, dict[str, _Flight]] | None] = RunVar("par_cache_flights")
