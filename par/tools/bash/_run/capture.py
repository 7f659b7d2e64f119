"""Keeping a bounded part of an output: its beginning and its end."""

from typing import final

import attrs

__all__ = ["Captured", "HeadTail", "Lines"]


@attrs.frozen(kw_only=True)
class Captured:
    """What was kept of a stream: the beginning, the end where something is missing between, and the size."""

    head: bytes = b""
    tail: bytes = b""
    total: int = 0
    cut: bool = False
    """Whether something is missing: between head and tail, or after head."""


@final
class HeadTail:
    """Takes a stream in chunks and keeps its beginning and its end within bounds of bytes and lines."""

    def __init__(self, max_bytes: int, max_lines: int) -> None:
        self._head_room = max_bytes // 2
        self._tail_room = max_bytes - self._head_room
        self._max_lines = max_lines
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def add(self, chunk: bytes) -> None:
        """Take the next chunk."""
        self.total += len(chunk)
        room = self._head_room - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        if len(self._tail) > 2 * self._tail_room + 65_536:  # now and then, not at each chunk
            del self._tail[: len(self._tail) - self._tail_room]

    def captured(self) -> Captured:
        """Return what was kept, whole lines as far as there are any at the cut."""
        head, tail = bytes(self._head), bytes(self._tail)
        if self.total <= self._head_room + self._tail_room and (head + tail).count(b"\n") <= self._max_lines:
            return Captured(head=head + tail, total=self.total)
        tail = tail[-self._tail_room :]
        if self.total <= len(head) + len(tail):  # all bytes are here, and too many lines
            head, tail = head + tail, head + tail
        return Captured(
            head=_first(head, self._max_lines // 2 + self._max_lines % 2),
            tail=_last(tail, self._max_lines // 2),
            total=self.total,
            cut=True,
        )


def _first(data: bytes, lines: int) -> bytes:
    end = 0
    for _ in range(lines):
        at = data.find(b"\n", end)
        if at < 0:
            # no line ends here: cut at a character, not at a byte
            return data[:end] if end else data[: _whole(data)]
        end = at + 1
    return data[:end]


def _last(data: bytes, lines: int) -> bytes:
    if lines == 0:
        return b""
    start = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        at = data.rfind(b"\n", 0, start)
        if at < 0:
            first = data.find(b"\n")  # the first line here has lost its beginning
            return data[first + 1 :] if 0 <= first < len(data) - 1 else data.lstrip(bytes(range(0x80, 0xC0)))
        start = at
    return data[start + 1 :]


def _whole(data: bytes) -> int:
    """Return the length of ``data`` without a character of UTF-8 that is cut at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            wide = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if wide > back else len(data)
        if byte < 0x80:
            break
    return len(data)


@final
class Lines:
    """Collects the lines that a command of our own makes, until they are as much as may be shown."""

    def __init__(self, max_bytes: int, max_lines: int) -> None:
        self._room = max_bytes
        self._max_lines = max_lines
        self._parts: list[bytes] = []
        self._size = 0
        self.full = False

    def add(self, line: bytes) -> bool:
        """Take a line with its end; ``False`` says that there is no room for it and nothing more is wanted."""
        if self.full or len(self._parts) >= self._max_lines:
            self.full = True
            return False
        room = self._room - self._size
        if len(line) > room:
            self.full = True
            if not self._parts:  # one line longer than everything that may be shown: show its beginning
                self._parts.append(line[: _whole(line[:room])])
                self._size += len(self._parts[0])
            return False
        self._parts.append(line)
        self._size += len(line)
        return True

    @property
    def count(self) -> int:
        """How many lines were taken."""
        return len(self._parts)

    def captured(self) -> Captured:
        """Return what was taken."""
        return Captured(head=b"".join(self._parts), total=self._size, cut=self.full)
