"""One request and its answer, as they stand in the file."""

import base64
import binascii
from collections.abc import Sequence
from itertools import accumulate, pairwise

import attrs

from par._json import Json, JsonObject, JsonSyntaxError, dump_json, load_json
from par.testing._cassette.secrets import Redactor

__all__ = ["Answer", "Asked", "Interaction", "asked", "cut", "read_interaction", "said"]


@attrs.frozen(kw_only=True)
class Asked:
    """A request: what it is found by. The body is JSON, text, or bytes in base64 with ``base64:`` before them."""

    method: str
    url: str
    body: Json

    @property
    def key(self) -> str:
        """The request as text that is equal for equal requests, in whatever order the fields of the body come."""
        return dump_json([self.method, self.url, _sorted(self.body)])


@attrs.frozen(kw_only=True)
class Answer:
    """An answer: its body in the pieces in which it came. ``whole`` is false if its end was never read."""

    status: int
    headers: dict[str, str]
    chunks: tuple[bytes, ...]
    whole: bool = True


@attrs.frozen(kw_only=True)
class Interaction:
    """A request and its answer."""

    asked: Asked
    answer: Answer

    def to_json(self) -> JsonObject:
        """Return what stands in the file."""
        answer: JsonObject = {"status": self.answer.status, "headers": dict[str, Json](self.answer.headers)}
        answer.update(_body_to_json(self.answer.chunks))
        if not self.answer.whole:
            answer["whole"] = False
        request: JsonObject = {"method": self.asked.method, "url": self.asked.url, "body": self.asked.body}
        return {"request": request, "response": answer}


def asked(method: str, url: str, body: bytes, redactor: Redactor) -> Asked:
    """Return a request as it is kept, without secrets."""
    return Asked(method=method, url=redactor.url(url), body=_body(body, redactor))


def said(answer: Answer, redactor: Redactor) -> Answer:
    """Return an answer as it is kept, without secrets.

    Where that changes the length of the body, the cuts between the pieces stay where they were, as far as they can.
    """
    raw = b"".join(answer.chunks)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return answer
    kept = _without_secrets(text, redactor).encode()
    places = list(accumulate(len(chunk) for chunk in answer.chunks))
    edges = [0, *[min(place, len(kept)) for place in places[:-1]], len(kept)]
    return attrs.evolve(answer, chunks=tuple(kept[a:b] for a, b in pairwise(edges) if a < b))


def _without_secrets(text: str, redactor: Redactor) -> str:
    try:
        value = load_json(text)
    except JsonSyntaxError:
        return redactor.text(text)
    kept = redactor.json(value)
    return text if kept == value else _dump(kept)


def _dump(value: Json) -> str:
    """Write any JSON value."""
    return dump_json([value])[1:-1]


def _body(body: bytes, redactor: Redactor) -> Json:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(body).decode()}"
    try:
        return redactor.json(load_json(text)) if text else None
    except JsonSyntaxError:
        return redactor.text(text)


def _sorted(value: Json) -> Json:
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return value


def _body_to_json(chunks: Sequence[bytes]) -> JsonObject:
    raw = b"".join(chunks)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
    if len(chunks) > 1:
        places: list[Json] = [*accumulate(len(chunk) for chunk in chunks[:-1])]
        return {"lines": [*text.splitlines(keepends=True)], "cuts": places}
    try:
        value = load_json(text)
    except JsonSyntaxError:
        return {"lines": [*text.splitlines(keepends=True)]}
    # readable where it can be put back as it was, byte for byte
    return {"json": value} if _dump(value) == text else {"lines": [text]}


def read_interaction(value: Json) -> Interaction:
    """Read what stands in the file.

    Raises:
        ValueError: if it is none.
    """
    outer = _object(value, "an interaction")
    request = _object(outer.get("request"), "request")
    response = _object(outer.get("response"), "response")
    method, url, status = request.get("method"), request.get("url"), response.get("status")
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(status, int):
        raise ValueError("method and url are text, status is a number")  # noqa: TRY004 # of a file, not a program
    headers = {name: str(text) for name, text in _object(response.get("headers", {}), "headers").items()}
    return Interaction(
        asked=Asked(method=method, url=url, body=request.get("body")),
        answer=Answer(
            status=status, headers=headers, chunks=_chunks(response), whole=response.get("whole") is not False
        ),
    )


def _object(value: Json, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")  # noqa: TRY004 # of a file, not a program
    return value


def _chunks(response: JsonObject) -> tuple[bytes, ...]:
    if "json" in response:
        return (_dump(response["json"]).encode(),)
    lines = response.get("lines", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError("lines must be a list of text")
    raw = "".join([line for line in lines if isinstance(line, str)]).encode()
    if isinstance(response.get("base64"), str):
        try:
            raw = base64.b64decode(str(response["base64"]), validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from None
    cuts = response.get("cuts", [])
    places = [place for place in cuts if isinstance(place, int)] if isinstance(cuts, list) else []
    return cut(raw, places)


def cut(raw: bytes, places: Sequence[int]) -> tuple[bytes, ...]:
    """Cut bytes at these places."""
    edges = [0, *sorted(place for place in places if 0 < place < len(raw)), len(raw)]
    return tuple(raw[a:b] for a, b in pairwise(edges) if a < b)
