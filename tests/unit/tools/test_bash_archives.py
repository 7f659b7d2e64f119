"""archive_list and archive_extract: hostile archives unpack to nothing, ordinary ones to what they hold."""

import bz2
import io
import os
import stat
import tarfile
import zipfile

import anyio.to_thread
import pytest
from unit.tools.bash_writes import anyio_backend, do, everything, names, refused, room

from par.errors import CommandRefused
from par.tools.bash import ArchiveExtract, ArchiveList, Policy
from par.tools.bash._native import archive_members, archive_stream
from par.tools.bash._native.archive import archive_list
from par.tools.bash._native.room import Room

__all__ = ["anyio_backend", "do", "refused", "room"]

pytestmark = pytest.mark.anyio

EXTRACT = ArchiveExtract(path="a", dst="d")


def zipped(path, entries, *, compression=zipfile.ZIP_DEFLATED):
    """Write a zip archive; an entry is a name, and content or a mode with content."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, held in entries:
            mode, content = held if isinstance(held, tuple) else (stat.S_IFREG | 0o644, held)
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.create_system = 3
            info.external_attr = mode << 16
            archive.writestr(info, content)


def tarred(path, entries, mode="w", **options):
    """Write a tar archive; an entry is a name, and content or fields of a TarInfo."""
    with tarfile.open(path, mode, **options) as archive:
        for name, held in entries:
            info = tarfile.TarInfo(name)
            fields = held if isinstance(held, dict) else {"content": held}
            content = fields.get("content", b"")
            info.size = len(content)
            for field in ("type", "mode", "linkname"):
                if field in fields:
                    setattr(info, field, fields[field])
            archive.addfile(info, io.BytesIO(content))


async def listed(room, path="a"):
    outcome = await anyio.to_thread.run_sync(archive_list, room, ArchiveList(path=path))
    return outcome.stdout.head.decode().splitlines(), outcome.notes


MAKERS = pytest.mark.parametrize(
    "make",
    [
        zipped,
        tarred,
        lambda path, entries: zipped(path, entries, compression=zipfile.ZIP_STORED),
        lambda path, entries: tarred(path, entries, "w:gz"),
        lambda path, entries: tarred(path, entries, "w:bz2"),
        lambda path, entries: tarred(path, entries, "w:xz"),
        lambda path, entries: tarred(path, entries, "w", format=tarfile.PAX_FORMAT),
        lambda path, entries: tarred(path, entries, "w", format=tarfile.GNU_FORMAT),
    ],
    ids=["zip", "tar", "stored", "gz", "bz2", "xz", "pax", "gnu"],
)


@MAKERS
async def test_what_is_in_it_is_unpacked(ws, do, make):
    long = "/".join(["é" * 60] * 4)
    make(ws / "a", [("top", b"text"), ("./d/e/f", b"x" * 100_000), (long, b"deep"), ("empty", b"")])

    assert await do(EXTRACT) == 'Unpacked "a" to "d": 4 files, 100008 bytes.'
    found = {path: content for path, (_, content) in everything(ws / "d").items() if content}
    assert found == {"top": b"text", "d/e/f": b"x" * 100_000, long: b"deep"}
    assert names(ws) == ["a", "d"]


@MAKERS
async def test_what_is_in_it_is_listed(ws, room, make):
    make(ws / "a", [("top", b"text"), ("d/a\nb\x1b", b"x" * 100_000)])

    lines, notes = await listed(room)

    assert lines == ["           4  top", "      100000  d/a\\nb\\x1b"]
    assert notes == ("2 entries, 2 files, 100004 bytes unpacked.",)


async def test_an_empty_folder_is_filled(ws, do):
    tarred(ws / "a", [("f", b"x")])
    (ws / "d").mkdir()

    await do(EXTRACT)

    assert names(ws / "d") == ["f"]


async def test_a_program_stays_one_but_never_set_uid(ws, do):
    tarred(ws / "a", [("run", {"mode": 0o6755}), ("data", {"mode": 0o6644})])
    zipped(ws / "z", [("run", (stat.S_IFREG | 0o4755, b""))])

    await do(EXTRACT)
    await do(ArchiveExtract(path="z", dst="e"))

    assert stat.S_IMODE((ws / "d/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((ws / "d/data").stat().st_mode) == 0o644
    assert stat.S_IMODE((ws / "e/run").stat().st_mode) == 0o755


@MAKERS
@pytest.mark.parametrize("name", ["../evil", "d/../../evil", "/evil", "~/evil", "a\nb", "\u202eevil"])
async def test_a_name_that_leads_out_or_deceives_refuses_all_of_it(ws, refused, make, name):
    make(ws / "a", [("good", b"x"), (name, b"evil")])

    assert (await refused(EXTRACT)).code.startswith("path_")


@MAKERS
async def test_protected_names_are_left_out_and_reported(ws, do, make):
    make(ws / "a", [("ok", b"x"), (".git/hooks/pre-commit", b"x"), ("d/.ENVRC", b"x"), (".github/workflows/x", b"x")])

    note = await do(EXTRACT)

    assert names(ws / "d") == ["ok"]
    assert 'Not unpacked: ".git/hooks/pre-commit", "d/.ENVRC" (protected names).' in note
    assert '".github/workflows/x" (names that a person decides on one by one)' in note


async def test_links_and_devices_are_left_out_and_reported(ws, do):
    tarred(
        ws / "a",
        [
            ("l", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
            ("l/passwd", b"evil"),
            ("h", {"type": tarfile.LNKTYPE, "linkname": "l/shadow"}),
            ("null", {"type": tarfile.CHRTYPE}),
            ("fifo", {"type": tarfile.FIFOTYPE}),
            ("odd", {"type": b"Z", "content": b"content"}),
            ("last", b"x"),
        ],
    )

    note = await do(EXTRACT)

    assert {path: content for path, (_, content) in everything(ws / "d").items()} == {
        "l": b"", "l/passwd": b"evil", "last": b"x",
    }  # fmt: skip
    assert 'Not unpacked: "l", "h" (links).' in note
    assert '"null", "fifo", "odd" (neither files nor folders)' in note


async def test_a_sparse_file_refuses_all_of_it(ws, refused):
    tarred(ws / "a", [("f", b"x"), ("sparse", {"type": tarfile.GNUTYPE_SPARSE})])

    assert (await refused(EXTRACT)).code == "bad_archive"


async def test_a_link_in_a_zip_is_left_out(ws, do):
    zipped(ws / "a", [("l", (stat.S_IFLNK | 0o777, b"/etc/passwd")), ("ok", b"x")])

    assert '"l" (links)' in await do(EXTRACT)
    assert names(ws / "d") == ["ok"]


async def test_a_link_in_the_archives_list_is_marked(ws, room):
    tarred(ws / "a", [("l", {"type": tarfile.SYMTYPE, "linkname": "/etc"}), ("d", {"type": tarfile.DIRTYPE})])

    assert (await listed(room))[0] == ["           0  l (a link)", "           0  d/"]


@pytest.mark.parametrize("twin", [("f", b"2"), ("f/x", b"2"), ("f/", b"")])
async def test_two_entries_of_one_name_refuse_all_of_it(ws, refused, twin):
    zipped(ws / "a", [("f", b"1"), ("g", b"x")])
    with zipfile.ZipFile(ws / "a", "a") as archive, pytest.warns() if twin[0] == "f" else nothing():
        archive.writestr(*twin)

    assert (await refused(EXTRACT)).code == "bad_archive"


class nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


# --- bombs ------------------------------------------------------------------------------------------------


async def test_a_small_archive_of_5_gigabytes_stops_early(ws, refused):
    header = tarfile.TarInfo("bomb")
    header.size = 5_000_000_000
    packed = bz2.compress(bytes(50_000_000))
    (ws / "a").write_bytes(bz2.compress(header.tobuf()) + packed * 100)
    assert (ws / "a").stat().st_size < 42_000

    assert (await refused(EXTRACT)).code == "too_large"


async def test_listing_a_bomb_stops_too(ws, room):
    header = tarfile.TarInfo("bomb")
    header.size = 50_000_000
    (ws / "a").write_bytes(bz2.compress(header.tobuf() + bytes(50_000_000)))

    with pytest.raises(CommandRefused) as raised:
        await listed(room)

    assert raised.value.code == "too_large"


async def test_a_zip_that_becomes_too_large_leaves_nothing(ws, refused):
    zipped(ws / "a", [("small", b"x"), ("bomb", bytes(20_000_000))])

    assert (await refused(EXTRACT)).code == "too_large"


async def test_the_whole_of_an_archive_has_a_bound(ws, refused, monkeypatch):
    zipped(ws / "a", [("f", os.urandom(100_000))])
    monkeypatch.setattr(archive_stream, "MAX_TOTAL", 99_999)

    assert (await refused(EXTRACT)).code == "too_large"


@pytest.mark.parametrize("make", [zipped, tarred])
async def test_the_number_of_entries_has_a_bound(ws, refused, monkeypatch, make):
    make(ws / "a", [(f"f{n}", b"") for n in range(6)])
    monkeypatch.setattr(archive_members, "MAX_MEMBERS", 5)

    assert (await refused(EXTRACT)).code == "too_large"


async def test_the_directory_of_a_zip_has_a_bound(ws, refused):
    zipped(ws / "a", [(f"{n:05}" + "x" * 200, b"") for n in range(20_000)])

    assert (await refused(EXTRACT)).code == "too_large"


async def test_a_header_of_any_size_is_not_held_in_memory(ws, refused):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 100_000
    (ws / "a").write_bytes(header.tobuf() + bytes(200_000))

    assert (await refused(EXTRACT)).code == "bad_archive"


@pytest.mark.parametrize("records", [b"99 path=x\n", b"x path=y\n", b"9", b"0 ", b"12 size=-10\n", b"9999999 a=b\n"])
async def test_damaged_records_are_refused(ws, refused, records):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    data = header.tobuf() + records.ljust(512, b"\0") + tarfile.TarInfo("f").tobuf() + bytes(1024)
    (ws / "a").write_bytes(data)

    assert (await refused(EXTRACT)).code == "bad_archive"


async def test_too_many_folders_in_each_other_are_refused(ws, refused):
    tarred(ws / "a", [("d/" * 129 + "f", b"")])

    assert (await refused(EXTRACT)).code == "bad_archive"


# --- what is no archive, and where none can go --------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"PK\x03\x04" + bytes(100),
        b"\x1f\x8b\x08" + bytes(50),
        b"BZh9junk",
        b"\xfd7zXZ\0junk",
        b"x" * 2000,
    ],
    ids=["empty", "text", "zip", "gz", "bz2", "xz", "x"],
)
async def test_what_is_no_archive_is_refused(ws, refused, data):
    (ws / "a").write_bytes(data)

    assert (await refused(EXTRACT)).code == "bad_archive"


@pytest.mark.parametrize("make", [zipped, tarred, lambda path, entries: tarred(path, entries, "w:gz")])
@pytest.mark.parametrize("kept", [0.3, 0.6])
async def test_a_part_of_an_archive_is_refused(ws, refused, make, kept):
    make(ws / "a", [("f", os.urandom(50_000))])
    data = (ws / "a").read_bytes()
    (ws / "a").write_bytes(data[: int(len(data) * kept)])

    assert (await refused(EXTRACT)).code == "bad_archive"


async def test_damaged_content_is_refused(ws, refused):
    zipped(ws / "a", [("f", b"content" * 100)], compression=zipfile.ZIP_STORED)
    (ws / "a").write_bytes((ws / "a").read_bytes().replace(b"content", b"CONTENT", 1))

    assert (await refused(EXTRACT)).code == "bad_archive"


async def test_compression_without_a_bound_on_memory_is_refused(ws, refused):
    zipped(ws / "a", [("f", b"x")], compression=zipfile.ZIP_LZMA)

    assert (await refused(EXTRACT)).code == "bad_archive"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (ArchiveExtract(path="a", dst="full"), "not_empty"),
        (ArchiveExtract(path="a", dst="a"), "exists"),
        (ArchiveExtract(path="a", dst="link"), "path_symlink"),
        (ArchiveExtract(path="a", dst="link/x"), "path_symlink"),
        (ArchiveExtract(path="a", dst="gone/x"), "path_not_found"),
        (ArchiveExtract(path="gone", dst="x"), "path_not_found"),
        (ArchiveExtract(path="full", dst="x"), "not_regular_file"),
        (ArchiveExtract(path="secret", dst="x"), "read_denied"),
        (ArchiveExtract(path="out", dst="x"), "path_symlink"),
    ],
    ids=repr,
)
async def test_what_cannot_be_unpacked_is_refused(ws, refused, command, code):
    zipped(ws / "a", [("f", b"x")])
    zipped(ws / "id_a", [("f", b"x")])
    (ws / "full").mkdir()
    (ws / "full/x").touch()
    (ws / "link").symlink_to("full")
    (ws / "secret").symlink_to("id_a")
    (ws.parent / "a").touch()
    (ws / "out").symlink_to(ws.parent / "a")

    assert (await refused(command)).code == code


async def test_the_list_of_a_denied_archive_is_not_shown(ws, room):
    zipped(ws / "id_a", [("f", b"x")])

    with pytest.raises(CommandRefused) as raised:
        await listed(room, "id_a")

    assert raised.value.code == "read_denied"


async def test_a_long_list_says_that_there_is_more(ws, room):
    zipped(ws / "a", [(f"f{n}", b"") for n in range(9)])
    short = Room(workspace=room.workspace, policy=Policy(name="p", allow=(ArchiveList,), max_output_lines=3))

    lines, notes = await listed(short)

    assert len(lines) == 3
    assert notes == ("Only the first 3 entries are shown.",)
