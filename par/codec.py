"""JSON of par's values: messages, calls, replies, outcomes, deltas, events and their envelopes.

``encode`` and ``decode`` are inverse: what was decoded encodes to the same JSON. Values that may stand for one
another carry the name of their class under the key ``"type"`` (see ``TAGS``); records that stand alone (``Usage``,
``Settings``, ``ToolSpec``, ``OutputSpec``, ``ErrorInfo``, ``Envelope``, ``TurnInfo``, ``Approval``) carry none. Fields that belong to the
process (``ctx``, ``emit``, ``tool``, ...) stay out and have their defaults after decoding; of ``Done`` the
``content`` stays, and becomes the ``value`` too.

Reading is strict: unknown keys, wrong types (``true`` is no number, ``1`` is no text) and unknown tags are errors.
"""

import json
from typing import TypeVar, get_args, overload

from cattrs.errors import BaseValidationError

from par._codec.checked import MAX_DEPTH, time_of, time_text
from par._codec.converter import decoder_of, encoder_of
from par._codec.problems import first_problem
from par._codec.tags import TAGS
from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par.errors import DecodeError

__all__ = ["TAGS", "decode", "dumps", "encode", "loads", "tag_of", "time_of", "time_text"]

T = TypeVar("T")

_TEXT_DEPTH = MAX_DEPTH + 16  # free JSON sits inside the values that carry it
_NAMES_SHOWN = 7
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))  # made once: it is half the cost


def encode(value: object) -> JsonObject:
    """Return the JSON of one of par's values; nothing in it is shared with the value.

    Raises:
        TypeError: if the value is none of par's, or holds what JSON cannot express (NaN, a time without zone).
    """
    return encoder_of(type(value))(value)


def dumps(value: object) -> str:
    """Return the JSON text of one of par's values: compact, and always encodable as UTF-8.

    Raises:
        TypeError: as ``encode`` does.
    """
    return _text_of(encode(value))


def _text_of(document: Json) -> str:
    try:
        text = _JSON.encode(document)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which models do write: escaped, it survives
        text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    except ValueError as error:  # NaN in a field that is not typed as a number
        raise TypeError(str(error)) from None
    return text


@overload
def decode(expected: type[T], document: Json, /) -> T: ...
@overload
def decode(expected: object, document: Json, /) -> object: ...
def decode(expected: object, document: Json, /) -> object:
    """Read a value of the class, or of one of the classes of the union, from its JSON.

    Raises:
        DecodeError: if the document is something else; it says where and why.
        TypeError: if par has no such class or union.
    """
    hook = decoder_of(expected)
    try:
        return hook(document, expected)
    except (BaseValidationError, TypeError, ValueError, KeyError) as error:
        raise DecodeError(_name_of(expected), first_problem(error)) from error


@overload
def loads(expected: type[T], text: str, /) -> T: ...
@overload
def loads(expected: object, text: str, /) -> object: ...
def loads(expected: object, text: str, /) -> object:
    """Read a value from its JSON text.

    Raises:
        DecodeError: as ``decode`` does, and for text that is not JSON.
        TypeError: if par has no such class or union.
    """
    try:
        document = load_json(text, max_depth=_TEXT_DEPTH)
    except JsonSyntaxError as error:
        raise DecodeError(_name_of(expected), str(error)) from error
    return decode(expected, document)


def tag_of(value: object) -> str:
    """Return the tag of a value's class.

    Raises:
        TypeError: if the class has none.
    """
    tag = TAGS.get(type(value))
    if tag is None:
        raise TypeError(f"{type(value).__name__} has no tag")
    return tag


def _name_of(expected: object) -> str:
    if isinstance(expected, type):
        return expected.__name__
    members = [getattr(member, "__name__", str(member)) for member in get_args(expected)]
    return " | ".join(members if len(members) <= _NAMES_SHOWN else [*members[:_NAMES_SHOWN], "..."])
