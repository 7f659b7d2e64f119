"""JSON that is sent again and again: its text is written once."""

from json import JSONEncoder
from typing import final

from par._json import Json
from par.errors import UsageError

__all__ = ["Wired", "encode_body"]

# ``json.dumps`` makes an encoder at each call when it is told how to write
_PLAIN = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ESCAPED = JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))

_DEPTH = 4
"""A body, its lists, their items, and the lists in these: where messages, tools and blocks of messages stand."""


@final
class Wired(dict[str, Json]):  # a dict, so that all who read JSON can read it
    """The wire form of an immutable value: a message, a block of one, or a tool.

    Bodies that hold it share its text, which is written when it is first sent. So nobody may change it after that: a
    form that differs is a new one, ``Wired({**old, ...})``.
    """

    __slots__ = ("_text",)

    _text: bytes

    def text(self) -> bytes:
        """Return the JSON text, in UTF-8.

        Raises:
            UsageError: if there is something in it that JSON does not have.
        """
        try:
            return self._text
        except AttributeError:
            self._text = _written(self)
            return self._text


def encode_body(body: dict[str, Json]) -> bytes:
    """Return the text of a request's body, in UTF-8; ``Wired`` parts bring theirs.

    Such parts are found as values of the body, as items of its lists, and as items of lists in these items; deeper
    ones are written like any other object.

    Raises:
        UsageError: if there is something in it that JSON does not have: NaN, infinities, other classes.
    """
    parts: list[bytes] = []
    _add_object(body, parts, _DEPTH - 1)
    return b"".join(parts)


def _add(value: Json, parts: list[bytes], depth: int) -> None:
    if isinstance(value, Wired):
        parts.append(value.text())
    elif depth and value and isinstance(value, list):
        _add_array(value, parts, depth - 1)
    elif depth and value and isinstance(value, dict):
        _add_object(value, parts, depth - 1)
    else:
        parts.append(_written(value))


def _add_object(value: dict[str, Json], parts: list[bytes], depth: int) -> None:
    before = b"{"
    for name, item in value.items():
        parts.append(b"%s%s:" % (before, _written(name)))
        _add(item, parts, depth)
        before = b","
    parts.append(b"}" if value else b"{}")


def _add_array(value: list[Json], parts: list[bytes], depth: int) -> None:
    before = b"["
    for item in value:
        parts.append(before)
        if isinstance(item, Wired):  # nearly all of a long history: without a call for each
            parts.append(item.text())
        else:
            _add(item, parts, depth)
        before = b","
    parts.append(b"]")


def _written(value: Json) -> bytes:
    try:
        return _PLAIN.encode(value).encode()
    except UnicodeEncodeError:
        # half a surrogate pair has no UTF-8; JSON can say it, and the provider decides
        return _ESCAPED.encode(value).encode()
    except (TypeError, ValueError) as error:
        raise UsageError(f"the request cannot be written as JSON: {error}") from error
