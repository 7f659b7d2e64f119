"""A folder to work in, and a way to run one command in it."""

import pytest

from par.calls import ToolCall
from par.tools.bash import Bash


@pytest.fixture
def ws(tmp_path):
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


@pytest.fixture
def send(ws):
    """Send one command to a new tool and return the outcome."""

    async def sent(policy=None, **command):
        bash = Bash(ws, policy)
        try:
            return await bash.invoke(ToolCall(id="c1", name="bash", arguments={"command": command}))
        finally:
            bash.workspace.close()

    return sent


@pytest.fixture
def shown(send):
    """Send one command and return the lines of its output."""

    async def lines(policy=None, **command):
        outcome = await send(policy, **command)
        assert hasattr(outcome, "value"), outcome
        return outcome.value.stdout.splitlines()

    return lines
