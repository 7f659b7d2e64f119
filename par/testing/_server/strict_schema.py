"""What OpenAI and Anthropic ask of a JSON Schema that the model is held to."""

from par._json import Json
from par.testing._server.refused import Place
from par.testing._server.shape import items_of, object_of

__all__ = ["strict_problem"]


def strict_problem(schema: Json, *, all_required: bool, place: Place | None = None) -> str | None:
    """Return what is wrong with the schema, or ``None``.

    Every object says ``"additionalProperties": false``; with ``all_required``, as at OpenAI, all its properties are
    required too.
    """
    here = place if place is not None else Place()
    if isinstance(schema, list):
        found = [strict_problem(item, all_required=all_required, place=here.at(n)) for n, item in enumerate(schema)]
        return next((problem for problem in found if problem), None)
    if not isinstance(schema, dict):
        return None
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            return f"In context={here.path!r}, 'additionalProperties' is required to be supplied and to be false."
        missing = [name for name in object_of(schema.get("properties")) if name not in items_of(schema.get("required"))]
        if all_required and missing:
            return (
                f"In context={here.path!r}, 'required' is required to be supplied and to be an array including every "
                f"key in properties. Missing {missing[0]!r}."
            )
    found = [
        strict_problem(item, all_required=all_required, place=here.at(name))
        for name, item in schema.items()
        if name not in ("enum", "const", "default", "examples")
    ]
    return next((problem for problem in found if problem), None)
