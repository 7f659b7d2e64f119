"""Every public attack ends as its row says; every everyday command that is in the set runs."""

import json
import pathlib
import threading
import time
from contextlib import contextmanager

import pytest
from unit.tools.bash_scene import Scene, children, digest, git, make_repo, rows

from par._context import RunContext
from par.calls import ToolCall
from par.errors import CommandRefused, StoreUnavailable
from par.outcomes import Done, Failed
from par.tools.bash import Bash, Policy, command_from_json, command_to_json, parse_command
from par.tools.bash._commands.table import COMMANDS

ATTACKS = rows("bash_attacks_public.json")
BENIGN = [row for row in rows("bash_benign.json") if (row.get("json_input") or {}).get("op") in COMMANDS]
LOOPS = {
    "asyncio": ("asyncio", {"use_uvloop": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
ON_ALL = {"path-008", "git-012", "git-013", "flood-001", "bomb-011", "race-001", "policy-032", "term-010", "git-003"}

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not ATTACKS, reason="the cases are not beside this repository"),
]


def paired(found):
    for row in found:
        for name in LOOPS if row["id"] in ON_ALL else ["asyncio"]:
            yield pytest.param(row, LOOPS[name], id=f"{row['id']}-{name}")


class Recorder:
    run_id = session_id = agent_name = "test"
    step = 0

    def __init__(self, fails):
        self.events = []
        self.fails = fails

    async def emit(self, event):
        if self.fails:
            raise StoreUnavailable("audit", "it is full")
        self.events.append(event)


@contextmanager
def disturbed(scene, row):
    """Do what an attacker on the same machine does meanwhile."""
    stop = threading.Event()

    def flip():
        other = scene.ws / "d2"
        while not stop.is_set():
            pathlib.Path(scene.ws / "d").rename(scene.ws / "held")
            pathlib.Path(other).rename(scene.ws / "d")
            pathlib.Path(scene.ws / "held").rename(other)

    def rename():
        moved = scene.ws.with_name("moved")
        pathlib.Path(scene.ws).rename(moved)
        scene.ws.symlink_to(scene.out)

    def toggle():
        config = scene.ws / ".git/config"
        clean = config.read_bytes()
        evil = clean + f"[core]\n\tfsmonitor = touch {scene.mark}\n".encode()
        while not stop.is_set():
            config.write_bytes(evil)
            config.write_bytes(clean)

    setup = " ".join(row.get("setup") or ())
    thread = None
    if "flipper" in setup:
        (scene.ws / "d").mkdir()
        (scene.ws / "d/f").write_text("inside\n")
        (scene.out / "f").write_text(f"{scene.canary}\n")
        (scene.ws / "d2").symlink_to(scene.out)
        thread = threading.Thread(target=flip)
    elif "toggles core.fsmonitor" in setup:
        thread = threading.Thread(target=toggle)
    elif "puts a symlink there" in setup:
        rename()
    if thread is not None:
        thread.start()
    try:
        yield 60 if thread is not None else 1
    finally:
        stop.set()
        if thread is not None:
            thread.join()


@pytest.mark.parametrize(("row", "anyio_backend"), [*paired(ATTACKS)], indirect=["anyio_backend"])
async def test_the_attack_ends_as_its_row_says(row, anyio_backend, tmp_path, monkeypatch):
    scene = Scene.below(tmp_path)
    given = row["json_input"]
    ours = isinstance(given, dict) and given.get("op") in COMMANDS
    if ours:
        scene.build(row.get("setup") or ())
    if "host_env" in " ".join(row.get("setup") or ()):
        monkeypatch.setenv("PATH", f"{scene.ws}/bin:{scene.ws}::/usr/bin")
        monkeypatch.chdir(scene.ws)
    policy = Policy(name="coder", allow=tuple(COMMANDS.values()), timeout_s=4)
    recorder = Recorder(row["policy"] == "audit_raises")
    bash = Bash(scene.ws, policy)
    below = children()
    started = time.monotonic()

    with disturbed(scene, row) as times:
        kept = digest(scene.out)
        for _ in range(times):
            outcome = await attack(bash, scene, row, recorder)

    took = time.monotonic() - started
    assert not scene.mark.exists()
    assert digest(scene.out) == kept
    told = f"{outcome!r} {getattr(outcome, 'content', '')} {recorder.events!r}"
    assert scene.canary not in told.replace(str(given), "")
    assert children() <= below
    assert took < 12
    if row["must"] == "reject" or not ours:
        assert isinstance(outcome, Failed), outcome
        assert outcome.kind == "refused"
        assert not any(type(event).__name__ == "BashCompleted" and event.stdout_bytes for event in recorder.events)
    if "returned text has no ESC" in (row.get("oracle") or ""):
        assert not set(outcome.content) & set("\x1b\x07\x08\r\x00\u202e\u2066\u200b\U000e0041\x9b")
    if row["category"].startswith("flood") and ours:
        assert isinstance(outcome, Done)
        assert outcome.value.truncated
        assert len(outcome.content.encode()) < 200_000


async def attack(bash, scene, row, recorder):
    given = row["json_input"]
    ctx = RunContext(None, recorder)
    try:
        if row.get("raw_json"):
            await bash.run(parse_command(scene.fill(given)), ctx=ctx)
        elif row["id"] == "policy-024":
            kind = COMMANDS[given["op"]]
            forged = object.__new__(kind)
            for name, value in {
                "start_line": None,
                "end_line": None,
                "number_lines": False,
                "path": given["path"],
            }.items():
                object.__setattr__(forged, name, value)
            await bash.run(forged, ctx=ctx)
        else:
            arguments = {"command": scene.value(given)}
            return await bash.invoke(ToolCall(id="c", name="bash", arguments=arguments, ctx=ctx))
    except CommandRefused as refused:
        return Failed(kind="refused", message=str(refused))
    except StoreUnavailable:
        return Failed(kind="refused", message="nothing runs without a record")
    return None


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row["id"])
        for row in ATTACKS
        if isinstance(row["json_input"], dict)
        and row["must"] == "reject"
        and row.get("layer") == "schema"
        and row["json_input"].get("op") in COMMANDS
        and row["id"] != "policy-024"
    ],
)
@pytest.mark.parametrize("anyio_backend", [LOOPS["asyncio"]], ids=["asyncio"], indirect=True)
async def test_the_python_constructors_refuse_the_same(row, anyio_backend, tmp_path):
    given = Scene.below(tmp_path).value(row["json_input"])
    op = given.pop("op")

    with pytest.raises((CommandRefused, TypeError)):
        COMMANDS[op](**given)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A repository in which every everyday command finds something to do."""
    folder = tmp_path_factory.mktemp("scratch")
    make_repo(folder)
    for name in ("src/app.py", "src/db.py", "tests/test_a.py", "docs/ja.md", "scripts/x.sh", "build/out.txt", "README.md",
                 "setup.cfg", "build.log", "a.py", "a.log", "out.json", "VERSION", "CHANGELOG.md", "config.ini", "Dockerfile",
                 "f.txt", "build.stamp", "file with spaces.txt", "-weird-name", "naïve café.md", "it's.txt", "a;b&c.txt",
                 "dist/x.whl"):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"# TODO {name}\ndef parse_config():\n    raise ValueError  # 日本語 v1.2\n" * 70)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "fix everything")
    git(folder, "commit", "-qm", "nothing", "--allow-empty")
    git(folder, "commit", "-qm", "nothing", "--allow-empty")
    (folder / "src/app.py").write_text("changed\n")
    return folder


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in BENIGN])
@pytest.mark.parametrize("anyio_backend", [LOOPS["asyncio"]], ids=["asyncio"], indirect=True)
async def test_the_everyday_command_runs(row, anyio_backend, scratch):
    bash = Bash(scratch)
    given = {"rev": git(scratch, "rev-parse", "--short", "HEAD")} if row["json_input"].get("rev") == "abc1234" else {}
    command = parse_command(json.dumps({**row["json_input"], **given}))

    output = await bash.run(command)

    assert output.exit_code in {0, 1}
    assert output.exit_code == 0 or output.op == "grep"
    assert not output.stderr
    assert command_from_json(command_to_json(command)) == command
