"""Which schemas OpenAI takes as strict."""

import pytest

from par.providers._strict import fits_strict, schema_name

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def holding(schema):
    return {**CLOSED, "properties": {"a": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        CLOSED,
        {"type": "string"},
        {"type": "object", "properties": {}, "additionalProperties": False},
        holding(CLOSED),
        holding({"type": "array", "items": CLOSED, "minItems": 1}),
        holding({"anyOf": [CLOSED, {"type": "null"}]}),
        holding({"type": "string", "format": "date", "pattern": "^2", "description": "A day.", "title": "Day"}),
        holding({"type": "integer", "minimum": 1, "multipleOf": 2}),
        holding({"const": "x"}),
        {**CLOSED, "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": CLOSED}},
        holding({
            "type": "object",
            "properties": {"default": {}},
            "required": ["default"],
            "additionalProperties": False,
        }),
    ],
)
def test_a_closed_schema_fits(schema):
    assert fits_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {**CLOSED, "required": []},
        {**CLOSED, "additionalProperties": True},
        {"type": "object"},
        {"properties": {}},
        {**CLOSED, "required": ["a", "b"]},
        holding({"type": "object"}),
        holding(True),
        holding({"type": "array", "items": {"type": "object"}}),
        holding({"anyOf": [{"type": "object"}]}),
        holding({"type": "string", "minLength": 1}),
        holding({"type": "string", "format": "uri"}),
        holding({"type": "string", "default": "x"}),
        holding({"oneOf": [{"type": "string"}]}),
        {**CLOSED, "$defs": {"b": {"type": "object"}}},
        {**CLOSED, "definitions": {"b": {"type": "object"}}},
    ],
)
def test_an_open_schema_or_one_with_unknown_words_does_not(schema):
    assert not fits_strict(schema)


@pytest.mark.parametrize(
    ("name", "expected"), [("Report", "Report"), ("list[Report]", "list_Report_"), ("x" * 65, "x" * 64), ("", "output")]
)
def test_a_name_becomes_one_that_the_api_takes(name, expected):
    assert schema_name(name) == expected
