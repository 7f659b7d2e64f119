"""From what a provider said went wrong to the one error that tells the caller what to do."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite

from par._json import Json
from par.errors import (
    AccessDenied,
    AuthenticationFailed,
    ContentFiltered,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestRejected,
    RequestTooLarge,
    ServerFailed,
    UnreadableReply,
)
from par.providers._keys import without_keys
from par.providers._reading import obj, string

__all__ = ["facts_of_headers", "failure_in_body", "failure_of_status", "retry_after_s"]

_MAX_DETAIL = 2000
_MAX_BODY_TEXT = 20_000
_TOO_LONG = re.compile(
    r"(?i)context[ _](?:length|window|limit|size)|maximum context|prompt is too long|too many (?:input )?tokens"
    r"|input (?:is too long|length and `max_tokens`)|reduce the length"
)

# the words that providers use inside a body of status 200, or where no status came with the error
_STATUS_OF_TYPE: Mapping[str, int] = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "server_error": 500,
    "timeout_error": 504,
    "vector_store_timeout": 504,
}
_OF_THE_REQUEST = frozenset({
    "context_length_exceeded",
    "data_residency_mismatch",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "model_not_found",
    "unsupported_image_media_type",
    "unsupported_parameter",
    "unsupported_value",
})
"""Words of OpenAI's for what repeating the request does not help against; the responses API has them without a status.

Source: https://platform.openai.com/docs/api-reference/responses/object#responses/object-error
"""
_FILTERED = re.compile(
    r"(?i)content (?:management|filter\w*|moderation)|content_?polic|usage polic|safety (?:system|filter|polic)"
    r"|was flagged|flagged for"
)
_FILTER_WORDS = frozenset({
    "bio_policy",
    "content_filter",
    "content_policy_violation",
    "data_inspection_failed",
    "image_content_policy_violation",
    "invalid_prompt",
    "misalignment_policy_violation",
    "moderation_blocked",
})
_KIND_OF_STATUS: Mapping[int, type[ModelError]] = {
    401: AuthenticationFailed,
    402: AccessDenied,
    403: AccessDenied,
    404: ModelNotFound,
    408: ServerFailed,  # the server waited too long, or cannot now: the same request may pass later
    409: ServerFailed,
    413: RequestTooLarge,
    425: ServerFailed,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}
_OUT_OF_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


def failure_of_status(
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    request_id: str | None = None,
) -> ModelError:
    """Translate an answer whose status is not 2xx."""
    try:
        value: Json = json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        value = body.decode("utf-8", "replace")
    message, words = _facts(value)
    wait_s = retry_after_s(headers, datetime.now(UTC))
    return _failure(provider, status, message, words, body=value, request_id=request_id, wait_s=wait_s)


def failure_in_body(provider: str, error: Json, *, request_id: str | None = None) -> ModelError:
    """Translate an ``error`` that came inside an answer which had begun well."""
    message, words = _facts(error)
    fields = obj(error)
    codes = [fields.get(name) for name in ("code", "status_code", "status", "http_status")]
    status = next((code for code in codes if isinstance(code, int) and 400 <= code < 600), None)
    if status is None:
        status = next((_STATUS_OF_TYPE[word] for word in words if word in _STATUS_OF_TYPE), None)
    if status is None and _OF_THE_REQUEST.intersection(words):
        status = 400
    return _failure(provider, status, message, words, body=error, request_id=request_id, wait_s=None)


def _facts(body: Json) -> tuple[str, tuple[str, ...]]:
    """Return what the error says to people, and the words in it that are meant for programs."""
    if isinstance(body, list):  # Google's compatible endpoint wraps the object in an array
        body = body[0] if body else None
    if isinstance(body, str):
        return body, ()
    outer = obj(body)
    error = outer.get("error", outer)
    if isinstance(error, str):
        return error, ()
    inner = obj(error)
    message = string(inner.get("message")) or string(inner.get("detail")) or string(outer.get("message"))
    raw = string(obj(inner.get("metadata")).get("raw"))  # OpenRouter: what the upstream provider said
    words = tuple([word for word in (inner.get("code"), inner.get("type")) if isinstance(word, str)])
    return (f"{message}: {raw}" if raw else message) or json.dumps(body, ensure_ascii=False), words


def _failure(
    provider: str,
    status: int | None,
    message: str,
    words: tuple[str, ...],
    *,
    body: Json,
    request_id: str | None,
    wait_s: float | None,
) -> ModelError:
    detail = without_keys(message.strip())[:_MAX_DETAIL]
    # no wait helps against an empty account, though OpenAI reports it as a rate limit
    kind = AccessDenied if _OUT_OF_MONEY.intersection(words) else _kind(status, message, words)
    kept = _kept(body)
    return kind(detail, provider=provider, status=status, request_id=request_id, retry_after_s=wait_s, body=kept)


def _kept(body: Json) -> Json:
    """Return the body without the keys that some providers quote in it."""
    if isinstance(body, str):
        # a key that is cut does not look like one, so it goes before the rest is cut
        return without_keys(body[: 2 * _MAX_BODY_TEXT])[:_MAX_BODY_TEXT]
    if isinstance(body, list):
        return [_kept(item) for item in body]
    if isinstance(body, dict):
        return {without_keys(name): _kept(value) for name, value in body.items()}
    return body


def _kind(status: int | None, message: str, words: tuple[str, ...]) -> type[ModelError]:
    if _FILTER_WORDS.intersection(words):
        return ContentFiltered
    if status is not None and status < 400:
        return UnreadableReply
    if status in (400, 413, 422) or (status is None and words):
        if "context_length_exceeded" in words or _TOO_LONG.search(message):
            return ContextTooLong
        if "model_not_found" in words:
            return ModelNotFound
    if status in (400, 403, 422) and _FILTERED.search(message):
        return ContentFiltered
    if status is None or status >= 500:
        return _KIND_OF_STATUS.get(status or 500, ServerFailed)
    return _KIND_OF_STATUS.get(status, RequestRejected)


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the provider asks to wait, at least 0; ``None`` if it does not say.

    Reads ``retry-after-ms``, then ``retry-after`` in seconds or as an HTTP date.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None:
        return max(0.0, seconds)
    if value is None:
        return None
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:  # "-0000" means that the zone is not known; the date is UTC all the same
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and isfinite(value) else None


def facts_of_headers(raw: Iterable[tuple[bytes, bytes]], id_name: bytes) -> tuple[str | None, dict[str, str]]:
    """Return the request id, and the headers that state limits: rate limits and ``retry-after``.

    Reads them as they came: the mapping that HTTP libraries offer costs as much as reading the answer.
    """
    request_id: str | None = None
    limits: dict[str, str] = {}
    for field, value in raw:
        name = field.lower()
        if name == id_name:
            request_id = value.decode("latin-1")
        elif b"ratelimit-" in name or name.startswith(b"retry-after"):
            limits[name.decode("latin-1")] = value.decode("latin-1")
    return request_id, limits
