"""What a budget has left: reserved before, settled after."""

from collections.abc import Mapping
from threading import Lock
from typing import TypeAlias, final

from par.errors import BudgetExhausted

__all__ = ["Amounts", "Purse"]

Amounts: TypeAlias = Mapping[str, int]


@final
class Purse:
    """The amounts of one budget. Safe to share between threads; nothing of it waits."""

    def __init__(self, limits: Amounts) -> None:
        self._limits = limits
        self._used = dict.fromkeys(limits, 0)
        self._lock = Lock()

    @property
    def used(self) -> dict[str, int]:
        """What is used or reserved, by kind."""
        with self._lock:
            return dict(self._used)

    def reserve(self, needed: Amounts) -> None:
        """Take the amounts, all of them or none.

        Raises:
            BudgetExhausted: for the first kind that has no room.
        """
        with self._lock:
            for kind, limit in self._limits.items():
                if self._used[kind] + needed[kind] > limit:
                    raise BudgetExhausted(kind=kind, limit=limit, used=self._used[kind], needed=needed[kind])
            for kind in self._limits:
                self._used[kind] += needed[kind]

    def settle(self, reserved: Amounts, used: Amounts) -> None:
        """Put what was used in the place of what was reserved."""
        with self._lock:
            for kind in self._limits:
                self._used[kind] += used[kind] - reserved[kind]
