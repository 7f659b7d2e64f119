"""After each kind of refusal an agent mends its own command by the text alone, or says that it cannot."""

import errno
import os
import socket
import sys

import attrs
import pytest
from unit.tools.bash_repair import Mender, codes, mended
from unit.tools.bash_scene import git, make_repo

from par import Agent
from par.approvals import Approved, Rejected
from par.errors import CommandRefused
from par.tools.bash import Bash, ListDir, Param, Policy, PythonHost, ReadFile, Task, TestRunner, parse_command
from par.tools.bash._git.process import failed
from par.tools.bash._native.room import refuse_os_error
from par.tools.bash._native.write_place import refuse_write_error
from par.tools.bash._run.attend import Exited
from par.tools.bash._run.capture import Captured
from par.tools.bash._run.runner import Job, Launcher, run_process
from par.tools.bash._run.verify import verify
from par.tools.bash._walls.ground import hold_ground
from par.tools.bash._walls.values import WallSpec

PYTHON = sys.executable
TASK = Task(
    name="show", argv=(PYTHON, "-c", "print('shown')", "{level}"), params=(Param(name="level", kind="choice", options=("low", "high")),)
)  # fmt: skip
CODER = attrs.evolve(
    Policy.coder(execute=True, python=PythonHost(python=PYTHON), runners=[TestRunner.unittest(PYTHON)], tasks=[TASK]),
    approve_at=None,
    walls={"execute": "none"},
)
ASKING = Policy.coder()
ONLY = Policy(name="only", allow=(ReadFile, ListDir))

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"], indirect=True),
]


def plain(ws):
    for name in ("README.md", "a.py", "src/app.py", "x"):
        (ws / name).parent.mkdir(exist_ok=True)
        (ws / name).write_text("one TODO\n")


def repo(ws):
    make_repo(ws)
    plain(ws)


def clean(ws):
    make_repo(ws)


def conflict(ws):
    make_repo(ws)
    git(ws, "switch", "-qc", "other")
    (ws / "a.txt").write_text("theirs\n")
    git(ws, "commit", "-qam", "theirs")
    git(ws, "switch", "-q", "main")
    (ws / "a.txt").write_text("ours\n")
    git(ws, "commit", "-qam", "ours")
    with pytest.raises(Exception, match="merge"):
        git(ws, "merge", "other")


def branched(ws):
    make_repo(ws)
    git(ws, "switch", "-qc", "b")
    git(ws, "commit", "-qm", "on b", "--allow-empty")
    git(ws, "switch", "-q", "main")


def dirty(ws):
    branched(ws)
    git(ws, "switch", "-q", "b")
    (ws / "a.txt").write_text("on b\n")
    git(ws, "commit", "-qam", "on b")
    git(ws, "switch", "-q", "main")
    (ws / "a.txt").write_text("edited\n")


def submodule(ws):
    make_repo(ws)
    git(ws, "update-index", "--add", "--cacheinfo", f"160000,{git(ws, 'rev-parse', 'HEAD')},sub")


def damaged(ws):
    make_repo(ws)
    oid = git(ws, "rev-parse", "HEAD^{tree}")
    (ws / ".git/objects" / oid[:2] / oid[2:]).unlink()


def configured(ws):
    make_repo(ws)
    git(ws, "config", "filter.x.clean", "touch y")


def alternates(ws):
    make_repo(ws)
    (ws / ".git/objects/info/alternates").write_text("/elsewhere\n")


def ignoring(ws):
    make_repo(ws)
    (ws / ".gitignore").write_text("*.log\n")
    (ws / "b.log").touch()


def linked(ws):
    plain(ws)
    (ws / "link").symlink_to("a.py")


def special(ws):
    plain(ws)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.fspath(ws / "sock"))


def twice(ws):
    plain(ws)
    os.link(ws / "a.py", ws / "b.py")


def large(ws):
    plain(ws)
    with (ws / "large").open("wb") as file:
        file.truncate(300 * 1024 * 1024)


def shut(ws):
    plain(ws)
    (ws / "a.py").chmod(0o444)


def locked(ws):
    make_repo(ws)
    (ws / ".git/index.lock").touch()


READ = {"op": "read_file", "path": "README.md"}
ROWS = [
    # code, command, what is there, policy, how it ends
    ("unknown_op", {"op": "cat", "path": "README.md"}, plain, CODER, "runs"),
    ("unknown_op", {"op": "curl", "url": "http://x"}, plain, CODER, "runs"),
    ("raw_shell", {"op": "bash", "command": "ls -la src"}, plain, CODER, "runs"),
    ("missing_op", {"path": "README.md"}, clean, CODER, "runs"),
    ("missing_field", {"op": "grep"}, plain, CODER, "runs"),
    ("extra_key", {"op": "grep", "pattern": "TODO", "path": ["src"]}, plain, CODER, "runs"),
    ("extra_key", {"op": "list_dir", "args": ["-la"]}, plain, CODER, "runs"),
    ("wrong_type", {"op": "head", "path": "a.py", "lines": "5"}, plain, CODER, "runs"),
    ("wrong_type", {"op": "grep", "pattern": "TODO", "paths": "src"}, plain, CODER, "runs"),
    ("wrong_type", {"op": "list_dir", "sort": "date"}, plain, CODER, "runs"),
    ("wrong_type", {"op": "git_log", "since": "2 days"}, clean, CODER, "runs"),
    ("wrong_size", {"op": "stat", "paths": ["a.py"] * 300}, plain, CODER, "runs"),
    ("too_long", {"op": "grep", "pattern": "x" * 2000}, plain, CODER, "runs"),
    ("bad_combination", {"op": "head", "path": "a.py", "lines": 1, "bytes": 1}, plain, CODER, "runs"),
    ("bad_combination", {"op": "list_dir", "max_depth": 2}, plain, CODER, "runs"),
    ("bad_stage", {"op": "pipeline", "stages": [READ, {"op": "head", "path": "a.py"}]}, plain, CODER, "runs"),
    ("bad_text", {"op": "write_file", "path": "n", "content": "a\x07b"}, plain, CODER, "runs"),
    ("bad_glob", {"op": "find", "name": "/etc/*"}, plain, CODER, "runs"),
    ("bad_pattern", {"op": "grep", "pattern": "a\x01b"}, plain, CODER, "runs"),
    ("bad_range", {"op": "cut", "path": "a.py", "fields": "3-1", "delimiter": " "}, plain, CODER, "runs"),
    ("bad_rev", {"op": "git_show", "rev": "nowhere"}, clean, CODER, "runs"),
    ("bad_branch", {"op": "git_switch", "branch": "-x", "create": True}, clean, CODER, "runs"),
    ("path_absolute", {"op": "read_file", "path": "/ws/src/app.py"}, plain, CODER, "runs"),
    ("path_parent", {"op": "read_file", "path": "../src/app.py"}, plain, CODER, "runs"),
    ("path_tilde", {"op": "read_file", "path": "~/README.md"}, plain, CODER, "runs"),
    ("path_control", {"op": "read_file", "path": "README\u200b.md"}, plain, CODER, "runs"),
    ("path_empty", {"op": "list_dir", "path": ""}, plain, CODER, "runs"),
    ("path_too_long", {"op": "read_file", "path": "x" * 300}, plain, CODER, "runs"),
    ("path_not_found", {"op": "read_file", "path": "absent"}, plain, CODER, "runs"),
    ("path_symlink", {"op": "write_file", "path": "link", "content": "x", "mode": "overwrite"}, linked, CODER, "runs"),
    ("not_a_folder", {"op": "list_dir", "path": "a.py"}, plain, CODER, "runs"),
    ("not_regular_file", {"op": "read_file", "path": "src"}, plain, CODER, "runs"),
    ("not_regular_file", {"op": "read_file", "path": "sock"}, special, CODER, "tells"),
    ("not_empty", {"op": "remove", "paths": ["src"]}, plain, CODER, "runs"),
    ("exists", {"op": "move", "src": "a.py", "dst": "x"}, plain, CODER, "runs"),
    ("same_file", {"op": "copy", "src": "a.py", "dst": "a.py"}, plain, CODER, "runs"),
    ("into_itself", {"op": "copy", "src": "src", "dst": "src/in", "recursive": True}, plain, CODER, "runs"),
    ("hard_link", {"op": "copy", "src": "a.py", "dst": "c.py"}, twice, CODER, "runs"),
    ("read_only", {"op": "write_file", "path": "a.py", "content": "x", "mode": "overwrite"}, shut, CODER, "tells"),
    ("too_large", {"op": "sort", "path": "large"}, large, CODER, "runs"),
    ("bad_archive", {"op": "archive_list", "path": "a.py"}, plain, CODER, "tells"),
    ("protected_path", {"op": "write_file", "path": ".envrc", "content": "x"}, plain, CODER, "tells"),
    ("read_denied", {"op": "read_file", "path": ".env"}, plain, CODER, "tells"),
    ("denied_by_policy", {"op": "make_dir", "path": "d"}, plain, ONLY, "runs"),
    ("approval_denied", {"op": "remove", "paths": ["src"], "recursive": True}, plain, ASKING, "tells"),
    ("not_offered", {"op": "run_task", "name": "deploy", "params": {"level": "low"}}, plain, CODER, "runs"),
    ("not_offered", {"op": "run_linter", "tool": "ruff"}, plain, CODER, "tells"),
    ("bad_param", {"op": "run_task", "name": "show", "params": {"level": "middle"}}, plain, CODER, "runs"),
    ("no_repository", {"op": "git_status"}, plain, CODER, "tells"),
    ("repo_config_refused", {"op": "git_status"}, configured, CODER, "tells"),
    ("repo_layout_refused", {"op": "git_status"}, alternates, CODER, "tells"),
    ("repo_damaged", {"op": "git_reset", "mode": "hard"}, damaged, CODER, "tells"),
    ("ignored", {"op": "git_add", "paths": ["b.log"]}, ignoring, CODER, "runs"),
    ("branch_missing", {"op": "git_switch", "branch": "nowhere"}, clean, CODER, "runs"),
    ("branch_exists", {"op": "git_branch", "action": "create", "name": "b"}, branched, CODER, "runs"),
    ("branch_in_use", {"op": "git_branch", "action": "delete", "name": "main"}, branched, CODER, "runs"),
    ("not_merged", {"op": "git_branch", "action": "delete", "name": "b"}, branched, CODER, "runs"),
    ("dirty_worktree", {"op": "git_switch", "branch": "b"}, dirty, CODER, "runs"),
    ("conflict", {"op": "git_commit", "message": "m"}, conflict, CODER, "runs"),
    ("nothing_to_commit", {"op": "git_commit", "message": "m"}, clean, CODER, "runs"),
    ("nothing_to_stash", {"op": "git_stash", "action": "push"}, clean, CODER, "runs"),
    ("no_stash", {"op": "git_stash", "action": "pop"}, clean, CODER, "runs"),
    ("has_submodules", {"op": "git_stash", "action": "push"}, submodule, CODER, "runs"),
    ("patch_fails", {"op": "git_apply", "patch": "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-no\n+yes\n"}, repo, CODER, "runs"),
    ("patch_refused", {"op": "git_apply", "patch": "diff --git a/x b/x\nnew file mode 120000\n"}, repo, CODER, "tells"),
]  # fmt: skip


def number(row):
    return f"{row[0]}-{row[1].get('op', 'none')}"


@pytest.mark.parametrize(("code", "command", "build", "policy", "ends"), ROWS, ids=map(number, ROWS))
async def test_an_agent_mends_its_command_by_the_refusal(ws, code, command, build, policy, ends):
    build(ws)
    model = Mender(command)

    async def nobody(request):
        return Rejected(reason="not today")

    result = await Agent(model, tools=[Bash(ws, policy, approve=nobody)]).run("Do it.")

    assert f"[bash:{code}]" in model.refusals[0]
    assert result.output == "It ran." if ends == "runs" else result.output in model.refusals[-1]


# --- what a model cannot bring about, or what only the machine decides -----------------------------------------


def refused_by(act):
    with pytest.raises(CommandRefused) as refused:
        act()
    return refused.value


def said(text, returncode=1):
    return failed(
        Exited(returncode=returncode, stdout=Captured(), stderr=Captured(head=text.encode(), total=len(text))), "commit"
    )


def writing(number):
    return lambda: refused_by(lambda: refuse_write_error(OSError(number, "no"), "a.py", "path"))


WORDS = [
    ("bad_json", lambda: refused_by(lambda: parse_command("ls -la")), "another"),
    ("argv_refused", lambda: refused_by(lambda: verify(["/bin/ls"], program="/usr/bin/git")), "tells"),
    ("busy", writing(errno.EBUSY), "again"),
    ("changed", writing(errno.ESTALE), "again"),
    ("other_device", writing(errno.EXDEV), "another"),
    ("no_space", writing(errno.ENOSPC), "tells"),
    ("not_writable", writing(errno.EACCES), "tells"),
    ("not_writable", writing(errno.EIO), "tells"),
    ("unreadable", lambda: refused_by(lambda: refuse_os_error(OSError(errno.EACCES, "no"), "a.py", "path")), "tells"),
    ("unreadable", lambda: refused_by(lambda: refuse_os_error(OSError(errno.EIO, "no"), "a.py", "path")), "tells"),
    ("git_failed", lambda: said("fatal: something that nobody knows"), "another"),
    ("git_ended", lambda: said("", -11), "another"),
    ("repo_locked", lambda: said("Unable to create '.git/refs/heads/x.lock': File exists."), "again"),
]


@pytest.mark.parametrize(
    ("code", "refuse", "ends"), WORDS, ids=[f"{code}-{at}" for at, (code, _, _) in enumerate(WORDS)]
)
def test_what_only_the_machine_decides_is_told_with_what_to_do(code, refuse, ends, anyio_backend):
    command = {"op": "move", "src": "a.py", "dst": "b.py"}

    refused = refuse()
    mending = mended(command, str(refused))

    assert refused.code == code
    if ends == "tells":
        assert isinstance(mending, str)
    else:
        assert (mending == command) == (ends == "again")


async def test_a_locked_repository_is_tried_again(ws):
    locked(ws)
    (ws / "new").touch()

    class Unlocking(Mender):
        async def __call__(self, call, /):
            reply = await super().__call__(call)
            if self.refusals:
                (ws / ".git/index.lock").unlink(missing_ok=True)
            return reply

    model = Unlocking({"op": "git_add", "all": True}, most=2)
    result = await Agent(model, tools=[Bash(ws, CODER)]).run("Do it.")

    assert "repo_locked" in model.refusals[0]
    assert result.output == "It ran."


async def test_a_script_that_changed_is_sent_again(ws):
    (ws / "a.py").write_text("print(1)\n")
    asked = []

    async def yes(request):
        if not asked:
            (ws / "a.py").write_text("print(2)\n")
        asked.append(request)
        return Approved()

    policy = attrs.evolve(CODER, approve_at="high")
    model = Mender({"op": "run_python", "script": "a.py"})
    result = await Agent(model, tools=[Bash(ws, policy, approve=yes)]).run("Do it.")

    assert "script_changed" in model.refusals[0]
    assert result.output == "It ran."
    assert len(asked) == 2


@pytest.mark.parametrize("code", ["wall_missing", "program_missing", "cannot_start", "wall_unfit"])
async def test_what_the_host_lacks_is_told_to_the_user(ws, code):
    plain(ws)
    policy = CODER
    command = {"op": "sort", "path": "a.py"}
    if code == "wall_missing":
        policy, command = attrs.evolve(CODER, walls={"execute": "require"}), {"op": "run_python", "script": "a.py"}
    elif code == "program_missing":
        policy = attrs.evolve(CODER, programs={"sort": "/nowhere/sort"})
    elif code == "cannot_start":
        text = str(await _cannot_start(ws))
    else:
        text = str(await _unfit(ws))
    if code in {"wall_missing", "program_missing"}:
        model = Mender(command)
        text = (await Agent(model, tools=[Bash(ws, policy, walls=[])]).run("Do it.")).output
        assert f"[bash:{code}]" in model.refusals[0]
    else:
        assert isinstance(mended(command, text), str)
    assert any(word in text for word in ("host", "user"))


async def _cannot_start(ws):
    folder = os.open(ws, os.O_RDONLY)
    (ws / "prog").write_text("no program\n")
    job = Job(argv=(str(ws / "prog"),), folder=folder, env={}, cpu_s=1, max_bytes=1, max_lines=1)

    class Bare:
        def wrap(self, job):
            return job.argv, None, ()

    try:
        await run_process(job, Bare())
    except CommandRefused as refused:
        return refused
    finally:
        os.close(folder)
    raise AssertionError(f"{Launcher()} is not needed here")


async def _unfit(ws):
    (ws / ".envrc").symlink_to("a.py")
    root = os.open(ws, os.O_RDONLY)
    for name in ("home", "tmp"):
        (ws.parent / name).mkdir()
    try:
        spec = WallSpec(
            root=root, workspace=str(ws), access="write", home=str(ws.parent / "home"), tmp=str(ws.parent / "tmp"),
            protected=(".envrc",), env={},
        )  # fmt: skip
        async with hold_ground(spec):
            raise AssertionError("a protected link was held")
    except CommandRefused as refused:
        return refused
    finally:
        os.close(root)


async def test_a_command_that_took_too_long_is_given_more_time(ws):
    (ws / "a.py").write_text("import time\ntime.sleep(1.5)\n")
    model = Mender({"op": "run_python", "script": "a.py", "timeout_s": 1})

    result = await Agent(model, tools=[Bash(ws, CODER)]).run("Do it.")

    assert "[bash:timeout] at op: run_python was stopped after 1 seconds." in model.refusals[0]
    assert model.command["timeout_s"] == CODER.run_timeout_s
    assert result.output == "It ran."


def test_each_code_of_the_source_has_a_case(anyio_backend):
    seen = {row[0] for row in ROWS} | {row[0] for row in WORDS}
    seen |= {"repo_locked", "script_changed", "wall_missing", "program_missing", "cannot_start", "wall_unfit"}

    assert codes() == seen
