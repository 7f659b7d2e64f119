"""Structured output: the schema that the model is given, and the reading of what it writes."""

import re

from par._json import JsonObject, JsonSyntaxError, load_json
from par._shape.read import UnreadableType, json_schema, read_type
from par._shape.records import Record
from par._shape.shape import Shape
from par.calls import OutputSpec
from par.errors import InvalidOutput

__all__ = ["output_spec"]

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


def output_spec(kind: object) -> OutputSpec:
    """Return what the engine and the providers need of an output type.

    A type that is no object is asked for as ``{"value": ...}``, since providers want objects.

    Raises:
        TypeError: if a model could not write the type.
    """
    name = getattr(kind, "__name__", None) or "Output"
    try:
        shape = read_type(kind)
    except UnreadableType as error:
        raise TypeError(f"output: {error}") from None
    if isinstance(shape, Record):
        return OutputSpec(name=name, schema=json_schema(shape), parse=_parser(shape, bare=True))
    schema = json_schema(shape)
    definitions = schema.pop("$defs", None)
    wrapped: JsonObject = {
        "type": "object",
        "properties": {"value": schema},
        "required": ["value"],
        "additionalProperties": False,
    }
    if definitions is not None:
        wrapped["$defs"] = definitions
    return OutputSpec(name=name, schema=wrapped, parse=_parser(shape, bare=False))


class _parser:  # noqa: N801 # a function with two constants
    def __init__(self, shape: Shape, *, bare: bool) -> None:
        self._shape = shape
        self._bare = bare

    def __call__(self, text: str) -> object:
        fenced = _FENCE.match(text)
        try:
            value = load_json(fenced[1] if fenced else text)
        except JsonSyntaxError as error:
            raise InvalidOutput(f"the answer is not the JSON that was asked for: {error}") from None
        if not self._bare and isinstance(value, dict) and set(value) == {"value"}:
            value = value["value"]
        problems: list[str] = []
        built = self._shape.structure(value, "", problems)
        if problems:
            raise InvalidOutput("the answer does not fit its type: " + " ".join(problems))
        return built
