"""A command's processes and threads do not outlive it, and every command is on record."""

import os
import threading

import anyio
import anyio.from_thread
import pytest
from unit.tools.bash_scene import children

from par._context import RunContext
from par.calls import ToolCall
from par.errors import StoreUnavailable
from par.events import BashCompleted, BashInvoked
from par.outcomes import Done, TimedOut
from par.tools.bash import Bash, Grep, ListDir, Policy, ReadFile
from par.tools.bash._native.walk import walk
from par.tools.bash._run.runner import Job, Launcher, run_process
from par.usage import Usage

pytestmark = pytest.mark.anyio
ALL = Policy.read_only().allow
# it says that it is there, ignores the first signal and has a child that does the same
STUBBORN = """#!/bin/sh
trap '' TERM
(trap '' TERM; exec sleep 60) &
echo started > %s
wait
"""


class Recorder:
    run_id = session_id = agent_name = "test"
    step = 0
    usage = Usage()
    can_suspend = False

    def __init__(self, *, fails_at=None, hook=None):
        self.events = []
        self.fails_at = fails_at
        self.hook = hook

    async def emit(self, event):
        self.events.append(event)
        if self.hook is not None:
            await self.hook(event)
        if len(self.events) == self.fails_at:
            raise StoreUnavailable("audit", "it is full")


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def stubborn(ws):
    """A policy whose grep does not want to end, and the pipe on which it says that it runs."""
    (ws / "f").write_text("x\n")
    fifo = ws.parent / "fifo"
    os.mkfifo(fifo)
    program = ws.parent / "grep"
    program.write_text(STUBBORN % fifo)
    program.chmod(0o755)
    return {"grep": str(program)}, fifo


def called(ctx, **command):
    return ToolCall(id="c1", name="bash", arguments={"command": command}, ctx=RunContext(None, ctx))


async def test_cancelling_leaves_no_process(ws, stubborn, recorder):
    programs, fifo = stubborn
    bash = Bash(ws, Policy(name="p", allow=ALL, programs=programs))
    threads = {thread.name for thread in threading.enumerate()}
    below = children()

    async with anyio.create_task_group() as group:
        group.start_soon(bash.invoke, called(recorder, op="grep", pattern="x"))
        await anyio.to_thread.run_sync(fifo.read_text)
        assert len(children() - below) == 2
        group.cancel_scope.cancel()

    assert children() <= below
    assert isinstance(recorder.events[-1], BashCompleted)
    assert recorder.events[-1].error_code == "cancelled"
    left = {thread.name for thread in threading.enumerate()} - threads
    assert not {name for name in left if "waitpid" in name}


async def test_running_out_of_time_leaves_no_process(ws, stubborn, recorder):
    programs, fifo = stubborn
    bash = Bash(ws, Policy(name="p", allow=ALL, programs=programs, timeout_s=0.5))
    below = children()
    outcomes = []

    async def run():
        outcomes.append(await bash.invoke(called(recorder, op="grep", pattern="x")))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.to_thread.run_sync(fifo.read_text)

    assert isinstance(outcomes[0], TimedOut)
    assert children() <= below
    assert recorder.events[-1].error_code == "timeout"


async def test_a_child_that_keeps_the_pipe_does_not_keep_the_command(ws):
    job = Job(
        argv=("/bin/sh", "-c", "sleep 60 & echo done"), folder=os.open(ws, os.O_RDONLY), env={}, cpu_s=5, max_bytes=1000,
        max_lines=10,
    )  # fmt: skip
    below = children()

    with anyio.fail_after(20):
        ended = await run_process(job, Launcher())

    os.close(job.folder)
    assert ended.stdout.head == b"done\n"
    assert ended.exit_code == 0
    assert children() <= below


@pytest.mark.parametrize("launcher", [Launcher(), Launcher(prlimit=None)], ids=["prlimit", "python"])
async def test_limits_and_environment_hold_before_the_program_runs(ws, launcher, monkeypatch):
    monkeypatch.setenv("SECRET", "x")
    script = "ulimit -c; ulimit -n; ulimit -t; ulimit -d; env; pwd; test -t 0 || echo no tty; cat"
    folder = os.open(ws, os.O_RDONLY)
    job = Job(argv=("/bin/sh", "-c", script), folder=folder, env={"A": "1"}, cpu_s=7, max_bytes=1000, max_lines=100)

    ended = await run_process(job, launcher)

    os.close(folder)
    lines = ended.stdout.head.decode().splitlines()
    assert lines[:4] == ["0", "256", "7", "1048576"]
    assert {line for line in lines[4:-2] if not line.startswith(("PWD=", "_=", "LC_CTYPE="))} == {"A=1"}
    assert lines[-2:] == [str(ws), "no tty"]


async def test_a_flood_is_ended(ws):
    folder = os.open(ws, os.O_RDONLY)
    job = Job(
        argv=("/bin/sh", "-c", "yes; echo never"), folder=folder, env={"PATH": "/usr/bin:/bin"}, cpu_s=20, max_bytes=1000,
        max_lines=10, drain=100_000,
    )  # fmt: skip

    with anyio.fail_after(10):
        ended = await run_process(job, Launcher())

    os.close(folder)
    assert ended.flooded
    assert ended.stdout.cut
    assert len(ended.stdout.head) + len(ended.stdout.tail) <= 1000


async def test_a_walk_stops_when_it_is_cancelled(ws):
    for n in range(300):
        (ws / f"f{n}").touch()
        (ws / f"d{n}").mkdir()
        (ws / f"d{n}/f").touch()
    folder = os.open(ws, os.O_RDONLY)
    seen = []

    def work():
        for entry in walk(folder, ".", depth=3, enter=lambda entry: True):
            if not seen:
                anyio.from_thread.run_sync(scope.cancel)
            seen.append(entry)

    with anyio.CancelScope() as scope:
        await anyio.to_thread.run_sync(work)

    os.close(folder)
    assert scope.cancelled_caught
    assert len(seen) < 900


async def test_a_command_is_recorded_before_and_after(ws, recorder):
    outcome = await Bash(ws).invoke(called(recorder, op="list_dir", all=True))

    started, ended = recorder.events
    assert isinstance(outcome, Done)
    assert isinstance(started, BashInvoked)
    assert (started.call_id, started.op, started.command) == ("c1", "list_dir", {"op": "list_dir", "all": True})
    assert isinstance(ended, BashCompleted)
    assert (ended.exit_code, ended.error_code, ended.truncated) == (0, None, False)


async def test_nothing_runs_that_cannot_be_recorded(ws, stubborn):
    programs, _ = stubborn
    recorder = Recorder(fails_at=1)
    below = children()

    with pytest.raises(StoreUnavailable):
        await Bash(ws, Policy(name="p", allow=ALL, programs=programs)).invoke(called(recorder, op="grep", pattern="x"))

    assert children() <= below
    assert len(recorder.events) == 1


async def test_a_refusal_while_it_runs_is_recorded(ws, recorder):
    await Bash(ws).invoke(called(recorder, op="read_file", path="gone"))

    assert recorder.events[-1].error_code == "path_not_found"


async def test_a_refused_command_is_not_recorded_as_run(ws, recorder):
    await Bash(ws).invoke(called(recorder, op="read_file", path=".env"))

    assert recorder.events == []


@pytest.mark.parametrize("most", [1, 2])
async def test_max_concurrent_bounds_what_runs_at_once(ws, most):
    at_once = []
    running = set()

    async def hook(event):
        if isinstance(event, BashInvoked):
            running.add(event.call_id)
            at_once.append(len(running))
            await anyio.wait_all_tasks_blocked()
        else:
            running.discard(event.call_id)

    bash = Bash(ws, Policy(name="p", allow=(ListDir,), max_concurrent=most))
    recorder = Recorder(hook=hook)

    async with anyio.create_task_group() as group:
        for n in range(4):
            call = ToolCall(
                id=str(n), name="bash", arguments={"command": {"op": "list_dir"}}, ctx=RunContext(None, recorder)
            )
            group.start_soon(bash.invoke, call)

    assert max(at_once) == most


def test_one_tool_serves_one_loop_after_the_other(ws):
    bash = Bash(ws)

    for backend in ("asyncio", "trio", "asyncio"):
        assert anyio.run(bash.run, ListDir(), backend=backend).exit_code == 0


async def test_a_closed_workspace_is_told(ws):
    bash = Bash(ws)
    bash.workspace.close()

    with pytest.raises(ValueError, match="closed"):
        await bash.run(ReadFile(path="f"))


async def test_the_names_of_descriptors_do_not_reach_the_model(ws):
    (ws / "f").write_text("x\n")

    assert "/fd/" not in (await Bash(ws).run(Grep(pattern="x"))).stdout
