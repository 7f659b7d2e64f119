"""Text, numbers and booleans are taken as they are, or not at all."""

import math
import typing

import pytest
from unit.shape.reading import bad, good, relaxed, schema, structured

from par import Json
from par._shape.read import read_type


@pytest.mark.parametrize(
    ("hint", "value", "problem"),
    [
        (bool, "false", 'it: expected true or false, got the text "false". Send true or false without quotes.'),
        (bool, 0, "it: expected true or false, got the number 0."),
        (int, 3.9, "it: expected a whole number, got the number 3.9."),
        (int, 3.0, "it: expected a whole number, got the number 3.0."),
        (int, True, "it: expected a whole number, got true."),
        (int, " -5", 'it: expected a whole number, got the text " -5". Send -5 without quotes.'),
        (int, "five", 'it: expected a whole number, got the text "five".'),
        (int, "--5", 'it: expected a whole number, got the text "--5".'),
        (float, True, "it: expected a number, got true."),
        (float, "3", 'it: expected a number, got the text "3".'),
        (float, 10**400, f"it: expected a finite number, got the number 1{'0' * 79}...."),
        (float, math.inf, "it: expected a finite number, got the number inf."),
        (str, None, "it: expected text, got null. Send a JSON string."),
        (str, 3, "it: expected text, got the number 3. Send a JSON string."),
        (str, ["a"], "it: expected text, got a list of 1. Send a JSON string."),
        (str, {"a": 1, "b": 2}, "it: expected text, got an object with the keys a, b. Send a JSON string."),
        (str, [], "it: expected text, got an empty list. Send a JSON string."),
        (str, {}, "it: expected text, got an empty object. Send a JSON string."),
        (None, "", 'it: expected null, got the text "".'),
        (None, False, "it: expected null, got false."),
    ],
)
def test_what_is_not_of_the_type_is_refused_with_what_to_do(hint, value, problem):
    assert structured(hint, value)[1] == [problem]


@pytest.mark.parametrize(
    ("hint", "value", "built"),
    [
        (bool, True, True),
        (int, -3, -3),
        (int, 10**50, 10**50),
        (float, 3, 3.0),
        (float, 2.5, 2.5),
        (str, "", ""),
        (None, None, None),
        (type(None), None, None),
    ],
)
def test_what_is_of_the_type_is_taken(hint, value, built):
    found = good(hint, value)

    assert (found, type(found)) == (built, type(built))


@pytest.mark.parametrize("hint", [object, typing.Any, Json], ids=["object", "Any", "Json"])
@pytest.mark.parametrize("value", [None, True, 3, "x", [1], {"a": {}}], ids=repr)
def test_any_json_is_taken_where_anything_goes(hint, value):
    assert good(hint, value) is value
    assert schema(hint) == {}


def test_long_texts_are_quoted_in_part():
    assert len(bad(int, "x" * 10_000)) < 200


@pytest.mark.parametrize(
    ("hint", "slip", "meant"),
    [
        (int, "5", 5),
        (int, " -5 ", -5),
        (int, "+5", 5),
        (int, 3.0, 3),
        (int, -0.0, 0),
        (float, "2.5", 2.5),
        (float, "1e3", 1000.0),
        (float, "-.5", "-.5"),
        (bool, "true", True),
        (bool, " No ", False),
        (bool, "1", True),
        (str, 3, "3"),
        (str, 2.5, "2.5"),
        (str, True, "true"),
        (None, "null", None),
        (None, "", None),
    ],
)
def test_slips_with_one_meaning_are_mended(hint, slip, meant):
    found = relaxed(hint, slip)

    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, "--5"),
        (int, "+-5"),
        (int, "٣"),
        (int, "1_000"),
        (int, "9" * 5000),
        (int, 3.5),
        (int, math.inf),
        (int, True),
        (int, None),
        (float, "nan"),
        (float, "inf"),
        (float, "1_000.0"),
        (float, "1e999"),
        (float, True),
        (bool, "maybe"),
        (bool, 1),
        (str, None),
        (str, ["a"]),
        (str, math.nan),
        (None, "none"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_has_no_one_meaning_is_left_alone(hint, value):
    assert relaxed(hint, value) is value


@pytest.mark.parametrize(
    ("hint", "value", "matches"),
    [
        (int, 3, True),
        (int, True, False),
        (int, 3.0, False),
        (float, 3, True),
        (float, True, False),
        (str, "a", True),
        (str, b"a", False),
        (bool, 1, False),
        (None, None, True),
        (None, 0, False),
    ],
)
def test_results_are_matched_as_strictly_as_arguments(hint, value, matches):
    assert read_type(hint).matches(value) is matches
