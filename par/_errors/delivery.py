"""Errors of bringing an event to somebody."""

from par._errors.root import ParError

__all__ = ["DeliveryFailed", "DeliveryRefused", "InvalidSignature", "SignatureExpired"]


class DeliveryFailed(ParError):
    """An event did not reach ``receiver``; a later attempt may succeed. Handlers of a bus may raise it too.

    ``status`` is the receiver's answer, if it gave one. The bus waits ``retry_after_s`` seconds, if that is longer than
    the pause that it would make, and no longer than its policy's ``max_delay_s``.
    """

    def __init__(
        self, receiver: str, problem: str, *, status: int | None = None, retry_after_s: float | None = None
    ) -> None:
        self.receiver = receiver
        self.problem = problem
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(f"{receiver}: {problem}")


class DeliveryRefused(DeliveryFailed):
    """The receiver will never take this event as it is: the bus tries no more, and makes a dead letter of it."""


class InvalidSignature(ParError):
    """What came to a webhook's receiver is not what a holder of the secret has sent: do not use it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the signature of the webhook is refused: {problem}")


class SignatureExpired(InvalidSignature):
    """The signature is right, but made ``age_s`` seconds ago (before 0: in the future): sent again by somebody?"""

    def __init__(self, *, age_s: float, tolerance_s: float) -> None:
        self.age_s = age_s
        self.tolerance_s = tolerance_s
        when = f"{age_s:g} s ago" if age_s >= 0 else f"{-age_s:g} s in the future"
        super().__init__(f"it was made {when}, and {tolerance_s:g} s are allowed")
