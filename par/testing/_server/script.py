"""The lines of a server's script, and what a line comes to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Literal, TypeAlias

import attrs

from par._json import JsonObject, dump_json
from par.calls import ModelReply
from par.messages import Assistant, Text, ToolUse
from par.testing._scripted import Call, Fail, Line, Say, line_reply
from par.testing._server.seen import SeenRequest
from par.testing._server.sse import SseStyle

__all__ = ["Faulty", "Playback", "Raw", "Refuse", "Script", "ServerLine", "playback", "raw_answer", "refuse"]

_ARGUMENT_PIECE = 5


@attrs.frozen
class Refuse:
    """A line of the script: the model will not answer, and says so."""

    text: str


@attrs.frozen(kw_only=True)
class Raw:
    """A line of the script: an answer that is sent as it stands."""

    body: bytes
    status: int = 200
    content_type: str | None = "application/json"
    headers: Mapping[str, str] = attrs.Factory(dict[str, str])


@attrs.frozen
class Faulty:
    """A line of the script whose answer is sent badly.

    Args:
        line: what is said.
        delay_s: seconds before the headers.
        pause_s: seconds before each event after the first.
        stall_after: after so many events (0: none, and no headers either) nothing more is sent, and the connection
            is held until the client closes it.
        cut_after: the connection is closed after so many bytes of the body.
        cut_in: the connection is closed within an event (the one in the middle), within a character of several
            bytes, or before the last event of the stream.
        clean_cut: the cut looks like a proper end of the body, as some proxies make it.
        error: after ``error_after`` events the stream tells of this error, in the API's own form, and ends.
        error_after: see ``error``.
        content_type: the header, instead of the right one.
        headers: more headers.
        sse: how the events are written.

    Raises:
        ValueError: for a negative number, and for a ``cut_after`` together with a ``cut_in``.
    """

    line: "Line | Refuse | Raw"
    delay_s: float = attrs.field(default=0.0, kw_only=True)
    pause_s: float = attrs.field(default=0.0, kw_only=True)
    stall_after: int | None = attrs.field(default=None, kw_only=True)
    cut_after: int | None = attrs.field(default=None, kw_only=True)
    cut_in: Literal["event", "character", "last_event"] | None = attrs.field(default=None, kw_only=True)
    clean_cut: bool = attrs.field(default=False, kw_only=True)
    error: Exception | None = attrs.field(default=None, kw_only=True)
    error_after: int = attrs.field(default=1, kw_only=True)
    content_type: str | None = attrs.field(default=None, kw_only=True)
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str], kw_only=True)
    sse: SseStyle = attrs.field(factory=SseStyle, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if min(self.delay_s, self.pause_s, self.stall_after or 0, self.cut_after or 0, self.error_after) < 0:
            raise ValueError("delays, pauses and places are not negative")
        if self.cut_after is not None and self.cut_in is not None:
            raise ValueError("the answer is cut at one place: cut_after or cut_in")


ServerLine: TypeAlias = Line | Refuse | Raw | Faulty
Script: TypeAlias = Sequence[ServerLine] | Callable[[SeenRequest], ServerLine]


def refuse(text: str) -> Refuse:
    """Let the model refuse with ``text``, in the API's own form of a refusal."""
    return Refuse(text)


def raw_answer(
    body: bytes | str | JsonObject,
    *,
    status: int = 200,
    content_type: str | None = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Raw:
    """Send ``body`` as it stands: garbage, an error page, an answer of another provider.

    An object is sent as JSON; ``content_type`` ``None`` sends no such header.
    """
    text = dump_json(body) if isinstance(body, dict) else body
    content = text.encode() if isinstance(text, str) else text
    return Raw(body=content, status=status, content_type=content_type, headers=dict(headers or {}))


@attrs.frozen(kw_only=True)
class Playback:
    """What the model says to one request: a reply, and the pieces in which its texts and arguments stream."""

    reply: ModelReply
    pieces: tuple[tuple[str, ...], ...]
    """For each block of the reply its pieces; none for a block that does not stream in pieces."""
    refused: bool = False
    number: int = 0
    """The number of the request, from 0; ids are made of it."""


def playback(line: Line | Refuse, number: int) -> Playback:
    """Return what a line says; tool uses that the script gives no id get one that no other request has.

    Raises:
        TypeError: for a ``fail`` line, which says nothing.
    """
    if isinstance(line, Refuse):
        reply = ModelReply(message=Assistant((Text(line.text),)), finish="content_filter")
        return Playback(reply=reply, pieces=(_words(line.text),), refused=True, number=number)
    if isinstance(line, Fail):
        raise TypeError("a fail line has no reply")
    if isinstance(line, ModelReply):
        return Playback(reply=line, pieces=_pieces(line.message, []), number=number)
    parts = [line] if isinstance(line, (Say, Call)) else list(line)
    reply = line_reply(parts, number)
    told = [part.pieces for part in parts if isinstance(part, Say)]
    return Playback(reply=reply, pieces=_pieces(reply.message, told), number=number)


def _pieces(message: Assistant, told: Sequence[tuple[str, ...] | None]) -> tuple[tuple[str, ...], ...]:
    texts: Iterator[tuple[str, ...] | None] = chain(told, repeat(None))
    result: list[tuple[str, ...]] = []
    for block in message.content:
        match block:
            case Text():
                pieces = next(texts)
                result.append(pieces if pieces is not None else _words(block.text))
            case ToolUse():
                written = block.malformed if block.malformed is not None else dump_json(block.arguments)
                size = _ARGUMENT_PIECE
                result.append(tuple(written[at : at + size] for at in range(0, len(written), size)))
            case _:
                result.append(())
    return tuple(result)


def _words(text: str) -> tuple[str, ...]:
    words = text.split(" ")
    return (*[f"{word} " for word in words[:-1]], words[-1])
