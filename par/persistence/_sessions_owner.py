"""Who works at a session: whether the right still holds, and how that is told."""

from datetime import timedelta
from typing import Final, Literal, TypeAlias

import attrs

from par._clock import Clock
from par.codec import time_of, time_text
from par.persistence._processes import Fate, Machine

__all__ = ["Held", "Place", "Term", "Wants", "is_dead", "term_of"]

Wants: TypeAlias = Literal["new", "open", "any"]
"""Which session shall be owned; see ``SessionLog.acquire``."""

_US: Final = 1_000_000


@attrs.frozen
class Place:
    """Whose sessions, on which machine, at which time."""

    scope: str
    machine: Machine
    clock: Clock


def is_dead(fate: Fate, owner: str) -> bool:
    """Tell whether the process of an owner is known to have ended."""
    return fate(owner) is False


@attrs.frozen(kw_only=True)
class Term:
    """Until when a lease in a file holds: by the steady clock of the machine, and by the time of day."""

    until: str
    us: int
    boot: str


def term_of(machine: Machine, clock: Clock, lease_s: float) -> Term:
    """Return the term of a lease that begins now."""
    until = clock.now() + timedelta(seconds=lease_s)
    return Term(until=time_text(until), us=machine.steady_us() + round(lease_s * _US), boot=machine.boot)


@attrs.frozen
class Held:
    """The owner of a session in a file, and the term of the lease; ``until`` is ``None`` if nobody works at it."""

    owner: str
    until: str | None
    us: int
    boot: str

    def left_s(self, machine: Machine, clock: Clock) -> float:
        """Return for how many seconds the owner has the right still: 0 if the process is dead or the term over.

        The steady clock tells, which no setting of the time of day changes; where it is another one, because the
        machine was started anew, or where the machine does not say so, the time of day.
        """
        if self.until is None or is_dead(machine.is_alive, self.owner):
            return 0.0
        if self.boot and self.boot == machine.boot:
            return max(0.0, (self.us - machine.steady_us()) / _US)
        return max(0.0, (time_of(self.until) - clock.now()).total_seconds())
