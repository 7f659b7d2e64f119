"""read_file, head, tail and word_count: one file at a time, by descriptor, without a process."""

import os
from collections import deque
from collections.abc import Iterator

import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened
from par.tools.bash._commands.reading import Head, ReadFile, Tail, WordCount
from par.tools.bash._native.interrupt import CHUNK, chunks, interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._run.capture import Captured
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["head", "lines_of", "read_file", "tail", "word_count"]

_MAX_SCAN = 256 * 1024 * 1024
"""Bytes of one file that are looked at: some seconds of reading, and far more than a source file has."""
_MAX_BACK = 16 * 1024 * 1024
"""Bytes that tail goes back; a longer last part would not be shown anyway."""


def read_file(room: Room, command: ReadFile) -> Outcome:
    """Read lines ``start_line`` to ``end_line``."""
    first = command.start_line or 1
    last = command.end_line
    with room.reading(command.path, None) as opened:
        return _numbered(room, opened, first, last, numbers=command.number_lines)


def _numbered(room: Room, opened: Opened, first: int, last: int | None, *, numbers: bool = False) -> Outcome:
    kept = room.lines()
    number = 0
    for number, line in enumerate(lines_of(opened.fd, room.policy.max_output_bytes), start=1):
        if last is not None and number > last:
            break
        if number >= first and not kept.add(b"%6d\t%s" % (number, line) if numbers else line):
            break
    notes = list(_size(room, opened))
    if kept.full:
        after = first + kept.count
        notes.append(f"Not all of it fits: lines {first} to {after - 1} are shown. Go on with start_line {after}.")
    elif number < first and opened.facts.st_size:
        notes.append(f"It has {number} lines, so there is no line {first}.")
    return Outcome(stdout=kept.captured(), notes=tuple(notes))


def lines_of(fd: int, longest: int) -> Iterator[bytes]:
    """Yield the lines of a file; a line much longer than may be shown comes as its beginning."""
    rest = b""
    overlong = False
    scanned = 0
    for chunk in chunks(fd):
        scanned += len(chunk)
        parts = (rest + chunk).split(b"\n") if not overlong else chunk.split(b"\n")
        rest = parts.pop()
        if overlong and (parts or not rest):
            parts = parts[1:]  # the end of the line whose beginning was given out
            overlong = False
        elif overlong:
            rest = b""
        for part in parts:
            yield part + b"\n"
        if len(rest) > longest + CHUNK:
            yield rest
            rest, overlong = b"", True
        if scanned > _MAX_SCAN:
            raise CommandRefused(
                "too_large", f"line not reached within {_MAX_SCAN} bytes.", field="path", remedy="Use grep or tail."
            )
    if rest:
        yield rest


def _size(room: Room, opened: Opened) -> tuple[str, ...]:
    """Say how large the file is, to who sees a part of it."""
    return () if room.flowing or not opened.name else (f"The file has {opened.facts.st_size} bytes.",)


def head(room: Room, command: Head, stdin: int | None) -> Outcome:
    """Read the first lines or bytes."""
    with room.reading(command.path, stdin) as opened:
        if command.bytes is None:
            return _numbered(room, opened, 1, command.lines or 10)
        wanted = min(command.bytes, room.policy.max_output_bytes)
        data = b"".join(_exactly(opened.fd, wanted))
        cut = command.bytes > wanted and opened.facts.st_size > wanted
        return _bounded(room, data, opened, cut=cut)


def _exactly(fd: int, size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := os.read(fd, min(size, CHUNK))):
        size -= len(chunk)
        yield chunk


def _bounded(room: Room, data: bytes, opened: Opened, *, cut: bool) -> Outcome:
    kept = room.lines()
    for line in data.splitlines(keepends=True):
        if not kept.add(line):
            break
    captured = attrs.evolve(kept.captured(), cut=kept.full or cut)
    return Outcome(stdout=captured, notes=_size(room, opened))


def tail(room: Room, command: Tail, stdin: int | None) -> Outcome:
    """Read the last lines or bytes, or everything from a line on."""
    with room.reading(command.path, stdin) as opened:
        if command.from_line is not None:
            return _numbered(room, opened, command.from_line, None)
        size = opened.facts.st_size
        if command.bytes is not None:
            wanted = min(command.bytes, room.policy.max_output_bytes)
            os.lseek(opened.fd, max(0, size - wanted), os.SEEK_SET)
            data = b"".join(_exactly(opened.fd, wanted))
            return _bounded(room, data, opened, cut=min(command.bytes, size) > wanted)
        return _last_lines(room, opened, min(command.lines or 10, room.policy.max_output_lines), command.lines or 10)


def _last_lines(room: Room, opened: Opened, lines: int, asked: int) -> Outcome:
    most = room.policy.max_output_bytes
    size = start = opened.facts.st_size
    parts: deque[bytes] = deque()
    ends = 0
    while start > 0 and size - start < _MAX_BACK and ends <= lines:
        interruptible()
        step = min(CHUNK, start)
        start -= step
        parts.appendleft(os.pread(opened.fd, step, start))
        ends += parts[0].count(b"\n")
    found = _split(b"".join(parts))
    chosen = _fitting(found[-lines:], most)
    cut = (start > 0 and len(found) < lines) or lines < asked <= len(found) or len(chosen) < min(lines, len(found))
    text = b"".join(chosen)
    if len(text) > most:
        text, cut = text[-most:].lstrip(bytes(range(0x80, 0xC0))), True
    notes = list(_size(room, opened))
    if cut:
        notes.append(
            f"Not all of it fits: the last {len(chosen)} lines are shown, the first of them perhaps not from its beginning."
        )
    return Outcome(stdout=Captured(head=text, total=len(text), cut=cut), notes=tuple(notes))


def _fitting(lines: list[bytes], most: int) -> list[bytes]:
    """Return the last lines that fit into ``most`` bytes together, but at least one."""
    size = 0
    for back, line in enumerate(reversed(lines)):
        size += len(line)
        if size > most and back:
            return lines[-back:]
    return lines


def _split(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def word_count(room: Room, command: WordCount, stdin: int | None) -> Outcome:
    """Count lines, words, bytes and characters, and sum them up."""
    asked = [name for name in _COUNTED if getattr(command, name)] or ["lines", "words", "bytes"]
    total = _zeros()
    kept = room.lines()
    if command.paths is None:
        with room.reading(None, stdin, field="paths") as opened:
            counts = _count(opened.fd, words="words" in asked)
        kept.add(_row(asked, counts, ""))
        return Outcome(stdout=kept.captured(), notes=() if room.flowing else (f"Counted: {', '.join(asked)}.",))
    kept.add(("  ".join(asked) + "\n").encode())
    for number, path in enumerate(command.paths):
        with room.reading(path, None, field=f"paths[{number}]", most=_MAX_SCAN) as opened:
            counts = _count(opened.fd, words="words" in asked)
        for name in _COUNTED:
            total[name] += counts[name]
        kept.add(_row(asked, counts, path))
    if len(command.paths) > 1:
        kept.add(_row(asked, total, "total"))
    return Outcome(stdout=kept.captured())


def _row(asked: list[str], counts: dict[str, int], name: str) -> bytes:
    words = [*(str(counts[what]) for what in asked), *([escape_name(name)] if name else [])]
    return ("  ".join(words) + "\n").encode()


def _zeros() -> dict[str, int]:
    return dict.fromkeys(_COUNTED, 0)


def _count(fd: int, *, words: bool) -> dict[str, int]:
    found = _zeros()
    inside = False
    for chunk in chunks(fd):
        found["bytes"] += len(chunk)
        found["lines"] += chunk.count(b"\n")
        # every byte but the following ones of a character begins one
        found["chars"] += len(chunk) - len(chunk.translate(None, delete=_STARTS))
        if words:
            found["words"] += len(chunk.split()) - (inside and not chunk[:1].isspace())
            inside = not chunk[-1:].isspace()
    return found


_COUNTED: tuple[str, ...] = ("lines", "words", "bytes", "chars")
_STARTS = bytes(byte for byte in range(256) if not 0x80 <= byte < 0xC0)
