"""Errors of the audit store."""

from par._errors.root import ParError

__all__ = ["ChainBroken", "LeaseLost", "NewerSchema", "NotAnAuditFile", "StoreError", "StoreUnavailable", "WrongKey"]


class StoreError(ParError):
    """Something about the audit store."""


class NotAnAuditFile(StoreError):
    """The file exists and is something else; it was not changed."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path!r} is not an audit file of par: {problem}. Name another file")


class NewerSchema(StoreError):
    """A newer par wrote the store; this one would misread it."""

    def __init__(self, path: str, found: int, known: int) -> None:
        self.path = path
        self.found = found
        self.known = known
        super().__init__(
            f"{path!r} has schema {found}, and this par knows schemas up to {known}: update par-sdk to open it"
        )


class StoreUnavailable(StoreError):
    """The store cannot be opened, read or written now; what was acknowledged before is safe."""

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"the store {where!r} cannot be used: {problem}")


class ChainBroken(StoreError):
    """The audit chain of a session is not what was written; ``seq`` is the first wrong place."""

    def __init__(self, session: str, seq: int, problem: str) -> None:
        self.session = session
        self.seq = seq
        self.problem = problem
        super().__init__(f"the audit of session {session!r} is broken at event {seq}: {problem}")


class WrongKey(StoreError):
    """The events of a scope are kept with another key than the store was opened with, or with one at all."""

    def __init__(self, scope: str, problem: str) -> None:
        self.scope = scope
        self.problem = problem
        super().__init__(f"the events of the scope {scope!r} are kept with a key: {problem}")


class LeaseLost(StoreError):
    """Another process owns the session now; nothing of what this one wanted to write was written."""

    def __init__(self, session: str) -> None:
        self.session = session
        super().__init__(f"the session {session!r} belongs to another process now: this one's turn is over")
