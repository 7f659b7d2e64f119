"""However names are arranged and rearranged, nothing outside is opened."""

import os
import pathlib
import threading
from pathlib import Path
from time import monotonic, process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from par.tools import Workspace
from par.tools._beneath import open_beneath
from par.tools._workspace_write import create
from par.tools.bash._native.match import matches

TARGETS = st.lists(st.sampled_from(["..", "a", "b", "c", ".", "a/b", "/etc", "../.."]), min_size=1, max_size=4)


@given(
    links=st.dictionaries(st.sampled_from(["a/x", "b/x", "c", "a/b"]), TARGETS, max_size=4),
    path=TARGETS,
    kernel=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_arrangement_of_links_leads_out(tmp_path_factory, links, path, kernel):
    base = tmp_path_factory.mktemp("base")
    ws = base / "ws"
    (ws / "a").mkdir(parents=True)
    (ws / "b").mkdir()
    for name, target in links.items():
        (ws / name).symlink_to("/".join(target))
    root = os.open(ws, os.O_RDONLY)
    try:
        fd, name = open_beneath(root, "/".join([*path, "x"]), os.O_RDONLY, kernel=kernel)
    except OSError:
        return
    finally:
        os.close(root)
    real = Path(f"/proc/self/fd/{fd}").resolve()
    os.close(fd)

    assert real.is_relative_to(ws)
    assert (ws / name).resolve() == real
    assert not any((ws / name).parents[i].is_symlink() for i in range(len(name.split("/"))))


@given(
    links=st.dictionaries(st.sampled_from(["a/x", "b/x", "c", "a/b"]), TARGETS, max_size=4),
    path=TARGETS,
    kernel=st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_has_the_name_that_was_given_and_no_other(tmp_path_factory, links, path, kernel):
    ws = tmp_path_factory.mktemp("base") / "ws"
    (ws / "a").mkdir(parents=True)
    (ws / "b").mkdir()
    for name, target in links.items():
        (ws / name).symlink_to("/".join(target))
    with Workspace(ws) as workspace:
        workspace._kernel = workspace._kernel and kernel
        try:
            with workspace.open_spot("/".join([*path, "new"])) as spot:
                create(spot, [b"x"])
                real = Path(f"/proc/self/fd/{spot.fd}").resolve()
        except OSError:
            return

    assert real.is_relative_to(ws)
    assert real / "new" == ws / spot.name
    assert (ws / spot.name).read_bytes() == b"x"
    assert not any((ws / spot.name).parents[i].is_symlink() for i in range(len(spot.name.split("/"))))


@pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "steps"])
def test_a_folder_that_becomes_a_link_and_back_leads_nowhere_else(tmp_path, kernel):
    ws, out = tmp_path / "ws", tmp_path / "out"
    for folder, text in ((ws / "d", "inside"), (out, "outside")):
        folder.mkdir(parents=True)
        (folder / "f").write_text(text)
    (ws / "l").symlink_to(out)
    root = os.open(ws, os.O_RDONLY)
    stop = threading.Event()

    def flip():
        while not stop.is_set():
            pathlib.Path(ws / "d").rename(ws / "t")
            pathlib.Path(ws / "l").rename(ws / "d")
            pathlib.Path(ws / "d").rename(ws / "l")
            pathlib.Path(ws / "t").rename(ws / "d")

    flipper = threading.Thread(target=flip)
    flipper.start()
    texts = []
    ends = monotonic() + 1.0
    try:
        while monotonic() < ends:
            try:
                fd, _ = open_beneath(root, "d/f", os.O_RDONLY, kernel=kernel)
            except OSError:
                continue
            texts.append(os.read(fd, 20))
            os.close(fd)
    finally:
        stop.set()
        flipper.join()
        os.close(root)

    assert len(texts) > 100
    assert set(texts) == {b"inside"}


@given(st.text("ab*?/.", min_size=1, max_size=256), st.text("ab/", min_size=1, max_size=200))
@settings(max_examples=200, deadline=10_000)
def test_no_pattern_of_names_takes_long(pattern, path):
    matches(pattern, path)


@pytest.mark.parametrize("pattern", ["a*" * 16 + "b", "**/a/" * 4 + "b", "*" * 16 + "x"])
def test_a_hostile_pattern_of_names_takes_no_time(pattern):
    started = process_time()

    matches(pattern, "a" * 255)
    matches(pattern, "/".join(["a"] * 500))

    assert process_time() - started < 5  # an exponential one takes for ever
