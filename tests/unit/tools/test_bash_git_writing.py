"""The git commands that write: each field changes what happens, and failures teach."""

import os
import signal
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from unit.tools.bash_scene import children, git, make_repo

from par.errors import CommandRefused
from par.tools.bash import Bash, GitAdd, GitCommit, Policy
from par.tools.bash._git.gate import GitGate, open_repository
from par.tools.bash._git.view import open_view
from par.tools.bash._native.room import Room
from par.tools.bash._policy.policy import Identity

pytestmark = pytest.mark.anyio
LOOPS = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"use_uvloop": True}), ("trio", {})], ids=["uvloop", "trio"]
)
ALL = Policy.coder().allow
WRITER = Policy(name="w", allow=ALL, effects=("read", "write"), approve_at=None)


@pytest.fixture
def anyio_backend():
    """One loop: what git does hardly depends on it, and each row starts several processes."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
def repo(ws):
    make_repo(ws)
    return ws


@pytest.fixture
def do(send):
    """Send one command under a policy that lets everything write."""

    async def done(**command):
        outcome = await send(WRITER, **command)
        assert hasattr(outcome, "value"), outcome
        return outcome

    return done


@pytest.fixture
def code(send):
    """Send one command and return the code of its refusal."""

    async def refused(policy=WRITER, **command):
        return (await send(policy, **command)).error_type

    return refused


def status(repo):
    return [line.strip() for line in git(repo, "status", "--porcelain", "-uall").splitlines()]


@pytest.mark.parametrize(
    ("fields", "staged"),
    [
        ({"paths": ["a.txt"]}, ["a.txt"]),
        ({"paths": ["new"]}, ["new/x"]),
        ({"paths": ["x"], "cwd": "new"}, ["new/x"]),
        ({"paths": ["."], "cwd": "new"}, ["new/x"]),
        ({"paths": ["."]}, ["a.txt", "gone.txt", "new/x"]),
        ({"all": True}, ["a.txt", "gone.txt", "new/x"]),
        ({"all": True, "paths": ["new"]}, ["new/x"]),
        ({"update": True}, ["a.txt", "gone.txt"]),
        ({"update": True, "paths": ["a.txt", "new"]}, ["a.txt"]),
        ({"paths": ["gone.txt"]}, ["gone.txt"]),
    ],
)
async def test_git_add_stages(repo, do, fields, staged):
    (repo / "gone.txt").touch()
    git(repo, "add", "gone.txt")
    git(repo, "commit", "-qm", "gone")
    (repo / "gone.txt").unlink()
    (repo / "a.txt").write_text("three\n")
    (repo / "new").mkdir()
    (repo / "new/x").touch()

    outcome = await do(op="git_add", **fields)

    assert git(repo, "diff", "--cached", "--no-renames", "--name-only").splitlines() == staged
    assert outcome.value.stdout.splitlines() == staged


async def test_git_add_never_stages_what_may_not_be_read(repo, do, code):
    for name in (".env", "deep/.ENV.x", "k.pem", "open"):
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text("t0ken\n")

    outcome = await do(op="git_add", all=True)

    assert git(repo, "diff", "--cached", "--no-renames", "--name-only") == "open"
    assert ".env, deep/.ENV.x, k.pem" in outcome.content
    assert await code(op="git_add", paths=[".env"]) == "read_denied"
    assert "deep/.ENV.x" in (await do(op="git_add", paths=["deep"])).content
    assert git(repo, "diff", "--cached", "--no-renames", "--name-only") == "open"


@pytest.mark.parametrize(
    ("path", "expected"), [("nope", "path_not_found"), ("skip.o", "ignored"), ("ln/f", "path_not_found")]
)
async def test_git_add_tells_why_a_path_is_not_added(repo, code, path, expected):
    (repo / ".git/info/exclude").write_text("*.o\n")
    (repo / "skip.o").touch()
    (repo.parent / "f").touch()
    (repo / "ln").symlink_to("..")

    assert await code(op="git_add", paths=[path]) == expected


async def test_git_add_of_what_is_unchanged_is_no_error(repo, do):
    assert "Nothing to add" in (await do(op="git_add", paths=["a.txt"])).content


async def test_git_add_settles_a_conflict(repo, do, code):
    conflict(repo)
    assert await code(op="git_commit", message="m") == "conflict"
    assert await code(op="git_switch", branch="other") == "conflict"
    (repo / "a.txt").write_text("both\n")

    await do(op="git_add", paths=["a.txt"])
    await do(op="git_commit", message="merged")

    assert len(git(repo, "log", "-1", "--format=%P").split()) == 2


async def test_git_add_takes_names_as_they_are(repo, do):
    for name in ("*", ":(top)x", "-e", "é ü"):
        (repo / name).touch()

    await do(op="git_add", paths=["*", ":(top)x", "-e"])

    assert git(repo, "diff", "--cached", "--name-only").splitlines() == ["*", "-e", ":(top)x"]


async def test_git_add_replaces_a_file_by_a_folder_and_keeps_modes(repo, do):
    (repo / "a.txt").unlink()
    (repo / "a.txt").mkdir()
    (repo / "a.txt/in").touch()
    (repo / "run").write_text("x")
    (repo / "run").chmod(0o755)

    await do(op="git_add", all=True)

    assert "100755" in git(repo, "ls-files", "--stage", "run")
    assert git(repo, "ls-files").splitlines() == ["a.txt/in", "run"]


async def test_a_repository_in_the_repository_is_skipped(repo, do):
    (repo / "inner").mkdir()
    make_repo(repo / "inner")

    outcome = await do(op="git_add", all=True)

    assert "repositories of their own: inner/" in outcome.content
    assert git(repo, "diff", "--cached", "--no-renames", "--name-only") == ""


@pytest.mark.parametrize(
    ("fields", "subject", "count"),
    [
        ({"message": "one line"}, "one line", 3),
        ({"message": "subject\n\n# kept out\nbody $(x) `y`\n"}, "subject", 3),
        ({"message": "new", "amend": True}, "new", 2),
        ({"amend": True}, "second", 2),
    ],
)
async def test_git_commit_commits(repo, do, fields, subject, count):
    (repo / "b.txt").touch()
    git(repo, "add", "b.txt")

    await do(op="git_commit", **fields)

    assert git(repo, "log", "-1", "--format=%s") == subject
    assert git(repo, "rev-list", "--count", "HEAD") == str(count)
    assert git(repo, "log", "-1", "--format=%b") == ("body $(x) `y`" if "body" in fields.get("message", "") else "")
    assert status(repo) == []


async def test_a_commit_carries_the_identity_of_the_policy(repo, send):
    (repo / "b.txt").touch()
    git(repo, "add", "b.txt")
    git(repo, "config", "user.name", "Somebody")
    policy = Policy(name="w", allow=ALL, effects=("read", "write"), identity=Identity(name="Bot", email="b@bot"))

    await send(policy, op="git_commit", message="m")

    assert git(repo, "log", "-1", "--format=%an %ae %cn %ce") == "Bot b@bot Bot b@bot"


async def test_a_commit_without_changes_is_refused_or_asked_for(repo, do, code):
    (repo / "untracked").touch()

    assert await code(op="git_commit", message="m") == "nothing_to_commit"
    await do(op="git_commit", message="m", allow_empty=True)

    assert git(repo, "rev-list", "--count", "HEAD") == "3"


async def test_the_first_commit_is_one(ws, do):
    git(ws, "init", "-q", "-b", "main")
    (ws / "a").touch()

    await do(op="git_add", all=True)
    await do(op="git_commit", message="first")

    assert git(ws, "log", "--format=%s") == "first"
    assert (ws / ".git/logs/HEAD").exists()


@pytest.mark.parametrize(
    ("fields", "worktree", "index"),
    [
        ({}, "staged", "staged"),
        ({"worktree": True}, "staged", "staged"),
        ({"staged": True}, "edited", "two"),
        ({"staged": True, "worktree": True}, "two", "two"),
        ({"source": "HEAD~1"}, "one", "staged"),
        ({"source": "HEAD~1", "staged": True}, "edited", "one"),
        ({"paths": ["."]}, "staged", "staged"),
        ({"paths": ["d"]}, "edited", "staged"),
        ({"paths": ["f"], "cwd": "d"}, "edited", "staged"),
    ],
)
async def test_git_restore_puts_back(repo, do, fields, worktree, index):
    (repo / "d").mkdir()
    (repo / "d/f").write_text("f\n")
    git(repo, "add", "d")
    (repo / "a.txt").write_text("staged\n")
    git(repo, "add", "a.txt")
    (repo / "a.txt").write_text("edited\n")
    (repo / "d/f").write_text("lost\n")

    outcome = await do(op="git_restore", **{"paths": ["a.txt"], **fields})

    assert (repo / "a.txt").read_text() == f"{worktree}\n"
    assert git(repo, "show", ":a.txt") == index
    if fields.get("paths", ["a.txt"]) != ["a.txt"]:
        assert (repo / "d/f").read_text() == "f\n"
        assert "d/f" in outcome.value.stdout


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"paths": ["nope"]}, "path_not_found"), ({"paths": ["a.txt"], "source": "nope"}, "bad_rev")],
)
async def test_git_restore_refuses(repo, code, fields, expected):
    assert await code(op="git_restore", **fields) == expected


async def test_git_switch_goes_to_branches(repo, do):
    git(repo, "branch", "old", "HEAD~1")

    await do(op="git_switch", branch="old")
    assert (repo / "a.txt").read_text() == "one\n"
    assert status(repo) == []

    await do(op="git_switch", branch="feature/x", create=True)
    assert git(repo, "symbolic-ref", "HEAD") == "refs/heads/feature/x"
    assert git(repo, "rev-parse", "HEAD") == git(repo, "rev-parse", "old")

    await do(op="git_switch", branch="again", create=True, start="main")
    assert git(repo, "rev-parse", "HEAD") == git(repo, "rev-parse", "main")
    assert (repo / "a.txt").read_text() == "two\n"
    assert status(repo) == []


async def test_git_switch_begins_the_branch_of_an_empty_repository(ws, do):
    git(ws, "init", "-q", "-b", "main")

    await do(op="git_switch", branch="dev", create=True)

    assert git(ws, "symbolic-ref", "HEAD") == "refs/heads/dev"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"branch": "nope"}, "branch_missing"),
        ({"branch": "v1"}, "branch_missing"),  # a tag
        ({"branch": "old", "create": True}, "branch_exists"),
        ({"branch": "old/x", "create": True}, "branch_exists"),
        ({"branch": "x", "create": True, "start": "nope"}, "bad_rev"),
        ({"branch": "old"}, "dirty_worktree"),
        ({"branch": "tree"}, "branch_in_use"),
    ],
)
async def test_git_switch_refuses(repo, code, fields, expected):
    git(repo, "branch", "old", "HEAD~1")
    git(repo, "tag", "v1")
    git(repo, "worktree", "add", "-q", "-b", "tree", str(repo.parent / "tree"))
    (repo / "a.txt").write_text("edited\n")

    assert await code(op="git_switch", **fields) == expected
    assert (repo / "a.txt").read_text() == "edited\n"
    assert git(repo, "symbolic-ref", "HEAD") == "refs/heads/main"


async def test_git_branch_makes_deletes_and_renames(repo, do):
    await do(op="git_branch", action="create", name="b")
    await do(op="git_branch", action="create", name="old", start="HEAD~1")
    assert git(repo, "rev-parse", "old") == git(repo, "rev-parse", "main~1")

    await do(op="git_branch", action="delete", name="old")
    await do(op="git_branch", action="rename", name="b", new_name="c/d")
    await do(op="git_branch", action="rename", name="main", new_name="trunk")

    assert git(repo, "for-each-ref", "--format=%(refname:short)").split() == ["c/d", "trunk"]
    assert git(repo, "symbolic-ref", "HEAD") == "refs/heads/trunk"
    assert status(repo) == []


async def test_git_branch_forces(repo, do, code):
    git(repo, "branch", "b", git(repo, "commit-tree", "HEAD^{tree}", "-m", "loose"))

    assert await code(op="git_branch", action="delete", name="b") == "not_merged"
    assert await code(op="git_branch", action="create", name="b") == "branch_exists"
    await do(op="git_branch", action="create", name="b", force=True)
    assert git(repo, "rev-parse", "b") == git(repo, "rev-parse", "main")

    git(repo, "branch", "c", "HEAD~1")
    assert await code(op="git_branch", action="rename", name="c", new_name="b") == "branch_exists"
    await do(op="git_branch", action="rename", name="c", new_name="b", force=True)
    git(repo, "branch", "-f", "c", git(repo, "commit-tree", "HEAD^{tree}", "-m", "loose"))
    await do(op="git_branch", action="delete", name="c", force=True)

    assert git(repo, "for-each-ref", "--format=%(refname:short)").split() == ["b", "main"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "delete", "name": "main"}, "branch_in_use"),
        ({"action": "delete", "name": "main", "force": True}, "branch_in_use"),
        ({"action": "create", "name": "main", "force": True, "start": "HEAD~1"}, "branch_in_use"),
        ({"action": "rename", "name": "b", "new_name": "main", "force": True}, "branch_in_use"),
        ({"action": "delete", "name": "tree", "force": True}, "branch_in_use"),
        ({"action": "delete", "name": "nope"}, "branch_missing"),
        ({"action": "rename", "name": "nope", "new_name": "x"}, "branch_missing"),
        ({"action": "create", "name": "x", "start": "nope"}, "bad_rev"),
        ({"action": "create", "name": "b/x"}, "branch_exists"),
    ],
)
async def test_git_branch_refuses(repo, code, fields, expected):
    git(repo, "branch", "b")
    git(repo, "worktree", "add", "-q", "-b", "tree", str(repo.parent / "tree"))

    assert await code(op="git_branch", **fields) == expected
    assert git(repo, "symbolic-ref", "HEAD") == "refs/heads/main"


async def test_a_renamed_branch_is_told_to_have_left_its_upstream(repo, do):
    git(repo, "config", "branch.main.merge", "refs/heads/main")
    before = (repo / ".git/config").read_bytes()

    outcome = await do(op="git_branch", action="rename", name="main", new_name="x")

    assert "upstream" in outcome.content
    assert (repo / ".git/config").read_bytes() == before


async def test_git_stash_puts_aside_and_takes_back(repo, do, code):
    (repo / "a.txt").write_text("three\n")
    (repo / "new").touch()

    await do(op="git_stash", action="push", message="one")
    assert status(repo) == ["?? new"]
    assert git(repo, "stash", "list") == "stash@{0}: On main: one"
    await do(op="git_stash", action="apply")
    assert git(repo, "stash", "list") != ""
    await do(op="git_stash", action="drop")
    assert git(repo, "stash", "list") == ""

    await do(op="git_stash", action="push", untracked=True)
    assert status(repo) == []
    await do(op="git_stash", action="pop")
    assert status(repo) == ["M a.txt", "?? new"]
    assert git(repo, "stash", "list") == ""


@pytest.mark.parametrize("action", ["pop", "apply", "drop", "push"])
async def test_git_stash_tells_that_there_is_nothing(repo, code, action):
    assert await code(op="git_stash", action=action) == ("nothing_to_stash" if action == "push" else "no_stash")


async def test_a_stash_that_conflicts_says_what_to_do(repo, do, code):
    (repo / "a.txt").write_text("mine\n")
    git(repo, "stash", "-q")
    (repo / "a.txt").write_text("other\n")
    assert await code(op="git_stash", action="pop") == "dirty_worktree"
    git(repo, "commit", "-qam", "other")

    outcome = await do(op="git_stash", action="pop")

    assert outcome.value.exit_code == 1
    assert "git_add" in outcome.content
    assert status(repo) == ["UU a.txt"]


@pytest.mark.parametrize(
    ("fields", "index", "worktree"),
    [
        ({"rev": "HEAD~1", "mode": "soft"}, "two", "edited"),
        ({"rev": "HEAD~1"}, "one", "edited"),
        ({"rev": "HEAD~1", "mode": "hard"}, "one", "one"),
        ({"mode": "hard"}, "two", "two"),
    ],
)
async def test_git_reset_moves_the_branch(repo, do, fields, index, worktree):
    wanted = git(repo, "rev-parse", fields.get("rev", "HEAD"))
    (repo / "a.txt").write_text("edited\n")

    await do(op="git_reset", **fields)

    assert git(repo, "rev-parse", "HEAD") == wanted
    assert git(repo, "show", ":a.txt") == index
    assert (repo / "a.txt").read_text() == f"{worktree}\n"


async def test_an_unknown_revision_does_not_reset(repo, code):
    assert await code(op="git_reset", rev="nope", mode="hard") == "bad_rev"


async def test_git_apply_applies_checks_and_takes_back(repo, do, code):
    (repo / "a.txt").write_text("three\n")
    (repo / "new é.txt").write_text("n\n")
    git(repo, "add", "-A")
    patch = git(repo, "diff", "--cached") + "\n"
    git(repo, "reset", "-q", "--hard")

    outcome = await do(op="git_apply", patch=patch, check=True)
    assert outcome.value.stdout.splitlines() == ["a.txt", "new é.txt"]
    assert status(repo) == []
    await do(op="git_apply", patch=patch.rstrip("\n"))
    assert (repo / "a.txt").read_text() == "three\n"
    assert (repo / "new é.txt").read_text() == "n\n"
    assert await code(op="git_apply", patch=patch) == "patch_fails"
    await do(op="git_apply", patch=patch, reverse=True)
    assert status(repo) == []


def patched(name, *, old="/dev/null", extra="new file mode 100644\n"):
    return f"diff --git a/{name} b/{name}\n{extra}--- {old}\n+++ b/{name}\n@@ -0,0 +1 @@\n+x\n"


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (patched(".git/config"), "protected_path"),
        (patched("sub/.GIT/config"), "protected_path"),
        (patched(".vscode/tasks.json"), "protected_path"),
        (patched(".gitmodules"), "protected_path"),
        (patched(".gitattributes"), "protected_path"),
        (patched(".github/workflows/x.yml"), "protected_path"),
        (patched("../x"), "path_parent"),
        (patched("/etc/x"), "path_absolute"),
        (patched(".env"), "read_denied"),
        (patched("infra/x"), "protected_path"),
        (patched("ln/x"), "path_symlink"),
        (patched("l", extra="new file mode 120000\n"), "patch_refused"),
        (patched("l", extra="new file mode 160000\n"), "patch_refused"),
        (patched("l", extra="old mode 100644\nnew mode 120000\n"), "patch_refused"),
        ("--- a/.env\n+++ b/ok.txt\n@@ -1 +1 @@\n-a\n+b\n", "read_denied"),
        ("diff --git a/.env b/ok\nsimilarity index 100%\nrename from .env\nrename to ok\n", "read_denied"),
        ("diff --git a/.env b/ok\nsimilarity index 100%\ncopy from .env\ncopy to ok\n", "read_denied"),
        ("diff --git a/a.txt b/.husky/x\nsimilarity index 100%\nrename from a.txt\nrename to .husky/x\n", "protected_path"),
        ('diff --git "a/.g\\151t/x" "b/.g\\151t/x"\nnew file mode 100644\n--- /dev/null\n+++ "b/.g\\151t/x"\n@@ -0,0 +1 @@\n+x\n', "protected_path"),
        ("--- .env\n+++ .env\n@@ -1 +1 @@\n-a\n+b\n", "patch_fails"),
        ("--- x/.env\n+++ x/.env\n@@ -1 +1 @@\n-a\n+b\n", "read_denied"),
        ("diff --git a/x b/x\n", "patch_fails"),
        ("hello\n", "patch_fails"),
        (patched("a.txt"), "patch_fails"),
    ],
)  # fmt: skip
async def test_a_patch_touches_only_what_may_be_written(repo, code, patch, expected):
    (repo / ".env").write_text("a\n")
    (repo.parent / "out").mkdir()
    (repo / "ln").symlink_to("../out")
    policy = Policy(name="w", allow=ALL, effects=("read", "write"), approve_at=None, write_protect=("infra/**",))

    assert await code(policy, op="git_apply", patch=patch) == expected
    assert await code(policy, op="git_apply", patch=patch, reverse=True) is not None
    assert list((repo.parent / "out").iterdir()) == []
    assert (repo / ".env").read_text() == "a\n"
    assert not (repo / "ok").exists()


@pytest.mark.parametrize(
    "command",
    [
        {"op": "git_switch", "branch": "b"},
        {"op": "git_switch", "branch": "c", "create": True, "start": "b"},
        {"op": "git_restore", "paths": ["."], "source": "b"},
        {"op": "git_restore", "paths": ["infra/x"]},
        {"op": "git_reset", "rev": "b", "mode": "hard"},
        {"op": "git_stash", "action": "push"},
        {"op": "git_stash", "action": "pop"},
    ],
)
async def test_names_that_a_policy_protects_are_not_written_by_git(repo, code, command):
    (repo / "infra").mkdir()
    (repo / "infra/x").write_text("1\n")
    git(repo, "add", "infra")
    git(repo, "commit", "-qm", "infra")
    git(repo, "switch", "-qc", "b")
    (repo / "infra/x").write_text("2\n")
    git(repo, "commit", "-qam", "b")
    git(repo, "switch", "-q", "main")
    (repo / "infra/x").write_text("3\n")
    if command.get("action") == "pop":
        git(repo, "stash", "-q")
    before = (repo / "infra/x").read_text()
    policy = Policy(name="w", allow=ALL, effects=("read", "write"), approve_at=None, write_protect=("infra/**",))

    assert await code(policy, **command) == "protected_path"
    assert (repo / "infra/x").read_text() == before


async def test_what_programs_obey_is_told_when_it_arrives(repo, do):
    git(repo, "switch", "-qc", "b")
    (repo / ".vscode").mkdir()
    (repo / ".vscode/tasks.json").touch()
    git(repo, "add", "-f", ".vscode")
    git(repo, "commit", "-qm", "b")
    git(repo, "switch", "-q", "main")

    assert "obeyed by programs: .vscode/tasks.json" in (await do(op="git_switch", branch="b")).content


def conflict(repo):
    git(repo, "switch", "-qc", "other", "HEAD~1")
    (repo / "a.txt").write_text("theirs\n")
    git(repo, "commit", "-qam", "theirs")
    git(repo, "switch", "-q", "main")
    (repo / "a.txt").write_text("ours\n")
    git(repo, "commit", "-qam", "ours")
    with pytest.raises(Exception, match="merge"):
        git(repo, "merge", "other")


async def test_a_lock_that_is_there_is_reported_and_stays(repo, send):
    (repo / ".git/index.lock").touch()

    outcome = await send(WRITER, op="git_add", all=True)

    assert outcome.error_type == "repo_locked"
    assert (repo / ".git/index.lock").exists()


async def test_a_name_that_is_locked_is_reported(repo, send):
    (repo / ".git/HEAD.lock").touch()

    outcome = await send(WRITER, op="git_commit", message="m", allow_empty=True)

    assert outcome.error_type == "repo_locked"
    assert str(repo.parent) not in outcome.message


@LOOPS
async def test_a_git_that_is_killed_leaves_no_lock(repo):
    for number in range(2000):
        (repo / f"f{number}").write_text(f"{number}\n")
    bash = Bash(repo, WRITER)
    others = children()  # such as the database of other tests

    async def kill():
        while not (repo / ".git/index.lock").exists() or not (found := children() - others):
            await anyio.lowlevel.checkpoint()
        for process in found:
            os.kill(process, signal.SIGKILL)

    async with anyio.create_task_group() as group:
        group.start_soon(kill)
        with pytest.raises(CommandRefused):
            await bash.run(GitAdd(all=True))

    assert not list((repo / ".git").glob("*.lock"))
    assert status(repo)[0] == "?? f0"
    await bash.run(GitAdd(all=True))
    assert status(repo)[0] == "A  f0"
    bash.workspace.close()


@LOOPS
async def test_a_command_that_is_cancelled_leaves_no_lock(repo):
    for number in range(500):
        (repo / f"f{number}").write_text(f"{number}\n")
    bash = Bash(repo, WRITER)

    async with anyio.create_task_group() as group:
        group.start_soon(bash.run, GitAdd(all=True))
        while not (repo / ".git/index.lock").exists():
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    assert not list((repo / ".git").glob("*.lock"))
    assert git(repo, "fsck") == ""
    bash.workspace.close()


@LOOPS
async def test_commands_that_write_wait_for_each_other(repo):
    bash = Bash(repo, WRITER)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(bash.run, GitCommit(message=f"m{number}", allow_empty=True))

    assert git(repo, "rev-list", "--count", "HEAD") == "8"
    bash.workspace.close()


def test_a_gate_serves_one_loop_after_the_other(repo):
    async def enter():
        async with gate.turn():
            await anyio.lowlevel.checkpoint()

    gate = GitGate()
    for backend in ("asyncio", "trio"):
        anyio.run(enter, backend=backend)


@pytest.mark.parametrize("small", [0, 4096])
def test_a_copy_of_the_index_has_its_time(repo, monkeypatch, small):
    bash = Bash(repo)
    room = Room(workspace=bash.workspace, policy=bash.policy)

    monkeypatch.setattr("par.tools.bash._git.view._SMALL_INDEX", small)
    with open_repository(room, None) as repository, open_view(repository, "copy") as view:
        assert (Path(view.index).parent == Path(view.folder)) == bool(small)
        assert Path(view.index).stat().st_mtime_ns == (repo / ".git/index").stat().st_mtime_ns
    bash.workspace.close()


async def test_an_edit_in_the_moment_of_the_commit_is_found(repo, shown, do):
    for number in range(20):
        (repo / "a.txt").write_text(f"{number:04}\n")
        await do(op="git_add", paths=["a.txt"])
        (repo / "a.txt").write_text(f"{number + 5000:04}\n")  # the same size, perhaps the same time
        assert await shown(op="git_diff", output="name_only") == ["a.txt"]


@pytest.mark.parametrize("name", ["refs/heads/deep/er", "logs/refs/heads"])
async def test_a_link_among_the_names_of_branches_is_refused(repo, send, name):
    out = repo.parent / "out"
    out.mkdir()
    place = repo / ".git" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(repo.parent / "moved")
    place.symlink_to(out)

    outcome = await send(WRITER, op="git_branch", action="create", name="deep/er/x")

    assert outcome.error_type == "repo_layout_refused"
    assert list(out.iterdir()) == []


async def test_a_file_that_is_too_large_for_git_is_told(repo, code):
    (repo / "big").write_bytes(os.urandom(65 * 1024 * 1024))  # more than one file that a process may write

    assert await code(op="git_add", paths=["big"]) == "too_large"
    assert status(repo) == ["?? big"]
    assert not list((repo / ".git").glob("*.lock"))
