"""The signature of a webhook: how it is made, and how the one who receives it checks it."""

import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from typing import Final, cast

from par._clock import Clock
from par.errors import InvalidSignature, SignatureExpired

__all__ = [
    "EVENT_HEADER",
    "ID_HEADER",
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "checked_secrets",
    "sign",
    "verify_signature",
]

ID_HEADER: Final = "Par-Event-Id"
"""The id of the event: the same at every attempt, so that a receiver can tell what it has seen."""
EVENT_HEADER: Final = "Par-Event"
"""The kind of the event, such as ``approval_requested``."""
TIMESTAMP_HEADER: Final = "Par-Timestamp"
"""When this attempt was signed, in seconds since 1970."""
SIGNATURE_HEADER: Final = "Par-Signature"
"""``t=<seconds>,v1=<hexadecimal>``, with a ``v1`` for each secret; the time is part of what is signed."""

_LEAST_SECRET: Final = 16
_MOST_HEADER: Final = 1_000
_MOST_SIGNATURES: Final = 8
_TIME: Final = re.compile(r"[0-9]{1,12}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def checked_secrets(secrets: Iterable[str | bytes]) -> tuple[bytes, ...]:
    """Return the secrets as bytes.

    Raises:
        ValueError: if there is none, or one has fewer than 16 bytes.
        TypeError: if one is neither text nor bytes.
    """
    if isinstance(secrets, (str, bytes)):  # of which each letter would be a secret
        raise TypeError("secrets must be several: put the one into a tuple")
    found: list[bytes] = []
    for secret in secrets:
        given = cast("object", secret)  # callers without a checker may hand in anything
        if not isinstance(given, (str, bytes)):
            raise TypeError(f"a secret must be text or bytes, not {type(given).__name__}")
        found.append(given.encode() if isinstance(given, str) else given)
    if not found or min(map(len, found)) < _LEAST_SECRET:  # without the secret, of course
        raise ValueError(f"there must be a secret, and each must have at least {_LEAST_SECRET} bytes")
    return tuple(found)


def sign(body: bytes, secrets: Iterable[str | bytes], *, at: datetime) -> str:
    """Return the signature header of a body that is sent at a time: HMAC-SHA-256 of ``<seconds>.<body>``.

    Raises:
        ValueError: for a secret of fewer than 16 bytes, or for none.
    """
    seconds = int(at.timestamp())
    digests = [f"v1={_digest(secret, seconds, body)}" for secret in checked_secrets(secrets)]
    return ",".join([f"t={seconds}", *digests])


def verify_signature(
    body: bytes,
    header: str | None,
    secrets: Iterable[str | bytes],
    *,
    tolerance_s: float = 300.0,
    clock: Clock | None = None,
) -> datetime:
    """Check that a holder of one of the secrets has sent this body, and not long ago; return when it was signed.

    The digests are compared in a time that tells nothing of them. What is checked is the body as it came, byte by
    byte: check before it is parsed. A webhook that is caught and sent again within the tolerance passes; the id of
    the event tells that it was seen.

    Args:
        body: the bytes of the request's body.
        header: the value of the header ``Par-Signature``; ``None`` if it was not there.
        secrets: the secrets that count now: two while one is being changed for another.
        tolerance_s: how many seconds the signature may be old, or ahead of this clock.
        clock: tells the time.

    Raises:
        InvalidSignature: if there is no signature, or none of them is right.
        SignatureExpired: if it is right, and made at another time.
        ValueError: for a secret of fewer than 16 bytes, for no secret, and for a tolerance not above 0.
    """
    keys = checked_secrets(secrets)
    if isinstance(tolerance_s, bool) or not isfinite(tolerance_s) or tolerance_s <= 0:
        raise ValueError(f"tolerance_s must be a finite number of seconds above 0, got {tolerance_s!r}")
    seconds, given = _read(header)
    right = False
    for key in keys:
        expected = _digest(key, seconds, body)
        for digest in given:
            right |= hmac.compare_digest(expected, digest)
    if not right:
        raise InvalidSignature("no secret makes it of this body")
    age_s = (clock or Clock()).now().timestamp() - seconds
    if abs(age_s) > tolerance_s:
        raise SignatureExpired(age_s=age_s, tolerance_s=tolerance_s)
    return datetime.fromtimestamp(seconds, UTC)


def _digest(secret: bytes, seconds: int, body: bytes) -> str:
    return hmac.new(secret, f"{seconds}.".encode() + body, sha256).hexdigest()


def _read(header: str | None) -> tuple[int, list[str]]:
    if not header:
        raise InvalidSignature("there is none")
    if len(header) > _MOST_HEADER:
        raise InvalidSignature(f"it has more than {_MOST_HEADER} characters")
    times: list[str] = []
    digests: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":  # others are of versions to come
            digests.append(value)
    if len(times) != 1 or not _TIME.fullmatch(times[0]):
        raise InvalidSignature("it does not tell one time")
    if not 0 < len(digests) <= _MOST_SIGNATURES or not all(_DIGEST.fullmatch(digest) for digest in digests):
        raise InvalidSignature("it has no digest of 64 hexadecimal digits")
    try:
        datetime.fromtimestamp(int(times[0]), UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidSignature("it does not tell one time") from None
    return int(times[0]), digests
