"""What ``Annotated`` tells of a type: limits and descriptions."""

import math
from decimal import Decimal
from typing import Annotated, Literal, NewType

import annotated_types
import attrs
import pytest
from typing_extensions import Doc
from unit.shape.reading import bad, good, schema, structured

from par import Param
from par._shape.read import UnreadableType, read_type

Small = Annotated[int, Param(ge=0, le=10)]
Count = NewType("Count", int)


@pytest.mark.parametrize(
    ("param", "value", "words"),
    [
        (Param(ge=1), 0, "must be at least 1, got the number 0."),
        (Param(gt=1), 1, "must be greater than 1, got the number 1."),
        (Param(le=1.5), 2, "must be at most 1.5, got the number 2."),
        (Param(lt=12_345_678), 12_345_678, "must be less than 12345678, got the number 12345678."),
        (Param(multiple_of=5), 7, "must be a multiple of 5, got the number 7."),
    ],
    ids=str,
)
def test_each_limit_on_numbers_holds(param, value, words):
    hint = Annotated[float, param]

    assert bad(hint, value) == f"it: {words}"
    assert good(hint, value + {"ge": 1, "gt": 1, "le": -1, "lt": -1}.get(only(param), 3))


def only(param):
    return next(name for name, limit in attrs.asdict(param).items() if limit is not None)


@pytest.mark.parametrize(
    ("hint", "value", "words"),
    [
        (Annotated[str, Param(min_length=2)], "a", 'must have at least 2 characters, got the text "a".'),
        (Annotated[str, Param(max_length=1)], "ab", 'must have at most 1 characters, got the text "ab".'),
        (Annotated[str, Param(pattern="^[a-z]+$")], "A", 'must match the pattern ^[a-z]+$, got the text "A".'),
        (Annotated[list[int], Param(min_length=1)], [], "must have at least 1 items, got an empty list."),
        (Annotated[dict[str, int], Param(max_length=0)], {"a": 1}, "must have at most 0 items, got an object with the keys a."),
        (Annotated[Decimal, Param(ge=0.1)], "0.05", 'must be at least 0.1, got the text "0.05".'),
    ],
    ids=str,
)  # fmt: skip
def test_each_limit_on_other_values_holds(hint, value, words):
    assert structured(hint, value)[1] == [f"it: {words}"]


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (Annotated[int, Param(ge=1, le=9)], {"type": "integer", "minimum": 1, "maximum": 9}),
        (Annotated[float, Param(gt=1, lt=9)], {"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 9}),
        (Annotated[int, Param(multiple_of=5)], {"type": "integer", "multipleOf": 5}),
        (
            Annotated[str, Param(min_length=1, max_length=2, pattern="a")],
            {"type": "string", "minLength": 1, "maxLength": 2, "pattern": "a"},
        ),
        (
            Annotated[list[int], Param(min_length=1, max_length=2)],
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
        ),
        (
            Annotated[dict[str, int], Param(min_length=1, max_length=2)],
            {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 2},
        ),
        (
            Annotated[list[int] | None, Param(min_length=1)],
            {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}], "minItems": 1},
        ),
        (Annotated[str, "the city"], {"type": "string", "description": "the city"}),
        (Annotated[str, Param(description="the city")], {"type": "string", "description": "the city"}),
        (Annotated[str, Doc("the city")], {"type": "string", "description": "the city"}),
        (Annotated[str, annotated_types.doc("the city")], {"type": "string", "description": "the city"}),
        (
            Annotated[Decimal, Param(pattern="^1")],
            {"allOf": [{"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}], "pattern": "^1"},
        ),
    ],
    ids=str,
)
def test_the_schema_has_limits_and_description(hint, expected):
    assert schema(hint) == expected


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (Annotated[int, annotated_types.Ge(1)], {"minimum": 1}),
        (Annotated[int, annotated_types.Interval(gt=1, le=5)], {"exclusiveMinimum": 1, "maximum": 5}),
        (Annotated[int, annotated_types.MultipleOf(5)], {"multipleOf": 5}),
        (Annotated[str, annotated_types.Len(1, 5)], {"minLength": 1, "maxLength": 5}),
        (Annotated[str, annotated_types.MaxLen(5)], {"maxLength": 5}),
    ],
    ids=str,
)
def test_the_limits_of_annotated_types_work(hint, expected):
    found = schema(hint)
    found.pop("type")

    assert found == expected


def test_of_two_limits_the_narrower_holds_whatever_their_order():
    for hint in (Annotated[Small, Param(ge=5)], Annotated[Annotated[int, Param(ge=5)], Param(ge=0, le=10)]):
        assert schema(hint) == {"type": "integer", "minimum": 5, "maximum": 10}


def test_limits_work_through_new_types_and_on_optional_values():
    assert bad(Annotated[Count, Param(ge=1)], 0).startswith("it: must be at least 1")
    assert good(Annotated[int | None, Param(ge=1)], None) is None
    assert good(Annotated[int, Param(ge=1)] | None, None) is None
    assert bad(Annotated[int, Param(ge=1)] | None, 0) == "it: must be at least 1, got the number 0."


def test_a_limit_on_numbers_says_nothing_of_booleans():
    assert good(Annotated[int | bool, Param(ge=5)], True) is True


@pytest.mark.parametrize(
    ("value", "of", "fits"), [(19.99, 0.01, True), (0.3, 0.1, True), (0.35, 0.1, False), (10**30 + 5, 5, True), (1e300, 7, False)]
)  # fmt: skip
def test_multiples_are_told_by_digits_and_not_by_binary_fractions(value, of, fits):
    assert (structured(Annotated[float, Param(multiple_of=of)], value)[1] == []) is fits


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"ge": math.nan}, "ge must be a finite number"),
        ({"lt": math.inf}, "lt must be a finite number"),
        ({"le": True}, "le must be a finite number"),
        ({"gt": "3"}, "gt must be a finite number"),
        ({"multiple_of": 0}, "multiple_of must be greater than 0"),
        ({"multiple_of": -1}, "multiple_of must be greater than 0"),
        ({"min_length": -1}, "min_length must be a whole number, 0 or more"),
        ({"max_length": 1.5}, "max_length must be a whole number"),
        ({"max_length": True}, "max_length must be a whole number"),
        ({"pattern": "("}, "pattern is no regular expression"),
        ({"ge": 5, "le": 4}, "nothing is between ge=5 and le=4"),
        ({"gt": 5, "le": 5}, "nothing is between gt=5 and le=5"),
        ({"min_length": 2, "max_length": 1}, "nothing is between min_length=2 and max_length=1"),
    ],
    ids=str,
)
def test_limits_that_are_none_are_refused(limits, why):
    with pytest.raises(ValueError, match=why):
        Param(**limits)


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Annotated[int, Param(min_length=1)], "min_length limits nothing of a whole number"),
        (Annotated[int, Param(pattern="a")], "pattern limits nothing of a whole number"),
        (Annotated[str, Param(ge=1)], "ge limits nothing of text"),
        (Annotated[bool, Param(ge=1)], "ge limits nothing of true or false"),
        (Annotated[Literal["a"], Param(ge=1)], 'ge limits nothing of one of "a"'),
        (Annotated[int, annotated_types.Ge(Decimal("1.5"))], "is no limit of JSON: use a number"),
        (Annotated[int, annotated_types.Ge(5), annotated_types.Le(4)], "nothing is between ge=5 and le=4"),
        (Annotated[str, Param(pattern="a"), Param(pattern="b")], "pattern is given twice"),
        (Annotated[int, Param(multiple_of=2), Param(multiple_of=3)], "multiple_of is given twice"),
    ],
    ids=str,
)
def test_limits_that_could_do_nothing_are_refused_when_the_type_is_read(hint, why):
    with pytest.raises(UnreadableType, match=why):
        read_type(hint)


def test_what_annotated_carries_for_others_is_left_alone():
    assert schema(Annotated[int, 5, ["a list"], object()]) == {"type": "integer"}


@pytest.mark.parametrize(
    ("hint", "value", "matches"),
    [
        (Annotated[int, Param(ge=1)], 0, False),
        (Annotated[int, Param(ge=1)], 1, True),
        (Annotated[float, Param(ge=1)], math.nan, True),
        (Annotated[str, Param(max_length=1)], "ab", False),
        (Annotated[list[int], Param(min_length=1)], [], False),
        (Annotated[set[int], Param(min_length=1)], {1}, True),
        (Annotated[Decimal, Param(ge=1)], Decimal("0.5"), False),
    ],
    ids=str,
)
def test_results_keep_the_limits_too(hint, value, matches):
    assert read_type(hint).matches(value) is matches
