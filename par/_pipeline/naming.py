"""What errors, events and ``explain`` call a model, a middleware or a function."""

__all__ = ["name_of"]


def name_of(thing: object) -> str:
    """Return the thing's own ``name``, else the function's name, else its class."""
    for attribute in ("name", "__name__"):
        name = getattr(thing, attribute, None)
        if isinstance(name, str):
            return name
    return type(thing).__name__
