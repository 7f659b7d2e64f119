"""When writing fails, is cancelled or raced, nothing half-done is left and nothing outside is touched."""

import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from unit.tools.bash_writes import everything, names

from par.tools._workspace_rename import rename_new
from par.tools._workspace_tree import remove_tree
from par.tools._workspace_write import append, create, make_folder, replace, set_executable, touch
from par.tools.bash import ArchiveExtract, Copy, Policy, Remove, Workspace
from par.tools.bash._commands.writing import WriteFile
from par.tools.bash._native import archive, write_copy, write_move, write_place
from par.tools.bash._native.change import change
from par.tools.bash._native.interrupt import interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_file import save_output

CHILD = str(Path(__file__).with_name("bash_writes_child.py"))
LARGE = ("create", "overwrite", "append", "copy", "copy_folder", "extract", "save", "save_append")
SMALL = ("make_dir", "touch", "touch_new", "move", "set_executable", "remove")


# --- no room ----------------------------------------------------------------------------------------------


def told(command, folder):
    done = subprocess.run(command, capture_output=True, timeout=50, check=False)
    if done.returncode or json.loads(done.stdout) == "no tmpfs":
        if command[0] == "unshare":
            pytest.skip("this machine gives no file system of our own")
        raise AssertionError(done.stderr.decode())
    return json.loads(done.stdout)


def child(what, folder, *chosen):
    inside = [] if what == "limited" else ["unshare", "--user", "--map-root-user", "--mount", "--"]
    return told([*inside, sys.executable, CHILD, what, str(folder), *chosen], folder)


def test_a_limit_on_the_size_of_files_leaves_nothing_behind(ws):
    assert child("limited", ws, *LARGE) == dict.fromkeys(LARGE, "too_large")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts in a namespace are Linux's")
def test_a_full_disk_leaves_nothing_behind(ws):
    assert child("full", ws, *LARGE) == dict.fromkeys(LARGE, "no_space")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts in a namespace are Linux's")
def test_a_file_system_that_is_only_read_says_so(ws):
    assert child("read_only", ws, *LARGE, *SMALL) == dict.fromkeys((*LARGE, *SMALL), "not_writable")


# --- cancellation -----------------------------------------------------------------------------------------


@pytest.fixture
def cancelled(ws, monkeypatch):
    """Run a command that is cancelled at the n-th look whether to go on."""

    async def run(command, module, after):
        looks = 0

        def look():
            nonlocal looks
            looks += 1
            if looks == after:
                anyio.from_thread.run_sync(scope.cancel)
            interruptible()

        monkeypatch.setattr(module, "interruptible", look)
        with Workspace(ws) as workspace, anyio.CancelScope() as scope:
            await anyio.to_thread.run_sync(change, Room(workspace=workspace, policy=Policy.coder()), command)
        assert scope.cancelled_caught

    return run


@pytest.mark.anyio
async def test_a_cancelled_copy_leaves_nothing_behind(ws, cancelled):
    (ws / "d/e").mkdir(parents=True)  # noqa: ASYNC240 # a test may wait for its own folder
    for n in range(10):
        (ws / f"d/e/{n}").touch()
    before = everything(ws)

    await cancelled(Copy(src="d", dst="x", recursive=True), write_copy, 7)

    assert everything(ws) == before


@pytest.mark.anyio
async def test_a_cancelled_extraction_leaves_nothing_behind(ws, cancelled):
    with tarfile.open(ws / "a", "w") as made:
        for n in range(10):
            made.addfile(tarfile.TarInfo(f"d/{n}"), io.BytesIO())

    await cancelled(ArchiveExtract(path="a", dst="x"), archive, 5)

    assert names(ws) == ["a"]


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["create", "overwrite", "append"])
async def test_a_cancelled_write_leaves_what_was_there(ws, cancelled, mode):
    if mode != "create":
        (ws / "f").write_text("mine")
    before = everything(ws)

    await cancelled(WriteFile(path="f", content="x" * 1_000_000, mode=mode), write_place, 3)

    assert everything(ws) == before


@pytest.mark.anyio
async def test_a_cancelled_removal_leaves_the_rest_whole(ws, cancelled):
    (ws / "d").mkdir()
    for n in range(10):
        (ws / f"d/{n}").write_text(str(n))

    # one look before the first name of each of two countings, then one for each name
    await cancelled(Remove(paths=("d",), recursive=True), write_move, 2 + 4)

    assert {path: content for path, (_, content) in everything(ws / "d").items()} == {
        str(n): str(n).encode() for n in range(3, 10)
    }


@pytest.mark.anyio
@pytest.mark.parametrize("append", [True, False])
async def test_output_that_is_waited_for_in_vain_is_given_up(ws, append):
    (ws / "f").write_text("mine")
    before = everything(ws)
    ours, theirs = os.pipe()
    os.write(theirs, b"begun")
    try:
        with Workspace(ws) as workspace, anyio.move_on_after(0.3) as scope:
            room = Room(workspace=workspace, policy=Policy.coder())
            await anyio.to_thread.run_sync(lambda: save_output(room, "f" if append else "g", ours, append=append))
    finally:
        os.close(ours)
        os.close(theirs)

    assert scope.cancelled_caught
    assert everything(ws) == before


# --- races ------------------------------------------------------------------------------------------------


def written(spot):
    create(spot, [b"evil"])
    os.unlink(spot.leaf, dir_fd=spot.fd)


def replaced(spot):
    replace(spot, [b"evil"], os.stat(spot.leaf, dir_fd=spot.fd, follow_symlinks=False))


def folder_made(spot):
    make_folder(spot)
    os.rmdir(spot.leaf, dir_fd=spot.fd)


def touched(spot):
    if touch(spot):
        os.unlink(spot.leaf, dir_fd=spot.fd)


def emptied(spot):
    make_folder(spot)
    with spot.inside("x") as inner:
        touch(inner)
    remove_tree(spot, lambda _: None)


def renamed(spot):
    touch(spot)
    rename_new(spot, spot.beside("other"))
    rename_new(spot.beside("other"), spot)
    os.unlink(spot.leaf, dir_fd=spot.fd)


class Flipper:
    """A thread that makes a name a link to somewhere outside and back, as fast as it can."""

    def __init__(self, name, outside):
        self._name, self._link, self._aside = name, name.with_name("link"), name.with_name("aside")
        self._link.symlink_to(outside)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._flip)

    def _flip(self):
        name, link, aside = (pathlib.Path(path) for path in (self._name, self._link, self._aside))
        while not self._stop.is_set():
            name.rename(aside)
            link.rename(name)
            name.rename(link)
            aside.rename(name)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def tried(ws, path, action, *, kernel, seconds=0.4):
    """Do something to a path again and again; return how often it worked, and how often it was tried."""
    worked = count = 0
    with Workspace(ws) as workspace:
        workspace._kernel = workspace._kernel and kernel
        started = monotonic()
        while monotonic() < started + seconds or (worked < 20 and monotonic() < started + 20 * seconds):
            count += 1
            with suppress(OSError), workspace.open_spot(path) as spot:
                action(spot)
                worked += 1
    return worked, count


@pytest.fixture
def outside(ws):
    folder = ws.parent / "outside"
    folder.mkdir()
    (folder / "f").write_text("outside")
    (folder / "f").chmod(0o640)
    os.utime(folder / "f", (1, 1))
    return folder


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "steps"])
@pytest.mark.parametrize(
    ("leaf", "action"),
    [
        ("new", written),
        ("new", folder_made),
        ("new", touched),
        ("new", emptied),
        ("new", renamed),
        ("f", replaced),
        ("f", lambda spot: append(spot, [b"evil"])),
        ("f", lambda spot: set_executable(spot, executable=True)),
        ("f", touched),
    ],
    ids=["create", "make_folder", "touch", "remove_tree", "rename", "replace", "append", "set_executable", "touch_old"],
)
def test_a_folder_that_becomes_a_link_and_back_leads_nothing_outside(ws, outside, leaf, action, kernel):
    (ws / "d").mkdir()
    (ws / "d/f").write_text("inside")
    before = everything(outside)

    with Flipper(ws / "d", outside):
        worked, count = tried(ws, f"d/{leaf}", action, kernel=kernel)

    assert everything(outside) == before
    assert (outside / "f").stat().st_mtime == 1
    assert worked >= 20
    assert count > worked  # the link was met too


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "steps"])
@pytest.mark.parametrize(
    "action",
    [replaced, lambda spot: append(spot, [b"evil"]), lambda spot: set_executable(spot, executable=True), touch],
    ids=["replace", "append", "set_executable", "touch"],
)
def test_a_file_that_becomes_a_link_and_back_leads_nothing_outside(ws, outside, action, kernel):
    (ws / "f").write_text("inside")
    before = everything(outside)

    with Flipper(ws / "f", outside / "f"):
        worked, _ = tried(ws, "f", action, kernel=kernel)

    assert everything(outside) == before
    assert (outside / "f").stat().st_mtime == 1
    assert worked >= 20


def churn(top, outside, stop):
    """Put a folder and a link to somewhere outside in each other's place, whatever happens to them."""
    sub, aside = os.fspath(top / "sub"), os.fspath(top.parent / "aside")
    steps = (
        lambda: Path(sub).mkdir(parents=True),
        lambda: os.close(os.open(f"{sub}/f", os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW)),
        lambda: Path(sub).rename(aside),
        lambda: Path(sub).symlink_to(outside),
        lambda: Path(sub).unlink(),
        lambda: Path(aside).rename(sub),
    )
    while not stop.is_set():
        for step in steps:
            with suppress(OSError):
                step()


@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "steps"])
def test_a_tree_that_is_removed_while_folders_become_links_takes_nothing_outside(ws, outside, kernel):
    (outside / "deep").mkdir()
    (outside / "deep/f").touch()
    before = everything(outside)
    stop = threading.Event()
    thread = threading.Thread(target=churn, args=(ws / "t", outside, stop))
    thread.start()
    try:
        worked, count = tried(ws, "t", lambda spot: remove_tree(spot, lambda _: None), kernel=kernel)
    finally:
        stop.set()
        thread.join()

    assert everything(outside) == before
    assert worked >= 20
    assert count > worked
