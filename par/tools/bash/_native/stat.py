"""stat, checksum and hex_dump: what a file is, without showing it as text."""

import errno
import hashlib
import os
import stat as modes

from par.tools.bash._commands.looking import Checksum, HexDump, Stat
from par.tools.bash._native.interrupt import chunks
from par.tools.bash._native.listing import link_target, shown_time
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["checksum", "hex_dump", "stat"]

_MAX_SUMMED = 2 * 1024 * 1024 * 1024
"""Bytes of one file: some seconds of work."""
_PER_LINE = 16
_KINDS = (
    (modes.S_ISREG, "file"),
    (modes.S_ISDIR, "folder"),
    (modes.S_ISLNK, "link"),
    (modes.S_ISFIFO, "pipe"),
    (modes.S_ISSOCK, "socket"),
    (modes.S_ISCHR, "device"),
    (modes.S_ISBLK, "device"),
)


def stat(room: Room, command: Stat) -> Outcome:
    """Describe names, one per line; nothing is opened but the folders above them, and a link is not followed."""
    kept = room.lines()
    for number, path in enumerate(command.paths):
        parts = [part for part in path.split("/") if part not in {"", "."}]
        above, name = "/".join(parts[:-1]) or ".", parts[-1] if parts else "."
        try:
            with room.workspace.open_folder(above) as folder:
                facts = os.stat(name, dir_fd=folder.fd, follow_symlinks=False)
                if path.endswith("/") and not modes.S_ISDIR(facts.st_mode):
                    raise OSError(errno.ENOTDIR, "it is not a folder", path)  # noqa: TRY301 # told like the system's
                target = f" -> {link_target(name, folder.fd)}" if modes.S_ISLNK(facts.st_mode) else ""
        except OSError as error:
            refuse_os_error(error, path, f"paths[{number}]")
        if not kept.add(f"{_facts(facts)}  {escape_name(path)}{target}\n".encode()):
            break
    return Outcome(stdout=kept.captured())


def _facts(facts: os.stat_result) -> str:
    kind = next((word for test, word in _KINDS if test(facts.st_mode)), "other")
    mode = f"{modes.filemode(facts.st_mode)} {modes.S_IMODE(facts.st_mode):04o}"
    return f"{kind}  {mode}  {facts.st_nlink} links  {facts.st_size} bytes  changed {shown_time(facts.st_mtime)}"


def checksum(room: Room, command: Checksum) -> Outcome:
    """Sum files up, in the lines that ``sha256sum`` writes."""
    kept = room.lines()
    for number, path in enumerate(command.paths):
        found = hashlib.new(command.algorithm, usedforsecurity=False)
        with room.reading(path, None, field=f"paths[{number}]", most=_MAX_SUMMED) as opened:
            for chunk in chunks(opened.fd):
                found.update(chunk)
        if not kept.add(f"{found.hexdigest()}  {escape_name(path)}\n".encode()):
            break
    return Outcome(stdout=kept.captured())


def hex_dump(room: Room, command: HexDump) -> Outcome:
    """Show bytes with their place and, where they are plain ASCII, as text."""
    kept = room.lines()
    with room.reading(command.path, None) as opened:
        data = os.pread(opened.fd, command.length, command.offset)
        size = opened.facts.st_size
    for start in range(0, len(data), _PER_LINE):
        if not kept.add(_hex_line(command.offset + start, data[start : start + _PER_LINE])):
            break
    shown = min(kept.count * _PER_LINE, len(data))
    notes = [f"The file has {size} bytes."]
    if kept.full:
        notes.append(f"Not all of it fits: go on with offset {command.offset + shown}.")
    elif not data and size:
        notes.append(f"There is nothing from offset {command.offset} on.")
    return Outcome(stdout=kept.captured(), notes=tuple(notes))


def _hex_line(place: int, data: bytes) -> bytes:
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
    return f"{place:08x}  {data.hex(' '):<47}  |{text}|\n".encode()
