"""A workspace is a folder held by its descriptor; nothing opened in it is outside."""

import errno
import gc
import os

import pytest

from par.errors import UsageError, WorkspaceNotFound
from par.tools import Workspace
from par.tools._beneath import open_beneath
from par.tools._workspace import check_platform
from par.tools.bash import Bash


@pytest.fixture(params=[True, False], ids=["kernel", "steps"])
def opened(request, ws):
    """Open a name below the workspace, with openat2 and without."""
    root = os.open(ws, os.O_RDONLY | os.O_DIRECTORY)

    def name_and_text(path):
        fd, name = open_beneath(root, path, os.O_RDONLY, kernel=request.param)
        with os.fdopen(fd) as file:
            return name, file.read()

    yield name_and_text
    os.close(root)


def test_a_folder_that_is_absent_is_refused(ws):
    with pytest.raises(WorkspaceNotFound, match="does not exist"):
        Workspace(ws / "nope")


def test_a_file_is_no_workspace(ws):
    (ws / "file").touch()

    with pytest.raises(WorkspaceNotFound, match="is not a folder"):
        Bash(ws / "file")


def test_windows_is_refused_with_a_way_out():
    with pytest.raises(UsageError, match="Linux or macOS"):
        check_platform("win32")


def test_windows_is_refused_when_a_tool_is_built(ws, monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")

    with pytest.raises(UsageError, match="Windows"):
        Bash(ws)


def test_a_file_is_opened_by_its_relative_name(ws, opened):
    (ws / "d").mkdir()
    (ws / "d/f").write_text("text")

    assert opened("./d//f") == ("d/f", "text")


@pytest.mark.parametrize("path", ["../out", "d/../../out", "/etc/passwd"])
def test_a_name_that_leads_out_is_refused(path, opened):
    with pytest.raises(OSError) as raised:
        opened(path)

    assert raised.value.errno == errno.EXDEV


@pytest.mark.parametrize("target", ["/etc/passwd", "../../out", "d/../../out", "gone/../../.."])
def test_a_link_that_leads_out_is_refused(ws, opened, target):
    (ws / "d").mkdir()
    (ws.parent / "out").write_text("secret")
    (ws / "link").symlink_to(target)

    with pytest.raises(OSError):
        opened("link")


def test_a_link_in_the_middle_that_leads_out_is_refused(ws, opened):
    (ws.parent / "out").mkdir()
    (ws.parent / "out/f").write_text("secret")
    (ws / "d").symlink_to("../out")

    with pytest.raises(OSError) as raised:
        opened("d/f")

    assert raised.value.errno == errno.EXDEV


def test_a_link_inside_is_followed_and_the_real_name_is_told(ws, opened):
    (ws / "d/e").mkdir(parents=True)
    (ws / "d/real").write_text("text")
    (ws / "d/e/link").symlink_to("../real")
    (ws / "short").symlink_to("d/e")

    assert opened("short/link") == ("d/real", "text")


def test_links_in_a_circle_are_refused(ws, opened):
    (ws / "a").symlink_to("b")
    (ws / "b").symlink_to("a")

    with pytest.raises(OSError) as raised:
        opened("a")

    assert raised.value.errno == errno.ELOOP


@pytest.mark.timeout(5)
def test_a_fifo_is_refused_without_waiting(ws):
    os.mkfifo(ws / "fifo")
    workspace = Workspace(ws)

    with pytest.raises(OSError) as raised, workspace.open_file("fifo"):
        pass

    assert raised.value.errno == errno.EINVAL


def test_a_renamed_workspace_stays_the_same_folder(ws):
    (ws / "f").write_text("mine")
    workspace = Workspace(ws)
    ws.rename(ws.with_name("moved"))
    ws.mkdir()
    (ws / "f").write_text("other")

    with workspace.open_file("f") as file:
        assert os.read(file.fd, 10) == b"mine"


def test_a_closed_workspace_says_so(ws):
    with Workspace(ws) as workspace:
        pass
    workspace.close()

    with pytest.raises(UsageError, match="closed"), workspace.open_file("f"):
        pass


def test_a_forgotten_workspace_gives_its_descriptor_back(ws):
    workspace = Workspace(ws)
    fd = workspace._fd

    del workspace
    gc.collect()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
