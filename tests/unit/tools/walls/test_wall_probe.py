"""A wall is used only after a program tried to break out of it and failed."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import attrs
import pytest
from unit.tools.walls.conftest import QUIET, attempt, build, collect, run, script, tried

from par._spawn import spawned
from par.errors import CommandRefused, UsageError
from par.tools.bash._walls import launcher
from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.landlock import LandlockWall
from par.tools.bash._walls.probe import EVERYTHING, probed
from par.tools.bash._walls.seatbelt import SeatbeltWall
from par.tools.bash._walls.supervised import ExternalWall, NoWall

pytestmark = pytest.mark.anyio
two_walls = pytest.mark.parametrize("wall", ["bwrap", "landlock"], indirect=True)
root = os.geteuid() == 0
NEEDS_ROOT = {"mount", "kernel"}
SOMETIMES = {"vsock", "keys"}  # as the kernel was built
LAUNCHED = {"background", "descriptors"}  # no wall, but the launcher


@pytest.mark.parametrize("wall", ["bwrap"], indirect=True)
async def test_bubblewrap_holds_everything(wall):
    assert set((await wall.probe()).held) == set(EVERYTHING)


@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
async def test_landlock_holds_everything_but_modes(wall):
    assert set((await wall.probe()).held) == set(EVERYTHING) - {"mode"}


async def test_without_a_wall_the_same_attempts_get_out():
    known = await probed("free", NoWall().wrap, python=sys.executable, promised=(), seconds=20)

    by_chance = SOMETIMES if root else SOMETIMES | NEEDS_ROOT
    assert set(known.held) - by_chance == {"works", *LAUNCHED}


@pytest.mark.parametrize("attempted", ["read", "write", "signal", "udp", "background", "git_hooks"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_wall_with_a_hole_is_not_available(attempted):
    known = await probed("holey", holey(attempted), python=sys.executable, promised=EVERYTHING, seconds=20)

    assert not known.available
    assert f"{attempted} (open" in known.why_not
    assert attempted not in known.held


def holey(attempted):
    """Bubblewrap, or no wall at all where its hole cannot be made so small."""

    @asynccontextmanager
    async def wrap(argv, spec):
        if attempted == "background":
            # started without the launcher that would sweep
            yield attrs.evolve((await _wrapped(NoWall(), argv, spec)), argv=tuple(argv), env=spec.environment())
        else:
            yield await _wrapped(NoWall(), argv, spec)

    return wrap


async def _wrapped(wall, argv, spec):
    async with wall.wrap(argv, spec) as wrapped:
        return wrapped


@two_walls
async def test_a_probe_is_made_once(wall):
    first = await wall.probe()
    answers = []

    async def ask():
        answers.append(await wall.probe())

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(ask)

    assert all(answer is first for answer in answers)


@pytest.mark.parametrize("kind", [BwrapWall, LandlockWall])
def test_a_wall_that_was_tried_on_one_loop_serves_another(kind, tmp_path):
    wall, place = kind(), build(Path(os.path.realpath(tmp_path)))

    async def main():
        known = await wall.probe()
        return (await run(wall, place, "/bin/echo", "hi")).out if known.available else "hi"

    assert [anyio.run(main, backend=backend) for backend in ("asyncio", "trio")] == ["hi", "hi"]
    os.close(place.root)


@pytest.mark.parametrize("kind", [BwrapWall, LandlockWall, NoWall])
async def test_a_probe_has_an_end(kind):
    known = await kind(probe_s=0.001).probe()

    assert not known.available


async def test_bubblewrap_that_is_absent_is_not_available(place):
    wall = BwrapWall(bwrap=str(place.folder / "bwrap"))

    known = await wall.probe()

    assert (known.available, known.held) == (False, ())
    assert "not installed" in known.why_not
    with pytest.raises(UsageError, match="probe"):
        async with wall.wrap(("/bin/true",), place.spec()):
            pass


async def test_bubblewrap_that_is_no_program_is_not_available(place):
    known = await BwrapWall(bwrap=str(place.secret)).probe()

    assert not known.available
    assert "cannot be started" in known.why_not


async def test_bubblewrap_that_does_not_work_is_not_available(place):
    program = place.folder / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: no permission to make namespaces' >&2; exit 1\n")
    program.chmod(0o755)

    known = await BwrapWall(bwrap=str(program)).probe()

    assert not known.available
    assert "no permission to make namespaces" in known.why_not


@pytest.mark.parametrize("abi", [0, 1, 2])
async def test_landlock_that_is_too_old_is_not_available(abi):
    known = await LandlockWall(abi=abi).probe()

    assert not known.available
    assert str(abi) in known.why_not


async def test_landlock_says_where_it_has_no_filter(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    known = await LandlockWall().probe()

    assert not known.available
    assert "riscv64" in known.why_not or "Landlock" in known.why_not


@pytest.mark.parametrize(("abi", "signals"), [(3, True), (4, True), (5, True), (6, False)])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
async def test_an_older_landlock_does_what_it_can_and_says_what_it_cannot(wall, abi, signals):
    if int((await wall.probe()).details["abi"]) < abi:
        pytest.skip(f"the kernel's Landlock is older than {abi}")

    known = await LandlockWall(abi=abi).probe()

    assert known.available, known.why_not
    assert known.details["abi"] == str(abi)
    assert any("signalled" in line for line in known.degraded) == signals
    assert ("signal" in known.held) != signals


async def test_a_wall_may_not_be_used_untried(place):
    for wall in (BwrapWall(), LandlockWall(), SeatbeltWall()):
        with pytest.raises(UsageError, match="probe"):
            async with wall.wrap(("/bin/true",), place.spec()):
                pass


async def test_a_declared_wall_is_declared_and_not_tried(place):
    known = await ExternalWall("container").probe()

    assert (known.wall, known.available, known.details["declared"]) == ("container", True, "by the host")
    assert set(known.held) <= {"works", "background"}
    assert "not tried out" in known.degraded[0]


async def test_no_wall_says_that_it_keeps_nothing():
    known = await NoWall().probe()

    assert (known.wall, known.available, known.held) == ("none", True, ("works", "background"))
    assert "nothing is kept" in known.degraded[0]


@two_walls
@pytest.mark.parametrize("name", [".git", "src"])
async def test_a_protected_name_that_is_a_link_is_refused(wall, place, name):
    shutil.move(place.ws / name, place.ws / "elsewhere")
    (place.ws / name).symlink_to("elsewhere")

    with pytest.raises(CommandRefused, match=f"wall_unfit.*{name}"):
        async with wall.wrap(("/bin/true",), place.spec(protected=("src",))):
            pass


@two_walls
async def test_a_workspace_that_was_moved_is_refused(wall, place):
    place.ws.rename(place.folder / "moved")
    place.ws.mkdir()

    with pytest.raises(CommandRefused, match="moved"):
        async with wall.wrap(("/bin/true",), place.spec()):
            pass


@two_walls
@pytest.mark.parametrize("field", ["home", "tmp", "read_only"])
async def test_a_folder_behind_a_link_is_refused(wall, place, field):
    (place.folder / "link").symlink_to("out")
    value = str(place.folder / "link")

    with pytest.raises(CommandRefused, match="through a link"):
        async with wall.wrap(("/bin/true",), place.spec(**{field: (value,) if field == "read_only" else value})):
            pass


@pytest.mark.parametrize("wall", ["bwrap"], indirect=True)
async def test_bubblewrap_names_what_can_still_be_made(wall, place):
    shutil.rmtree(place.ws / ".git/hooks")

    async with wall.wrap(("/bin/true",), place.spec(protected=(".vscode",))) as reading:
        pass
    async with wall.wrap(("/bin/true",), place.spec(git="write")) as writing:
        pass

    assert reading.unguarded == (".vscode",)
    assert writing.unguarded == (".git/config.worktree", ".git/hooks")


@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
async def test_landlock_lets_nothing_be_made_at_the_top(wall, place):
    made = await run(wall, place, *attempt("open('new', 'w')"))
    async with wall.wrap(("/bin/true",), place.spec(protected=(".vscode",))) as reading:
        pass
    async with wall.wrap(("/bin/true",), place.spec(git="write")) as writing:
        pass

    assert made.out.startswith("held")
    assert reading.unguarded == ()
    assert ".git/hooks" in writing.unguarded


def open_descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@two_walls
async def test_wrapping_leaves_no_descriptor_open(wall, place):
    before = open_descriptors()

    for git in ("read", "write", "none"):
        async with wall.wrap(("/bin/true",), place.spec(git=git, protected=("src", "a.txt"))):
            pass
    (place.ws / "link").symlink_to("src")
    with pytest.raises(CommandRefused):
        async with wall.wrap(("/bin/true",), place.spec(protected=("src", "link"))):
            pass

    assert open_descriptors() == before


@two_walls
@pytest.mark.skipif(not Path("/usr/bin/node").exists(), reason="node is not installed")
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_node_runs_and_starts_programs(wall, place):
    code = "console.log(require('child_process').execSync('echo from a child').toString())"

    ran = await run(wall, place, "/usr/bin/node", "-e", code, unix_pairs=True)

    assert ran.out == "from a child", ran.err


@pytest.fixture
def nobodys():
    """A place that belongs to nobody, and what starts a program as nobody."""
    python, switch = "/usr/bin/python3", "/usr/bin/setpriv"
    if not root or not Path(python).exists() or not Path(switch).exists():
        pytest.skip("it takes root, the system's Python and setpriv")
    become = (switch, "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    test = (*become, python, "-I", "-S", "-c", f"open({launcher.__file__!r})")
    if subprocess.run(test, stderr=QUIET, check=False).returncode:
        pytest.skip("nobody may not read the launcher")
    folder = Path(os.path.realpath(tempfile.mkdtemp()))
    place = build(folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, 65534, 65534)
    place.secret.chmod(stat.S_IRUSR | stat.S_IWUSR)
    yield place, python, become
    os.close(place.root)
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", [BwrapWall, LandlockWall, NoWall])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_walls_stand_around_a_plain_user(kind, nobodys):
    place, python, become = nobodys
    wall = await tried(kind(python=python))
    code = (
        "import os\ndone = [os.getuid()]\n"
        f"for path, mode in (('src/b.txt', 'a'), ('.git/config', 'a'), ({str(place.secret)!r}, 'r')):\n"
        "    try: open(path, mode); done.append('open')\n"
        "    except OSError: done.append('held')\n"
        "print(*done)"
    )

    async with (
        wall.wrap((python, "-I", "-S", "-c", code), place.spec(read_only=())) as wrapped,
        spawned((*become, *wrapped.argv), env=wrapped.env, pass_fds=wrapped.pass_fds, stdin=QUIET) as process,
    ):
        ran = await collect(process)

    expected = "65534 open open open" if kind is NoWall else "65534 open held held"
    assert ran.out == expected, ran.err


@two_walls
async def test_git_works_behind_the_wall(wall, place):
    env = {"PATH": "/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C.UTF-8"}
    git = ("/usr/bin/git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    shutil.rmtree(place.ws / ".git")
    await anyio.run_process((*git, "init", "-q"), cwd=place.ws, env={**env, "HOME": "/dev/null"})

    added = await run(wall, place, *git, "add", "-A", git="write", env=env)
    committed = await run(wall, place, *git, "commit", "-qm", "first", git="write", env=env)
    status = await run(wall, place, *git, "status", "--porcelain", git="read", access="read", env=env)

    assert (added.code, committed.code, status.code) == (0, 0, 0), (added, committed, status)
    assert status.out == ""


@two_walls
async def test_python_of_a_virtual_environment_works_behind_the_wall(wall, place):
    ran = await run(
        wall, place, sys.executable, "-c", "import anyio, asyncio; print(asyncio.run(anyio.sleep(0)))", unix_pairs=True
    )

    assert ran.out == "None", ran.err


@two_walls
async def test_a_command_sees_no_folder_of_the_host(wall, place):
    ran = await run(wall, place, *script(f"import os\nprint(os.path.exists({str(place.secret)!r}), os.getcwd())"))

    assert ran.out == f"{wall.name == 'landlock'} {place.ws}"
