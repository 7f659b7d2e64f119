"""Errors of providers become the one error that says what to do."""

import json
from datetime import UTC, datetime

import pytest

from par import errors
from par.providers._failures import facts_of_headers, failure_in_body, failure_of_status, retry_after_s
from par.providers._reading import parse_body

NOW = datetime(2025, 1, 1, 12, 0, 0, tzinfo=UTC)


def body(message="no", **fields):
    return json.dumps({"error": {"message": message, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "raw", "kind"),
    [
        (400, body(), errors.RequestRejected),
        (400, body(code="context_length_exceeded"), errors.ContextTooLong),
        (400, body("This model's maximum context length is 8192 tokens"), errors.ContextTooLong),
        (400, body("prompt is too long: 210000 tokens > 200000 maximum"), errors.ContextTooLong),
        (400, body("input length and `max_tokens` exceed context limit"), errors.ContextTooLong),
        (401, body(), errors.AuthenticationFailed),
        (402, body(), errors.AccessDenied),
        (403, body(), errors.AccessDenied),
        (403, body("Your input was flagged for violence"), errors.ContentFiltered),
        (404, body(), errors.ModelNotFound),
        (400, body(code="model_not_found"), errors.ModelNotFound),
        (400, body(code="content_filter"), errors.ContentFiltered),
        (400, body(code="invalid_prompt"), errors.ContentFiltered),
        (400, body("Output blocked by content filtering policy"), errors.ContentFiltered),
        (408, body(), errors.ServerFailed),
        (409, body(), errors.ServerFailed),
        (413, body(), errors.RequestTooLarge),
        (413, body("prompt is too long: 210000 tokens"), errors.ContextTooLong),
        (422, body(), errors.RequestRejected),
        (429, body(), errors.RateLimited),
        (429, body(code="insufficient_quota"), errors.AccessDenied),
        (500, body(), errors.ServerFailed),
        (502, b"<html>bad gateway</html>", errors.ServerFailed),
        (503, b"", errors.Overloaded),
        (529, body(type="overloaded_error"), errors.Overloaded),
        (302, b"", errors.UnreadableReply),
    ],
)
def test_the_status_and_the_words_decide_the_class(status, raw, kind):
    error = failure_of_status("openai", status, {}, raw, request_id="req-1")

    assert type(error) is kind
    assert (error.provider, error.status, error.request_id) == ("openai", status, "req-1")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "told"}}', "told"),
        (b'{"error": "told"}', "told"),
        (b'{"message": "told"}', "told"),
        (b'{"detail": "told"}', "told"),
        (b'[{"error": {"message": "told", "code": 400}}]', "told"),
        (b"told", "told"),
        (b'{"error": {"message": "upstream", "metadata": {"raw": "told"}}}', "upstream: told"),
        (b'{"odd": 1}', '{"odd": 1}'),
        (b'"told"', "told"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "["),
    ],
)
def test_the_provider_is_quoted_whatever_shape_it_speaks_in(raw, message):
    assert failure_of_status("p", 400, {}, raw).detail.startswith(message)


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-abcdefghijk", "sk-ab***************wxyz", "gsk_abcdefghijkl", "AIzaSyA1234567890", "xai-abcdefghij"],
)
def test_keys_are_left_out_of_the_message(secret):
    error = failure_of_status("p", 401, {}, body(f"Incorrect key: {secret}. Authorization: Bearer {secret}"))

    assert secret not in str(error)
    assert "Incorrect key: …" in error.detail


def test_the_body_is_kept_without_keys():
    error = failure_of_status("p", 401, {}, body("no: sk-proj-abcdefghijk", code="bad", param=None, more=["Bearer x"]))

    assert error.body == {"error": {"message": "no: …", "code": "bad", "param": None, "more": ["Bearer …"]}}
    assert "param" not in str(error)


def test_a_body_that_is_no_json_is_kept_as_text():
    assert failure_of_status("p", 502, {}, b"<html>bad gateway</html>").body == "<html>bad gateway</html>"
    assert len(failure_of_status("p", 502, {}, b"x" * 100_000).body) == 20_000


def test_an_error_within_an_answer_keeps_its_body():
    assert failure_in_body("p", {"message": "m", "code": 502}).body == {"message": "m", "code": 502}


def test_a_long_message_is_cut():
    assert len(failure_of_status("p", 400, {}, b"x" * 100_000).detail) == 2000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 01 Jan 2025 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 01 Jan 2025 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Wed, 01 Jan 2025 11:00:00 GMT"}, 0.0),
    ],
)
def test_the_wait_is_read_in_every_form(headers, seconds):
    assert retry_after_s(headers, NOW) == seconds


def test_a_rate_limit_carries_its_wait():
    assert failure_of_status("p", 429, {"retry-after": "7"}, body()).retry_after_s == 7.0


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"type": "overloaded_error", "message": "m"}, errors.Overloaded, 529),
        ({"type": "rate_limit_error", "message": "m"}, errors.RateLimited, 429),
        ({"type": "authentication_error", "message": "m"}, errors.AuthenticationFailed, 401),
        ({"type": "invalid_request_error", "message": "prompt is too long"}, errors.ContextTooLong, 400),
        ({"code": 502, "message": "m"}, errors.ServerFailed, 502),
        ({"code": "502", "status_code": 413, "message": "m"}, errors.RequestTooLarge, 413),
        ({"status": 401, "message": "m"}, errors.AuthenticationFailed, 401),
        ({"code": "rate_limit_exceeded", "message": "m"}, errors.RateLimited, 429),
        ({"code": "content_filter", "message": "m"}, errors.ContentFiltered, None),
        ({"message": "m"}, errors.ServerFailed, None),
        ("m", errors.ServerFailed, None),
    ],
)
def test_an_error_within_an_answer_is_told_apart_by_its_words(error, kind, status):
    failure = failure_in_body("p", error)

    assert type(failure) is kind
    assert failure.status == status


def test_of_the_headers_the_request_id_and_the_limits_are_kept():
    raw = [
        (b"X-RateLimit-Remaining-Tokens", b"5"),
        (b"anthropic-ratelimit-reset", b"z"),
        (b"Retry-After", b"1"),
        (b"Date", b"d"),
        (b"X-Request-Id", b"r"),
    ]

    assert facts_of_headers(raw, b"x-request-id") == (
        "r",
        {"x-ratelimit-remaining-tokens": "5", "anthropic-ratelimit-reset": "z", "retry-after": "1"},
    )
    assert facts_of_headers([], b"x-request-id") == (None, {})


@pytest.mark.parametrize(
    "raw",
    [
        b"no JSON, but sk-abcdef0123456789",
        b'"sk-abcdef0123456789"',
        b"x" * 190 + b" sk-abcdef0123456789",
        b"Authorization: Bearer abc",
    ],
)
def test_a_key_in_an_answer_that_cannot_be_read_is_not_repeated(raw):
    with pytest.raises(errors.UnreadableReply) as caught:
        parse_body(raw, "openai")

    assert "sk-" not in str(caught.value)
    assert "Bearer abc" not in str(caught.value)
