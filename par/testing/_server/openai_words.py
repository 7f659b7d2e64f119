"""How OpenAI words its errors; both of its APIs do it alike."""

from collections.abc import Mapping

from par._json import JsonObject
from par.testing._server.refused import Misshapen, Refused

__all__ = ["failure_body", "key_in", "worded"]


def key_in(headers: Mapping[str, str]) -> str | None:
    """Return the key of a request: a bearer token, or Azure's own header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return headers.get("api-key")


def worded(wrong: Misshapen) -> Refused:
    """Say what is wrong with a request."""
    where = wrong.place.bracketed
    match wrong.wrong:
        case "unknown":
            return Refused(f"Unknown parameter: '{where}'.", param=where, code="unknown_parameter")
        case "missing":
            return Refused(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
        case "type":
            message = f"Invalid type for '{where}': expected {wrong.detail} instead."
            return Refused(message, param=where, code="invalid_type")
        case "value":
            message = f"Invalid value for '{where}': expected {wrong.detail}."
            return Refused(message, param=where, code="invalid_value")


def failure_body(refused: Refused, request_id: str) -> JsonObject:
    """Return the body of an error."""
    del request_id  # OpenAI sends it in a header alone
    return {
        "error": {
            "message": refused.message,
            "type": refused.kind,
            "param": refused.param,
            "code": refused.code,
        }
    }
