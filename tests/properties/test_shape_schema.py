"""A shape takes exactly what its JSON Schema takes, and what it takes it gives back as a value of the type.

The differences are meant, and kept out of the values here:

* ``3.0`` is an integer for JSON Schema and a slip for ``int``;
* numbers beyond ``float`` are numbers for JSON Schema and refused for ``float``;
* equal Python values are one member of a set, though their JSON differs (``1`` and ``true``, paths);
* dates and times may leave out seconds and offset, and leap seconds are refused;
* multiples are told by decimal digits, and JSON Schema libraries divide binary fractions.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import field, make_dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, TypedDict
from uuid import UUID

import attrs
import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from par import Param
from par._json import dump_json
from par._shape.read import json_schema, read_type
from par._shape.shape import MAX_PROBLEMS, fits


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


@attrs.frozen
class Node:
    name: str
    kids: "tuple[Node, ...]" = ()


class Note(TypedDict, total=False):
    text: str


WORDS = st.sampled_from(["", "a", "b", "red", "1", "true", "2025-03-01", "12.50", "x" * 5, "[1]", '{"a": 1}', "null"])
SCALARS = st.sampled_from([
    str,
    int,
    float,
    bool,
    None,
    object,
    Colour,
    Node,
    Note,
    date,
    UUID,
    Decimal,
    Literal[1],
    Literal["a", 1, True],
    Annotated[int, Param(ge=0, lt=10)],
    Annotated[float, Param(gt=0, le=2)],
    Annotated[int, Param(multiple_of=3)],
    Annotated[str, Param(min_length=1, max_length=3)],
    Annotated[str, Param(pattern="^[a-z]")],
])
NAMES = ["a", "b", "name"]


def record(fields):
    return make_dataclass(
        "Made", [(name, hint, field(default=None)) if optional else (name, hint) for name, hint, optional in fields],
        kw_only=True,
    )  # fmt: skip


def containers(inner):
    bounded = st.sampled_from([Param(min_length=1), Param(max_length=2)])
    return st.one_of(
        inner.map(lambda hint: list[hint]),
        inner.map(lambda hint: tuple[hint, ...]),
        inner.map(lambda hint: Sequence[hint]),
        inner.map(lambda hint: dict[str, hint]),
        inner.map(lambda hint: Mapping[str, hint]),
        st.lists(inner, max_size=3).map(lambda hints: tuple[tuple(hints)]),
        st.tuples(inner, inner).map(lambda hints: hints[0] | hints[1] if hints != (None, None) else None),
        inner.map(lambda hint: hint | None if hint is not None else None),
        st.tuples(inner, bounded).map(lambda pair: Annotated[list[pair[0]], pair[1]]),
        st.tuples(inner, bounded).map(lambda pair: Annotated[dict[str, pair[0]], pair[1]]),
        st.lists(
            st.tuples(st.sampled_from(NAMES), inner, st.booleans()), max_size=3, unique_by=lambda part: part[0]
        ).map(record),
    )


TYPES = st.recursive(SCALARS, containers, max_leaves=6)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-12, max_value=12)
    | st.sampled_from([0.5, -1.5, 2.25])
    | WORDS
    | st.just("123e4567-e89b-12d3-a456-426614174000")
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "text", "kids"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def near(schema, definitions, depth=0):
    """Draw values that a schema takes, or nearly takes."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return st.one_of([near(branch, definitions, depth) for branch in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    match schema.get("type"):
        case "array" if depth < 4:
            places = [near(place, definitions, depth + 1) for place in schema.get("prefixItems", ())]
            if places or "items" not in schema:
                return st.tuples(*places).map(list)
            return st.lists(near(schema["items"], definitions, depth + 1), max_size=3)
        case "object" if depth < 4:
            parts = {name: near(part, definitions, depth + 1) for name, part in schema.get("properties", {}).items()}
            if "additionalProperties" in schema and schema["additionalProperties"] is not False:
                return st.dictionaries(
                    st.sampled_from(NAMES), near(schema["additionalProperties"], definitions, depth + 1)
                )
            required = {name: part for name, part in parts.items() if name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional={n: p for n, p in parts.items() if n not in required})
        case "string":
            return WORDS | st.just("123e4567-e89b-12d3-a456-426614174000")
        case "integer":
            return st.integers(min_value=-3, max_value=12)
        case "number":
            return st.sampled_from([0.5, 1, 2, -1.5])
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return PLAIN


@st.composite
def cases(draw):
    hint = draw(TYPES)
    shape = read_type(hint)
    schema = json_schema(shape)
    fitting = near(schema, schema.get("$defs", {}))
    return shape, schema, draw(fitting | VALUES)


@settings(max_examples=400, deadline=None)
@given(cases())
def test_a_shape_takes_what_its_schema_takes(case):
    shape, schema, value = case
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.FormatChecker(formats=["date", "uuid"])
    )

    assert fits(shape, value) is validator.is_valid(value)


@settings(max_examples=100, deadline=None)
@given(cases())
def test_every_schema_is_a_schema(case):
    _, schema, _ = case

    jsonschema.Draft202012Validator.check_schema(schema)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_what_is_built_is_of_the_type(case):
    shape, _, value = case
    problems = []
    built = shape.structure(value, "it", problems)

    assert problems or shape.matches(built)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_problems_are_few_and_begin_with_their_path(case):
    shape, _, value = case
    problems = []
    shape.structure(value, "it", problems)

    assert len(problems) <= MAX_PROBLEMS + 3
    assert all((problem.startswith("it") and problem.endswith(".")) or "Send" in problem for problem in problems)


# --- slips ----------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(cases())
def test_mending_leaves_alone_what_fits(case):
    shape, _, value = case

    if fits(shape, value):
        assert dump_json(shape.relax(value)) == dump_json(value)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_mending_twice_is_mending_once(case):
    shape, _, value = case
    once = shape.relax(value)

    assert dump_json(shape.relax(once)) == dump_json(once)


@st.composite
def slips(draw):
    """Draw a type without text in it, a value of it, and a misspelling of the value."""
    hint = draw(
        st.recursive(
            st.sampled_from([int, float, bool, Literal["a", "b"], Colour]),
            lambda inner: st.one_of(
                inner.map(lambda hint: list[hint]),
                inner.map(lambda hint: dict[str, hint]),
                inner.map(lambda hint: record([("a", hint, False), ("b", hint, True)])),
            ),
            max_leaves=3,
        )
    )
    shape = read_type(hint)
    schema = json_schema(shape)
    value = draw(near(schema, {}))
    return shape, value, misspelt(value, draw)


def misspelt(value, draw):
    if draw(st.booleans()):
        return value if isinstance(value, str) else dump_json(value)
    if isinstance(value, list):
        return [misspelt(item, draw) for item in value]
    if isinstance(value, dict):
        return {key: misspelt(item, draw) for key, item in value.items()}
    if isinstance(value, str):
        return value.upper()
    return float(value) if type(value) is int else value


@settings(max_examples=300, deadline=None)
@given(slips())
def test_misspelt_values_are_mended_to_what_was_meant(slip):
    shape, value, written = slip

    assert fits(shape, value)
    mended = shape.relax(written)
    assert fits(shape, mended)
    assert mended == value
