"""What the server has given out, so that it knows whether it comes back unchanged."""

from typing import final

from par._json import Json, JsonObject

__all__ = ["Issued"]


@final
class Issued:
    """Remembers signed thoughts, items with ids, and blocks that only the provider understands."""

    def __init__(self) -> None:
        self.thoughts: set[tuple[str, str]] = set()
        """Thinking and its signature."""
        self.redacted: set[str] = set()
        self.items: dict[str, JsonObject] = {}
        """Items of the responses API, by id."""
        self.leader: dict[str, str] = {}
        """For the id of an item, the id of the reasoning that must stand before it."""
        self.answers: set[str] = set()
        """The ids of whole answers, which ``previous_response_id`` may name."""
        self.open_calls: dict[str, frozenset[str]] = {}
        """For the id of an answer, the calls in it that wait for their outputs."""

    def knows_item(self, item: JsonObject) -> bool:
        """Tell whether an item with an id was given out as it is now; fields may be left out, not changed."""
        known = self.items.get(_id_of(item))
        return known is not None and all(known.get(name) == value for name, value in item.items())


def _id_of(item: JsonObject) -> str:
    id_: Json = item.get("id")
    return id_ if isinstance(id_, str) else ""
