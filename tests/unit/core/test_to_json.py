"""The JSON of what tools return."""

import dataclasses
from collections import OrderedDict, deque
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from uuid import UUID

import attrs
import pytest

from par._json import dump_json, load_json
from par._to_json import to_json


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


@attrs.frozen
class Place:
    name: str
    _secret: int = 0


@dataclasses.dataclass
class Point:
    x: int
    at: Place


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2.5, 2.5),
        ("é", "é"),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (Word.YES, "yes"),
        ((1, [2]), [1, [2]]),
        (deque([1, 2]), [1, 2]),
        ({2, 1}, [1, 2]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (OrderedDict(a=1), {"a": 1}),
        ({1: "a", Colour.RED: "b", 2.5: "c"}, {"1": "a", "red": "b", "2.5": "c"}),
        (Place("Rome"), {"name": "Rome", "_secret": 0}),
        (Point(1, Place("Rome")), {"x": 1, "at": {"name": "Rome", "_secret": 0}}),
        (datetime(2025, 3, 1, 12, tzinfo=UTC), "2025-03-01T12:00:00+00:00"),
        (date(2025, 3, 1), "2025-03-01"),
        (time(12, 30), "12:30:00"),
        (timedelta(minutes=1), 60.0),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (Decimal("12.50"), "12.50"),
        (PurePosixPath("a/b"), "a/b"),
        (b"\xff", "/w=="),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_value_has_its_json(value, expected):
    found = to_json(value)

    assert found == expected
    assert load_json(dump_json(found)) == expected


@pytest.mark.parametrize(("value", "kind"), [(Text("a"), str), (Whole(3), int), (Real(2.5), float)])
def test_subclasses_of_plain_types_become_plain(value, kind):
    assert type(to_json(value)) is kind


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (object(), "object has no JSON form"),
        (float("nan"), "nan has no JSON form"),
        ([float("inf")], "inf has no JSON form"),
        (Decimal("NaN"), "NaN has no JSON form"),
        ({(1, 2): 3}, "a key of type tuple"),
        ({True: 3}, "a key of type bool"),
        ({None: 3}, "a key of type NoneType"),
        ({1: "a", "1": "b"}, "two keys of a dict are the same as text"),
        ((item for item in []), "generator has no JSON form"),
        (10**5000, "thousands of digits"),
        (Place, "type has no JSON form"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_json_is_a_type_error_that_names_it(value, why):
    with pytest.raises(TypeError, match=why):
        to_json(value)


def test_a_value_that_contains_itself_is_a_type_error():
    value = []
    value.append(value)

    with pytest.raises(TypeError, match="contains itself or nests too deep"):
        to_json(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("caf\udce9 é", "caf? é"), ({"\ud800": 1}, {"?": 1}), (PurePosixPath("a\udcff"), "a?")],
    ids=["text", "key", "path"],
)
def test_half_a_surrogate_pair_is_written_as_a_question_mark(value, expected):
    found = to_json(value)

    assert found == expected
    dump_json(found).encode()


def test_a_number_of_4000_digits_is_still_written():
    assert load_json(dump_json(to_json(10**4000))) == 10**4000
