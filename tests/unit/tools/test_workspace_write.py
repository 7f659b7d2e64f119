"""What writes in a workspace holds the folder, takes one name in it, and replaces nothing unasked."""

import errno
import os
import stat

import pytest

from par.tools import Workspace
from par.tools._workspace_rename import rename_new
from par.tools._workspace_tree import remove_tree, survey
from par.tools._workspace_write import add_file, create, locked, replace, temporary_folder


@pytest.fixture(params=[True, False], ids=["kernel", "steps"])
def workspace(request, ws):
    with Workspace(ws) as opened:
        opened._kernel = opened._kernel and request.param
        yield opened


@pytest.fixture
def spot(workspace):
    with workspace.open_spot("f") as opened:
        yield opened


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("path", ["link", "link/x", "d/link", "loop/x", "d/link/y"])
def test_no_link_is_followed_on_the_way_to_what_is_written(ws, workspace, path):
    (ws / "d").mkdir()
    (ws / "link").symlink_to("d")
    (ws / "d/link").symlink_to(".")
    (ws / "loop").symlink_to("loop")

    with pytest.raises(OSError) as raised, workspace.open_spot(path) as spot, spot.inside():
        pass

    assert raised.value.errno == errno.ELOOP


@pytest.mark.parametrize(
    ("path", "code"), [("../x", errno.EXDEV), ("/x", errno.EXDEV), ("./.", errno.EINVAL), ("a\0", 22)]
)
def test_what_is_no_name_in_the_workspace_is_refused(workspace, path, code):
    with pytest.raises(OSError) as raised, workspace.open_spot(path):
        pass

    assert raised.value.errno == code


def test_the_name_of_a_spot_is_plain(ws, workspace):
    (ws / "d").mkdir()

    with workspace.open_spot("./d//f") as spot:
        assert (spot.name, spot.leaf, spot.beside("g").name) == ("d/f", "f", "d/g")


def test_what_is_written_stays_in_the_folder_that_was_opened(ws, workspace):
    (ws / "d").mkdir()
    with workspace.open_spot("d/f") as spot:
        (ws / "d").rename(ws / "moved")
        (ws / "d").symlink_to(ws.parent)
        create(spot, [b"x"])

    assert names(ws / "moved") == ["f"]
    assert names(ws.parent) == ["ws"]


@pytest.mark.parametrize("there", ["file", "folder", "link"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_new_name_that_is_taken_is_not_replaced(ws, spot, there, kind):
    (ws / "old").mkdir() if kind == "folder" else (ws / "old").write_text("mine")
    if there == "file":
        (ws / "f").write_text("theirs")
    elif there == "folder":
        (ws / "f").mkdir()
    else:
        (ws / "f").symlink_to("nowhere")
    before = (ws / "f").lstat()

    with pytest.raises(FileExistsError):
        rename_new(spot.beside("old"), spot)

    assert (ws / "f").lstat().st_ino == before.st_ino
    assert names(ws) == ["f", "old"]


def test_a_rename_that_fails_leaves_no_claim_behind(ws, workspace):
    (ws / "d").mkdir()

    with workspace.open_spot("d") as old, workspace.open_spot("d/new") as new, pytest.raises(OSError):
        rename_new(old, new)

    assert names(ws / "d") == []


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_rename_keeps_what_it_renames(ws, spot, kind):
    if kind == "file":
        (ws / "old").write_text("text")
    elif kind == "folder":
        (ws / "old").mkdir()
        (ws / "old/x").touch()
    else:
        (ws / "old").symlink_to("nowhere")
    before = (ws / "old").lstat()

    rename_new(spot.beside("old"), spot)

    assert (ws / "f").lstat().st_ino == before.st_ino
    assert names(ws) == ["f"]


def test_a_file_that_appears_while_another_is_written_is_not_replaced(ws, spot):
    def data():
        yield b"ours"
        (ws / "f").write_text("theirs")

    with pytest.raises(FileExistsError):
        create(spot, data())

    assert (ws / "f").read_text() == "theirs"
    assert names(ws) == ["f"]


def test_a_file_has_its_name_only_when_it_is_whole(ws, spot):
    def data():
        yield b"x"
        assert not (ws / "f").exists()

    create(spot, data())

    assert (ws / "f").read_bytes() == b"x"


def test_what_is_replaced_is_never_readable_by_more_than_the_old_one_was(ws, spot):
    (ws / "f").write_text("secret")
    (ws / "f").chmod(0o600)
    seen = []

    def data():
        seen.extend(stat.S_IMODE(path.stat().st_mode) for path in ws.iterdir())
        yield b"new"

    replace(spot, data(), (ws / "f").stat())

    assert seen == [0o600, 0o600]


def test_a_new_file_is_made_within_the_umask(ws, spot):
    old = os.umask(0o027)
    try:
        create(spot, [b"x"], mode=0o4777)
    finally:
        os.umask(old)

    assert stat.S_IMODE((ws / "f").stat().st_mode) == 0o750


def test_a_lock_keeps_others_out_until_they_give_up(ws, workspace, spot):
    class GaveUp(Exception):
        pass

    def give_up():
        raise GaveUp

    with locked(spot, give_up), workspace.open_spot("g") as other, pytest.raises(GaveUp), locked(other, give_up):
        pass
    with workspace.open_spot("g") as other, locked(other, give_up):
        pass


def test_a_folder_that_is_not_finished_is_removed(ws, spot):
    with temporary_folder(spot) as folder, folder.inside("x") as inner:
        add_file(inner, [b"x"])
        assert names(ws) == [folder.leaf]

    assert names(ws) == []


def test_what_is_below_a_folder_is_told_with_each_folder_first(ws, workspace):
    (ws / "t/d").mkdir(parents=True)
    (ws / "t/d/f").touch()
    (ws / "t/a").touch()
    (ws / "t/link").symlink_to("/")

    with workspace.open_spot("t") as top:
        found = [(one.spot.name, one.is_folder) for one in survey(top)]

    assert found == [("t/a", False), ("t/d", True), ("t/d/f", False), ("t/link", False)]


def test_a_link_in_the_place_of_a_folder_is_not_emptied(ws, workspace):
    (ws.parent / "outside").mkdir()
    (ws.parent / "outside/f").touch()
    (ws / "t").symlink_to(ws.parent / "outside")

    with workspace.open_spot("t") as top, pytest.raises(OSError):
        remove_tree(top, lambda _: None)

    assert names(ws.parent / "outside") == ["f"]
