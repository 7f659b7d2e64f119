"""Errors of runs and of values."""

from par._errors.root import ParError

__all__ = ["BudgetExhausted", "DecodeError", "IllegalTransition", "RunIncomplete"]


class BudgetExhausted(ParError):
    """A ``Budget`` has no room for the next call, which was not made; the run ends with ``stop_reason="budget"``.

    ``kind`` is what ran out (``tokens``, ``cost``, ``steps``), with the limit and what was spent and reserved.
    """

    def __init__(self, *, kind: str, limit: int, used: int, needed: int) -> None:
        self.kind = kind
        self.limit = limit
        self.used = used
        self.needed = needed
        super().__init__(
            f"the budget of {limit} {kind} has no room: {used} are used or reserved, {needed} more are needed"
        )


class RunIncomplete(ParError):
    """``.output`` was read of a run that ended without one; ``stop_reason`` says how it ended."""

    def __init__(self, stop_reason: str, cause: str | None = None) -> None:
        self.stop_reason = stop_reason
        self.cause = cause
        because = f" ({cause})" if cause else ""
        super().__init__(f"the run has no output: it stopped with {stop_reason!r}{because}")


class IllegalTransition(ParError):
    """The state machine has no such move; ``why`` is ``self``, ``terminal`` or ``invalid``."""

    def __init__(self, *, current: str, target: str, why: str) -> None:
        self.current = current
        self.target = target
        self.why = why
        super().__init__(f"a task cannot go from {current} to {target} ({why})")


class DecodeError(ParError):
    """A JSON document is none of par's values."""

    def __init__(self, expected: str, problem: str) -> None:
        self.expected = expected
        self.problem = problem
        super().__init__(f"this is not the JSON of {expected}: {problem}")
