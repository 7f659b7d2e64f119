"""Literals, enums, and the values that JSON writes as text."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal
from uuid import UUID

import pytest
from unit.shape.reading import bad, good, relaxed, schema

from par._shape.read import UnreadableType, read_type


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Word(StrEnum):
    YES = "yes"


class Half(Enum):
    A = 0.5


class Empty(Enum):
    pass


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Literal[1], 1),
        (Literal[True], True),
        (Literal["1"], "1"),
        (Literal["a", None], None),  # noqa: PYI061 # this spelling is one choice
        (Literal[1, True], True),
    ],
    ids=str,
)
def test_a_literal_takes_its_own_values(hint, value):
    assert good(hint, value) is value


@pytest.mark.parametrize(
    ("hint", "value"),
    [(Literal[1], True), (Literal[1], "1"), (Literal[True], 1), (Literal["1"], 1), (Literal["a"], "A"), (Literal[1], 1.0)],
    ids=str,
)  # fmt: skip
def test_a_literal_takes_nothing_that_is_merely_equal(hint, value):
    assert bad(hint, value).startswith("it: expected one of ")


def test_the_choices_are_told():
    hint = Literal["a", 1, None]  # noqa: PYI061 # this spelling is one choice

    assert bad(hint, "b") == 'it: expected one of "a", 1, null, got the text "b".'


def test_of_very_many_choices_the_first_are_told():
    many = Enum("many", {f"m{number}": number for number in range(1000)})

    assert bad(many, "x").endswith(', 39 and 960 more, got the text "x".')
    assert len(schema(many)["enum"]) == 1000


def test_the_schema_of_a_choice_has_its_values():
    assert schema(Literal["a", 1]) == {"enum": ["a", 1]}
    assert schema(Literal["a"]) == {"const": "a"}
    assert schema(Colour) == {"enum": ["red", "green"]}


@pytest.mark.parametrize(
    ("hint", "value", "member"),
    [(Colour, "red", Colour.RED), (Level, 2, Level.HIGH), (Word, "yes", Word.YES), (Literal[Colour.RED], "red", Colour.RED)],
    ids=str,
)  # fmt: skip
def test_an_enum_is_written_by_its_values(hint, value, member):
    found = good(hint, value)

    assert found is member
    assert read_type(hint).matches(found)


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Half, "the enum Half cannot be offered to a model: .* is neither text nor a whole number"),
        (Empty, "there is nothing to choose from"),
        (Literal[b"x"], "b'x' is neither text nor a whole number"),
    ],
    ids=str,
)
def test_choices_that_json_has_not_are_refused(hint, why):
    with pytest.raises(UnreadableType, match=why):
        read_type(hint)


@pytest.mark.parametrize(
    ("hint", "slip", "meant"),
    [
        (Colour, "Red", "red"),
        (Colour, " green ", "green"),
        (Level, "2", 2),
        (Level, 2.0, 2),
        (Literal["1", "2"], 1, "1"),
        (Literal[True, False], "true", True),
        (Literal["A", "b"], "a", "A"),
    ],
)
def test_slips_with_one_meaning_are_mended(hint, slip, meant):
    found = relaxed(hint, slip)

    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (Literal["A", "a"], "a"),
        (Literal["A", "a"], "A"),
        (Literal["A", "a"], " a"),
        (Literal[1, "1"], "1"),
        (Literal[1, "1"], 1),
        (Literal[1, True], True),
        (Colour, "blue"),
        (Colour, ["red"]),
        (Colour, 0.5),
    ],
)
def test_what_fits_or_has_no_one_meaning_is_left_alone(hint, value):
    assert relaxed(hint, value) is value


@pytest.mark.parametrize(
    ("hint", "text", "built"),
    [
        (datetime, "2025-03-01T12:00:00Z", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        (datetime, "2025-03-01t12:00:00z", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        (datetime, "2025-03-01 12:00:00.25+00:00", datetime(2025, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)),
        (datetime, "2025-03-01T12:00", datetime(2025, 3, 1, 12)),  # noqa: DTZ001 # naive
        (date, "2025-03-01", date(2025, 3, 1)),
        (time, "12:30", time(12, 30)),
        (time, "12:30:15Z", time(12, 30, 15, tzinfo=UTC)),
        (UUID, "123E4567-e89b-12d3-a456-426614174000", UUID("123e4567-e89b-12d3-a456-426614174000")),
        (Decimal, "-12.50", Decimal("-12.50")),
        (Path, "a/b", Path("a/b")),
        (PurePath, "a/b", PurePath("a/b")),
        (PurePosixPath, "a/b", PurePosixPath("a/b")),
    ],
)
def test_values_that_json_writes_as_text_are_read(hint, text, built):
    found = good(hint, text)

    assert found == built
    assert read_type(hint).matches(found)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (datetime, "2025-03-01"),
        (datetime, "2025-02-30T12:00:00Z"),
        (datetime, "20250301T120000Z"),
        (datetime, 1_740_000_000),
        (date, "20250301"),
        (date, "2025-W09-6"),
        (date, "2025-03-01T00:00:00Z"),
        (date, "٢٠٢٥-03-01"),
        (time, "12"),
        (time, "25:00"),
        (UUID, "{123e4567-e89b-12d3-a456-426614174000}"),
        (UUID, "123e4567e89b12d3a456426614174000"),
        (Decimal, 12.5),
        (Decimal, "1e3"),
        (Decimal, "NaN"),
        (Decimal, " 1"),
        (Decimal, "1_000"),
        (Decimal, "1\n"),
        (Path, ""),
        (Path, "a\0b"),
        (Path, None),
    ],
)
def test_other_spellings_are_refused_with_an_example(hint, value):
    assert bad(hint, value).startswith("it: expected a")


@pytest.mark.parametrize(
    ("hint", "slip", "meant"),
    [
        (Decimal, 12.5, "12.5"),
        (Decimal, 3, "3"),
        (Decimal, 1e-7, "0.0000001"),
        (UUID, "{123E4567e89b12d3a456426614174000}", "123e4567-e89b-12d3-a456-426614174000"),
    ],
)
def test_other_spellings_with_one_meaning_are_mended(hint, slip, meant):
    assert relaxed(hint, slip) == meant
    good(hint, meant)


@pytest.mark.parametrize(
    ("hint", "value"),
    [(UUID, "123E4567-E89B-12D3-A456-426614174000"), (UUID, "x"), (Decimal, True), (date, "soon"), (Decimal, None)],
)
def test_what_fits_or_means_nothing_is_left_alone(hint, value):
    assert relaxed(hint, value) is value


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        (datetime, {"type": "string", "format": "date-time"}),
        (date, {"type": "string", "format": "date"}),
        (time, {"type": "string", "format": "time"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (Decimal, {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
        (Path, {"type": "string", "minLength": 1}),
    ],
)
def test_the_schema_names_the_form_of_the_text(hint, expected):
    assert schema(hint) == expected
