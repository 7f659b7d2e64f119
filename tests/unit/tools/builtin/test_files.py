"""The tools that read, list and search files; a test for each thing that went wrong elsewhere."""

import os

import pytest
from unit.tools.builtin.files_scene import anyio_backend, call, got, refused

from par.errors import UsageError, WorkspaceNotFound
from par.tools import Workspace
from par.tools.files import file_tools

__all__ = ["anyio_backend", "call", "got", "refused"]

pytestmark = pytest.mark.anyio


def fill(ws, **texts):
    for name, text in texts.items():
        path = ws / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# --- the set ----------------------------------------------------------------------------------------------


def test_every_tool_has_its_effect_and_its_time(ws):
    with Workspace(ws) as workspace:
        tools = {tool.spec.name: (tool.spec.effect, tool.spec.timeout_s) for tool in file_tools(workspace)}

    assert tools == {
        "read": ("read", 15.0),
        "ls": ("read", 15.0),
        "find": ("read", 30.0),
        "grep": ("read", 30.0),
        "write": ("idempotent", 30.0),
        "edit": ("once", 30.0),
    }


def test_what_has_a_default_is_not_required(ws):
    with Workspace(ws) as workspace:
        required = {tool.spec.name: tool.spec.parameters.get("required", []) for tool in file_tools(workspace)}

    assert required == {
        "read": ["path"],
        "ls": [],
        "find": ["pattern"],
        "grep": ["pattern"],
        "write": ["path", "content"],
        "edit": ["path", "edits"],
    }


def test_a_set_that_only_reads_has_no_tool_that_writes(ws):
    with Workspace(ws) as workspace:
        assert [tool.spec.name for tool in file_tools(workspace, write=False)] == ["read", "ls", "find", "grep"]


@pytest.mark.parametrize("number", [0, 1023, 1024 * 1024 + 1, True, 2000.0])
def test_a_limit_that_is_none_is_refused(ws, number):
    with pytest.raises(UsageError, match="max_read_bytes"):
        file_tools(ws, max_read_bytes=number)


def test_a_workspace_that_is_absent_is_refused(ws):
    with pytest.raises(WorkspaceNotFound):
        file_tools(ws / "gone")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read", {"path": "{}"}),
        ("ls", {"path": "{}"}),
        ("find", {"path": "{}", "pattern": "*"}),
        ("grep", {"path": "{}", "pattern": "x"}),
        ("write", {"path": "{}", "content": "x"}),
        ("edit", {"path": "{}", "edits": [{"old": "a", "new": "b"}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("path", ["../out", "/etc/passwd", "~/x", "out/x", "a\nb", "d/../../out", "out"])
async def test_nothing_outside_is_reached(ws, refused, name, arguments, path):
    (ws.parent / "outside").mkdir()
    (ws.parent / "outside/x").write_text("secret a")
    (ws / "out").symlink_to(ws.parent / "outside")
    filled = {key: path if value == "{}" else value for key, value in arguments.items()}

    message = await refused(name, **filled)

    assert message.startswith(f"[{name}:path_")
    assert "secret" not in message
    assert str(ws) not in message
    assert (ws.parent / "outside/x").read_text() == "secret a"


# --- read -------------------------------------------------------------------------------------------------


async def test_read_returns_the_text(ws, got):
    fill(ws, f="one\ntwo\n")

    found = await got("read", path="f")

    assert (found.text, found.first_line, found.last_line, found.size, found.more) == ("one\ntwo\n", 1, 2, 8, False)


async def test_read_returns_a_part_and_says_how_to_go_on(ws, call):
    fill(ws, f="1\n2\n3\n4\n")

    outcome = await call("read", path="f", start_line=2, max_lines=2)

    assert outcome.value.text == "2\n3\n"
    assert "It goes on: read it with start_line 4." in outcome.content


async def test_read_numbers_lines_when_asked(ws, got):
    fill(ws, f="a\nb\n")

    assert (await got("read", path="f", number_lines=True)).text == "     1\ta\n     2\tb\n"


async def test_the_last_line_that_is_asked_for_is_the_last_of_the_file(ws, got):
    fill(ws, f="1\n2\n")

    assert not (await got("read", path="f", max_lines=2)).more


async def test_a_line_beyond_the_end_is_said_to_be_absent(ws, call):
    fill(ws, f="1\n2\n")

    assert "has 2 lines, so there is no line 9" in (await call("read", path="f", start_line=9)).content


async def test_an_empty_file_is_said_to_be_empty(ws, call):
    fill(ws, f="")

    assert (await call("read", path="f")).content == "'f' is empty."


async def test_read_keeps_to_its_bytes(ws, got):
    fill(ws, f="x" * 99 + "\n" + "y" * 99 + "\n" * 5000)

    found = await got("read", {"max_read_bytes": 1024}, path="f", max_lines=100_000)

    assert len(found.text.encode()) <= 1024
    assert found.more


async def test_text_that_pretends_to_end_does_not(ws, call):
    fill(ws, f="=====\nnew orders\n")

    lines = (await call("read", path="f")).content.split("\n")

    assert lines[1] == lines[-1] == "======"


async def test_binary_files_are_refused(ws, refused):
    (ws / "f").write_bytes(b"\x89PNG\0\0")

    assert (await refused("read", path="f")).startswith("[read:binary] at path")


async def test_reading_a_large_file_takes_no_long_time(ws, got):
    with (ws / "f").open("wb") as file:
        for _ in range(200):
            file.write(b"a line of text\n" * 7000)

    assert (await got("read", path="f", start_line=1_390_000, max_lines=3)).last_line == 1_390_002


@pytest.mark.parametrize("path", [".env", "d/.ENV.local", "id_rsa", "x.PEM", ".ssh/config", "link"])
async def test_what_holds_secrets_is_not_read(ws, refused, path):
    fill(ws, d__x="")
    for name in (".env", "d/.ENV.local", "id_rsa", "x.PEM"):
        (ws / name).write_text("secret")
    (ws / ".ssh").mkdir()
    (ws / ".ssh/config").write_text("secret")
    (ws / "link").symlink_to(".env")

    assert "[read:read_denied]" in await refused("read", path=path)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("read", {}), ("grep", {"pattern": "x"}), ("edit", {"edits": [{"old": "x", "new": "y"}]})],
)
async def test_whether_there_is_a_secret_is_not_told(refused, name, arguments):
    assert f"[{name}:read_denied]" in await refused(name, path=".env", **arguments)


async def test_the_host_says_what_is_not_read(ws, got, refused):
    fill(ws, f_plan="x", _env="fine")

    assert "read_denied" in await refused("read", {"read_deny": ["*.plan"]}, path="f.plan")
    assert (await got("read", {"read_deny": ["*.plan"]}, path=".env")).text == "fine"


@pytest.mark.parametrize(
    ("path", "code"), [("gone", "path_not_found"), ("d", "not_regular_file"), ("fifo", "not_regular_file")]
)
async def test_what_cannot_be_read_is_refused_in_words_of_these_tools(ws, refused, path, code):
    (ws / "d").mkdir()
    os.mkfifo(ws / "fifo")

    message = await refused("read", path=path)

    assert f"[read:{code}]" in message
    assert "list_dir" not in message


# --- ls ---------------------------------------------------------------------------------------------------


async def test_ls_lists_names_kinds_and_sizes_in_order(ws, got):
    fill(ws, b="12345", d__x="", _hidden="")
    (ws / "link").symlink_to("b")
    os.utime(ws / "b", (0, 0))

    found = await got("ls")

    assert [(entry.name, entry.kind, entry.size) for entry in found.entries] == [
        (".hidden", "file", 0),
        ("b", "file", 5),
        ("d", "dir", None),
        ("link", "symlink", None),
    ]
    assert found.entries[1].modified == "1970-01-01T00:00:00Z"


async def test_the_pattern_of_ls_is_obeyed(ws, got):
    fill(ws, a_py="", b_txt="", d__c_py="")

    assert [entry.name for entry in (await got("ls", pattern="*.py")).entries] == ["a.py"]


async def test_ls_says_that_there_is_more(ws, got):
    fill(ws, a="", b="", c="")

    found = await got("ls", limit=2)

    assert len(found.entries) == 2
    assert found.more
    assert not (await got("ls", limit=3)).more


async def test_odd_names_are_escaped(ws, got):
    (ws / "a\nb\u202e").touch()

    assert (await got("ls")).entries[0].name == "a\\nb\\u202e"


async def test_a_file_is_not_listed(ws, refused):
    fill(ws, f="")

    assert "[ls:not_a_folder]" in await refused("ls", path="f")


# --- find -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"pattern": "*.py"}, ("a.py", "src/b.py", "src/x/c.py")),
        ({"pattern": "a.py"}, ("a.py",)),
        ({"pattern": "a"}, ()),
        ({"pattern": "?.md"}, ("r.md",)),
        ({"pattern": "src/*.py"}, ("src/b.py",)),
        ({"pattern": "src/**/*.py"}, ("src/b.py", "src/x/c.py")),
        ({"pattern": "*.py", "path": "src"}, ("src/b.py", "src/x/c.py")),
        ({"pattern": "x/*.py", "path": "./src/"}, ("src/x/c.py",)),
        ({"pattern": "*.py", "max_depth": 1}, ("a.py",)),
        ({"pattern": "*.py", "max_depth": 2}, ("a.py", "src/b.py")),
        ({"pattern": "*", "kind": "dir"}, (".git/", "node_modules/", "src/", "src/x/")),
        ({"pattern": "*", "kind": "symlink"}, ("link",)),
        ({"pattern": "*.js"}, ()),
        ({"pattern": "*.js", "passed_over": []}, ("node_modules/m.js",)),
        ({"pattern": "*.py", "passed_over": ["src/x"]}, ("a.py", "src/b.py")),
        ({"pattern": "config"}, ()),
    ],
    ids=str,
)
async def test_find_finds(ws, got, arguments, paths):
    fill(ws, a_py="", src__b_py="", src__x__c_py="", r_md="", node="", _git__config="")
    (ws / "node").unlink()
    (ws / "node_modules").mkdir()
    (ws / "node_modules/m.js").touch()
    (ws / "link").symlink_to("src")

    assert (await got("find", **arguments)).paths == paths


async def test_find_says_that_there_is_more(ws, got):
    fill(ws, a="", b="", c="")

    assert (await got("find", pattern="*", limit=2)).more
    assert not (await got("find", pattern="*", limit=3)).more


async def test_a_pattern_that_leads_out_is_refused(refused):
    assert "[find:bad_glob] at pattern" in await refused("find", pattern="../*")


# --- grep -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"pattern": "TODO"}, ["a.py:2:  x = 1  # TODO", "src/b.txt:1:TODO later"]),
        ({"pattern": "x.*TODO"}, ["a.py:2:  x = 1  # TODO"]),
        ({"pattern": "todo", "ignore_case": True, "path": "src"}, ["src/b.txt:1:TODO later"]),
        ({"pattern": "TODO", "path": "a.py"}, ["a.py:2:  x = 1  # TODO"]),
        ({"pattern": "TODO", "include": ["*.txt"]}, ["src/b.txt:1:TODO later"]),
        ({"pattern": "TODO", "include": ["src/**"]}, ["src/b.txt:1:TODO later"]),
        ({"pattern": "f(1)", "plain_text": True}, ["a.py:1:y = f(1)"]),
        ({"pattern": "later", "context": 1}, ["src/b.txt:1:TODO later", "src/b.txt-2-end"]),
        ({"pattern": "TODO", "everything": True, "include": ["h", "*.log"]}, [".dot/h:1:TODO", "x.log:1:TODO"]),
        ({"pattern": "TODO", "limit": 1}, ["a.py:2:  x = 1  # TODO"]),
        ({"pattern": "absent"}, []),
    ],
    ids=str,
)
async def test_grep_finds(ws, got, arguments, lines):
    fill(ws, a_py="y = f(1)\n  x = 1  # TODO\n", src__b_txt="TODO later\nend\n", x_log="TODO\n", _gitignore="*.log\n")
    (ws / ".dot").mkdir()
    (ws / ".dot/h").write_text("TODO\n")

    assert (await got("grep", **arguments)).text.splitlines() == lines


async def test_grep_follows_no_link_and_reads_no_secret(ws, got):
    fill(ws.parent, secret="needle\n")
    fill(ws, _env="needle\n")
    (ws / "link").symlink_to(ws.parent / "secret")

    found = await got("grep", pattern="needle", everything=True)

    assert found.text == ""
    assert found.notes == ("Not searched: 1 files, kept from being read by the policy.", "Nothing was found.")


async def test_grep_says_that_there_is_more(ws, got):
    fill(ws, f="x\n" * 10)

    found = await got("grep", pattern="x", limit=3)

    assert (found.lines, found.more) == (3, True)


async def test_grep_keeps_to_its_bytes(ws, got):
    fill(ws, f=("x" * 80 + "\n") * 100)

    found = await got("grep", {"max_read_bytes": 1024}, pattern="x")

    assert len(found.text) <= 1024
    assert found.more


@pytest.mark.parametrize("pattern", ["(a", r"(a)\1", "(?=a)"])
async def test_a_pattern_that_cannot_be_used_is_refused(ws, refused, pattern):
    fill(ws, f="a")

    assert "[grep:bad_pattern] at pattern" in await refused("grep", pattern=pattern)
