"""Where the time comes from: one object, handed in, so that tests can hold it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import attrs

__all__ = ["Clock"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen
class Clock:
    """The wall clock that stamps events and the steady clock that measures durations.

    Deadlines are not read from it: they follow the event loop's own clock.
    """

    now: Callable[[], datetime] = _utc_now
    """The time of day, always with ``tzinfo=UTC``."""
    steady_s: Callable[[], float] = time.perf_counter
    """Seconds from an arbitrary start that never run backwards."""
