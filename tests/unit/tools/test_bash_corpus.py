"""Every public attack ends as its row says; every everyday command that is in the set runs."""

import subprocess
import time

import anyio
import pytest
from unit.tools.bash_attack import Recorder, attack, policy_of, prepare
from unit.tools.bash_scene import Scene, children, digest, git, rows

from par.errors import CommandRefused
from par.outcomes import Done, Failed
from par.tools.bash import Ask, Deny, Policy, command_from_json
from par.tools.bash._commands.table import COMMANDS

ATTACKS = rows("bash_attacks_public.json")
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


def asks(row):
    """Tell whether a row's command runs only when somebody approves of it: then it is tried both ways."""
    if row["must"] != "contain" or row["policy"] != "coder" or not isinstance(row["json_input"], dict):
        return False
    try:
        return isinstance(Policy.coder().decide(command_from_json(row["json_input"])), Ask)
    except CommandRefused:
        return False


def paired(found):
    for row in found:
        for name in LOOPS if row["id"] in ON_ALL else ["asyncio"]:
            approvals = [False, True] if asks(row) else [False]
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
        scene.mark.unlink(missing_ok=True)  # building it may have run what is hostile in it
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
    scene = Scene.below(tmp_path)
    given = scene.value(row["json_input"])
    scene.close()
    op = given.pop("op")

    with pytest.raises((CommandRefused, TypeError)):
        denied = policy_of(row["policy"]).decide(COMMANDS[op](**given))
        if isinstance(denied, Deny):  # what only the host knows, such as the names of its runners
            raise CommandRefused(denied.code, denied.reason)
