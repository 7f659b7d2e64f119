"""Every public attack ends as its row says; every everyday command that is in the set runs."""

import json
import subprocess
import time

import anyio
import pytest
from unit.tools.bash_attack import Recorder, attack, prepare
from unit.tools.bash_scene import Scene, children, digest, git, make_repo, rows

from par.errors import CommandRefused
from par.outcomes import Done, Failed
from par.tools.bash import Bash, command_from_json, command_to_json, parse_command
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
            approvals = [False, True] if row["must"] == "contain" and row["policy"] == "coder" else [False]
            for approved in approvals:
                said = "-approved" if approved else ""
                yield pytest.param(row, approved, LOOPS[name], id=f"{row['id']}-{name}{said}")


@pytest.mark.parametrize(("row", "approved", "anyio_backend"), [*paired(ATTACKS)], indirect=["anyio_backend"])
async def test_the_attack_ends_as_its_row_says(row, approved, anyio_backend, tmp_path, monkeypatch):
    scene = Scene.below(tmp_path)
    given = row["json_input"]
    ours = isinstance(given, dict) and given.get("op") in COMMANDS
    try:
        scene.build(row.get("setup") or ())
        prepare(scene, row)
        for name, value in scene.env.items():
            monkeypatch.setenv(name, value)
        if "PATH" in scene.env:
            monkeypatch.chdir(scene.ws)
        recorder = Recorder(row["policy"] == "audit_raises")
        below = children()
        kept, repository = digest(scene.out), digest(scene.ws / ".git")
        started = time.monotonic()

        outcome = await attack(scene, row, recorder, approved=approved)

        took = time.monotonic() - started
        assert not scene.heard()
        assert not scene.mark.exists()
        assert digest(scene.out) == kept
        if "unchanged" in (row.get("oracle") or ""):
            assert digest(scene.ws / ".git") == repository
        if "a.txt keeps its edits" in (row.get("oracle") or "") and not approved:
            assert (scene.ws / "a.txt").read_text() == "owt\n"
        if "refs/heads/b still exists" in (row.get("oracle") or "") and not approved:
            assert git(scene.ws, "rev-parse", "b")
        if row["id"] == "git-060":
            assert ".env" not in git(scene.ws, "ls-files")
        told = f"{outcome!r} {getattr(outcome, 'content', '')} {recorder.events!r}"
        assert scene.canary not in told.replace(str(given), "")
        await all_gone(below)
        assert took < 20
        judge(row, outcome, recorder, ours=ours)
    finally:
        scene.close()
        subprocess.run(  # noqa: ASYNC221 # pytest cannot remove what is this deep
            ["/bin/rm", "-rf", tmp_path / "ws", tmp_path / "moved"], check=False
        )


async def all_gone(below):
    """Give what was killed the two seconds that rows allow."""
    with anyio.move_on_after(2):
        while not children() <= below:
            await anyio.sleep(0.05)
    assert children() <= below


def judge(row, outcome, recorder, *, ours):
    """Compare how the attack ended with what its row says."""
    if row["must"] == "reject" or not ours:
        assert isinstance(outcome, Failed), outcome
        assert outcome.kind == "refused"
        assert not any(type(event).__name__ == "BashCompleted" and event.stdout_bytes for event in recorder.events)
    if isinstance(outcome, Done) and "returned text has no ESC" in (row.get("oracle") or ""):
        assert not set(outcome.content) & set("\x1b\x07\x08\r\x00\u202e\u2066\u200b\U000e0041\x9b")
    if row["category"] == "output_flood" and isinstance(outcome, Done):
        assert len(outcome.content.encode()) < 250_000
    assert "OPEN" not in getattr(getattr(outcome, "value", None), "stdout", "")


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
