"""write and edit: exact, whole, and nothing of others is lost."""

import errno
import os
import stat

import anyio
import pytest
from unit.tools.builtin.files_scene import anyio_backend, call, got, refused

from par import RunContext, ToolCall
from par.tools import Workspace
from par.tools._files import writing
from par.tools.files import file_tools

__all__ = ["anyio_backend", "call", "got", "refused"]

pytestmark = pytest.mark.anyio


def edits(*pairs):
    return [{"old": old, "new": new} for old, new in pairs]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- write ------------------------------------------------------------------------------------------------


async def test_write_makes_a_file(ws, got):
    made = await got("write", path="f", content="é\n")

    assert (made.bytes, made.replaced_bytes, made.changed) == (3, None, True)
    assert (ws / "f").read_text() == "é\n"


async def test_write_replaces_only_when_asked_and_says_what_was_lost(ws, got, refused):
    (ws / "f").write_text("old text")
    (ws / "f").chmod(0o640)

    assert "[write:exists] at path" in await refused("write", path="f", content="new")
    assert (ws / "f").read_text() == "old text"
    assert (await got("write", path="f", content="new", overwrite=True)).replaced_bytes == 8
    assert (ws / "f").read_text() == "new"
    assert stat.S_IMODE((ws / "f").stat().st_mode) == 0o640


async def test_a_call_that_is_repeated_is_no_mistake(ws, got):
    await got("write", path="d/f", content="text", create_dirs=True)
    facts = (ws / "d/f").stat()

    again = await got("write", path="d/f", content="text", create_dirs=True)

    assert not again.changed
    assert (ws / "d/f").stat().st_mtime_ns == facts.st_mtime_ns


async def test_whether_a_guess_of_a_secret_is_right_is_not_told(ws, refused):
    (ws / ".env").write_text("KEY=1")

    assert "[write:exists]" in await refused("write", path=".env", content="KEY=1")


async def test_write_makes_folders_only_when_asked(ws, got, refused):
    message = await refused("write", path="a/b/f", content="x")

    assert "create_dirs: true" in message
    assert (await got("write", path="./a/b/f", content="x", create_dirs=True)).new_folders == ("a", "a/b")
    assert (await got("write", path="f", content="x", create_dirs=True)).new_folders == ()


async def test_folders_are_taken_back_if_the_file_cannot_be_written(ws, refused, monkeypatch):
    (ws / "a").mkdir()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(writing, "put", full)

    assert "[write:no_space]" in await refused("write", path="a/b/c/f", content="x", create_dirs=True)
    assert names(ws / "a") == []


@pytest.mark.parametrize(
    "path", [".git/config", "d/.GIT/x", ".envrc", ".vscode/tasks.json", ".github/workflows/x.yml", "d/.gitattributes"]
)
@pytest.mark.parametrize("name", ["write", "edit"])
async def test_protected_names_are_not_written(ws, refused, path, name):
    (ws / path).parent.mkdir(parents=True, exist_ok=True)
    (ws / path).write_text("mine")
    arguments = {"content": "x", "overwrite": True} if name == "write" else {"edits": edits(("mine", "x"))}

    assert f"[{name}:protected_path]" in await refused(name, path=path, **arguments)
    assert (ws / path).read_text() == "mine"


async def test_the_host_says_what_else_is_not_written(ws, refused):
    assert "protected_path" in await refused("write", {"write_protect": ["*.lock"]}, path="a.lock", content="x")


@pytest.mark.parametrize("name", ["write", "edit"])
@pytest.mark.parametrize(
    ("path", "code"),
    [("link", "path_symlink"), ("shut", "read_only"), ("d", "not_regular_file"), ("f/x", "not_a_folder")],
)
async def test_what_cannot_be_written_is_refused(ws, refused, name, path, code):
    (ws / "f").write_text("mine")
    (ws / "link").symlink_to("f")
    (ws / "d").mkdir()
    (ws / "shut").write_text("mine")
    (ws / "shut").chmod(0o444)
    arguments = {"content": "x", "overwrite": True} if name == "write" else {"edits": edits(("mine", "x"))}

    assert f"[{name}:{code}]" in await refused(name, path=path, **arguments)
    assert (ws / "f").read_text() == (ws / "shut").read_text() == "mine"


async def test_text_with_control_characters_is_not_written(ws, refused):
    assert "bad_text" in await refused("write", path="f", content="\x1b[2J")


# --- edit -------------------------------------------------------------------------------------------------


async def test_edit_replaces_and_shows_the_difference(ws, call):
    (ws / "f").write_text("".join(f"line {n}\n" for n in range(1, 10)))
    (ws / "f").chmod(0o750)

    outcome = await call("edit", path="f", edits=edits(("line 5\n", "five\nmore\n"), ("line 9", "nine")))

    assert outcome.value.diff == (
        "--- a/f\n+++ b/f\n@@ -2,8 +2,9 @@\n line 2\n line 3\n line 4\n-line 5\n+five\n+more\n"
        " line 6\n line 7\n line 8\n-line 9\n+nine\n"
    )
    assert (outcome.value.lines_added, outcome.value.lines_removed) == (3, 2)
    assert outcome.value.diff in outcome.content
    assert stat.S_IMODE((ws / "f").stat().st_mode) == 0o750
    assert names(ws) == ["f"]


@pytest.mark.parametrize("new", [r"a\\b", r"\0", r"\1", r"\g<0>", "$1", "%s", "{0}", "&", "\\", r"\n"])
async def test_replacements_are_taken_letter_by_letter(ws, got, new):
    (ws / "f").write_text("before x after")

    await got("edit", path="f", edits=edits(("x", new)))

    assert (ws / "f").read_text() == f"before {new} after"


@pytest.mark.parametrize("old", ["a.c", "[x]", "(", "^", "*", "\\"])
async def test_what_is_replaced_is_no_expression(ws, got, old):
    (ws / "f").write_text(f"abc x {old} end")

    await got("edit", path="f", edits=edits((old, "!")))

    assert (ws / "f").read_text() == "abc x ! end"


@pytest.mark.parametrize(
    ("text", "old", "lines"),
    [
        ("a\nx\nb x\n", "x", "2, 3"),
        ("aaa", "aa", "1, 1"),
        ("x\n" * 30, "x\n", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and more"),
    ],
)
async def test_a_text_that_occurs_more_than_once_is_refused_with_its_lines(ws, refused, text, old, lines):
    (ws / "f").write_text(text)

    message = await refused("edit", path="f", edits=edits((old, "y")))

    assert f"[edit:old_ambiguous] at edits[0].old: old occurs more than once, at lines {lines}." in message
    assert (ws / "f").read_text() == text


@pytest.mark.parametrize(
    ("text", "old", "says"),
    [
        ("def f():\n\treturn 1\n", "def f():\n    return 1\n", "Lines 1 to 2 differ from it only in white space"),
        ("alpha\nretrun value\nbeta\n", "return value", 'The nearest lines are line 2: "retrun value".'),
        ("alpha\n", "nothing like it", "old does not occur in the file. Read"),
        ("", "x", "old does not occur"),
        ("text", "\n\n", "old does not occur"),
    ],
)
async def test_a_text_that_does_not_occur_is_refused_with_what_is_near(ws, refused, text, old, says):
    (ws / "f").write_text(text)

    message = await refused("edit", path="f", edits=edits((old, "y")))

    assert "[edit:old_not_found] at edits[0].old" in message
    assert says in message


async def test_each_edit_sees_what_the_one_before_left(ws, got):
    (ws / "f").write_text("one two")

    await got("edit", path="f", edits=edits(("one", "two three"), ("three two", "x")))

    assert (ws / "f").read_text() == "two x"


async def test_what_an_edit_brings_in_counts_for_the_next(ws, refused):
    (ws / "f").write_text("one two")

    message = await refused("edit", path="f", edits=edits(("one", "two"), ("two", "x")))

    assert "[edit:old_ambiguous] at edits[1].old" in message
    assert (ws / "f").read_text() == "one two"


async def test_if_one_edit_fails_none_is_made(ws, refused):
    (ws / "f").write_text("one two")

    message = await refused("edit", path="f", edits=edits(("one", "1"), ("three", "3")))

    assert "at edits[1].old: old does not occur in the file after the edits before this one" in message
    assert (ws / "f").read_text() == "one two"


@pytest.mark.parametrize("pairs", [(("x", "x"),), (("x", "y"), ("y", "x"))])
async def test_edits_that_change_nothing_are_refused(ws, refused, pairs):
    (ws / "f").write_text("x")

    assert "[edit:no_change]" in await refused("edit", path="f", edits=edits(*pairs))


async def test_line_ends_of_windows_are_kept(ws, got):
    (ws / "f").write_bytes(b"a\r\nb\r\nc\r\n")

    await got("edit", path="f", edits=edits(("a\nb", "A\nnew\nB"), ("c\r\n", "C\r\n")))

    assert (ws / "f").read_bytes() == b"A\r\nnew\r\nB\r\nC\r\n"


async def test_mixed_line_ends_are_left_alone(ws, got, refused):
    (ws / "f").write_bytes(b"a\r\nb\nc\n")

    await refused("edit", path="f", edits=edits(("a\nb", "x")))
    await got("edit", path="f", edits=edits(("b\nc", "B\nC")))

    assert (ws / "f").read_bytes() == b"a\r\nB\nC\n"


async def test_a_byte_order_mark_and_an_absent_last_line_end_are_kept(ws, got):
    (ws / "f").write_bytes(b"\xef\xbb\xbfa\nb")

    found = await got("edit", path="f", edits=edits(("b", "c")))

    assert (ws / "f").read_bytes() == b"\xef\xbb\xbfa\nc"
    assert "\\ No newline at end of file" in found.diff


@pytest.mark.parametrize(("data", "says"), [(b"a\0b", "there is a NUL"), (b"ab\xff", "the byte at 2")])
async def test_what_is_no_text_is_not_edited(ws, refused, data, says):
    (ws / "f").write_bytes(data)

    message = await refused("edit", path="f", edits=edits(("a", "x")))

    assert "[edit:binary]" in message
    assert says in message
    assert (ws / "f").read_bytes() == data


@pytest.mark.parametrize("new", ["\x1b[2J", "a\0b", "\ud800"])
async def test_control_characters_are_not_brought_in(ws, refused, new):
    (ws / "f").write_text("x")

    assert "[edit:bad_text] at edits[0].new" in await refused("edit", path="f", edits=edits(("x", new)))


async def test_what_holds_secrets_is_not_edited(ws, refused):
    (ws / ".env").write_text("KEY=1")

    message = await refused("edit", path=".env", edits=edits(("nothing", "x")))

    assert "[edit:read_denied]" in message
    assert "KEY" not in message


async def test_too_large_a_file_is_not_edited(ws, refused, monkeypatch):
    (ws / "f").write_text("x" * 10)
    monkeypatch.setattr(writing, "_MAX_EDITED", 9)

    assert "[edit:too_large]" in await refused("edit", path="f", edits=edits(("x" * 10, "y")))


async def test_an_edit_does_not_make_a_file_too_large(ws, refused, monkeypatch):
    (ws / "f").write_text("x")
    monkeypatch.setattr(writing, "_MAX_EDITED", 9)

    assert "[edit:too_large]" in await refused("edit", path="f", edits=edits(("x", "y" * 10)))
    assert (ws / "f").read_text() == "x"


async def test_the_diff_of_a_large_change_is_cut(ws, call):
    (ws / "f").write_text("".join(f"{n}\n" for n in range(20_000)))

    outcome = await call("edit", path="f", edits=edits(("\n5\n", "\nfive\n"), ("\n19000\n", "\nend\n")))

    assert outcome.value.diff_cut
    assert outcome.value.diff.count("\n") <= 200
    assert "only the beginning" in outcome.content


async def test_other_names_of_an_edited_file_keep_the_old_text(ws, got):
    (ws.parent / "outside").write_text("old")
    os.link(ws.parent / "outside", ws / "f")

    await got("edit", path="f", edits=edits(("old", "new")))

    assert (ws.parent / "outside").read_text() == "old"


async def test_a_file_that_changed_meanwhile_is_not_replaced(ws, refused, monkeypatch):
    (ws / "f").write_text("one two")
    real = writing.edited

    def meanwhile(text, changes):
        (ws / "f").write_text("one two, and more of somebody else")
        return real(text, changes)

    monkeypatch.setattr(writing, "edited", meanwhile)

    assert "[edit:changed]" in await refused("edit", path="f", edits=edits(("one", "1")))
    assert (ws / "f").read_text() == "one two, and more of somebody else"
    assert names(ws) == ["f"]


class TestAtOnce:
    @pytest.fixture
    def anyio_backend(self, request):
        return request.param

    @pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)
    async def test_edits_of_one_file_lose_nothing(self, ws):
        (ws / "f").write_text("".join(f"<{n}>\n" for n in range(40)))
        outcomes = []

        async def one(n):
            with Workspace(ws) as workspace:  # each its own, as two agents would have
                edit = file_tools(workspace)[-1]
                arguments = {"path": "f", "edits": edits((f"<{n}>", f"done {n}"))}
                call = ToolCall(id="1", name="edit", arguments=arguments, ctx=RunContext.detached())
                outcomes.append(await edit.invoke(call))

        async with anyio.create_task_group() as group:
            for n in range(40):
                group.start_soon(one, n)

        assert [outcome for outcome in outcomes if not hasattr(outcome, "value")] == []
        assert (ws / "f").read_text() == "".join(f"done {n}\n" for n in range(40))
