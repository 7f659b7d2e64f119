"""A room to write in, and ways to run a command there: for the tests of the commands that change files."""

import anyio.to_thread
import pytest

from par.errors import CommandRefused
from par.tools.bash import Policy, Workspace
from par.tools.bash._native.change import change
from par.tools.bash._native.room import Room


@pytest.fixture
def anyio_backend():
    return "trio"  # these commands know nothing of loops; the tests of lifetimes run on all


@pytest.fixture(params=[True, False], ids=["kernel", "steps"])
def room(request, ws):
    """A room, with the calls that only new kernels have and without."""
    with Workspace(ws) as workspace:
        workspace._kernel = workspace._kernel and request.param
        yield Room(workspace=workspace, policy=Policy.coder())


@pytest.fixture
def do(room):
    """Run a command and return its notes in one text."""

    async def done(command, here=None):
        outcome = await anyio.to_thread.run_sync(change, here or room, command)
        return " ".join(outcome.notes)

    return done


@pytest.fixture
def refused(do, ws):
    """Run a command that must be refused, with nothing left behind, and return the refusal."""

    async def done(command, here=None):
        before = everything(ws.parent)
        with pytest.raises(CommandRefused) as raised:
            await do(command, here)
        assert everything(ws.parent) == before
        assert str(ws) not in str(raised.value)
        return raised.value

    return done


def everything(folder):
    """Return all that is below a folder, with mode and content."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() and not path.is_symlink() else b"",
        )
        for path in folder.rglob("*")
    }


def names(folder):
    return sorted(path.name for path in folder.iterdir())
