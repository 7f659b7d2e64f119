"""What a hostile repository tries, against every git command: nothing it names is run, nothing outside is touched."""

import json
import threading
from contextlib import contextmanager

import attrs
import pytest
from unit.tools.bash_scene import Scene, children, digest, git, make_repo, rows

from par._context import RunContext
from par.approvals import Approved
from par.calls import ToolCall
from par.outcomes import Done
from par.tools.bash import Bash, Policy
from par.tools.bash._commands.table import COMMANDS
from par.tools.bash._git.gate import check_config
from par.tools.bash._git.prefix import GIT_PREFIX
from par.usage import Usage

pytestmark = pytest.mark.anyio


def of_git(name):
    found = [row for row in rows(name) if isinstance(row.get("json_input"), dict)]
    return [row for row in found if str(row["json_input"].get("op")).startswith("git_")]


PUBLIC = of_git("bash_attacks_public.json")
BENIGN = of_git("bash_benign.json")
ALL = Policy.coder().allow
WRITER = Policy(name="w", allow=ALL, effects=("read", "write"), approve_at=None)
EVERY = [
    {"op": "git_status"},
    {"op": "git_diff"},
    {"op": "git_diff", "staged": True},
    {"op": "git_log", "patch": True},
    {"op": "git_show"},
    {"op": "git_blame", "path": "a.txt"},
    {"op": "git_refs"},
    {"op": "git_refs", "kind": "reflog"},
    {"op": "git_ls_files", "which": "modified"},
    {"op": "git_rev_parse"},
    {"op": "git_restore", "paths": ["a.txt"], "staged": True},
    {"op": "git_add", "all": True},
    {"op": "git_commit", "message": "m"},
    {"op": "git_commit", "amend": True},
    {"op": "git_stash", "action": "push", "untracked": True},
    {"op": "git_stash", "action": "pop"},
    {"op": "git_restore", "paths": ["."], "source": "HEAD~1"},
    {"op": "git_branch", "action": "create", "name": "n"},
    {"op": "git_branch", "action": "delete", "name": "gone"},
    {"op": "git_reset", "mode": "hard"},
    {"op": "git_switch", "branch": "b"},
    {"op": "git_switch", "branch": "n", "create": True, "start": "main"},
    {"op": "git_apply", "patch": "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-two\n+three\n"},
]  # fmt: skip


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": False})


@pytest.fixture
def scene(tmp_path):
    found = Scene.below(tmp_path)
    try:
        yield found
    finally:
        found.close()


def hook(scene, name):
    place = scene.ws / ".git/hooks" / name
    place.write_text(f"#!/bin/sh\n/usr/bin/touch {scene.mark}\n")
    place.chmod(0o755)


class Recorder:
    run_id = session_id = agent_name = "test"
    step = 0
    usage = Usage()
    can_suspend = False

    def __init__(self):
        self.events = []

    async def emit(self, event):
        self.events.append(event)


async def sent(scene, command, policy, *, approve=None):
    recorder = Recorder()
    bash = Bash(scene.ws, policy, approve=approve)
    try:
        call = ToolCall(
            id="c", name="bash", arguments={"command": command}, ctx=RunContext.detached(), emit=recorder.emit
        )
        return await bash.invoke(call), recorder.events
    finally:
        bash.workspace.close()


def calm(scene, outside):
    assert not scene.mark.exists()
    assert digest(scene.out) == outside


def allowed(row):
    if row["id"].startswith("bomb"):
        return attrs.evolve(Policy.coder(), timeout_s=1.0)
    if row["policy"] == "read_only":
        return Policy.read_only()
    if row["policy"].startswith("custom"):
        return Policy(name="custom", allow=(COMMANDS["git_status"],))
    return Policy.coder()


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: row["id"])
async def test_a_public_attack_ends_as_its_row_says(row, scene):
    scene.build(step for step in row.get("setup", []) if not step.startswith("writer"))
    scene.mark.unlink(missing_ok=True)  # git itself, which built this, obeys it all
    outside, before = digest(scene.out), children()
    command = scene.value(row["json_input"])
    if isinstance(command.get("paths"), str):
        command["paths"] = json.loads(command["paths"])

    outcome, events = await sent(scene, command, allowed(row))

    calm(scene, outside)
    assert children() <= before
    told = repr(outcome) + repr(events)
    assert scene.canary not in told
    if row["must"] == "reject":
        assert not isinstance(outcome, Done)


@pytest.mark.parametrize(
    "row",
    [row for row in PUBLIC if row["json_input"]["op"] in {"git_restore", "git_stash", "git_branch"}],
    ids=lambda row: row["id"],
)
async def test_an_attack_that_is_let_through_runs_nothing_either(row, scene):
    """The same with everything allowed, so that approvals are not what holds."""
    scene.build(step for step in row.get("setup", []) if not step.startswith("writer"))
    scene.mark.unlink(missing_ok=True)  # git itself, which built this, obeys it all
    outside, before = digest(scene.out), children()

    outcome, events = await sent(scene, scene.value(row["json_input"]), WRITER)

    calm(scene, outside)
    assert children() <= before
    assert scene.canary not in repr(outcome) + repr(events)


@pytest.mark.parametrize(
    "name",
    [
        "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "pre-merge-commit", "post-checkout",
        "post-merge", "post-rewrite", "reference-transaction", "post-index-change", "applypatch-msg", "fsmonitor-watchman",
    ],
)  # fmt: skip
async def test_no_command_runs_a_hook(name, scene):
    prepared(scene)
    hook(scene, name)
    outside = digest(scene.out)

    for command in EVERY:
        ready(scene, command)
        outcome, _ = await sent(scene, command, WRITER)
        assert isinstance(outcome, Done), outcome  # or this would prove nothing

    calm(scene, outside)


def ready(scene, command):
    """Bring the repository to a state in which a command has something to do; by a git that runs no hook."""

    def quiet(*arguments):
        git(scene.ws, "-c", "core.hooksPath=/dev/null", *arguments)

    quiet("switch", "-qf", "main")
    quiet("reset", "-q", "--hard", "start")
    quiet("branch", "-f", "gone", "start")
    (scene.ws / ".git/refs/heads/n").unlink(missing_ok=True)
    edit = scene.ws / "a.txt"
    if command["op"] in {"git_add", "git_stash", "git_restore", "git_reset", "git_status", "git_diff", "git_commit"}:
        edit.write_text("edited\n")
    if command["op"] == "git_commit" or command.get("staged"):
        quiet("add", "a.txt")
    if command["op"] == "git_stash" and command["action"] == "pop":
        quiet("stash", "-q")


def prepared(scene):
    make_repo(scene.ws)
    git(scene.ws, "branch", "b", "HEAD~1")
    git(scene.ws, "tag", "start")
    git(scene.ws, "branch", "gone")


@contextmanager
def toggled(config, text):
    """Put other text at the end of a configuration and take it back, again and again."""
    plain = config.read_bytes()
    stop = threading.Event()

    def flip():
        while not stop.is_set():
            config.write_bytes(plain + text.encode())
            config.write_bytes(plain)

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def test_a_configuration_that_changes_after_the_look_at_it_is_not_used(scene):
    prepared(scene)
    evil = f'[core]\n\tfsmonitor = /usr/bin/touch {scene.mark};false\n[filter "x"]\n\tclean = /usr/bin/touch {scene.mark}; /bin/cat\n'
    (scene.ws / ".git/info/attributes").write_text("* filter=x\n")
    ran = 0

    with toggled(scene.ws / ".git/config", evil):
        for number in range(60):
            (scene.ws / "a.txt").write_text(f"{number}\n")
            outcome, _ = await sent(
                scene,
                {"op": ("git_status", "git_diff", "git_add")[number % 3], **({"all": True} if number % 3 == 2 else {})},
                WRITER,
            )
            ran += isinstance(outcome, Done)

    assert not scene.mark.exists()
    assert ran > 5


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.x.clean", "filter.x.smudge"])
@pytest.mark.parametrize("place", [".git/config", ".git/config.worktree"])
async def test_git_reads_the_bytes_that_were_looked_at(key, place, scene, monkeypatch):
    """A change at the worst moment, between the look and the run, for sure and not by chance."""
    prepared(scene)
    git(scene.ws, "config", "extensions.worktreeConfig", "true")
    (scene.ws / ".git/info/attributes").write_text("* filter=x\n")
    section, _, name = key.rpartition(".")
    head = f'[{section.split(".")[0]} "x"]' if "." in section else f"[{section}]"
    passed = "par.tools.bash._git.git.check_config"

    def check_then_change(listed, keys):
        found = check_config(listed, keys)
        with (scene.ws / place).open("a") as config:
            config.write(f'{head}\n\t{name} = "/usr/bin/touch {scene.mark};/bin/cat"\n')
        return found

    monkeypatch.setattr(passed, check_then_change)
    (scene.ws / "a.txt").write_text("other\n")

    for command in ({"op": "git_status"}, {"op": "git_add", "all": True}, {"op": "git_reset", "mode": "hard"}):
        (scene.ws / place).write_text("[extensions]\n\tworktreeConfig = true\n" if place == ".git/config" else "")
        outcome, _ = await sent(scene, command, WRITER)
        assert isinstance(outcome, Done), outcome

    assert not scene.mark.exists()


@pytest.mark.parametrize(
    "worktree", ["\tx = a\\", '[a]\n\tx = "', "# \\", "[user]\n\tname = a\\\n", "[user]\n\tname = a \\"]
)
async def test_the_end_of_a_file_swallows_nothing_of_ours(worktree, scene):
    prepared(scene)
    git(scene.ws, "config", "extensions.worktreeConfig", "true")
    (scene.ws / ".git/config.worktree").write_text(worktree)

    outcome, _ = await sent(scene, {"op": "git_status"}, WRITER)

    if not isinstance(outcome, Done):
        assert outcome.error_type == "repo_config_refused"


def with_submodule(scene, *, ignore="none"):
    """Add a submodule whose own configuration runs a program as soon as a git looks into it."""
    (scene.ws / "sub").mkdir()
    make_repo(scene.ws / "sub")
    git(scene.ws, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "./sub", "sub")
    (scene.ws / ".gitmodules").write_text(f'[submodule "sub"]\n\tpath = sub\n\turl = ./sub\n\tignore = {ignore}\n')
    git(scene.ws, "add", ".gitmodules")
    git(scene.ws, "commit", "-qm", "sub")
    git(scene.ws / "sub", "config", "filter.x.clean", f"/usr/bin/touch {scene.mark}; /bin/cat")
    git(scene.ws / "sub", "config", "core.fsmonitor", f"/usr/bin/touch {scene.mark}; false")
    (scene.ws / "sub/.git/info/attributes").write_text("* filter=x\n")
    (scene.ws / "sub/a.txt").write_text("owt\n")


@pytest.mark.parametrize("command", EVERY, ids=lambda command: "-".join(map(str, command.values()))[:40].strip())
async def test_no_command_looks_into_a_submodule(command, scene):
    prepared(scene)
    with_submodule(scene)
    (scene.ws / "a.txt").write_text("two\n")

    outcome, _ = await sent(scene, command, WRITER)

    assert not scene.mark.exists()
    if command["op"] == "git_stash":
        assert outcome.error_type == "has_submodules"
    elif command != {"op": "git_commit", "message": "m"}:
        assert isinstance(outcome, Done), outcome


def test_a_plain_git_would_look_into_that_submodule(scene):
    prepared(scene)
    with_submodule(scene)

    git(scene.ws, "status")

    assert scene.mark.exists()


async def test_nothing_to_commit_is_told_beside_a_submodule(scene):
    prepared(scene)
    with_submodule(scene)

    outcome, _ = await sent(scene, {"op": "git_commit", "message": "m"}, WRITER)

    assert outcome.error_type == "nothing_to_commit"


@pytest.mark.parametrize(
    "command",
    [
        {"op": "git_restore", "paths": ["d/f"]},
        {"op": "git_restore", "paths": ["."]},
        {"op": "git_restore", "paths": ["d"], "source": "HEAD~1"},
        {"op": "git_switch", "branch": "older"},
        {"op": "git_reset", "rev": "HEAD~1", "mode": "hard"},
        {"op": "git_stash", "action": "pop"},
        {"op": "git_stash", "action": "apply"},
        {"op": "git_stash", "action": "push"},
        {"op": "git_apply", "patch": "--- a/d/f\n+++ b/d/f\n@@ -1 +1 @@\n-2\n+3\n"},
        {"op": "git_add", "paths": ["d/f"]},
        {"op": "git_add", "all": True},
    ],
    ids=lambda command: "-".join(map(str, command.values()))[:30].strip(),
)  # fmt: skip
async def test_nothing_is_written_or_read_through_a_link_in_the_tree(command, scene):
    make_repo(scene.ws)
    (scene.ws / "d").mkdir()
    for text in ("1", "2"):
        (scene.ws / "d/f").write_text(f"{text}\n")
        git(scene.ws, "add", "d")
        git(scene.ws, "commit", "-qm", text)
    git(scene.ws, "branch", "older", "HEAD~1")
    (scene.ws / "d/f").write_text("stashed\n")
    git(scene.ws, "stash", "-q")
    (scene.ws / "d/f").unlink()
    (scene.ws / "d").rmdir()
    (scene.out / "f").write_text("2\n")
    (scene.ws / "d").symlink_to(scene.out)
    outside = digest(scene.out)

    await sent(scene, command, WRITER)

    assert digest(scene.out) == outside
    staged = git(scene.ws, "diff", "--cached", "--name-only").splitlines()
    assert "d/f" not in staged or not (scene.ws / "d").is_symlink() or git(scene.ws, "ls-files", "d/f") == ""


async def test_a_tree_with_a_folder_named_git_is_not_checked_out(scene):
    prepared(scene)
    blob = git(scene.ws, "hash-object", "-w", "--stdin", stdin=b"[core]\n\tfsmonitor = touch x\n")
    for name in (".git", ".GIT", "git~1", ".g\u200cit"):
        inner = git(scene.ws, "mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
        outer = git(scene.ws, "mktree", stdin=f"040000 tree {inner}\t{name}\n".encode())
        git(scene.ws, "branch", "-f", "evil", git(scene.ws, "commit-tree", outer, "-p", "HEAD", "-m", "evil"))
        config = (scene.ws / ".git/config").read_bytes()

        for command in ({"op": "git_switch", "branch": "evil"}, {"op": "git_reset", "rev": "evil", "mode": "hard"}):
            outcome, _ = await sent(scene, command, WRITER)
            assert not isinstance(outcome, Done)
        await sent(scene, {"op": "git_reset", "mode": "hard"}, WRITER)

        assert (scene.ws / ".git/config").read_bytes() == config
        assert not [
            entry.name for entry in scene.ws.iterdir() if entry.name.casefold() != ".git" and "git" in entry.name
        ]


@pytest.mark.parametrize("memory", ["", "private"], ids=["disk", "memory"])
async def test_nothing_is_left_in_the_folders_for_temporary_files(memory, scene, tmp_path, monkeypatch):
    prepared(scene)
    private = tmp_path / "private"
    private.mkdir()
    memory = memory and str(private)
    monkeypatch.setattr("tempfile.tempdir", str(private))
    monkeypatch.setattr("par.tools.bash._git.view._MEMORY", memory)

    for command in EVERY:
        ready(scene, command)
        outcome, _ = await sent(scene, command, WRITER)
        assert isinstance(outcome, Done), outcome

    assert list(private.iterdir()) == []


async def yes(request):
    return Approved(by="ann")


@pytest.mark.skipif(not BENIGN, reason="the cases are not beside this repository")
@pytest.mark.parametrize("row", BENIGN, ids=lambda row: row["id"])
async def test_an_everyday_command_runs(row, scene):
    everyday(scene.ws, row["json_input"])
    if row["json_input"].get("rev") == "abc1234":
        row = {**row, "json_input": {**row["json_input"], "rev": git(scene.ws, "rev-parse", "--short", "HEAD")}}

    outcome, _ = await sent(scene, row["json_input"], Policy.coder(), approve=yes)

    if row["id"] == "benign-157":  # its patch has no change in it
        assert outcome.error_type == "patch_fails"
    else:
        assert isinstance(outcome, Done), outcome
        assert outcome.value.exit_code == 0
        assert outcome.value.stderr == ""


def everyday(ws, command):
    make_repo(ws)
    for folder in ("src", "tests"):
        (ws / folder).mkdir()
    for number in range(3):
        for name in ("src/app.py", "tests/test_app.py", "a.py"):
            (ws / name).write_text("".join(f"line {line} of {number}\n" for line in range(50)))
        git(ws, "add", ".")
        git(ws, "commit", "-qm", f"Fix parse_config {number}")
    git(ws, "remote", "add", "origin", "https://example.org/x.git")
    git(ws, "tag", "v1.0")
    git(ws, "branch", "old")
    if command["op"] == "git_stash" and command["action"] == "pop":
        (ws / "a.py").write_text("stashed\n")
        git(ws, "stash", "-q")
        return
    if command["op"] == "git_switch":
        git(ws, "switch", "-qc", "dev")
        return
    (ws / "a.py").write_text("staged\n")
    git(ws, "add", "a.py")
    (ws / "src/app.py").write_text("edited\n")
    (ws / "tests/test_app.py").write_text("edited\n")


@pytest.mark.parametrize(
    "setting",
    [
        "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.pager=cat", "core.editor=false", "diff.external=",
        "core.sshCommand=false", "credential.helper=", "commit.gpgSign=false", "gpg.program=false", "protocol.allow=never",
        "core.alternateRefsCommand=false", "submodule.recurse=false", "gc.auto=0", "maintenance.auto=false",
        "core.attributesFile=/dev/null", "core.protectHFS=true", "core.protectNTFS=true", "rerere.enabled=false",
        "branch.autoSetupMerge=false", "safe.bareRepository=explicit", "core.askPass=", "interactive.diffFilter=",
    ],
)  # fmt: skip
def test_every_run_of_git_is_told_to_start_nothing(setting):
    """Each of these stands behind another wall, so that no attack shows that it is missing."""
    assert GIT_PREFIX[GIT_PREFIX.index(setting) - 1] == "-c"


async def test_a_configuration_with_a_program_is_refused_at_each_command(scene):
    prepared(scene)
    git(scene.ws, "config", "filter.x.clean", f"/usr/bin/touch {scene.mark}; /bin/cat")
    (scene.ws / ".git/info/attributes").write_text("* filter=x\n")
    (scene.ws / "a.txt").write_text("owt\n")

    for command in EVERY:
        outcome, _ = await sent(scene, command, WRITER)
        assert outcome.error_type == "repo_config_refused"

    assert not scene.mark.exists()
