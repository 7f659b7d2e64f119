"""How events are delivered, and how a bus ends."""

from math import isfinite
from random import Random
from typing import Literal, TypeAlias

import attrs

from par._bus.letters import DeadLetterStore

__all__ = ["BusOptions", "DeliveryPolicy", "WhenFull"]

WhenFull: TypeAlias = Literal["dead_letter", "drop_oldest", "drop_newest"]

_WHEN_FULL = ("dead_letter", "drop_oldest", "drop_newest")


def _seconds(_: object, attribute: "attrs.Attribute[float]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{attribute.name} must be a number of seconds, got {value!r}")
    if not isfinite(value) or value <= 0:
        raise ValueError(f"{attribute.name} must be a finite number of seconds above 0, got {value!r}")


def _whole(least: int, attribute: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{attribute.name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{attribute.name} must be at least {least}, got {value!r}")


def _count(_: object, attribute: "attrs.Attribute[int]", value: object) -> None:
    _whole(1, attribute, value)


def _count_or_none(_: object, attribute: "attrs.Attribute[int]", value: object) -> None:
    _whole(0, attribute, value)


def _flag(_: object, attribute: "attrs.Attribute[bool]", value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be True or False, got {value!r}")


def _when_full(_: object, attribute: "attrs.Attribute[WhenFull]", value: object) -> None:
    if value not in _WHEN_FULL:
        raise ValueError(f"{attribute.name} must be one of {', '.join(map(repr, _WHEN_FULL))}, got {value!r}")


@attrs.frozen(kw_only=True)
class DeliveryPolicy:
    """How one subscriber gets its events."""

    queue: int = attrs.field(default=1000, validator=_count)
    """How many events may wait for the subscriber, beside the one that it is being given; 1 or more."""
    when_full: WhenFull = attrs.field(default="dead_letter", validator=_when_full)
    """What happens to an event that finds the queue full: it becomes a dead letter, or the oldest or the new one is
    dropped and counted."""
    timeout_s: float = attrs.field(default=10.0, validator=_seconds)
    """Seconds for one attempt; when they are over the handler is cancelled, which counts as a failure."""
    retries: int = attrs.field(default=3, validator=_count_or_none)
    """How often an event is given again after the first attempt failed; 0 for never."""
    base_s: float = attrs.field(default=0.1, validator=_seconds)
    """The pause before the first retry; it doubles with each."""
    max_delay_s: float = attrs.field(default=30.0, validator=_seconds)
    """The longest pause."""
    jitter: bool = attrs.field(default=True, validator=_flag)
    """Draw each pause evenly between 0 and its length, so that many subscribers of one service do not come at once."""

    def pause_s(self, failures: int, rng: Random) -> float:
        """Return the seconds to wait after so many failures."""
        ceiling = min(self.base_s * 2.0 ** min(failures - 1, 60), self.max_delay_s)
        return rng.uniform(0.0, ceiling) if self.jitter else ceiling


def _letters(_: object, attribute: "attrs.Attribute[DeadLetterStore | None]", value: object) -> None:
    methods = ("put", "find", "get", "mark_replayed", "delete", "forget")
    if value is not None and (isinstance(value, type) or not all(callable(getattr(value, m, None)) for m in methods)):
        raise TypeError(f"{attribute.name} must be a store of dead letters, got {value!r}")


@attrs.frozen(kw_only=True, eq=False)
class BusOptions:
    """How a bus keeps dead letters, and how it ends."""

    dead_letters: DeadLetterStore | None = attrs.field(default=None, validator=_letters)
    """Where dead letters are kept; by default those of the runtime's store, and where it keeps none, in memory."""
    drain_s: float = attrs.field(default=5.0, validator=_seconds)
    """Seconds for which closing waits until the subscribers have what is queued; the rest becomes dead letters."""
    pending_letters: int = attrs.field(default=10_000, validator=_count)
    """How many dead letters may wait to be stored; what comes while they are full is counted as lost, and logged."""
    rng: Random = attrs.field(factory=Random, repr=False)  # noqa: S311 # pauses are no secret
    """Where jitter comes from."""
