"""Read a type and a value in one step, for the tests of shapes."""

from par._shape.read import json_schema, read_type


def structured(hint, value):
    """Return the value, and the problems."""
    problems = []
    built = read_type(hint).structure(value, "it", problems)
    return built, problems


def good(hint, value):
    built, problems = structured(hint, value)
    assert problems == []
    return built


def bad(hint, value):
    _, problems = structured(hint, value)
    assert problems
    return " ".join(problems)


def schema(hint):
    return json_schema(read_type(hint))


def relaxed(hint, value):
    return read_type(hint).relax(value)
