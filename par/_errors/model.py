"""A model call failed."""

from par._errors.root import ParError
from par._json import Json

__all__ = [
    "AccessDenied",
    "AuthenticationFailed",
    "ConnectionFailed",
    "ContentFiltered",
    "ContextTooLong",
    "ModelError",
    "ModelNotFound",
    "ModelTimedOut",
    "Overloaded",
    "RateLimited",
    "RequestRejected",
    "RequestTooLarge",
    "ServerFailed",
    "StreamInterrupted",
    "TransientModelError",
    "UnreadableReply",
]


class ModelError(ParError):
    """A model call failed.

    ``attempts`` is how many times the call was made before the error was let through. ``body`` is what the provider
    answered, as it came except for keys, which are taken out; it is never part of the message.
    """

    what = "the model call failed"

    def __init__(
        self,
        detail: str = "",
        *,
        provider: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        body: Json = None,
    ) -> None:
        self.detail = detail
        self.provider = provider
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.body = body
        self.attempts = 1
        super().__init__(detail)

    def __str__(self) -> str:
        facts = [
            self.provider,
            None if self.status is None else f"status {self.status}",
            None if self.request_id is None else f"request {self.request_id}",
            None if self.retry_after_s is None else f"retry after {self.retry_after_s:g} s",
            None if self.attempts == 1 else f"{self.attempts} attempts",
        ]
        known = ", ".join(fact for fact in facts if fact is not None)
        return self.what + (f" ({known})" if known else "") + (f": {self.detail}" if self.detail else "")


class TransientModelError(ModelError):
    """The same call may succeed later; ``retry_after_s`` is what the provider asked for, if it did."""


class RateLimited(TransientModelError):
    """The provider, or a ``RateLimit`` of one's own, has no room for the call now."""

    what = "the rate limit is reached"


class Overloaded(TransientModelError):
    """The provider is out of capacity for now."""

    what = "the provider is overloaded"


class ServerFailed(TransientModelError):
    """The provider's server broke while it answered."""

    what = "the provider's server failed"


class ConnectionFailed(TransientModelError):
    """The provider was not reached, or hung up before it answered."""

    what = "the provider could not be reached"


class StreamInterrupted(TransientModelError):
    """The answer stopped before its end. What had arrived is not an answer."""

    what = "the answer broke off before its end"


class ModelTimedOut(TransientModelError):
    """A ``Timeout`` ended the call; ``limit`` says which one and ``after_s`` its seconds."""

    what = "the model call timed out"

    def __init__(self, *, limit: str, after_s: float) -> None:
        self.limit = limit
        self.after_s = after_s
        super().__init__(f"{limit} limit of {after_s:g} s")


class AuthenticationFailed(ModelError):
    """The provider does not accept the key."""

    what = "the provider refuses the key"


class AccessDenied(AuthenticationFailed):
    """The key is known, and may not do this: no permission, not in this region, no money left."""

    what = "the provider denies access"


class RequestRejected(ModelError):
    """The provider calls the request wrong; repeating it unchanged is useless."""

    what = "the provider rejects the request"


class ModelNotFound(RequestRejected):
    """The provider has no such model, or nothing at that address."""

    what = "the provider does not have the model"


class RequestTooLarge(RequestRejected):
    """The request has more bytes, or asks for more at once, than the provider takes."""

    what = "the request is too large"


class ContentFiltered(RequestRejected):
    """The provider refuses what the request says, or what the answer would have said."""

    what = "the provider's content filter refuses"


class ContextTooLong(RequestRejected):
    """The conversation does not fit the model's context window."""

    what = "the conversation is too long for the model"


class UnreadableReply(ModelError):
    """The provider's answer is not what its API promises."""

    what = "the provider's answer cannot be read"
