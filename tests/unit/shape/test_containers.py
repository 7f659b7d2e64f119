"""Lists, tuples, sets, mappings and unions."""

import collections
import typing
from collections.abc import (
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from typing import Literal, NewType, Optional, TypedDict, Union

import pytest
from unit.shape.reading import bad, good, relaxed, schema, structured

from par._shape.read import UnreadableType, read_type
from par._shape.shape import MAX_PROBLEMS

UserId = NewType("UserId", str)


@dataclass
class Loose:
    x: int


@dataclass(frozen=True)
class Firm:
    x: int


class Cat(TypedDict):
    kind: Literal["cat"]
    lives: int


class Dog(TypedDict):
    kind: Literal["dog"]
    name: str
    age: int


@pytest.mark.parametrize(
    ("hint", "built"),
    [
        (list[int], [1, 2]),
        (typing.List[int], [1, 2]),  # noqa: UP006
        (Sequence[int], (1, 2)),
        (Iterable[int], (1, 2)),
        (Collection[int], (1, 2)),
        (MutableSequence[int], [1, 2]),
        (tuple[int, ...], (1, 2)),
        (tuple[int, int], (1, 2)),
        (typing.Tuple[int, int], (1, 2)),  # noqa: UP006
        (set[int], {1, 2}),
        (MutableSet[int], {1, 2}),
        (AbstractSet[int], frozenset({1, 2})),
        (frozenset[int], frozenset({1, 2})),
        (collections.deque[int], collections.deque([1, 2])),
        (list, [1, 2]),
        (typing.List, [1, 2]),  # noqa: UP006
        (tuple, (1, 2)),
        (typing.Tuple, (1, 2)),  # noqa: UP006
        (set, {1, 2}),
        (Sequence, (1, 2)),
        (typing.Sequence, (1, 2)),
        (object, [1, 2]),
    ],
    ids=str,
)
def test_every_kind_of_list_is_built_as_its_own_kind(hint, built):
    found = good(hint, [1, 2])

    assert (found, type(found)) == (built, type(built))
    assert read_type(hint).matches(found)


@pytest.mark.parametrize(
    "hint",
    [dict[str, int], typing.Dict[str, int], Mapping[str, int], MutableMapping[str, int], dict[UserId, int], dict, typing.Dict],  # noqa: UP006
    ids=str,
)  # fmt: skip
def test_every_kind_of_mapping_is_built_as_a_dict(hint):
    found = good(hint, {"a": 1})

    assert found == {"a": 1}
    assert read_type(hint).matches(found)


@pytest.mark.parametrize("hint", [set[int], frozenset[int], AbstractSet[int], MutableSet[int]], ids=str)
def test_a_set_has_each_item_once_and_its_schema_says_so(hint):
    assert bad(hint, [1, 2, 1]) == "it: an item appears twice. Send each item once."
    assert schema(hint) == {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}


@pytest.mark.parametrize(
    ("hint", "value", "problem"),
    [
        (list[str], "abc", 'it: expected a list, each item text, got the text "abc". Send a JSON array.'),
        (list[str], {"0": "a"}, "it: expected a list, each item text, got an object with the keys 0. Send a JSON array."),
        (list[int], [1, "2"], 'it[1]: expected a whole number, got the text "2". Send 2 without quotes.'),
        (list[list[int]], [[1], [2, None]], "it[1][1]: expected a whole number, got null."),
        (tuple[int, str], [1], "it: expected a list of exactly 2: a whole number, text, got a list of 1."),
        (tuple[int, str], [1, 2], "it[1]: expected text, got the number 2. Send a JSON string."),
        (tuple[()], [1], "it: expected an empty list, got a list of 1."),
        (dict[str, int], [1], "it: expected an object, each value a whole number, got a list of 1."),
        (dict[str, int], {"a": "x"}, 'it.a: expected a whole number, got the text "x".'),
        (set[object], [[1]], "it: expected a list of plain values, got a list or an object in it."),
        (int | None, "x", 'it: expected a whole number or null, got the text "x".'),
        (Optional[str], 3, "it: expected text or null, got the number 3."),  # noqa: UP045
    ],
)  # fmt: skip
def test_the_path_leads_to_what_is_wrong(hint, value, problem):
    assert structured(hint, value)[1] == [problem]


def test_the_empty_tuple_is_the_empty_list():
    assert good(tuple[()], []) == ()
    assert schema(tuple[()]) == {"type": "array", "maxItems": 0}


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (dict[int, str], "the keys of a JSON object are text"),
        (Iterator[int], "has no JSON form"),
        (set[list[int]], "a set cannot hold list[int], which has no hash"),
        (frozenset[dict[str, int]], "which has no hash"),
        (set[Loose], "a set cannot hold Loose"),
        (set[Cat], "a set cannot hold Cat"),
        (typing.Callable[[], int], "has no JSON form"),
        (bytes, "bytes has no JSON form"),
        (type, "type has no JSON form"),
        (list[complex], "complex has no JSON form"),
        ("int", "int has no JSON form"),
        (3, "3 has no JSON form"),
    ],
    ids=str,
)
def test_what_a_model_cannot_write_is_refused_when_the_type_is_read(hint, why):
    with pytest.raises(UnreadableType) as caught:
        read_type(hint)

    assert why in str(caught.value)


def test_a_set_of_frozen_values_is_read():
    assert good(set[Firm], [{"x": 1}]) == {Firm(1)}


# --- unions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hint", [int | str, Union[int, str], str | int], ids=str)
def test_a_union_takes_each_of_its_branches(hint):
    assert (good(hint, 3), good(hint, "3")) == (3, "3")
    assert "expected" in bad(hint, None)


@pytest.mark.parametrize("hint", [int | float, float | int, float | None | int], ids=str)
def test_a_whole_number_stays_whole_where_both_kinds_will_do(hint):
    found = good(hint, 3)

    assert type(found) is int
    assert type(good(hint, 3.5)) is float


def test_the_first_branch_that_fits_wins():
    assert good(date | str, "2025-03-01") == date(2025, 3, 1)
    assert good(date | str, "soon") == "soon"


def test_a_union_tells_of_the_branch_that_was_meant():
    assert bad(Cat | Dog, {"kind": "dog", "name": "Rex", "age": "old"}) == (
        'it.age: expected a whole number, got the text "old".'
    )


def test_a_union_tells_all_branches_where_none_was_meant():
    assert bad(Cat | Dog | None, 3) == "it: expected an object Cat or an object Dog or null, got the number 3."


def test_the_schema_of_a_union_offers_each_branch():
    assert schema(int | None) == {"anyOf": [{"type": "integer"}, {"type": "null"}]}


# --- slips --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "slip", "meant"),
    [
        (list[int], "[1, 2]", [1, 2]),
        (list[int], 5, [5]),
        (list[int], "5", [5]),
        (list[str], "a", ["a"]),
        (list[str], "[draft] a", ["[draft] a"]),
        (list[int], ["1", 2], [1, 2]),
        (dict[str, int], '{"a": "1"}', {"a": 1}),
        (tuple[int, str], ["1", 2], [1, "2"]),
        (tuple[int, str], '[1, "b"]', [1, "b"]),
        (int | None, "5", 5),
        (int | None, "null", None),
        (int | None, "", None),
        (int | bool, "1", 1),
        (bool | int, "1", 1),
        (list[int] | int, "5", 5),
        (int | list[int], "[5]", [5]),
        (Cat | Dog, '{"kind": "DOG", "name": "Rex", "age": "3"}', {"kind": "dog", "name": "Rex", "age": 3}),
    ],
)
def test_slips_with_one_meaning_are_mended(hint, slip, meant):
    found = relaxed(hint, slip)

    assert (found, type(found)) == (meant, type(meant))
    good(hint, found)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (list[int], "x"),
        (list[int], None),
        (list[int], "[1, 2"),
        (list[list[int]], "x"),
        (tuple[int, str], [1]),
        (str | None, "null"),
        (str | int, "5"),
        (dict[str, int], "x"),
        (dict[str, int], "{x"),
    ],
)
def test_what_has_no_one_meaning_is_left_alone(hint, value):
    assert relaxed(hint, value) is value


# --- how much is told -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (list[int], ["x"] * 100),
        (dict[str, int], {str(number): "x" for number in range(100)}),
        (list[list[int]], [["x"] * 100] * 100),
        (list[tuple[int, int]], [["x", "y"]] * 100),
    ],
    ids=str,
)
def test_no_more_is_told_than_a_model_can_use(hint, value):
    assert MAX_PROBLEMS <= len(structured(hint, value)[1]) <= MAX_PROBLEMS + 1


def test_a_long_key_is_quoted_in_part():
    assert len(bad(dict[str, int], {"k" * 10_000: "x"})) < 300


@pytest.mark.parametrize(
    ("hint", "value", "matches"),
    [
        (list[int], [1], True),
        (list[int], (1,), True),
        (list[int], ["1"], False),
        (list[str], "abc", False),
        (Sequence[str], {"a": 1}, False),
        (set[int], {1}, True),
        (set[int], [1], False),
        (tuple[int, str], (1, "a"), True),
        (tuple[int, str], (1,), False),
        (tuple[int, str], [1, "a"], False),
        (dict[str, int], {"a": 1}, True),
        (dict[str, int], {1: 1}, False),
        (dict[str, int], [1], False),
        (int | None, None, True),
        (int | None, "x", False),
    ],
)
def test_results_are_matched_with_their_parts(hint, value, matches):
    assert read_type(hint).matches(value) is matches
