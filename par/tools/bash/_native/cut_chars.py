"""cut by characters: the program of GNU counts bytes, and would take letters apart."""

from par.tools.bash._commands.filters import Cut
from par.tools.bash._native.files import lines_of
from par.tools.bash._native.room import Room
from par.tools.bash._run.output import Outcome

__all__ = ["cut_chars"]


def cut_chars(room: Room, command: Cut, stdin: int | None) -> Outcome:
    """Take characters out of each line, in the order of the line, each once."""
    spans = _merged(command.chars or "")
    kept = room.lines()
    with room.reading(command.path, stdin) as opened:
        for line in lines_of(opened.fd, room.policy.max_output_bytes):
            text = line.decode("utf-8", "surrogateescape").removesuffix("\n")
            taken = "".join(text[first - 1 : last] for first, last in spans)
            if not kept.add(taken.encode("utf-8", "surrogateescape") + b"\n"):
                break
    notes = (f"Not all of it fits: {kept.count} lines are shown.",) if kept.full else ()
    return Outcome(stdout=kept.captured(), notes=notes)


def _merged(ranges: str) -> list[tuple[int, int | None]]:
    """Return the spans in their order, joined where they overlap; ``None`` is the end of the line."""
    spans: list[tuple[int, int | None]] = []
    for part in ranges.split(","):
        first, dash, last = part.partition("-")
        start = int(first or 1)
        spans.append((start, int(last) if last else None if dash else start))
    joined: list[tuple[int, int | None]] = []
    for start, end in sorted(spans, key=lambda span: span[0]):
        if joined:
            before = joined[-1][1]
            if before is None or start <= before + 1:
                joined[-1] = (joined[-1][0], None if before is None or end is None else max(before, end))
                continue
        joined.append((start, end))
    return joined
