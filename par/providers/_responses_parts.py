"""One output item of a streamed response, put together from its events."""

from collections.abc import Mapping
from typing import final

from par._json import Json, JsonObject
from par.providers._reading import array, obj, string

__all__ = ["DELTAS", "DONE", "ItemBuilder", "texts_of"]

DELTAS: Mapping[str, str] = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "summary_text",
    "response.reasoning_text.delta": "reasoning_text",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}
"""Which kind of text the events with a ``delta`` add to."""

DONE: Mapping[str, tuple[str, str]] = {
    "response.output_text.done": ("output_text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
    "response.reasoning_summary_text.done": ("summary_text", "text"),
    "response.reasoning_text.done": ("reasoning_text", "text"),
    "response.function_call_arguments.done": ("arguments", "arguments"),
    "response.custom_tool_call_input.done": ("input", "input"),
}
"""Which kind of text the events with a whole text complete, and the field that it stands in."""

_LIST_OF: Mapping[str, str] = {
    "output_text": "content",
    "refusal": "content",
    "reasoning_text": "content",
    "summary_text": "summary",
}


@final
class ItemBuilder:
    """Collects what the events say of one item. What came with its ``done`` event is the item itself."""

    __slots__ = ("_done", "_fields", "_others", "_texts", "call_id")

    def __init__(self) -> None:
        self._fields: JsonObject = {}
        self._done = False
        self._texts: dict[tuple[str, int], list[str]] = {}
        self._others: dict[tuple[str, int], JsonObject] = {}
        self.call_id = ""

    @property
    def fields(self) -> JsonObject:
        """The item as the last event told it whole."""
        return self._fields

    def text(self, kind: str, number: int = 0) -> str:
        """Return what has come of a text."""
        return "".join(self._texts.get((kind, number), ()))

    def add(self, kind: str, number: int, text: str) -> None:
        """Take some more of a text."""
        self._texts.setdefault((kind, number), []).append(text)

    def missing(self, kind: str, number: int, whole: str) -> str:
        """Return what the pieces so far lack of a text that came whole, and take it.

        Where the two contradict each other nothing is missing.
        """
        so_far = self.text(kind, number)
        if not whole.startswith(so_far) or len(whole) == len(so_far):
            return ""
        rest = whole[len(so_far) :]
        self.add(kind, number, rest)
        return rest

    def describe(self, kind: str, number: int, part: JsonObject) -> None:
        """Take a part, for the fields that it has beside its text."""
        self._others[kind, number] = {**self._others.get((kind, number), {}), **part}

    def annotate(self, number: int, annotation: Json) -> None:
        """Take an annotation of a text."""
        part = self._others.setdefault(("output_text", number), {})
        part["annotations"] = [*array(part.get("annotations")), annotation]

    def whole(self, item: JsonObject, *, done: bool) -> None:
        """Take the item as an event has it."""
        if done:
            self._fields = item
            self._done = True
        elif not self._done:
            self._fields = {**self._fields, **item}

    def item(self, final: JsonObject) -> JsonObject:
        """Return the item: as its ``done`` event has it, else as the end of the response has it, else as built.

        The encrypted thoughts of the ``done`` event are those that the API wants back.
        """
        if self._done:
            return {**final, **self._fields}
        return {**self._built(), **final}

    def _built(self) -> JsonObject:
        built: JsonObject = dict(self._fields)
        lists: dict[str, dict[int, Json]] = {}
        for kind, number in [*self._others, *self._texts]:
            text = self.text(kind, number)
            if kind not in _LIST_OF:
                built[kind] = text
                continue
            field = "refusal" if kind == "refusal" else "text"
            part: JsonObject = {"type": kind, **self._others.get((kind, number), {})}
            part[field] = text or string(part.get(field))
            lists.setdefault(_LIST_OF[kind], {})[number] = part
        for name, parts in lists.items():
            built[name] = [parts[number] for number in sorted(parts)]
        return built


def texts_of(item: JsonObject) -> list[tuple[str, int, str]]:
    """Return the texts in a whole item: which kind, its number in its list, and the text."""
    found: list[tuple[str, int, str]] = []
    for name in ("summary", "content"):
        for number, part in enumerate(array(item.get(name))):
            fields = obj(part)
            kind = string(fields.get("type"))
            if kind in _LIST_OF:
                found.append((kind, number, string(fields.get("refusal" if kind == "refusal" else "text"))))
    return found
