"""What a docstring tells the model, in the three styles that people write."""

from typing import Annotated

import pytest

from par import Param, tool
from par._tool.docstring import read_docstring

GOOGLE = """The weather of a place,
as a sentence.

    More about it.

Args:
    city: which place,
        in English. Note: no countries
    days (int, optional): how many
    *rest: ignored
    units (dict[str, (int)]): a type with brackets

Returns:
    A sentence: always.
"""
SPHINX = """The weather of a place,
as a sentence.

:param city: which place,
    in English. Note: no countries
:param int days: how many
:param units: a type with brackets
:returns: a sentence
:raises ValueError: never
"""
NUMPY = """The weather of a place,
as a sentence.

Parameters
----------
city : str
    which place,
    in English. Note: no countries
days : int, optional
    how many
units
    a type with brackets

Returns
-------
str
    a sentence
"""
PARAMETERS = {
    "city": "which place, in English. Note: no countries",
    "days": "how many",
    "units": "a type with brackets",
}


@pytest.mark.parametrize("text", [GOOGLE, SPHINX, NUMPY], ids=["google", "sphinx", "numpy"])
def test_the_three_styles_say_the_same(text):
    summary, parameters = read_docstring(text)

    assert summary == "The weather of a place, as a sentence."
    assert {name: parameters[name] for name in PARAMETERS} == PARAMETERS
    assert not {"Returns", "str", "returns", "ValueError"} & set(parameters)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ("", {})),
        ("", ("", {})),
        ("One line.", ("One line.", {})),
        ("\nArgs:\n    x: it", ("", {"x": "it"})),
        ("S.\n\nArgs:\n    x: it.\n        default: 3", ("S.", {"x": "it. default: 3"})),
        ("S.\n\nArgs:\n    x: it.\n\n    y: that.", ("S.", {"x": "it.", "y": "that."})),
        ("S.\n\nArgs:\n    x:\n        on the next line", ("S.", {"x": "on the next line"})),
        ("S.\n\nParameters\n----------\nx, y : int\n    both", ("S.", {"x": "both", "y": "both"})),
        ("S.\n\nParameters\n----------\nx : int", ("S.", {})),
        ("S.\n\nReturns:\n    x: not a parameter", ("S.", {})),
        ("S.\n:param x: it", ("S.", {"x": "it"})),
    ],
)
def test_the_edges_of_the_styles(text, expected):
    assert read_docstring(text) == expected


@pytest.mark.parametrize("text", [GOOGLE, SPHINX, NUMPY], ids=["google", "sphinx", "numpy"])
def test_a_tool_tells_the_model_what_its_docstring_says(text):
    def weather(city: str, days: int = 1, units: str = "c") -> str:
        return city

    weather.__doc__ = text

    spec = tool(weather).spec

    assert spec.description == "The weather of a place, as a sentence."
    assert {name: part["description"] for name, part in spec.parameters["properties"].items()} == PARAMETERS


def test_what_annotated_says_of_a_parameter_goes_before_the_docstring():
    def weather(city: Annotated[str, "the city's name"], days: Annotated[int, Param(ge=1)] = 1) -> str:
        """W.

        Args:
            city: a place.
            days: how many.
        """
        return city

    parts = tool(weather).spec.parameters["properties"]

    assert parts["city"]["description"] == "the city's name"
    assert parts["days"] == {"type": "integer", "minimum": 1, "description": "how many.", "default": 1}
