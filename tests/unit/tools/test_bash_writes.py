"""The commands that change files: what they write, and what they refuse."""

import os
import stat
from pathlib import Path

import anyio.to_thread
import pytest
from unit.tools.bash_writes import anyio_backend, do, everything, names, refused, room

from par.errors import CommandRefused
from par.tools.bash import MakeDir, Policy, SetExecutable, Touch, Workspace, WriteFile
from par.tools.bash._native.change import change
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_file import save_output

__all__ = ["anyio_backend", "do", "refused", "room"]

pytestmark = pytest.mark.anyio


# --- make_dir, touch, write_file, set_executable ---------------------------------------------------------


async def test_make_dir_makes_a_folder_and_says_so(ws, do):
    assert await do(MakeDir(path="d")) == 'Made the folder "d".'
    assert (ws / "d").is_dir()


async def test_make_dir_with_parents_makes_them_all(ws, do):
    assert await do(MakeDir(path="a/./b//c", parents=True)) == (
        'Made the folder "a". Made the folder "a/b". Made the folder "a/b/c".'
    )
    assert "was there already" in await do(MakeDir(path="a/b/c", parents=True))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (MakeDir(path="d"), "exists"),
        (MakeDir(path="new/x"), "path_not_found"),
        (MakeDir(path="f/x"), "not_a_folder"),
        (MakeDir(path="f/x", parents=True), "not_a_folder"),
        (MakeDir(path="d/n/m/link", parents=True), "path_symlink"),
        (MakeDir(path="link/x"), "path_symlink"),
        (MakeDir(path="link/x", parents=True), "path_symlink"),
        (MakeDir(path="out/x", parents=True), "path_symlink"),
        (MakeDir(path="x/" * 129 + "x", parents=True), "path_too_long"),
        (Touch(path="d"), "not_regular_file"),
        (Touch(path="out/x"), "path_symlink"),
        (Touch(path="link"), "path_symlink"),
        (Touch(path="twin"), "hard_link"),
        (Touch(path="fifo"), "not_regular_file"),
        (WriteFile(path="f", content="x"), "exists"),
        (WriteFile(path="out/x", content="x"), "path_symlink"),
        (WriteFile(path="link", content="x"), "path_symlink"),
        (WriteFile(path="link", content="x", mode="overwrite"), "path_symlink"),
        (WriteFile(path="link", content="x", mode="append"), "path_symlink"),
        (WriteFile(path="loose", content="x"), "path_symlink"),
        (WriteFile(path="loose", content="x", mode="append"), "path_symlink"),
        (WriteFile(path="d", content="x", mode="overwrite"), "not_regular_file"),
        (WriteFile(path="fifo", content="x", mode="append"), "not_regular_file"),
        (WriteFile(path="twin", content="x", mode="append"), "hard_link"),
        (WriteFile(path="shut", content="x", mode="append"), "read_only"),
        (WriteFile(path="shut", content="x", mode="overwrite"), "read_only"),
        (WriteFile(path="gone/x", content="x"), "path_not_found"),
        (SetExecutable(path="gone"), "path_not_found"),
        (SetExecutable(path="d"), "not_regular_file"),
        (SetExecutable(path="twin"), "hard_link"),
        (SetExecutable(path="link"), "path_symlink"),
        (SetExecutable(path="fifo"), "not_regular_file"),
    ],
    ids=repr,
)
async def test_what_cannot_be_written_is_refused(ws, refused, command, code):
    (ws / "d").mkdir()
    (ws / "d/n").mkdir()
    (ws / "f").write_text("mine")
    (ws / "link").symlink_to("f")
    (ws / "loose").symlink_to("nowhere")
    (ws.parent / "elsewhere").mkdir()
    (ws / "out").symlink_to(ws.parent / "elsewhere")
    (ws / "d/n/m").symlink_to(ws.parent / "elsewhere")
    os.mkfifo(ws / "fifo")
    (ws.parent / "elsewhere/file").write_text("outside")
    os.link(ws.parent / "elsewhere/file", ws / "twin")
    (ws / "shut").write_text("only read")
    (ws / "shut").chmod(0o444)

    assert (await refused(command)).code == code
    assert names(ws.parent / "elsewhere") == ["file"]
    assert (ws.parent / "elsewhere/file").read_text() == "outside"


@pytest.mark.parametrize(
    "path", [".git/config", "a/.GIT/x", ".envrc", "d/.VSCODE/x", "git~1/x", ".gıt/x", ".git::$INDEX_ALLOCATION/x"]
)
def test_a_command_that_was_forged_with_a_protected_name_gets_no_further(ws, path):
    forged = object.__new__(WriteFile)
    for name, value in (("path", path), ("content", "x"), ("mode", "create")):
        object.__setattr__(forged, name, value)

    with Workspace(ws) as workspace, pytest.raises(CommandRefused) as raised:
        change(Room(workspace=workspace, policy=Policy.coder()), forged)

    assert raised.value.code == "protected_path"
    assert not names(ws)


async def test_a_name_that_the_policy_protects_is_not_written(ws, do):
    with Workspace(ws) as workspace:
        room = Room(workspace=workspace, policy=Policy(name="p", allow=(WriteFile,), write_protect=("*.lock",)))

        with pytest.raises(CommandRefused) as raised:
            change(room, WriteFile(path="d/Poetry.LOCK", content="x"))

    assert raised.value.code == "protected_path"


async def test_touch_makes_an_empty_file_or_sets_its_time(ws, do):
    assert await do(Touch(path="f")) == 'Made the empty file "f".'
    os.utime(ws / "f", (1, 1))

    assert await do(Touch(path="f")) == 'Set the times of "f".'
    assert (ws / "f").stat().st_mtime > 1


async def test_write_file_creates(ws, do):
    assert await do(WriteFile(path="f", content="é\n")) == 'Wrote the new file "f": 3 bytes.'
    assert (ws / "f").read_text() == "é\n"
    assert names(ws) == ["f"]


async def test_write_file_overwrites_and_says_what_was_lost(ws, do):
    (ws / "f").write_text("old text")

    note = await do(WriteFile(path="f", content="new", mode="overwrite"))

    assert note == 'Wrote "f": 3 bytes, in the place of 8 bytes.'
    assert (ws / "f").read_text() == "new"


async def test_write_file_appends_in_place(ws, do):
    (ws / "f").write_text("one\n")
    inode = (ws / "f").stat().st_ino

    note = await do(WriteFile(path="f", content="two\n", mode="append"))

    assert note == 'Added 4 bytes to "f", which had 4.'
    assert (ws / "f").read_text() == "one\ntwo\n"
    assert (ws / "f").stat().st_ino == inode


async def test_append_makes_a_file_that_is_absent(ws, do):
    assert "new file" in await do(WriteFile(path="f", content="x", mode="append"))


async def test_overwriting_keeps_permissions_but_never_set_uid(ws, do):
    (ws / "f").touch()
    (ws / "f").chmod(0o4750)

    await do(WriteFile(path="f", content="new", mode="overwrite"))

    assert stat.S_IMODE((ws / "f").stat().st_mode) == 0o750


async def test_overwriting_one_of_two_names_leaves_the_other(ws, do):
    (ws.parent / "outside").write_text("outside")
    os.link(ws.parent / "outside", ws / "f")

    await do(WriteFile(path="f", content="new", mode="overwrite"))

    assert (ws.parent / "outside").read_text() == "outside"
    assert (ws / "f").read_text() == "new"


@pytest.mark.parametrize("name", ["é" * 127, "x" * 255, "日本", "-rf", "a b;$(x)"])
async def test_odd_and_long_names_are_written(ws, do, name):
    await do(WriteFile(path=name, content="x"))

    assert names(ws) == [name]


async def test_set_executable_follows_who_may_read(ws, do):
    (ws / "f").touch()
    (ws / "f").chmod(0o4640)

    assert await do(SetExecutable(path="f")) == '"f" can be run now.'
    assert stat.S_IMODE((ws / "f").stat().st_mode) == 0o750
    assert await do(SetExecutable(path="f")) == '"f" can be run as before.'
    assert await do(SetExecutable(path="f", executable=False)) == '"f" cannot be run now.'
    assert stat.S_IMODE((ws / "f").stat().st_mode) == 0o640


# --- the output of pipelines -----------------------------------------------------------------------------


def piped(data):
    ours, theirs = os.pipe()
    os.write(theirs, data)
    os.close(theirs)
    return ours


async def save(room, path, data, *, append=False):
    source = piped(data)
    try:
        return await anyio.to_thread.run_sync(lambda: save_output(room, path, source, append=append))
    finally:
        os.close(source)


async def test_output_is_saved_in_a_new_file(ws, room):
    assert await save(room, "f", b"text") == ('Wrote the new file "f": 4 bytes.',)
    assert (ws / "f").read_bytes() == b"text"


async def test_output_replaces_nothing(ws, room):
    (ws / "f").write_text("mine")

    with pytest.raises(CommandRefused) as raised:
        await save(room, "f", b"text")

    assert raised.value.code == "exists"
    assert (ws / "f").read_text() == "mine"


async def test_output_is_appended(ws, room):
    (ws / "f").write_text("a")

    assert await save(room, "f", b"b", append=True) == ('Added 1 bytes to "f", which had 1.',)
    assert (ws / "f").read_text() == "ab"


def save_zeros(room, path, *, append):
    with Path("/dev/zero").open("rb") as zeros:
        return save_output(room, path, zeros.fileno(), append=append)


@pytest.mark.parametrize("append", [True, False])
async def test_output_without_end_is_not_saved(ws, room, append):
    (ws / "f").write_text("mine")

    with pytest.raises(CommandRefused) as raised:
        await anyio.to_thread.run_sync(lambda: save_zeros(room, "f" if append else "g", append=append))

    assert raised.value.code == "too_large"
    assert everything(ws) == {"f": (stat.S_IFREG | 0o644, b"mine")}
