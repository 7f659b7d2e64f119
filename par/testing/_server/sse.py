"""Writing server-sent events in every way that their specification allows.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import json
from collections.abc import Iterator, Sequence
from typing import Literal

import attrs

from par._json import JsonObject, dump_json

__all__ = ["ServerEvent", "SseStyle", "written"]


@attrs.frozen
class ServerEvent:
    """An event before it is written: its name, if the API names events, and its data."""

    name: str
    data: JsonObject | str


@attrs.frozen(kw_only=True)
class SseStyle:
    """How events are written. All of it is legal.

    ``newline`` ends the lines. ``space`` puts one after the colon. ``comments`` adds comment lines, as servers do to keep a
    connection alive. ``lines`` spreads the data of an event over several. ``ids`` and ``retry`` add these fields.
    ``bom`` puts a byte order mark in front. ``last_blank_line`` is the empty line after the last event.
    ``chunk_bytes`` sends the body in chunks of so many bytes, whatever they cut; ``None``: an event a chunk.
    """

    newline: Literal["\n", "\r\n", "\r"] = "\n"
    space: bool = True
    comments: bool = False
    lines: bool = False
    ids: bool = False
    retry: bool = False
    bom: bool = False
    last_blank_line: bool = True
    chunk_bytes: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.gt(0)))


def written(events: Sequence[ServerEvent], style: SseStyle) -> list[bytes]:
    """Return the bytes of each event; what stands before the first belongs to it."""
    result: list[bytes] = []
    for number, event in enumerate(events):
        lines = list(_lines(event, number, style))
        if number < len(events) - 1 or style.last_blank_line:
            lines.append("")
        text = "".join([line + style.newline for line in lines])
        result.append((("\ufeff" if style.bom and number == 0 else "") + text).encode())
    return result


def _lines(event: ServerEvent, number: int, style: SseStyle) -> Iterator[str]:
    colon = ": " if style.space else ":"
    if style.comments:
        yield ": keep-alive"
        yield ":"
        if number == 0:
            yield ""
    if style.retry and number == 0:
        yield f"retry{colon}3000"
    if style.ids:
        yield f"id{colon}{number}"
    if event.name:
        yield f"event{colon}{event.name}"
    for line in _data(event, style):
        yield f"data{colon}{line}"
    if style.comments:
        yield ":after"


def _data(event: ServerEvent, style: SseStyle) -> list[str]:
    if isinstance(event.data, str):
        return [event.data]
    if style.lines:
        return json.dumps(event.data, ensure_ascii=False, indent=0).split("\n")
    return [dump_json(event.data)]
