"""What the endpoints that count tokens take and answer."""

from collections.abc import Collection

from par._json import JsonObject
from par.errors import UnreadableReply
from par.providers._reading import count, parse_body

__all__ = ["for_counting", "read_count"]


def for_counting(body: JsonObject, fields: Collection[str]) -> JsonObject:
    """Return what of a request's body is counted; the endpoints refuse the rest, such as the temperature."""
    return {name: value for name, value in body.items() if name in fields}


def read_count(raw: bytes, provider: str) -> int:
    """Read the answer.

    Raises:
        UnreadableReply: if there is no number of tokens in it.
    """
    body = parse_body(raw, provider)
    tokens = count(body.get("input_tokens"))
    if not tokens:  # there is no request without any
        raise UnreadableReply("there are no input_tokens", provider=provider)
    return tokens
