"""Nothing of a command is left when it has ended, has been cancelled, or when par itself is gone."""

import os
import signal
import subprocess
import sys
import threading

import anyio
import anyio.to_thread
import pytest
from unit.tools.bash_scene import ROOT
from unit.tools.walls.conftest import QUIET, collect, run, script, started, tried

pytestmark = pytest.mark.anyio
one_loop = pytest.mark.parametrize("anyio_backend", ["asyncio"])  # it makes no difference
every_wall = pytest.mark.parametrize("wall", ["bwrap", "landlock", "none"], indirect=True)
# its child has a session of its own, ignores the polite signals, and holds the pipe as long as it lives
LEAVES_A_CHILD = """
import os, signal, sys
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (0, 1, 2):
            os.close(number)
        os.write({fd}, b"x")
        signal.alarm(20)
        while True:
            signal.pause()
    os._exit(0)
os.wait()
{then}
"""
STAY = "while True: signal.pause()"
# what has its own wall around it, and is killed itself
HOST = """
import sys
from pathlib import Path
import anyio
from unit.tools.walls.conftest import WALLS, build, started

async def main(name, folder, fd, code):
    wall = WALLS[name]()
    await wall.probe()
    argv = (sys.executable, "-I", "-S", "-c", code)
    async with started(wall, build(Path(folder)), *argv, pass_fds=(fd,)) as process:
        await process.wait()

anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], backend=sys.argv[5])
"""


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with os.fdopen(read, "rb", buffering=0) as reader, os.fdopen(write, "wb", buffering=0) as writer:
        yield reader, writer


async def said(pipe_end):
    """What the processes at the other end say; nothing means that none of them is left."""
    with anyio.fail_after(10):
        await anyio.wait_readable(pipe_end)
    return pipe_end.read(10)


def leaving(fd, then=STAY):
    return script(LEAVES_A_CHILD.format(fd=fd, then=then))


@every_wall
async def test_what_a_command_leaves_behind_ends_with_it(wall, place, pipe):
    read, write = pipe
    fd = write.fileno()
    then = "while not os.path.exists('src/go'): pass"

    async with started(wall, place, *leaving(fd, then), pass_fds=(fd,)) as process:
        write.close()
        assert await said(read) == b"x"
        (place.ws / "src/go").touch()
        ran = await collect(process)
        assert await said(read) == b""

    assert ran.code == 0, ran.err


@every_wall
async def test_cancelling_leaves_no_process(wall, place, pipe):
    read, write = pipe
    fd = write.fileno()

    async def work():
        async with started(wall, place, *leaving(fd), pass_fds=(fd,)) as process:
            write.close()
            await process.wait()

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        assert await said(read) == b"x"
        group.cancel_scope.cancel()

    assert await said(read) == b""


@one_loop
@pytest.mark.parametrize("wall", ["landlock", "none"], indirect=True)
async def test_what_a_command_closes_is_closed(wall, place, pipe):
    read, write = pipe
    fd = write.fileno()
    code = f"import os\nos.close({fd})\nos.close(1)\nwhile not os.path.exists('src/go'): pass"

    async with started(wall, place, *script(code), pass_fds=(fd,)) as process:
        write.close()
        assert await said(read) == b""
        with anyio.fail_after(10), pytest.raises(anyio.EndOfStream):
            await process.stdout.receive()
        (place.ws / "src/go").touch()
        await process.wait()


@every_wall
async def test_killing_the_first_process_leaves_no_other(wall, place, pipe):
    read, write = pipe
    fd = write.fileno()

    async with started(wall, place, *leaving(fd), pass_fds=(fd,), grace_s=0) as process:
        write.close()
        assert await said(read) == b"x"
        process.kill()
        assert await said(read) == b""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("name", ["bwrap", "landlock", "none"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_nothing_outlives_par(walls, name, backend, tmp_path, pipe):
    await tried(walls[name])
    read, write = pipe
    fd = write.fileno()
    code = LEAVES_A_CHILD.format(fd=fd, then=STAY)
    argv = (sys.executable, "-c", HOST, name, str(tmp_path), str(fd), code, backend)
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}

    async with await anyio.open_process(argv, pass_fds=(fd,), env=env, stdin=QUIET, stdout=None, cwd=ROOT) as host:
        write.close()
        assert await said(read) == b"x"
        host.kill()

    assert await said(read) == b""


@pytest.mark.parametrize("wall", ["landlock", "none"], indirect=True)
async def test_the_end_of_a_thread_is_not_the_end_of_its_processes(wall, place):
    await _outlives_its_thread(wall, place)


@pytest.mark.parametrize("anyio_backend", ["trio"])
@pytest.mark.parametrize("wall", ["bwrap"], indirect=True)
async def test_trio_may_end_the_thread_that_started_bubblewrap(wall, place):
    await _outlives_its_thread(wall, place)


async def _outlives_its_thread(wall, place):
    processes = []
    async with wall.wrap(("/bin/cat",), place.spec()) as wrapped:

        def start():
            process = subprocess.Popen(
                wrapped.argv,
                env=wrapped.env,
                pass_fds=wrapped.pass_fds,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
            )
            processes.append(process)
            # the thread ends when all of it runs, and no earlier
            process.stdin.write(b"here")
            process.stdout.read(4)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        out, _ = await anyio.to_thread.run_sync(processes[0].communicate, b"still here")

    assert (out, processes[0].returncode) == (b"still here", 0)


@pytest.mark.parametrize("wall", ["bwrap"], indirect=True)
async def test_bubblewrap_is_started_directly_but_on_trio(wall, place, anyio_backend_name):
    async with wall.wrap(("/bin/true",), place.spec()) as wrapped:
        direct = wrapped.argv[0].endswith("/bwrap")

    assert direct == (anyio_backend_name == "asyncio")


@one_loop
@every_wall
@pytest.mark.parametrize(
    ("code", "expected"),
    [("pass", (0, None)), ("raise SystemExit(7)", (7, None)), ("import os; os.kill(os.getpid(), 11)", (None, 11))],
    ids=["good", "bad", "signal"],
)
async def test_how_a_command_ended_is_told(wall, place, code, expected):
    async with wall.wrap(script(code), place.spec()) as wrapped:
        ran = await run(wall, place, *script(code))

    assert wrapped.ended(ran.code) == expected


@one_loop
@every_wall
async def test_a_program_that_cannot_be_started_is_told_from_one_that_fails(wall, place):
    async with wall.wrap(("/usr/bin/absent",), place.spec()) as wrapped:
        ran = await run(wall, place, "/usr/bin/absent")

    assert ran.code != 0
    assert ran.err.encode().startswith(wrapped.failure_marks)


@one_loop
@every_wall
async def test_a_broken_pipe_ends_a_program_as_it_does_elsewhere(wall, place):
    ran = await run(wall, place, "/bin/sh", "-c", "kill -PIPE $$; echo no")

    assert ran.out == ""


@one_loop
@pytest.mark.parametrize("wall", ["landlock", "none"], indirect=True)
async def test_the_command_gets_signals_that_par_has_blocked(wall, place):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        ran = await run(wall, place, "/bin/sh", "-c", "kill -USR2 $$; echo no")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    assert ran.out == ""
