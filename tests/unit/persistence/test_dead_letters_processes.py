"""A process that is killed while it replays leaves the letter, and what was dead before is there afterwards."""

import signal
import subprocess
import sys

import pytest
from unit.bus.made import Handler, envelope, letter
from unit.persistence.test_dead_letters import open_file

from par.bus import BusOptions, EventBus, Replay

pytestmark = pytest.mark.anyio

REPLAYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import anyio
from par.bus import BusOptions, EventBus
from unit.persistence.test_dead_letters import open_file


async def handler(delivery):
    if delivery.envelope.seq == 2:
        os.kill(os.getpid(), signal.SIGKILL)


async def main():
    async with open_file(Path({path!r})) as place:
        async with EventBus(BusOptions(dead_letters=place.letters())) as bus:
            bus.subscribe(handler, name="s")
            await bus.replay()

anyio.run(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
async def test_a_process_killed_in_a_replay_leaves_the_letter_that_it_was_at(tmp_path, request):
    path, handler = tmp_path / "audit.db", Handler()
    async with open_file(path) as place:
        await place.letters().put([letter(f"00{n}", envelope=envelope(seq=n)) for n in (1, 2, 3)])

    script = REPLAYING.format(tests=str(request.config.rootpath / "tests"), path=str(path))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=50, check=False)  # noqa: ASYNC221 # nothing else is to be done

    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    async with open_file(path) as place, EventBus(BusOptions(dead_letters=place.letters())) as bus:
        bus.subscribe(handler, name="s")
        assert await bus.replay() == Replay(delivered=("002", "003"))
    assert handler.done == [2, 3]
