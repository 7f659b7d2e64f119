"""Which status and words each API has for an error of par."""

import attrs

from par.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContentFiltered,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestRejected,
    RequestTooLarge,
    ServerFailed,
)
from par.testing._server.refused import Refused
from par.testing._server.seen import ApiName

__all__ = ["refused_for", "retry_headers"]


@attrs.frozen
class _Words:
    status: int
    kind: str
    message: str
    code: str | None = None


_OPENAI: dict[type[Exception], _Words] = {
    AccessDenied: _Words(403, "invalid_request_error", "You do not have access to this resource.", "access_denied"),
    AuthenticationFailed: _Words(401, "invalid_request_error", "Incorrect API key provided.", "invalid_api_key"),
    ModelNotFound: _Words(404, "invalid_request_error", "The model does not exist.", "model_not_found"),
    RequestTooLarge: _Words(413, "invalid_request_error", "Request entity too large."),
    ContextTooLong: _Words(
        400,
        "invalid_request_error",
        "This model's maximum context length is 128000 tokens.",
        "context_length_exceeded",
    ),
    ContentFiltered: _Words(
        400, "invalid_request_error", "The response was filtered by the content management policy.", "content_filter"
    ),
    RequestRejected: _Words(400, "invalid_request_error", "The request is not valid."),
    RateLimited: _Words(429, "requests", "Rate limit reached for requests.", "rate_limit_exceeded"),
    Overloaded: _Words(503, "server_error", "The engine is currently overloaded, please try again later."),
    ServerFailed: _Words(500, "server_error", "The server had an error while processing your request."),
}
_ANTHROPIC: dict[type[Exception], _Words] = {
    AccessDenied: _Words(403, "permission_error", "Your API key does not have permission to use the resource."),
    AuthenticationFailed: _Words(401, "authentication_error", "invalid x-api-key"),
    ModelNotFound: _Words(404, "not_found_error", "model: claude-none"),
    RequestTooLarge: _Words(413, "request_too_large", "Request exceeds the maximum size"),
    ContextTooLong: _Words(400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
    ContentFiltered: _Words(400, "invalid_request_error", "Output blocked by content filtering policy"),
    RequestRejected: _Words(400, "invalid_request_error", "The request is not valid."),
    RateLimited: _Words(429, "rate_limit_error", "This request would exceed your rate limit."),
    Overloaded: _Words(529, "overloaded_error", "Overloaded"),
    ServerFailed: _Words(500, "api_error", "Internal server error"),
}


def refused_for(error: Exception, api: ApiName) -> Refused | None:
    """Return how the API tells of an error, or ``None`` where it cannot: the connection just ends.

    The error's own ``detail`` and ``status`` count before what is usual.

    Raises:
        TypeError: for an error that no API tells of.
    """
    if isinstance(error, ConnectionFailed):
        return None
    table = _ANTHROPIC if api == "anthropic" else _OPENAI
    words = next((table[kind] for kind in type(error).__mro__ if kind in table), None)
    if words is None or not isinstance(error, ModelError):
        raise TypeError(f"no API tells of {type(error).__name__}: use raw_answer or faulty")
    return Refused(error.detail or words.message, status=error.status or words.status, kind=words.kind, code=words.code)


def retry_headers(error: Exception) -> dict[str, str]:
    """Return the header that says how long to wait, if the error says it."""
    seconds = error.retry_after_s if isinstance(error, ModelError) else None
    return {} if seconds is None else {"retry-after": f"{seconds:g}"}
