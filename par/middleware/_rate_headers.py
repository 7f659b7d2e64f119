"""Read from a provider's headers how long it has no room."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["limit_from_headers", "pause_from_headers"]

# Source: OpenAI writes x-ratelimit-remaining-requests and x-ratelimit-reset-requests ("6m0s"); Anthropic writes
# anthropic-ratelimit-requests-remaining and anthropic-ratelimit-requests-reset (RFC 3339).
_PAIRS = tuple(
    pair
    for kind in ("requests", "tokens", "input-tokens", "output-tokens")
    for pair in (
        (f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}"),
        (f"anthropic-ratelimit-{kind}-remaining", f"anthropic-ratelimit-{kind}-reset"),
    )
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MOST_DIGITS = 16
_LONGEST_S = 3600.0  # a header must not stop a service for a day


def pause_from_headers(headers: Mapping[str, str], now: datetime) -> float:
    """Return the seconds until the provider has room again; 0 where it has room or does not say."""
    pause = 0.0
    for remaining, reset in _PAIRS:
        if headers.get(remaining, "").strip() == "0":
            pause = max(pause, _seconds(headers.get(reset, "").strip(), now))
    return min(pause, _LONGEST_S)


def limit_from_headers(headers: Mapping[str, str], kind: str) -> int | None:
    """Return the provider's limit on ``requests`` or ``tokens``; ``None`` where it does not tell one."""
    for name in (f"x-ratelimit-limit-{kind}", f"anthropic-ratelimit-{kind}-limit"):
        text = headers.get(name, "").strip()
        if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS and int(text) > 0:
            return int(text)
    return None


def _seconds(text: str, now: datetime) -> float:
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp())
