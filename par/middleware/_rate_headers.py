"""Read from a provider's headers how long it has no room."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["pause_from_headers"]

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
_LONGEST_S = 3600.0  # a header must not stop a service for a day


def pause_from_headers(headers: Mapping[str, str], now: datetime) -> float:
    """Return the seconds until the provider has room again; 0 where it has room or does not say."""
    pause = 0.0
    for remaining, reset in _PAIRS:
        if headers.get(remaining, "").strip() == "0":
            pause = max(pause, _seconds(headers.get(reset, "").strip(), now))
    return min(pause, _LONGEST_S)


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
