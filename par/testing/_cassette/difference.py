"""Says how a request differs from the recorded one that is most like it."""

from collections.abc import Iterable, Iterator

from par._json import Json, dump_json
from par.testing._cassette.errors import RequestNotRecorded
from par.testing._cassette.interaction import Asked

__all__ = ["not_recorded"]

_MOST_LINES = 12
_MOST_CHARS = 120
_ABSENT = "nothing"


def not_recorded(wanted: Asked, recorded: Iterable[Asked]) -> RequestNotRecorded:
    """Return the error for a request that is not there, or not there any more."""
    name = f"{wanted.method} {wanted.url}"
    asked = list(recorded)
    alike = sum(1 for other in asked if other.key == wanted.key)
    if alike:
        times = "once" if alike == 1 else f"{alike} times"
        return RequestNotRecorded(name, "the same request", (f"recorded {times}, and made once more",))
    found = [(list(_differences(wanted, other)), number, other) for number, other in enumerate(asked)]
    if not found:
        return RequestNotRecorded(name, "", ())
    lines, number, nearest = min(found, key=lambda each: (len(each[0]), each[1]))
    shown = lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        shown.append(f"and {len(lines) - _MOST_LINES} more differences")
    return RequestNotRecorded(name, f"number {number}, {nearest.method} {nearest.url}", tuple(shown))


def _differences(wanted: Asked, other: Asked) -> Iterator[str]:
    for what in ("method", "url"):
        mine, theirs = getattr(wanted, what), getattr(other, what)
        if mine != theirs:
            yield f"{what}: recorded {theirs}, asked {mine}"
    mine, theirs = _leaves(wanted.body), _leaves(other.body)
    for place in [*theirs, *[place for place in mine if place not in theirs]]:
        if mine.get(place) != theirs.get(place):
            yield f"{place}: recorded {theirs.get(place, _ABSENT)}, asked {mine.get(place, _ABSENT)}"


def _leaves(value: Json, place: str = "body") -> dict[str, str]:
    leaves: dict[str, str] = {}
    if isinstance(value, dict) and value:
        for name, item in value.items():
            leaves.update(_leaves(item, f"{place}.{name}"))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            leaves.update(_leaves(item, f"{place}[{number}]"))
    else:
        text = dump_json([value])[1:-1]
        leaves[place] = text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}… ({len(text)} characters)"
    return leaves
