"""copy, move and remove: whole folders, and what is left out of them."""

import os
import stat

import pytest
from unit.tools.bash_writes import anyio_backend, do, everything, names, refused, room

from par.tools import _workspace_tree
from par.tools.bash import Copy, MakeDir, Move, Policy, Remove
from par.tools.bash._native import write_copy
from par.tools.bash._native.room import Room

__all__ = ["anyio_backend", "do", "refused", "room"]

pytestmark = pytest.mark.anyio


def fill(folder, *files):
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"text of {name}")


def allowing(room, **fields):
    policy = Policy(name="own", allow=(Copy, Move, Remove), effects=("read", "write"), **fields)
    return Room(workspace=room.workspace, policy=policy)


# --- copy -------------------------------------------------------------------------------------------------


async def test_a_file_is_copied_with_its_mode_but_never_set_uid(ws, do):
    fill(ws, "a")
    (ws / "a").chmod(0o4755)

    assert await do(Copy(src="a", dst="b")) == 'Copied "a" to "b": 9 bytes.'
    assert (ws / "b").read_text() == "text of a"
    assert stat.S_IMODE((ws / "b").stat().st_mode) == 0o755


async def test_a_copy_replaces_a_file_only_when_that_is_asked_for(ws, do, refused):
    fill(ws, "a", "longer")

    assert (await refused(Copy(src="a", dst="longer"))).code == "exists"
    assert await do(Copy(src="a", dst="longer", overwrite=True)) == (
        'Copied "a" to "longer": 9 bytes, in the place of 14.'
    )


async def test_a_folder_is_copied_with_all_that_is_in_it(ws, do):
    fill(ws, "d/a", "d/e/b")
    (ws / "d/empty").mkdir()
    (ws / "d/link").symlink_to("e/b")

    assert await do(Copy(src="d", dst="copy", recursive=True)) == 'Copied "d" to "copy": 2 files, 24 bytes.'
    assert everything(ws / "copy") == everything(ws / "d")
    assert (ws / "copy/link").readlink().as_posix() == "e/b"
    assert names(ws) == ["copy", "d"]


async def test_what_may_not_be_copied_is_left_out_and_reported(ws, do):
    fill(
        ws,
        "d/a",
        "d/.git/config",
        "d/e/.ENVRC",
        "d/.env",
        "d/e/my.pem",
        "d/.github/workflows/x.yml",
        "d/.gitattributes",
    )
    fill(ws.parent, "secret")
    (ws / "d/out").symlink_to(ws.parent / "secret")
    (ws / "d/e/up").symlink_to("../../../secret")
    (ws / "d/e/fine").symlink_to("../../d/a")
    os.mkfifo(ws / "d/fifo")
    os.link(ws.parent / "secret", ws / "d/twin")

    note = await do(Copy(src="d", dst="copy", recursive=True))

    assert sorted(everything(ws / "copy")) == [".github", "a", "e", "e/fine"]
    assert 'Not copied: "d/.git", "d/e/.ENVRC" (protected names).' in note
    assert '"d/.env", "d/e/my.pem" (names that the policy keeps from being read)' in note
    assert '"d/.gitattributes", "d/.github/workflows" (names that a person decides on one by one)' in note
    assert '"d/e/up", "d/out" (links that would lead out of the workspace)' in note
    assert '"d/fifo" (neither files nor folders)' in note
    assert '"d/twin" (files with more than one name)' in note


async def test_what_nobody_is_asked_about_is_copied(ws, do, room):
    fill(ws, "d/.gitattributes")

    await do(Copy(src="d", dst="copy", recursive=True), allowing(room, approve_at=None))

    assert names(ws / "copy") == [".gitattributes"]


async def test_what_the_policy_protects_is_left_out_too(ws, do, room):
    fill(ws, "d/a", "d/b.lock")

    note = await do(Copy(src="d", dst="copy", recursive=True), allowing(room, write_protect=("*.lock",)))

    assert names(ws / "copy") == ["a"]
    assert '"d/b.lock" (protected names)' in note


async def test_a_copy_into_a_name_that_makes_it_a_workflow_is_left_out(ws, do):
    fill(ws, "d/workflows/x.yml")

    note = await do(Copy(src="d", dst=".github", recursive=True))

    assert names(ws / ".github") == []
    assert "a person decides" in note


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Copy(src="gone", dst="x"), "path_not_found"),
        (Copy(src="d", dst="x"), "not_regular_file"),
        (Copy(src="d", dst="d/e/x", recursive=True), "into_itself"),
        (Copy(src=".", dst="x", recursive=True), "into_itself"),
        (Copy(src="here", dst="x", recursive=True), "into_itself"),
        (Copy(src="link_to_d", dst="d/x", recursive=True), "into_itself"),
        (Copy(src="d", dst="other", recursive=True), "exists"),
        (Copy(src="d", dst="f", recursive=True, overwrite=True), "exists"),
        (Copy(src="f", dst="other", overwrite=True), "exists"),
        (Copy(src="f", dst="f", overwrite=True), "same_file"),
        (Copy(src="f", dst="out/x"), "path_symlink"),
        (Copy(src="f", dst="link", overwrite=True), "path_symlink"),
        (Copy(src="f", dst="link"), "path_symlink"),
        (Copy(src="d", dst="link", recursive=True), "path_symlink"),
        (Copy(src="out/file", dst="x"), "path_symlink"),
        (Copy(src="twin", dst="x"), "hard_link"),
        (Copy(src="fifo", dst="x"), "not_regular_file"),
        (Copy(src="hidden", dst="x"), "read_denied"),
        (Copy(src="f", dst="gone/x"), "path_not_found"),
        (Move(src="gone", dst="x"), "path_not_found"),
        (Move(src="d", dst="d/e/x"), "into_itself"),
        (Move(src="d", dst="other"), "exists"),
        (Move(src="d", dst="f", overwrite=True), "exists"),
        (Move(src="f", dst="other", overwrite=True), "exists"),
        (Move(src="f", dst="d/e/g"), "exists"),
        (Move(src="f", dst="f", overwrite=True), "same_file"),
        (Move(src="f", dst="out/x"), "path_symlink"),
        (Move(src="out/file", dst="x"), "path_symlink"),
        (Move(src="link", dst="x"), "path_symlink"),
        (Move(src="f", dst="link", overwrite=True), "path_symlink"),
        (Move(src="f", dst="gone/x"), "path_not_found"),
        (Move(src="with_git", dst="x"), "protected_path"),
        (Move(src="t", dst=".github"), "protected_path"),
        (Remove(paths=("f", "gone")), "path_not_found"),
        (Remove(paths=("f", "d")), "not_empty"),
        (Remove(paths=("f", "with_git"), recursive=True), "protected_path"),
        (Remove(paths=("out/file",)), "path_symlink"),
        (Remove(paths=("out/file",), missing_ok=True), "path_symlink"),
    ],
    ids=repr,
)
async def test_what_cannot_be_copied_moved_or_removed_is_refused(ws, refused, command, code):
    fill(ws, "f", "d/e/g", "other/h", "with_git/x/.git/config", "t/workflows/x.yml", ".env")
    fill(ws.parent, "elsewhere/file")
    for name, target in (("link", "f"), ("link_to_d", "d"), ("here", "."), ("out", "../elsewhere"), ("hidden", ".env")):
        (ws / name).symlink_to(target)
    os.mkfifo(ws / "fifo")
    os.link(ws.parent / "elsewhere/file", ws / "twin")

    assert (await refused(command)).code == code


async def test_a_folder_with_too_much_in_it_is_not_copied(ws, refused, monkeypatch):
    fill(ws, "d/a", "d/b", "d/e/c")
    monkeypatch.setattr(write_copy, "MAX_ENTRIES", 3)

    assert (await refused(Copy(src="d", dst="x", recursive=True))).code == "too_large"


@pytest.mark.parametrize("src", ["d", "d/a"])
async def test_too_many_bytes_are_not_copied(ws, refused, monkeypatch, src):
    fill(ws, "d/a", "d/b")
    monkeypatch.setattr(write_copy, "MAX_BYTES", 8)

    assert (await refused(Copy(src=src, dst="x", recursive=True))).code == "too_large"


async def test_folders_that_are_too_deep_are_left_alone(ws, do, refused):
    deep = "/".join(["d"] * 128)
    await do(MakeDir(path=deep, parents=True))
    (ws / deep / "one/more").mkdir(parents=True)  # noqa: ASYNC240 # a test may wait for its own folder

    assert (await refused(Copy(src="d", dst="x", recursive=True))).code == "too_large"
    assert (await refused(Remove(paths=("d",), recursive=True))).code == "too_large"
    assert (await refused(Move(src="d", dst="x"))).code == "too_large"


# --- move -------------------------------------------------------------------------------------------------


async def test_a_file_is_moved(ws, do):
    fill(ws, "a")
    (ws / "d").mkdir()

    assert await do(Move(src="a", dst="d/b")) == 'Moved "a" (9 bytes) to "d/b".'
    assert everything(ws).keys() == {"d", "d/b"}


async def test_moving_onto_a_file_says_what_was_lost(ws, do):
    fill(ws, "a", "longer")

    assert await do(Move(src="a", dst="longer", overwrite=True)) == (
        'Moved "a" (9 bytes) to "longer" in the place of 14 bytes.'
    )
    assert names(ws) == ["longer"]


async def test_a_folder_is_moved(ws, do):
    fill(ws, "d/a", "d/e/b")

    assert await do(Move(src="d", dst="x")) == 'Moved "d" (a folder with 2 files, 24 bytes) to "x".'
    assert everything(ws).keys() == {"x", "x/a", "x/e", "x/e/b"}


async def test_two_names_of_one_file_are_both_kept(ws, refused):
    fill(ws, "a")
    os.link(ws / "a", ws / "b")

    assert (await refused(Move(src="a", dst="b", overwrite=True))).code == "same_file"


async def test_a_folder_is_not_moved_out_of_the_protection_of_what_is_in_it(ws, refused, room):
    fill(ws, "d/prod/key")

    error = await refused(Move(src="d", dst="x"), allowing(room, read_deny=("d/prod/**",)))

    assert error.code == "read_denied"


async def test_a_folder_with_a_denied_name_keeps_its_protection_when_it_moves(ws, do):
    fill(ws, "d/.env")

    await do(Move(src="d", dst="x"))

    assert names(ws / "x") == [".env"]


async def test_a_denied_file_is_not_moved(ws, refused):
    fill(ws, ".env")

    assert (await refused(Move(src=".env", dst="x"))).code == "read_denied"


# --- remove -----------------------------------------------------------------------------------------------


async def test_files_and_empty_folders_are_removed(ws, do):
    fill(ws, "a", "keep")
    (ws / "d").mkdir()

    assert await do(Remove(paths=("a", "d"))) == 'Removed "a" (9 bytes). Removed "d" (a folder with 0 files, 0 bytes).'
    assert names(ws) == ["keep"]


async def test_a_folder_is_removed_with_all_that_is_in_it_and_the_report_says_how_much(ws, do):
    fill(ws, "d/a", "d/e/b")

    assert await do(Remove(paths=("d",), recursive=True)) == 'Removed "d" (a folder with 2 files, 24 bytes).'
    assert names(ws) == []


async def test_of_links_only_the_links_are_removed(ws, do):
    fill(ws.parent, "elsewhere/file")
    (ws / "link").symlink_to(ws.parent / "elsewhere")
    (ws / "d").mkdir()
    (ws / "d/link").symlink_to(ws.parent / "elsewhere")

    await do(Remove(paths=("link/", "d"), recursive=True))

    assert names(ws) == []
    assert names(ws.parent / "elsewhere") == ["file"]


async def test_what_is_absent_may_be(ws, do):
    fill(ws, "a")

    assert await do(Remove(paths=("gone", "no/such", "a"), missing_ok=True)) == (
        '"gone" was absent. "no/such" was absent. Removed "a" (9 bytes).'
    )


async def test_a_path_below_another_is_no_mistake(ws, do):
    fill(ws, "d/a")

    note = await do(Remove(paths=("d", "d/a"), recursive=True))

    assert '"d/a" went with another path.' in note


async def test_too_much_is_not_removed(ws, refused, monkeypatch):
    fill(ws, "d/a", "d/e/b")
    monkeypatch.setattr(_workspace_tree, "MAX_ENTRIES", 2)

    assert (await refused(Remove(paths=("d",), recursive=True))).code == "too_large"


async def test_names_that_programs_obey_go_with_the_folder_that_is_removed(ws, do):
    fill(ws, "node_modules/p/.npmrc", "node_modules/p/.vscode/x")

    await do(Remove(paths=("node_modules",), recursive=True))

    assert names(ws) == []
