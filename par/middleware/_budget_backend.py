"""The amounts of budgets in memory, for one process."""

from threading import Lock
from typing import Final, final

from par._clock import Clock
from par.limits import Allowance, Held, Spending
from par.middleware._purse import Purse

__all__ = ["MemoryBudgetBackend"]

_PERIODS: Final = 3
"""How many periods of a key are kept: calls of the last one may still be settled, and a clock may step back."""


@final
class _Account:
    """The purses of one key by period, and which reservations are open."""

    __slots__ = ("open", "purses")

    def __init__(self) -> None:
        self.purses: dict[str, Purse] = {}
        self.open: set[int] = set()


@final
class MemoryBudgetBackend:
    """Keeps what the runs of one process spend. Safe to share between threads; nothing of it waits.

    ``clock`` tells which hour, day or month it is.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._accounts: dict[str, _Account] = {}
        self._number = 0
        self._lock = Lock()

    async def reserve(self, key: str, allowance: Allowance, spending: Spending) -> Held:
        """Take the amounts, all of them or none; does not checkpoint.

        Raises:
            BudgetExhausted: for the first kind that has no room.
        """
        period = allowance.period(self._clock.now())
        with self._lock:
            account = self._accounts.setdefault(key, _Account())
            self._purse(account, period).reserve(allowance, spending)
            self._number += 1
            account.open.add(self._number)
            return Held(key=key, number=self._number, period=period, spending=spending)

    def add(self, key: str, allowance: Allowance, spending: Spending) -> None:
        """Count amounts that were spent already, whether there is room for them or not."""
        period = allowance.period(self._clock.now())
        with self._lock:
            account = self._accounts.setdefault(key, _Account())
            self._purse(account, period).settle(Spending(), spending)

    async def settle(self, held: Held, spending: Spending) -> None:
        """Put the real amounts in place of the reserved ones; does not checkpoint."""
        with self._lock:
            account = self._accounts.get(held.key)
            if account is None or held.number not in account.open:
                return
            account.open.discard(held.number)
            purse = account.purses.get(held.period)
            if purse is not None:  # older periods count no more
                purse.settle(held.spending, spending)

    async def used(self, key: str, allowance: Allowance) -> Spending:
        """Return what is used or reserved now; does not checkpoint."""
        with self._lock:
            account = self._accounts.get(key)
            purse = None if account is None else account.purses.get(allowance.period(self._clock.now()))
            return Spending() if purse is None else purse.used

    def forget(self, key: str) -> None:
        """Drop what is known of a key, as if nothing had been spent."""
        with self._lock:
            self._accounts.pop(key, None)

    def _purse(self, account: _Account, period: str) -> Purse:
        purse = account.purses.get(period)
        if purse is None:
            purse = account.purses[period] = Purse()
            for old in sorted(account.purses, reverse=True)[_PERIODS:]:
                if old != period:
                    del account.purses[old]
        return purse
