"""What is in a zip or tar archive, one entry after the other. Nothing that an archive says is believed."""

import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import IO, Final, Literal, TypeAlias, cast, final

import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened
from par.tools.bash._native.archive_stream import BadSeek, Budget, Seekable, Source, bad_archive, opened_stream

__all__ = ["MAX_MEMBERS", "Member", "members"]

MAX_MEMBERS: Final = 20_000
_BLOCK: Final = 512
_PART: Final = 64 * 1024
_MAX_HEADER: Final = 64 * 1024
"""Bytes of what stands before an entry to say more of it: a name, above all."""

Kind: TypeAlias = Literal["file", "dir", "link", "other"]


@attrs.frozen(kw_only=True)
class Member:
    """An entry of an archive. ``data`` is read before the next entry is asked for, or not at all."""

    name: str
    kind: Kind
    size: int = 0
    """As the archive says; what comes may be more or less."""
    executable: bool = False
    data: Iterator[bytes] = attrs.field(factory=lambda: iter(()), eq=False, repr=False)


def members(opened: Opened) -> Generator[Member, None, None]:
    """Yield the entries of the archive in an open file.

    Raises:
        CommandRefused: ``bad_archive`` for what is none, ``too_large`` for a bomb and for more than 20,000 entries.
    """
    budget = Budget(opened.facts.st_size)
    is_zip = os.pread(opened.fd, 4, 0) in {b"PK\x03\x04", b"PK\x05\x06"}
    found = _zipped(opened, budget) if is_zip else _tarred(opened, budget)
    with closing(found):
        for count, member in enumerate(found):
            if count >= MAX_MEMBERS:
                problem = f"it has more than {MAX_MEMBERS} entries; nothing was kept."
                raise CommandRefused("too_large", problem, field="path", remedy="Ask the user to unpack it.")
            yield member


# --- zip --------------------------------------------------------------------------------------------------

_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, EOFError, struct.error, zlib.error, ValueError, BadSeek)


def _zipped(opened: Opened, budget: Budget) -> Generator[Member, None, None]:
    # zipfile asks for no more than these methods
    file = cast("IO[bytes]", Seekable(opened.fd, opened.facts.st_size))
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                yield _zip_member(archive, info, budget)
    except _ZIP_ERRORS as error:
        raise _damaged_zip(error) from None


def _damaged_zip(error: Exception) -> CommandRefused:
    return bad_archive(f"it is no whole zip archive: {str(error)[:100]!a}.")


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Member:
    if "\0" in info.orig_filename:
        raise bad_archive("a name in it contains a NUL.")
    mode = info.external_attr >> 16 if info.create_system == 3 else 0  # 3: made on Unix
    kind: Kind = "dir" if info.is_dir() else "file"
    if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        kind = "link" if stat.S_ISLNK(mode) else "other"
    return Member(
        name=info.filename,
        kind=kind,
        size=info.file_size,
        executable=bool(mode & 0o111) and kind == "file",
        data=_unzipped(archive, info, budget),
    )


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    if info.flag_bits & 0x1:
        raise bad_archive("it is encrypted.")
    # the other two methods unpack without a bound on memory
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise bad_archive(f"its compression, number {info.compress_type}, is not known here.")
    try:
        with archive.open(info) as file:
            while part := file.read(_PART):
                budget.take(len(part))
                yield part
    except _ZIP_ERRORS as error:
        raise _damaged_zip(error) from None


# --- tar --------------------------------------------------------------------------------------------------


def _tarred(opened: Opened, budget: Budget) -> Generator[Member, None, None]:
    # tarfile would hold whatever comes before an entry, and the map of a sparse one, in memory of any size
    stream = opened_stream(opened.fd, budget)
    told: dict[str, str] = {}
    first = True
    while (header := _header(stream, first=first)) is not None:
        first = False
        if header.type in {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}:
            name = _extra(stream, header.size).rstrip(b"\0").decode("utf-8", "surrogateescape")
            if header.type == tarfile.GNUTYPE_LONGNAME:
                told["path"] = name
            continue
        if header.type in {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}:
            records = _records(_extra(stream, header.size))
            if header.type != tarfile.XGLTYPE:
                told.update(records)
            continue
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise bad_archive("it has a sparse file, whose map would have to be believed.")
        data = _Data(stream, _size(header, told))
        yield _tar_member(header, told, data)
        data.skip()
        told = {}


def _header(stream: Source, *, first: bool) -> tarfile.TarInfo | None:
    block = _exactly(stream, _BLOCK)
    if len(block) < _BLOCK and not first:
        return None  # an archive without its end is whole as far as it goes
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        if not block.strip(b"\0") and len(block) == _BLOCK:
            return None
        raise bad_archive("it is no zip or tar archive." if first else "it is damaged.") from None


def _size(header: tarfile.TarInfo, told: dict[str, str]) -> int:
    text = told.get("size")
    if text is None:
        size = header.size
    elif text.isascii() and text.isdigit() and len(text) <= 15:
        size = int(text)
    else:
        raise bad_archive("it gives an entry a size that is none.")
    # links and folders have no content, whatever size they give
    has_content = header.isreg() or header.type not in tarfile.SUPPORTED_TYPES
    return max(0, size) if has_content else 0


def _tar_member(header: tarfile.TarInfo, told: dict[str, str], data: "_Data") -> Member:
    name = told.get("path", header.name)
    kind: Kind = "other"
    if header.isdir():
        kind = "dir"
    elif header.issym() or header.islnk():
        kind = "link"
    # the content of a sparse file is packed in a way of its own
    elif header.isreg() and not any(key.startswith("GNU.sparse.") for key in told):
        kind = "file"
    executable = kind == "file" and bool(header.mode & 0o111)
    return Member(name=name, kind=kind, size=data.left, executable=executable, data=data.parts())


@final
class _Data:
    """The content of an entry in the stream, with the padding after it."""

    def __init__(self, stream: Source, size: int) -> None:
        self._stream = stream
        self._padding = -size % _BLOCK
        self.left = size

    def parts(self) -> Iterator[bytes]:
        while self.left:
            part = self._stream.read(min(self.left, _PART))
            if not part:
                raise bad_archive("it ends in the middle of a file.")
            self.left -= len(part)
            yield part

    def skip(self) -> None:
        for _ in self.parts():
            pass
        _exactly(self._stream, self._padding)


def _exactly(stream: Source, size: int) -> bytes:
    found = b""
    while len(found) < size and (part := stream.read(size - len(found))):
        found += part
    return found


def _extra(stream: Source, size: int) -> bytes:
    if not 0 <= size <= _MAX_HEADER:
        raise bad_archive("it has more to say of an entry than is read.")
    found = _exactly(stream, size)
    _exactly(stream, -size % _BLOCK)
    return found


def _records(data: bytes) -> dict[str, str]:
    """Return the records ``LENGTH KEY=VALUE`` of a header in the format of POSIX."""
    found: dict[str, str] = {}
    while data.strip(b"\0"):
        digits, space, _ = data.partition(b" ")
        if not space or not digits.isdigit() or len(digits) > 6 or not len(digits) + 1 < int(digits) <= len(data):
            raise bad_archive("it is damaged.")
        length = int(digits)
        key, _, value = data[len(digits) + 1 : length].removesuffix(b"\n").partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[length:]
    return found
