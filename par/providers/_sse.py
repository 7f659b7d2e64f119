"""Server-sent events from bytes, however the network has cut them.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from typing import final

import attrs

__all__ = ["SseEvent", "SseReader"]

_BOM = b"\xef\xbb\xbf"


@attrs.frozen
class SseEvent:
    """One event: its type (empty if the server named none) and its data, as bytes of UTF-8."""

    type: str
    data: bytes


@final
class SseReader:
    """Turns pieces of a body into events. One reader serves one body.

    Takes what the specification allows: lines that end with LF, CRLF or CR, ``data:`` with and without a space,
    data of several lines, comments, a byte order mark, and cuts anywhere, within a character too.
    """

    __slots__ = ("_data", "_line", "_started", "_type")

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._type = ""
        self._started = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that are complete now."""
        if b"\n" not in chunk and b"\r" not in chunk and self._started and not self._half_line_break():
            # joined only when the line ends, or a long line in small pieces would cost its square
            self._line.append(chunk)
            return []
        text = b"".join([*self._line, chunk])
        if not self._started:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._line = [text]
                return []
            self._started = True
            text = text.removeprefix(_BOM)
        rest = b""
        if b"\r" in text:
            if text.endswith(b"\r"):
                # it may be the first half of CRLF: wait for what follows
                text, rest = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = text.split(b"\n")
        rest = lines.pop() + rest
        self._line = [rest] if rest else []
        return self._take(lines)

    def close(self) -> SseEvent | None:
        """Return the event that the end of the body left without its empty line, if there is one."""
        rest = b"".join(self._line).removesuffix(b"\r")
        self._line = []
        if rest:  # an empty line ends the event, as the end of the body does
            self._take([rest])
        return self._dispatch()

    def _half_line_break(self) -> bool:
        return bool(self._line) and self._line[-1].endswith(b"\r")

    def _take(self, lines: list[bytes]) -> list[SseEvent]:
        events: list[SseEvent] = []
        for line in lines:
            if not line:
                event = self._dispatch()
                if event is not None:
                    events.append(event)
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"event:"):
                self._type = line[6:].removeprefix(b" ").decode("utf-8", "replace")
            elif line == b"data":
                self._data.append(b"")
            # comments, id and retry say nothing about the answer
        return events

    def _dispatch(self) -> SseEvent | None:
        data, self._data = self._data, []
        kind, self._type = self._type, ""
        if not data:
            return None
        return SseEvent(kind, data[0] if len(data) == 1 else b"\n".join(data))
