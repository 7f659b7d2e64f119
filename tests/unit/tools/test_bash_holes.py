"""Ways past the rules that were open once, each the shortest that there is."""

import asyncio
import base64
import os
import sys
import threading
import zlib
from functools import partial
from time import monotonic

import anyio
import anyio.from_thread
import pytest
from unit.tools.bash_scene import git, make_repo

from par.approvals import Approved
from par.calls import ToolCall
from par.outcomes import Done, Failed
from par.tools.bash import Bash, BwrapWall, LandlockWall, Linter, Param, Policy, PythonHost, Task, TestRunner
from par.tools.bash._native import write_copy
from par.tools.bash._native.interrupt import in_thread, interruptible

pytestmark = pytest.mark.anyio

PYTHON = sys.executable
SECRET = "TOKEN=hunter2"
LINES = "".join(f"line {number}\n" for number in range(20))


async def yes(request):
    return Approved(by="test")


@pytest.fixture
def send(ws):
    async def sent(policy=None, **command):
        bash = Bash(ws, policy or Policy.coder(), approve=yes)
        try:
            return await bash.invoke(ToolCall(id="c", name="bash", arguments={"command": command}))
        finally:
            bash.workspace.close()

    return sent


@pytest.fixture
def repo(ws):
    make_repo(ws)
    return ws


def packed(data):
    """Write bytes as a part of a binary patch."""
    deflated = zlib.compress(data)
    assert len(deflated) <= 26
    return f"literal {len(data)}\n{chr(64 + len(deflated))}{base64.b85encode(deflated + bytes(-len(deflated) % 4)).decode()}\n\n"


async def test_a_binary_patch_does_not_bring_the_content_of_a_denied_file_by_its_id(repo, send):
    (repo / ".env").write_text(SECRET)
    git(repo, "add", "-f", ".env")
    git(repo, "commit", "-qm", "secrets")
    oid = git(repo, "rev-parse", "HEAD:.env")
    head = f"diff --git a/x.txt b/x.txt\nnew file mode 100644\nindex {'0' * 40}..{oid}\nGIT binary patch\n"

    outcome = await send(op="git_apply", patch=head + packed(b"hi") + packed(b""))

    assert outcome.error_type == "patch_refused"
    assert not (repo / "x.txt").exists()


@pytest.mark.parametrize("mode", ["120000", " 120000", "  \t120000", "120000 x", "+120000", "0120000", "160000 100644"])
@pytest.mark.parametrize("line", ["new file mode {}", "new file mode 100644\nnew mode {}"])
async def test_no_way_to_write_a_mode_makes_a_patch_bring_a_link(repo, send, mode, line):
    body = "--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n"

    outcome = await send(op="git_apply", patch=f"diff --git a/link b/link\n{line.format(mode)}\n{body}")

    assert outcome.error_type == "patch_refused"
    assert not (repo / "link").is_symlink()


@pytest.mark.parametrize("mode", [" 120000", "  120000", " 120000 x", " 100644 x"])
async def test_no_way_to_write_a_mode_after_the_ids_is_overlooked(repo, send, mode):
    patch = (
        f"diff --git a/a.txt b/a.txt\nindex 814f4a4..5626abf{mode}\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-two\n+one\n"
    )

    assert (await send(op="git_apply", patch=patch)).error_type == "patch_refused"


async def test_a_stash_does_not_change_a_protected_file_that_was_renamed_since(repo, send):
    (repo / "settings.json").write_text(LINES)
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "settings")
    git(repo, "branch", "before")
    (repo / ".vscode").mkdir()
    git(repo, "mv", "settings.json", ".vscode/settings.json")
    git(repo, "commit", "-qm", "moved")

    await send(op="git_switch", branch="before")
    await send(op="write_file", path="settings.json", mode="overwrite", content=f"evil\n{LINES}")
    await send(op="git_stash", action="push")
    await send(op="git_switch", branch="main")
    outcome = await send(op="git_stash", action="pop")

    assert outcome.error_type == "protected_path"
    assert (repo / ".vscode/settings.json").read_text() == LINES


async def test_a_stash_of_a_denied_file_does_not_come_to_its_new_name(repo, send):
    (repo / ".env").write_text(LINES)
    git(repo, "add", "-f", ".")
    git(repo, "commit", "-qm", "settings")
    (repo / ".env").write_text(f"{SECRET}\n{LINES}")
    git(repo, "stash")
    git(repo, "mv", ".env", "sample.txt")
    git(repo, "commit", "-qm", "moved")

    outcome = await send(op="git_stash", action="pop")

    assert outcome.error_type == "protected_path"
    assert (repo / "sample.txt").read_text() == LINES


async def test_a_link_among_the_objects_does_not_show_another_repository(repo, send, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_repo(other)
    (other / "plan").write_text(SECRET)
    git(other, "add", "plan")
    git(other, "commit", "-qm", "plan")
    for file in (other / ".git/objects").glob("??/*"):
        link = repo / ".git/objects" / file.parent.name / file.name
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(file)

    outcome = await send(op="git_show", rev=git(other, "rev-parse", "HEAD"), path="plan")

    assert outcome.error_type == "repo_layout_refused"


@pytest.mark.parametrize("place", ["refs/heads/x", "refs/tags/v/x", "logs/refs/stash", "worktrees/x", "objects/info/x"])
async def test_a_link_anywhere_in_what_git_reads_keeps_it_from_being_run(repo, send, tmp_path, place):
    (tmp_path / "HEAD").write_text(SECRET)
    link = repo / ".git" / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path)

    outcome = await send(op="git_refs", kind="worktrees")

    assert outcome.error_type == "repo_layout_refused"


@pytest.mark.parametrize("level", ["0", "9"])
@pytest.mark.parametrize("op", ["read_file", "hex_dump", "head", "copy", "grep"])
async def test_the_objects_of_a_repository_are_as_denied_as_the_files_in_them(repo, send, op, level):
    git(repo, "config", "core.compression", level)
    (repo / ".env").write_text(SECRET)
    git(repo, "add", "-f", ".env")
    oid = git(repo, "rev-parse", ":.env")
    path = f".git/objects/{oid[:2]}/{oid[2:]}"
    named = {"copy": {"src": path, "dst": "x"}, "grep": {"paths": [path], "pattern": "T"}}.get(op, {"path": path})

    assert (await send(op=op, **named)).error_type == "read_denied"


async def test_a_copy_of_a_repository_leaves_its_objects_out(repo, send):
    outcome = await send(op="copy", src=".git", dst="copied", recursive=True)

    assert isinstance(outcome, Done)
    assert (repo / "copied/HEAD").exists()
    assert not (repo / "copied/objects").exists()


@pytest.mark.parametrize(
    "command",
    [
        {"op": "run_linter", "tool": "reads", "paths": ["app.key"]},
        {"op": "run_linter", "tool": "runs", "paths": ["d/link"]},
        {"op": "run_tests", "runner": "runs", "targets": ["app.key::test"]},
        {"op": "run_task", "name": "runs", "params": {"file": "app.key"}},
    ],
    ids=lambda command: command["op"],
)
async def test_programs_of_the_host_are_given_no_denied_file(ws, send, command):
    (ws / "app.key").write_text(SECRET)
    (ws / "d").mkdir()
    (ws / "d/link").symlink_to("../app.key")
    cat = ("/bin/cat",)
    policy = Policy.coder(
        execute=True,
        linters=[Linter(name="reads", argv=cat, executes=False), Linter(name="runs", argv=cat)],
        runners=[TestRunner(name="runs", argv=cat)],
        tasks=[Task(name="runs", argv=("/bin/cat", "{file}"), params=(Param(name="file", kind="path"),))],
    )

    outcome = await send(policy, **command)

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "read_denied"


def slowly(started, ended):
    """Replace the reading of a file by one that goes on until it is told to give up."""

    def parts(fd):
        until = monotonic() + 5
        pause = threading.Event()
        try:
            anyio.from_thread.run_sync(started.set)
            while monotonic() < until:
                interruptible()
                pause.wait(0.002)
                yield b"x"
        finally:
            ended.append(monotonic() < until)

    return parts


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})])
async def test_a_task_that_is_cancelled_twice_by_asyncio_leaves_no_thread_at_work(anyio_backend, ws, send, monkeypatch):
    (ws / "a.txt").write_text("text\n")
    started, ended = anyio.Event(), []
    monkeypatch.setattr(write_copy, "_bounded", slowly(started, ended))
    task = asyncio.create_task(send(op="copy", src="a.txt", dst="b.txt"))
    await started.wait()

    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert ended == [True]
    assert [path.name for path in ws.iterdir()] == ["a.txt"]


async def test_work_in_a_thread_raises_what_it_raises():
    with pytest.raises(FileNotFoundError):
        await in_thread(partial(os.stat, "/nowhere/at/all"))


PRIVILEGED = """
import ctypes, os
os.umask(0)
libc = ctypes.CDLL(None)
how = (ctypes.c_uint64 * 3)(os.O_CREAT | os.O_WRONLY, 0o4777, 0)
open("d/plain", "w").close()
for attempt in (
    lambda: os.open("d/opened", os.O_CREAT | os.O_WRONLY, 0o4777),
    lambda: os.open("d/group", os.O_CREAT | os.O_WRONLY, 0o2777),
    lambda: libc.creat(b"d/created", 0o4777),
    lambda: libc.syscall(437, -100, b"d/opened2", how, 24),
    lambda: os.mknod("d/node", 0o104777),
    lambda: os.chmod("d/plain", 0o4755),
    lambda: os.link(os.open("d", os.O_TMPFILE | os.O_WRONLY, 0o4777), "d/unnamed"),
):
    try:
        attempt()
    except OSError:
        continue
print("ran to its end")
"""


@pytest.mark.parametrize("wall", [BwrapWall, LandlockWall])
async def test_no_wall_lets_a_file_be_made_that_runs_with_its_owners_rights(ws, wall):
    (ws / "d").mkdir()
    (ws / "made.py").write_text(PRIVILEGED)
    built = wall()
    if not (await built.probe()).available:
        pytest.skip(f"{built.name} does not work here")
    policy = Policy.coder(execute=True, python=PythonHost(python=PYTHON))
    bash = Bash(ws, policy, approve=yes, walls=[built])

    call = ToolCall(id="c", name="bash", arguments={"command": {"op": "run_python", "script": "made.py"}})
    outcome = await bash.invoke(call)
    bash.workspace.close()

    assert "ran to its end" in outcome.value.stdout
    assert (ws / "d/plain").exists()
    assert [path.name for path in (ws / "d").iterdir() if path.stat().st_mode & 0o6000] == []


@pytest.mark.parametrize(
    "command",
    [
        {"op": "read_file", "path": "notes"},
        {"op": "head", "path": "notes"},
        {"op": "tail", "path": "notes"},
        {"op": "sort", "path": "notes"},
        {"op": "checksum", "paths": ["notes"]},
        {"op": "hex_dump", "path": "notes"},
        {"op": "file_type", "paths": ["notes"]},
        {"op": "word_count", "paths": ["notes"]},
        {"op": "grep", "pattern": "T", "paths": ["notes"]},
        {"op": "diff", "left": "notes", "right": "other"},
        {"op": "json_query", "path": "notes", "filter": "."},
        {"op": "archive_list", "path": "notes"},
    ],
    ids=lambda command: command["op"],
)
async def test_another_name_of_a_denied_file_is_denied_too(ws, send, command):
    (ws / "deep").mkdir()
    (ws / "deep/.env").write_text(SECRET)
    (ws / "notes").hardlink_to(ws / "deep/.env")
    (ws / "other").write_text("other")

    assert (await send(**command)).error_type == "read_denied"


async def test_searches_and_comparisons_of_folders_pass_over_other_names_of_denied_files(ws, send):
    for folder in ("one", "two"):
        (ws / folder).mkdir()
        (ws / folder / ".env").write_text(f"{SECRET} {folder}")
        (ws / folder / "notes").hardlink_to(ws / folder / ".env")

    found = await send(op="grep", pattern="hunter2")
    compared = await send(op="diff", left="one", right="two", recursive=True)

    assert "hunter2" not in found.content + compared.content
    assert "kept from being read" in found.content
    assert "kept from being read" in compared.content


async def test_a_file_with_two_ordinary_names_is_read(ws, send):
    (ws / ".env").write_text(SECRET)
    (ws / "one").write_text("plain")
    (ws / "two").hardlink_to(ws / "one")

    assert (await send(op="read_file", path="two")).value.stdout == "plain"


async def test_another_name_of_a_denied_file_is_not_staged(repo, send):
    (repo / ".env").write_text(SECRET)
    (repo / "notes").hardlink_to(repo / ".env")
    (repo / "plain").write_text("plain")

    outcome = await send(op="git_add", all=True)

    assert "Skipped, because the policy keeps them from being read" in outcome.content
    assert git(repo, "ls-files").split() == ["a.txt", "plain"]
