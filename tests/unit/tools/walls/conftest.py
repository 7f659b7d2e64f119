"""A workspace with something outside of it, and a way to run a program behind a wall."""

import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import attrs
import pytest

from par._spawn import spawned
from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.ground import python_roots
from par.tools.bash._walls.landlock import LandlockWall
from par.tools.bash._walls.supervised import NoWall
from par.tools.bash._walls.values import WallSpec

WALLS = {"bwrap": BwrapWall, "landlock": LandlockWall, "none": NoWall}
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
QUIET = subprocess.DEVNULL


@attrs.frozen
class Place:
    folder: Path
    root: int

    @property
    def ws(self):
        return self.folder / "ws"

    @property
    def secret(self):
        return self.folder / "out" / "secret"

    def spec(self, **changes):
        given = {
            "root": self.root,
            "workspace": str(self.ws),
            "access": "write",
            "home": str(self.folder / "home"),
            "tmp": str(self.folder / "tmp"),
            "read_only": python_roots(),
            "env": ENV,
        }
        return WallSpec(**{**given, **changes})


@attrs.frozen
class Ran:
    code: int
    out: str
    err: str


def build(folder):
    for name in ("out", "home", "tmp", "ws/src", "ws/.git/hooks"):
        (folder / name).mkdir(parents=True)
    for name in ("out/secret", "ws/a.txt", "ws/src/b.txt", "ws/.git/config"):
        (folder / name).write_text("text\n")
    return Place(folder, os.open(folder / "ws", os.O_RDONLY | os.O_DIRECTORY))


@pytest.fixture
def place(tmp_path):
    built = build(Path(os.path.realpath(tmp_path)))
    yield built
    os.close(built.root)


@pytest.fixture
def listener():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield server.getsockname()[1]


@pytest.fixture(scope="session")
def walls():
    """The walls, each tried out once for all tests and loops."""
    return {name: kind() for name, kind in WALLS.items()}


@pytest.fixture
async def wall(request, walls):
    """The wall of the test's parameter, tried out; the test is left out where it does not work."""
    return await tried(walls[request.param])


async def tried(wall):
    known = await wall.probe()
    # one that is absent is left out; one that has a hole is a failure
    assert "does not hold" not in known.why_not
    if not known.available:
        pytest.skip(known.why_not)
    return wall


@asynccontextmanager
async def started(wall, place, *argv, edit=None, extra_env=None, grace_s=1.0, stdin=QUIET, **changes):
    async with wall.wrap(argv, place.spec(**changes)) as wrapped:
        full = wrapped.argv if edit is None else edit(wrapped.argv)
        env = {**wrapped.env, **(extra_env or {})}
        async with spawned(
            full, cwd=wrapped.cwd, env=env, pass_fds=wrapped.pass_fds, stdin=stdin, grace_s=grace_s
        ) as process:
            yield process


async def collect(process):
    said = {}

    async def read(name, stream):
        said[name] = b"".join([chunk async for chunk in stream]).decode()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(read, "out", process.stdout)
            group.start_soon(read, "err", process.stderr)
        await process.wait()
    return Ran(process.returncode, said["out"].strip(), said["err"])


async def run(wall, place, *argv, **options):
    async with started(wall, place, *argv, **options) as process:
        return await collect(process)


def script(code):
    return (sys.executable, "-I", "-S", "-c", code)


def attempt(code, imports="os"):
    """A program that says whether what it tries is open or held."""
    body = "\n    ".join(code.splitlines())
    text = f"import {imports}\ntry:\n    {body}\nexcept OSError as error: print('held', error)\nelse: print('open')"
    return script(text)
