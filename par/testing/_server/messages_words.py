"""How Anthropic words its errors."""

from collections.abc import Mapping

from par._json import JsonObject
from par.testing._server.refused import Misshapen, Refused
from par.testing._server.sse import ServerEvent

__all__ = ["failure_body", "failure_event", "key_in", "worded"]


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the key of a request: Anthropic's own header, or a bearer token."""
    own = headers.get("x-api-key")
    if own:
        return own
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None


def worded(wrong: Misshapen) -> Refused:
    """Say what is wrong with a request."""
    where = wrong.place.dotted
    match wrong.wrong:
        case "unknown":
            return Refused(f"{where}: Extra inputs are not permitted")
        case "missing":
            return Refused(f"{where}: Field required")
        case "type":
            return Refused(f"{where}: Input should be {wrong.detail}")
        case "value":
            return Refused(f"{where}: Input should be {wrong.detail}")


def failure_body(refused: Refused, request_id: str) -> JsonObject:
    """Return the body of an error."""
    return {
        "type": "error",
        "error": {"type": refused.kind, "message": refused.message},
        "request_id": request_id,
    }


def failure_event(refused: Refused, request_id: str) -> ServerEvent:
    """Return the event that tells of an error within a stream."""
    return ServerEvent("error", failure_body(refused, request_id))
