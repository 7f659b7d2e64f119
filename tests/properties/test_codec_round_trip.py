"""Laws of the codec, over values of every class."""

import json
import types
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Literal, TypeVar, Union, get_args, get_origin

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from par._codec.converter import RECORDS
from par._json import Json
from par.calls import NoOutput, RunResult, Settings, ToolNames
from par.codec import TAGS, decode, dumps, encode, loads
from par.errors import DecodeError
from par.messages import Document, Image, ResultBlock
from par.outcomes import Done, NeedsApproval

TEXT = st.text(st.characters(), max_size=8)  # with lone surrogates and control characters
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
ZONES = st.just(UTC) | st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
FIRST, LAST = datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("3000-01-01")  # the strategy adds the zone
PLAIN = {
    str: TEXT,
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    datetime: st.datetimes(FIRST, LAST, timezones=ZONES),
    type(None): st.none(),
}
RANGES = {
    (Settings, "temperature"): st.none() | st.floats(0, 2),
    (Settings, "top_p"): st.none() | st.floats(0, 1, exclude_min=True),
    (Settings, "max_tokens"): st.none() | st.integers(1),
    (NeedsApproval, "expires_s"): st.none() | st.floats(0, 1e9, exclude_min=True),
}


def strategy(kind):
    if kind is Json:
        return JSON
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, Union):
        return st.one_of([strategy(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(strategy(arguments[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(TEXT, strategy(arguments[1]), max_size=3)
    return values_of(origin or kind)


def values_of(kind):
    if kind is Image:
        url = TEXT.map(lambda text: Image(url=text))
        return url | st.tuples(TEXT, TEXT).map(lambda pair: Image(base64=pair[0], media_type=pair[1], detail="low"))
    if kind is Document:
        file = TEXT.map(lambda text: Document(file_id=text, name=text))
        return file | st.tuples(TEXT, TEXT).map(lambda pair: Document(base64=pair[0], media_type=pair[1]))
    if kind is ToolNames:
        return st.builds(ToolNames, st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3), st.booleans())
    if kind is Done:
        return st.builds(Done, JSON, JSON, strategy(tuple[ResultBlock, ...]))
    fields = {}
    for field in attrs.fields(kind):
        if field.metadata.get("local"):
            continue
        if kind is RunResult and field.name == "value":
            fields[field.name] = st.builds(NoOutput) | JSON
        else:
            assert not isinstance(field.type, TypeVar)
            fields[field.name] = RANGES[kind, field.name] if (kind, field.name) in RANGES else strategy(field.type)
    return st.builds(kind, **fields)


KINDS = [*TAGS, *RECORDS]
ANY_VALUE = st.sampled_from(KINDS).flatmap(values_of)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_decoded_value_encodes_to_the_same_json(kind):
    @given(values_of(kind))
    def law(value):
        document = encode(value)

        assert encode(decode(kind, document)) == document

    law()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_text_written_from_a_value_that_was_read_is_the_same_text(kind):
    @given(values_of(kind))
    def law(value):
        text = dumps(value)

        assert dumps(loads(kind, text)) == text
        assert text.encode()

    law()


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not RunResult], ids=lambda kind: kind.__name__)
def test_a_decoded_value_equals_the_value(kind):
    @given(values_of(kind))
    def law(value):
        assert decode(kind, encode(value)) == value

    law()


@given(ANY_VALUE)
def test_what_is_encoded_is_json(value):
    assert json.loads(json.dumps(encode(value), allow_nan=False)) == encode(value)


@given(ANY_VALUE, TEXT, JSON)
def test_one_more_key_is_always_refused(value, key, content):
    document = encode(value)
    assume(key not in document)
    assume(key not in attrs.fields_dict(type(value)))

    with pytest.raises(DecodeError):
        decode(type(value), {**document, key: content})


@given(st.sampled_from(KINDS), JSON)
def test_any_json_is_a_value_or_a_typed_error(kind, document):
    try:
        value = decode(kind, document)
    except DecodeError:
        return
    assert type(value) is kind


@given(ANY_VALUE, st.data())
def test_a_value_with_a_field_replaced_is_a_value_or_a_typed_error(value, data):
    document = encode(value)
    assume(document)
    document[data.draw(st.sampled_from(sorted(document)))] = data.draw(JSON)

    try:
        changed = decode(type(value), document)
    except DecodeError:
        return
    assert encode(changed).keys() >= document.keys()
