"""Bodies whose parts bring their own text."""

import json
import math

import pytest

from par.errors import UsageError
from par.providers._wired import Wired, encode_body

BODY = {
    "model": "m",
    "stream": True,
    "none": None,
    "empty": [],
    "nothing": {},
    "messages": [
        Wired({"role": "system", "content": 'é \u2028 "quoted" 😀'}),
        {"role": "user", "content": [Wired({"type": "text", "text": "a"}), {"type": "text", "text": "b"}, "c", []]},
        {"role": "assistant", "content": None},
    ],
    "tools": [Wired({"name": "t", "parameters": {"type": "object", "properties": {"x": {"enum": [1, 2.5, None]}}}})],
    "output": {"deep": {"deeper": [{"deepest": [Wired({"a": 1})]}]}},
    "schema": Wired({"type": "object"}),
}


def test_a_body_is_the_json_of_what_it_holds():
    assert json.loads(encode_body(BODY)) == BODY


def test_the_text_is_as_compact_as_json_can_be():
    assert encode_body(BODY) == json.dumps(BODY, ensure_ascii=False, separators=(",", ":")).encode()


def test_an_empty_body_is_an_object():
    assert encode_body({}) == b"{}"


@pytest.mark.parametrize(
    "around",
    [lambda w: {"a": w}, lambda w: {"a": [w]}, lambda w: {"a": [{"b": [w]}]}],
    ids=["a value", "an item", "a block of an item"],
)
def test_a_part_is_written_once(around):
    part = Wired({"text": "first"})
    body = around(part)
    first = encode_body(body)

    dict.__setitem__(part, "text", "second")  # nobody may; it shows whether it is written again

    assert encode_body(body) == first


def test_a_copy_of_a_part_has_a_text_of_its_own():
    part = Wired({"a": 1})
    part.text()

    assert Wired({**part, "b": 2}).text() == b'{"a":1,"b":2}'


def test_half_a_surrogate_pair_is_escaped():
    assert json.loads(encode_body({"a": "\ud800"})) == {"a": "\ud800"}


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        encode_body({"a": [Wired({"b": value})]})
