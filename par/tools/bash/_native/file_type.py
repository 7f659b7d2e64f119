"""file_type: the media type of files, told by the program file from a descriptor, or by the first bytes."""

import codecs
import os
import stat
from contextlib import ExitStack
from functools import partial
from typing import Final

from par.errors import CommandRefused
from par.tools._workspace import Opened
from par.tools.bash._commands.looking import FileType
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.filters import Planned, entered, run_planned
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._run.clean import clean, escape_name
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program
from par.tools.bash._run.verify import verify
from par.tools.bash._run.work import Work

__all__ = ["file_type", "guessed"]

_LOOKED_AT = 64 * 1024
_MAGIC: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/x-wav"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (4, b"ftyp", "video/mp4"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
)


async def file_type(work: Work, command: FileType) -> Outcome:
    """Guess the type of each file; a folder is one too.

    Raises:
        CommandRefused: for what cannot be read.
    """
    planned = _plan(work)
    kept = work.room.lines()
    for number, path in enumerate(command.paths):
        with ExitStack() as stack:
            opened = await entered(stack, work.room.looking_at(path, f"paths[{number}]"))
            kind = await _kind(work, planned, opened, path, f"paths[{number}]")
        if not kept.add(f"{escape_name(path)}: {kind}\n".encode()):
            break
    notes = () if planned else ("There is no program file: only the most usual types are told apart.",)
    return Outcome(stdout=kept.captured(), notes=notes, argv=(planned.argv,) if planned else ())


def _plan(work: Work) -> Planned | None:
    try:
        program = find_program("file", work.room.policy)
    except CommandRefused:
        return None
    argv = (program, "-b", "--mime", "-")
    verify(argv, program=program, rules="file")
    return Planned(argv=argv)


async def _kind(work: Work, planned: Planned | None, opened: Opened, path: str, field: str) -> str:
    if stat.S_ISDIR(opened.facts.st_mode):
        return "inode/directory; charset=binary"
    if not stat.S_ISREG(opened.facts.st_mode):
        raise CommandRefused("not_regular_file", f"{quote(path)} is neither a file nor a folder.", field=field)
    await in_thread(partial(work.room.allow_reading, opened, field))
    if planned is None or not opened.facts.st_size:  # of an empty file the program says different things
        return guessed(await in_thread(partial(os.pread, opened.fd, _LOOKED_AT, 0)))
    ended = await run_planned(work, planned, stdin=opened.fd)
    told = clean(ended.stdout.head).strip().replace("\n", " ")
    return told if ended.exit_code == 0 and told else "unknown"


def guessed(data: bytes) -> str:
    """Guess the type of a file by its first bytes."""
    if not data:
        return "inode/x-empty; charset=binary"
    for place, magic, kind in _MAGIC:
        if data[place : place + len(magic)] == magic:
            return f"{kind}; charset=binary"
    if b"\0" in data:
        return "application/octet-stream; charset=binary"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(data)  # the last character may be cut
    except UnicodeDecodeError:
        return "application/octet-stream; charset=binary"
    if data.startswith(b"#!"):
        return f"text/x-script; charset={'us-ascii' if text.isascii() else 'utf-8'}"
    return f"text/plain; charset={'us-ascii' if text.isascii() else 'utf-8'}"
