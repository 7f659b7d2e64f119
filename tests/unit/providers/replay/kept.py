"""Whether an answer was read without loss: each value of it is in the reply, or on a list of what is not kept."""

import json

from par.codec import encode

_NOTHING = (None, "", [], {})


def leaves(value, path=""):
    """Yield the path and the value of everything in JSON that holds nothing else, but for what says nothing."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, f"{path}[]")
    elif value not in _NOTHING or isinstance(value, (bool, int, float)):
        yield path, value


def lost(body, reply, not_kept=()):
    """Return the leaves of ``body`` that are nowhere in ``reply`` and whose path is not in ``not_kept``.

    A text counts as kept where a text of the reply holds it, for streams come in pieces; text that is a JSON object,
    as arguments are, where the object is there.
    """
    document = encode(reply)
    kept = [value for _, value in leaves(document)]
    texts = "\0".join(value for value in kept if isinstance(value, str))
    objects = list(_objects(document))
    return [
        f"{path}: {value!r}"[:200]
        for path, value in leaves(body)
        if path not in not_kept and not _is_kept(value, kept, texts, objects)
    ]


def _objects(value):
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _is_kept(value, kept, texts, objects):
    if not isinstance(value, str):
        return any(value == other and type(value) is type(other) for other in kept)
    if value in texts:
        return True
    try:
        return json.loads(value) in objects
    except ValueError:
        return False
