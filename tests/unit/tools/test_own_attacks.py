"""Every attack of our own ends as its row says; the rows have the form of the public ones, and their words."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from unit.tools.bash_attack import Recorder, attack, prepare
from unit.tools.bash_scene import Scene, children, digest
from unit.tools.test_bash_corpus import LOOPS, all_gone, judge

from par.tools.bash._commands.table import COMMANDS

pytestmark = pytest.mark.anyio

ROWS = json.loads(Path(__file__).with_name("own_attacks.json").read_text())


def build(scene, steps):
    """Build what the steps say; ``python NAME: SOURCE`` is a word of these rows alone."""
    for step in steps:
        if step.startswith("python "):
            name, _, source = step.removeprefix("python ").partition(": ")
            (scene.ws / name).write_text(scene.fill(source))
        else:
            scene.build([step])


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in ROWS])
@pytest.mark.parametrize("anyio_backend", [LOOPS["asyncio"]], ids=["asyncio"], indirect=True)
async def test_the_attack_ends_as_its_row_says(row, anyio_backend, tmp_path, monkeypatch):
    scene = Scene.below(tmp_path)
    given = row["json_input"]
    try:
        build(scene, row["setup"])
        prepare(scene, row)
        scene.mark.unlink(missing_ok=True)  # building it may have run what is hostile in it
        for name, value in scene.env.items():
            monkeypatch.setenv(name, value)
        recorder = Recorder(row["policy"] == "audit_raises")
        below, kept = children(), digest(scene.out)
        started = time.monotonic()

        outcome = await attack(scene, row, recorder, approved=row["must"] == "contain")

        assert time.monotonic() - started < 20
        assert not scene.heard()
        assert not scene.mark.exists()
        assert digest(scene.out) == kept
        told = f"{outcome!r} {getattr(outcome, 'content', '')} {recorder.events!r}"
        assert scene.canary not in told.replace(str(given), "")
        await all_gone(below)
        judge(row, outcome, recorder, ours=isinstance(given, dict) and given.get("op") in tuple(COMMANDS))
    finally:
        scene.close()
        subprocess.run(  # noqa: ASYNC221 # pytest cannot remove what is this deep
            ["/bin/rm", "-rf", tmp_path / "ws", tmp_path / "moved"], check=False
        )
