"""What an allowance has left: reserved before, settled after."""

from typing import final

from par.errors import BudgetExhausted
from par.limits import Allowance, Spending

__all__ = ["Purse"]


@final
class Purse:
    """What is used of one allowance. Its owner sees to it that one thread uses it at a time."""

    def __init__(self) -> None:
        self._used = {"tokens": 0, "cost": 0, "steps": 0}

    @property
    def used(self) -> Spending:
        """What is used or reserved."""
        return Spending(**self._used)

    def reserve(self, allowance: Allowance, needed: Spending) -> None:
        """Take the amounts, all of them or none.

        Raises:
            BudgetExhausted: for the first kind that has no room.
        """
        amounts = needed.amounts
        for kind, limit in allowance.limits.items():
            if self._used[kind] + amounts[kind] > limit:
                raise BudgetExhausted(kind=kind, limit=limit, used=self._used[kind], needed=amounts[kind])
        for kind, amount in amounts.items():
            self._used[kind] += amount

    def settle(self, reserved: Spending, used: Spending) -> None:
        """Put what was used in the place of what was reserved."""
        before, after = reserved.amounts, used.amounts
        for kind in self._used:
            self._used[kind] += after[kind] - before[kind]
