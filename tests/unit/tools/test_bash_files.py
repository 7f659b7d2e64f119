"""The commands that read files: each field changes what is shown."""

import os

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "trio"  # these commands know nothing of loops; the tests of lifetimes run on all


@pytest.fixture
def tree(ws):
    for name, size, age in (
        ("b.py", 5, 10),
        ("a.txt", 50, 20),
        (".hidden", 1, 30),
        ("sub/c.py", 9, 40),
        ("sub/deep/d.md", 0, 50),
    ):
        (ws / name).parent.mkdir(parents=True, exist_ok=True)
        (ws / name).write_text("x" * size)
        os.utime(ws / name, (1_000_000_000 - age * 86_400,) * 2)
    for folder in ("sub", "sub/deep"):
        os.utime(ws / folder, (0, 0))
    (ws / "link").symlink_to("a.txt")
    return ws


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["a.txt", "b.py", "link", "sub/"]),
        ({"all": True}, [".hidden", "a.txt", "b.py", "link", "sub/"]),
        ({"path": "sub"}, ["c.py", "deep/"]),
        ({"dirs_only": True}, ["sub/"]),
        ({"recursive": True}, ["a.txt", "b.py", "link", "sub/", "sub/c.py", "sub/deep/", "sub/deep/d.md"]),
        ({"recursive": True, "max_depth": 2}, ["a.txt", "b.py", "link", "sub/", "sub/c.py", "sub/deep/"]),
        ({"sort": "time"}, ["link", "b.py", "a.txt", "sub/"]),
        ({"reverse": True}, ["sub/", "link", "b.py", "a.txt"]),
        ({"path": "sub", "sort": "size"}, ["deep/", "c.py"]),
    ],
)
async def test_list_dir_lists(tree, shown, fields, names):
    assert await shown(op="list_dir", **fields) == names


async def test_list_dir_long_shows_mode_size_and_time(tree, shown):
    lines = await shown(op="list_dir", long=True)

    assert lines[0].split() == ["-rw-r--r--", "50", "2001-08-20T01:46:40Z", "a.txt"]
    assert lines[2].endswith("link -> a.txt")


async def test_odd_names_are_escaped_one_per_line(ws, shown):
    (ws / os.fsdecode(b"a\nb\x1b[2J\xff\\")).mkdir()  # noqa: ASYNC240 # a test may wait for its own folder

    assert await shown(op="list_dir") == ["a\\nb\\x1b[2J\\xff\\\\/"]


async def test_where_an_absolute_link_leads_is_not_told(ws, shown):
    (ws / "link").symlink_to(ws.parent / "elsewhere")

    assert (await shown(op="list_dir", long=True))[0].endswith("link -> (an absolute path)")


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, ["1", "2", "3", "4", "5"]),
        ({"start_line": 4}, ["4", "5"]),
        ({"end_line": 2}, ["1", "2"]),
        ({"start_line": 2, "end_line": 3, "number_lines": True}, ["     2\t2", "     3\t3"]),
        ({"start_line": 9}, []),
    ],
)
async def test_read_file_reads_lines(ws, shown, fields, lines):
    (ws / "f").write_text("1\n2\n3\n4\n5")

    assert await shown(op="read_file", path="f", **fields) == lines


async def test_a_line_beyond_the_end_is_said_to_be_absent(ws, send):
    (ws / "f").write_text("1\n2\n")

    assert "It has 2 lines, so there is no line 9." in (await send(op="read_file", path="f", start_line=9)).content


async def test_lines_after_an_overlong_line_keep_their_numbers(ws, shown):
    (ws / "f").write_text("x" * 1_000_000 + "\ntwo\nthree\n")

    assert await shown(op="read_file", path="f", start_line=2) == ["two", "three"]


@pytest.mark.parametrize(
    ("op", "fields", "lines"),
    [
        ("head", {}, [str(n) for n in range(1, 11)]),
        ("head", {"lines": 2}, ["1", "2"]),
        ("head", {"bytes": 3}, ["1", "2"]),
        ("tail", {}, [str(n) for n in range(11, 21)]),
        ("tail", {"lines": 2}, ["19", "20"]),
        ("tail", {"bytes": 5}, ["9", "20"]),
        ("tail", {"from_line": 19}, ["19", "20"]),
    ],
)
async def test_head_and_tail_show_the_ends(ws, shown, op, fields, lines):
    (ws / "f").write_text("".join(f"{n}\n" for n in range(1, 21)))

    assert [line.strip() for line in await shown(op=op, path="f", **fields)] == lines


async def test_tail_of_a_large_file_reads_its_end_only(ws, shown):
    with (ws / "f").open("wb") as file:
        file.truncate(10**11)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")

    assert (await shown(op="tail", path="f", lines=1)) == ["last"]


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, "2  3  13"),
        ({"lines": True}, "2"),
        ({"words": True}, "3"),
        ({"bytes": True}, "13"),
        ({"chars": True}, "12"),
    ],
)
async def test_word_count_counts(ws, shown, fields, counts):
    (ws / "f").write_text("é  a\nlonger\n")

    assert (await shown(op="word_count", paths=["f"], **fields))[1] == counts + "  f"


async def test_words_across_chunks_are_counted_once(ws, shown):
    (ws / "f").write_bytes(b"x" * (256 * 1024 + 5) + b" y\n")

    assert (await shown(op="word_count", paths=["f"], words=True))[1] == "2  f"


async def test_word_count_sums_up(ws, shown):
    (ws / "f").write_text("a\n")
    (ws / "g").write_text("b\nc\n")

    assert (await shown(op="word_count", paths=["f", "g"], lines=True))[-1] == "3  total"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"name": "*.py"}, ["b.py", "sub/c.py"]),
        ({"iname": "*.PY"}, ["b.py", "sub/c.py"]),
        ({"path_glob": "*/deep/*"}, ["sub/deep/d.md"]),
        ({"type": "dir"}, [".", "sub", "sub/deep"]),
        ({"type": "symlink"}, ["link"]),
        ({"max_depth": 0}, ["."]),
        ({"min_depth": 3}, ["sub/deep/d.md"]),
        ({"type": "file", "max_depth": 1}, [".hidden", "a.txt", "b.py"]),
        ({"size_min": 50, "type": "file"}, ["a.txt"]),
        ({"size_max": 1, "type": "file"}, [".hidden", "sub/deep/d.md"]),
        ({"empty": True}, ["sub/deep/d.md"]),
        ({"exclude_dirs": ["sub"], "name": "*.*"}, [".", ".hidden", "a.txt", "b.py"]),
        ({"newer_than_path": "a.txt", "name": "*.py"}, ["b.py"]),
        ({"older_than": {"unit": "days", "count": 1}, "name": "*.md"}, ["sub/deep/d.md"]),
        ({"newer_than": {"unit": "days", "count": 1}, "type": "file"}, []),
        ({"paths": ["sub/deep"], "type": "file"}, ["sub/deep/d.md"]),
        ({"paths": ["a.txt"]}, ["a.txt"]),
        ({"limit": 1, "name": "*.py"}, ["b.py"]),
        ({"print": "size", "name": "b.py"}, ["           5  b.py"]),
        ({"print": "mtime", "name": "b.py"}, ["2001-08-30T01:46:40Z  b.py"]),
    ],
)  # fmt: skip
async def test_find_finds(tree, shown, fields, names):
    assert await shown(op="find", **fields) == names


async def test_find_says_that_there_is_more(tree, send):
    outcome = await send(op="find", limit=2)

    assert outcome.value.truncated
    assert "more than the 2 results" in outcome.content


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"pattern": "TODO"}, ["a.py:2:# TODO one", "sub/b.txt:1:todo TODO"]),
        ({"pattern": "todo", "ignore_case": True, "paths": ["a.py"]}, ["a.py:2:# TODO one"]),
        ({"pattern": "O.*e"}, ["a.py:2:# TODO one"]),
        ({"pattern": "(x)", "syntax": "fixed"}, ["a.py:3:call(x)"]),
        ({"pattern": "call", "whole_word": True}, ["a.py:3:call(x)"]),
        ({"pattern": "cal", "whole_word": True}, []),
        ({"pattern": "call", "invert": True, "paths": ["a.py"]}, ["a.py:1:import os", "a.py:2:# TODO one"]),
        ({"pattern": "TODO", "output": "files"}, ["a.py", "sub/b.txt"]),
        ({"pattern": "call", "output": "files_without"}, ["bin", "sub/b.txt"]),
        ({"pattern": "O", "output": "count"}, ["a.py:1", "sub/b.txt:1"]),
        ({"pattern": "TOD.", "output": "only_matching"}, ["a.py:2:TODO", "sub/b.txt:1:TODO"]),
        ({"pattern": "call", "before": 1}, ["a.py-2-# TODO one", "a.py:3:call(x)"]),
        ({"pattern": "import", "after": 1}, ["a.py:1:import os", "a.py-2-# TODO one"]),
        ({"pattern": "TODO one", "context": 1}, ["a.py-1-import os", "a.py:2:# TODO one", "a.py-3-call(x)"]),
        ({"pattern": "TODO", "include": ["*.txt"]}, ["sub/b.txt:1:todo TODO"]),
        ({"pattern": "TODO", "exclude": ["sub/**"]}, ["a.py:2:# TODO one"]),
        ({"pattern": "TODO", "hidden": True, "exclude": ["sub", "*.py"]}, [".dot/h:1:TODO"]),
        ({"pattern": "TODO", "no_ignore": True, "include": ["*.log"]}, ["x.log:1:TODO"]),
        ({"pattern": "O", "max_count": 1, "paths": ["sub"]}, ["sub/b.txt:1:todo TODO"]),
        ({"pattern": r"\d+", "paths": ["sub"]}, ["sub/b.txt:2:42"]),
        ({"pattern": "-e", "syntax": "fixed"}, []),
    ],
)
async def test_grep_shows(ws, shown, fields, lines):
    for name, text in {
        "a.py": "import os\n# TODO one\ncall(x)\n", "sub/b.txt": "todo TODO\n42\n", ".dot/h": "TODO\n",
        "x.log": "TODO\n", ".gitignore": "*.log\n", "bin": "TODO\0",
    }.items():  # fmt: skip
        (ws / name).parent.mkdir(exist_ok=True)
        (ws / name).write_text(text)

    assert await shown(op="grep", **fields) == lines


@pytest.mark.parametrize(
    ("pattern", "says"),
    [(r"(a)\1", "back-reference"), ("(?i)a", "ignore_case"), (r"[\d]", "Write 0-9"), ("(a", "exit code 2")],
)
async def test_a_pattern_that_cannot_be_used_is_explained(ws, send, pattern, says):
    (ws / "f").touch()

    outcome = await send(op="grep", pattern=pattern)

    assert says in str(outcome) or says in outcome.content


async def test_more_files_than_go_to_one_grep_are_searched(ws, shown):
    for n in range(300):
        (ws / f"f{n:03}").write_text("needle\n")

    lines = await shown(op="grep", pattern="needle", output="files")

    assert lines == [f"f{n:03}" for n in range(300)]


@pytest.mark.parametrize(
    ("rules", "ignored"),
    [
        ("build/", {"build/x"}),
        ("/top", {"top"}),
        ("*.o\n!keep.o", {"a.o"}),
        ("sub/**/z", {"sub/y/z"}),
        ("# c\n\\#x\n", set()),
    ],
)
async def test_gitignore_decides_what_is_searched(ws, shown, rules, ignored):
    names = {"build/x", "top", "sub/top", "a.o", "keep.o", "sub/y/z"}
    for name in names:
        (ws / name).parent.mkdir(parents=True, exist_ok=True)
        (ws / name).write_text("needle\n")
    (ws / ".gitignore").write_text(rules)

    assert set(await shown(op="grep", pattern="needle", output="files")) == names - ignored


async def test_a_link_in_a_folder_is_not_searched(ws, shown):
    (ws.parent / "secret").write_text("needle\n")
    (ws / "link").symlink_to(ws.parent / "secret")

    assert await shown(op="grep", pattern="needle") == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"op": "read_file", "path": "gone"}, "path_not_found"),
        ({"op": "read_file", "path": "d"}, "not_regular_file"),
        ({"op": "read_file", "path": "fifo"}, "not_regular_file"),
        ({"op": "grep", "pattern": "x", "paths": ["fifo"]}, "not_regular_file"),
        ({"op": "list_dir", "path": "f"}, "not_a_folder"),
        ({"op": "find", "paths": ["gone"]}, "path_not_found"),
        ({"op": "read_file", "path": "out"}, "path_symlink"),
        ({"op": "git_status"}, "no_repository"),
    ],
)
async def test_what_cannot_be_read_is_refused(ws, send, command, code):
    (ws / "d").mkdir()
    (ws / "f").touch()
    os.mkfifo(ws / "fifo")
    (ws / "out").symlink_to("/etc/passwd")

    outcome = await send(**command)

    assert outcome.error_type == code
    assert str(ws) not in outcome.message
