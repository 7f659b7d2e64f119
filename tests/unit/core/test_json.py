"""The strict reader of JSON text."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from par._json import JsonSyntaxError, deeper_than, dump_json, load_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def nested(depth):
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' appears twice in one object"),
        ('[{"b": {"a": 1, "b": 2, "a": 3}}]', "the key 'a' appears twice in one object"),
        ("NaN", "NaN is not a JSON number"),
        ("[Infinity]", "Infinity is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ("1e999", "the number 1e999 is too large"),
        ("[-1e400]", "the number -1e400 is too large"),
        ("[" * 65 + "]" * 65, "nests deeper than 64 levels"),
        ("[" * 100_000, "nests deeper than 64 levels"),
        ('{"a":' * 100_000, "nests deeper than 64 levels"),
        ("9" * 5000, "4300"),
        ("", "Expecting value at line 1, column 1"),
        ("{'a': 1}", "at line 1, column 2"),
        ('{"a": 1} x', "Extra data at line 1, column 10"),
        ('{"a": 1,}', "at line 1, column"),
        ('"\n"', "Invalid control character"),
        ("\ufeff{}", ""),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(text, why):
    with pytest.raises(JsonSyntaxError) as caught:
        load_json(text)

    assert why in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_longest_text_is_as_long_as_allowed():
    assert load_json("[1,2]", max_chars=5) == [1, 2]
    with pytest.raises(JsonSyntaxError, match="has 6 characters; at most 5 are read"):
        load_json("[1, 2]", max_chars=5)


def test_the_depth_is_as_allowed():
    text = json.dumps(nested(3))

    assert load_json(text, max_depth=3) == nested(3)
    with pytest.raises(JsonSyntaxError, match="deeper than 2"):
        load_json(text, max_depth=2)


def test_the_deepest_document_is_read():
    assert load_json("[" * 64 + "]" * 64) == nested(64)


@given(st.text() | st.text(alphabet='[]{}":,0123456789eE+-.truefalsn \\u"NaIy', max_size=60))
@example("-")
@example("[1e" + "9" * 400 + "]")
@example('"\\ud800"')
def test_any_text_is_a_value_or_a_syntax_error(text):
    try:
        value = load_json(text)
    except JsonSyntaxError:
        return
    assert json.loads(text) == value
    dump_json(value)  # whatever was read can be written again


@given(VALUES)
def test_what_is_written_is_read_back(value):
    assert load_json(dump_json(value)) == value


@given(VALUES, st.integers(min_value=0, max_value=6))
def test_deeper_than_is_right_at_its_limit(value, limit):
    assert deeper_than(value, limit) is (depth(value) > limit)


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_not_written(number):
    with pytest.raises(ValueError, match="JSON compliant"):
        dump_json({"x": number})


def test_json_is_written_compact_in_its_own_order_and_script():
    assert dump_json({"b": [1, "é"], "a": None}) == '{"b":[1,"é"],"a":null}'
