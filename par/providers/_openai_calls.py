"""Puts streamed tool calls together: several in one delta, arguments cut anywhere, ids that come late or never."""

from collections.abc import Iterable, Iterator
from typing import final

import attrs

from par._json import Json, JsonObject, JsonSyntaxError, load_json
from par.deltas import ToolUseDelta
from par.messages import ToolUse
from par.providers._openai_pieces import call_parts, joined
from par.providers._reading import NewId, as_tool_use, obj

__all__ = ["CallBuilder"]


@attrs.define(eq=False)
class _Slot:
    index: int | None
    id: str = ""
    name: str = ""
    arguments: list[str] = attrs.Factory(list[str])
    extras: JsonObject = attrs.Factory(dict[str, Json])
    shown: bool = False

    @property
    def text(self) -> str:
        return "".join(self.arguments)

    def is_complete(self) -> bool:
        """Whether the arguments are a whole object, so that more of them cannot follow."""
        try:
            return isinstance(load_json(self.text), dict)
        except JsonSyntaxError:
            return False


@final
class CallBuilder:
    """Collects the pieces of the tool calls of one reply.

    The pieces of a call share its ``index``. Where a server leaves the index out, or numbers every call 0, the
    id tells them apart, and where there is no id either, a new name after complete arguments does.
    """

    __slots__ = ("_by_index", "_ids", "_new_id", "_slots")

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}
        self._ids: set[str] = set()

    def feed(self, calls: Iterable[Json]) -> Iterator[ToolUseDelta]:
        """Take the calls of one delta, all of them."""
        for call in calls:
            piece = obj(call)
            parts = call_parts(piece)
            slot = self._slot_of(piece.get("index"), parts.id, parts.name)
            if not slot.id:
                self._name_it(slot, parts.id)
            if parts.name and parts.name != slot.name and not slot.arguments:
                slot.name += parts.name
            for key, value in parts.extras.items():
                slot.extras[key] = joined(slot.extras[key], value, key) if key in slot.extras else value
            if parts.arguments:
                slot.arguments.append(parts.arguments)
            yield from _show(slot, parts.arguments)

    def finish(self) -> Iterator[ToolUseDelta]:
        """Take the end: give ids to the calls that got none, and show what waited for them."""
        for slot in self._slots:
            if not slot.id:
                slot.id = self._new_id()
            if not slot.shown:
                yield from _show(slot, slot.text)
        numbers = [slot.index for slot in self._slots if slot.index is not None]
        if len(numbers) == len(self._slots) == len(set(numbers)):
            self._slots.sort(key=lambda slot: slot.index or 0)

    def uses(self, *, but: str | None = None) -> list[ToolUse]:
        """Return the calls, in the provider's order, without those of the tool ``but``."""
        return [as_tool_use(slot.id, slot.name, slot.text) for slot in self._slots if slot.name != but]

    def arguments(self, name: str) -> str:
        """Return the arguments of the calls of one tool, as text."""
        return "".join([slot.text for slot in self._slots if slot.name == name])

    def extras(self) -> JsonObject:
        """Return what par has no place for, by the id of its call."""
        return {slot.id: slot.extras for slot in self._slots if slot.extras}

    def _slot_of(self, number: Json, id_: str, name: str) -> _Slot:
        index = number if isinstance(number, int) else None
        if index is not None:
            slot = self._by_index.get(index)
        elif id_:
            slot = next((slot for slot in self._slots if slot.id == id_), None)
        else:
            slot = self._slots[-1] if self._slots else None
        if slot is None or _begins_another(slot, id_, name):
            slot = _Slot(index)
            self._slots.append(slot)
            if index is not None:
                self._by_index[index] = slot
        return slot

    def _name_it(self, slot: _Slot, id_: str) -> None:
        if id_ and id_ not in self._ids:
            self._ids.add(id_)
            slot.id = id_


def _begins_another(slot: _Slot, id_: str, name: str) -> bool:
    if id_ and slot.id:
        return id_ != slot.id
    return bool(name) and bool(slot.arguments) and slot.is_complete()


def _show(slot: _Slot, more: str) -> Iterator[ToolUseDelta]:
    """Show a call from when its id and name are known; what came before goes with the first delta."""
    if slot.shown:
        if more:
            yield ToolUseDelta(id=slot.id, name=slot.name, arguments=more)
    elif slot.id and slot.name:
        slot.shown = True
        yield ToolUseDelta(id=slot.id, name=slot.name, arguments=slot.text)
