"""Schemas that the Anthropic API can hold a model to."""

import pytest

from par.providers._anthropic_schema import closed_schema


def record(**properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        record(x={"type": "string", "format": "date", "description": "d"}, y={"enum": ["a"]}, z={"const": 1}),
        record(x={"type": "array", "items": record(), "minItems": 1}),
        {**record(x={"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}), "$defs": {"A": record()}},
    ],
)
def test_what_the_api_takes_is_left_as_it_is(schema):
    assert closed_schema(schema) == schema


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "(minimum: 1, maximum: 9)"),
        ({"type": "string", "minLength": 1, "description": "A name."}, "A name. (minLength: 1)"),
        ({"type": "string", "format": "color"}, "(format: color)"),
        ({"type": "string", "format": ["date"]}, '(format: ["date"])'),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3}, "(minItems: 3)"),
        ({"type": "string", "examples": ["a"]}, '(examples: ["a"])'),
    ],
)
def test_constraints_that_it_does_not_know_are_told(given, expected):
    schema = closed_schema(record(x=given))

    assert schema["properties"]["x"]["description"] == expected
    assert set(schema["properties"]["x"]) <= {"type", "items", "description"}


def test_one_of_is_any_of_and_where_it_comes_from_is_left_out():
    schema = closed_schema({"$schema": "https://x", **record(x={"oneOf": [{"type": "string"}, {"type": "null"}]})})

    assert schema == record(x={"anyOf": [{"type": "string"}, {"type": "null"}]})


def test_an_object_is_closed_where_it_has_properties():
    assert closed_schema({"type": "object", "properties": {}})["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        record(x={"type": "object"}),
        record(x={}),
        record(x={"type": "array", "items": True}),
        {**record(x={"$ref": "#/$defs/A"}), "$defs": {"A": record(x={"$ref": "#/$defs/A"})}},
        {
            **record(x={"$ref": "#/$defs/A"}),
            "$defs": {"A": record(x={"$ref": "#/$defs/B"}), "B": record(x={"$ref": "#/$defs/A"})},
        },
        record(x={"$ref": "#"}),
    ],
    ids=["any-object", "map", "within", "anything", "items", "recursive", "in-turn", "itself"],
)
def test_what_matters_and_cannot_be_held_to_gives_nothing(schema):
    assert closed_schema(schema) is None


def test_a_definition_that_is_used_twice_is_not_recursive():
    schema = {
        **record(x={"$ref": "#/$defs/A"}, y={"$ref": "#/$defs/B"}),
        "$defs": {"A": record(b={"$ref": "#/$defs/B"}), "B": record()},
    }

    assert closed_schema(schema) == schema
