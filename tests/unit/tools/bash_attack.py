"""Carries out one attack row: the policy and the approver that it names, what happens meanwhile, and its end."""

import contextlib
import ctypes
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager

import anyio
import attrs

from par._context import RunContext
from par.approvals import Approved
from par.calls import ToolCall
from par.errors import CommandRefused, StoreUnavailable, UsageError
from par.outcomes import Failed
from par.tools.bash import Bash, GitStatus, Linter, Policy, PythonHost, TestRunner, parse_command
from par.tools.bash._commands.table import COMMANDS
from par.usage import Usage

__all__ = ["Recorder", "attack", "policy_of", "prepare"]

PYTHON = sys.executable
TIMEOUT_S = 4.0
# stands in for a tool that the machine does not have: it imports a module that the project shadows
IMPORTS = "import json, sys; print(json.__file__)"
REQUIRES = "require(process.cwd() + '/eslint.config.js')"


class Recorder:
    """Stands in for a run; its store may be full."""

    run_id = root_run_id = session_id = agent_name = "test"
    step = 0
    usage = Usage()
    can_suspend = False

    def __init__(self, fails):
        self.events = []
        self.fails = fails

    async def emit(self, event):
        if self.fails:
            raise StoreUnavailable("audit", "it is full")
        self.events.append(event)


def hosted():
    """What a host sets up: real programs where the machine has them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    runners = [TestRunner.pytest(PYTHON), *([TestRunner.npm(npm)] if npm else [])]
    linters = [
        Linter(name="mypy", argv=(PYTHON, "-P", "-c", IMPORTS)),
        Linter(name="ruff", argv=(PYTHON, "-I", "-c", IMPORTS)),
        *([Linter(name="eslint", argv=(node, "-e", REQUIRES))] if node else []),
    ]
    return {"python": PythonHost(python=PYTHON), "runners": runners, "linters": linters}


def policy_of(name):
    """Return the policy of a row.

    Raises:
        UsageError: for the row whose policy cannot be built.
    """
    if name == "custom:{allow:[git_status]}":
        return Policy(name="custom", allow=[GitStatus])
    if name == "custom:{allow:[exec]}":
        return Policy(name="custom", allow=["exec"])
    if name.startswith("read_only"):
        policy = Policy.read_only()
        if name == "read_only_then_mutated":
            with contextlib.suppress(attrs.exceptions.FrozenInstanceError):
                policy.allow = tuple(COMMANDS.values())
        return policy
    if name == "coder_exec_approved":
        return attrs.evolve(Policy.coder(execute=True, **hosted()), timeout_s=TIMEOUT_S, run_timeout_s=TIMEOUT_S)
    return attrs.evolve(Policy.coder(), timeout_s=TIMEOUT_S)


def approver_of(row, scene, approved):
    async def yes(request):
        if "writer replaces ok.py" in " ".join(row.get("setup") or ()):
            (scene.ws / "ok.py").write_text(f"open({str(scene.mark)!r}, 'w')\n")
        return Approved(by="test")

    async def raises(request):
        raise ValueError("the approver is broken")

    def returns_coroutine(request):
        async def inner():
            return yes(request)

        return inner()

    name = row["policy"]
    if name == "approval_raises":
        return raises
    if name == "approval_returns_coroutine":
        return returns_coroutine
    return yes if approved or name == "coder_exec_approved" else None


def prepare(scene, row):
    """Make what is exchanged later."""
    setup = " ".join(row.get("setup") or ())
    ws, out = scene.ws, scene.out
    if "d/sub <->" in setup:
        (out / "keep").mkdir()
        (out / "keep/f").write_text("kept\n")
        (ws / "d/sub").mkdir(parents=True)
        (ws / "d/other").symlink_to(out / "keep")
    elif "d <->" in setup:
        (ws / "d").mkdir()
        (ws / "d/f").write_text("inside\n")
        (out / "f").write_text(f"{scene.canary}\n")
        (ws / "d2").symlink_to(out)
    elif "f <->" in setup:
        (ws / "f").write_text("inside\n")
        (ws / "f2").symlink_to(out / "target")


@contextmanager
def disturbed(scene, row):
    """Do what an attacker on the same machine does meanwhile; give how often the command is to be repeated."""
    setup = " ".join(row.get("setup") or ())
    stop = threading.Event()
    ws = scene.ws

    def exchange(name, other):
        libc = ctypes.CDLL(None, use_errno=True)
        one, two = str(ws / name).encode(), str(ws / other).encode()
        while not stop.is_set():
            libc.renameat2(-100, one, -100, two, 2)

    def toggle():
        config = ws / ".git/config"
        clean = config.read_bytes()
        evil = clean + f"[core]\n\tfsmonitor = touch {scene.mark}\n".encode()
        while not stop.is_set():
            config.write_bytes(evil)
            config.write_bytes(clean)

    target = None
    if "d/sub <->" in setup:
        target = lambda: exchange("d/sub", "d/other")  # noqa: E731
    elif "d <->" in setup:
        target = lambda: exchange("d", "d2")  # noqa: E731
    elif "f <->" in setup:
        target = lambda: exchange("f", "f2")  # noqa: E731
    elif "toggles core.fsmonitor" in setup:
        target = toggle
    elif "puts a symlink there" in setup:
        ws.rename(ws.with_name("moved"))
        ws.symlink_to(scene.out)
    thread = None if target is None else threading.Thread(target=target)
    if thread is not None:
        thread.start()
    try:
        yield 60 if thread is not None else 1
    finally:
        stop.set()
        if thread is not None:
            thread.join()


async def attack(scene, row, recorder, *, approved):
    """Send the row's command once, or as the row says, and return the outcome; a refusal counts as ``Failed``."""
    ctx = RunContext(None, recorder)
    try:
        bash = Bash(scene.ws, policy_of(row["policy"]), approve=approver_of(row, scene, approved))
    except UsageError as error:
        return Failed(kind="refused", message=str(error))
    try:
        with disturbed(scene, row) as times:
            for _ in range(times):
                outcome = await _sent(bash, scene, row, ctx)
            return outcome
    finally:
        bash.workspace.close()


async def _sent(bash, scene, row, ctx):
    given = row["json_input"]
    try:
        if row.get("raw_json"):
            await bash.run(parse_command(scene.fill(given)), ctx=ctx)
            raise AssertionError("no raw row is a command that runs")
        if row["id"] == "policy-024":
            await bash.run(forged(given), ctx=ctx)
            raise AssertionError("a forged command ran")
        call = ToolCall(id="c", name="bash", arguments={"command": scene.value(given)}, ctx=ctx)
        if "cancel after 0.2 s" in (row.get("oracle") or ""):
            with anyio.move_on_after(0.2):
                await bash.invoke(call)
            return Failed(kind="refused", message="cancelled")
        if "cancel exactly at exit" in " ".join(row.get("setup") or ()):
            return await _cut_at_exit(bash, call)
        if isinstance(given, dict) and "_repeat" in given:
            return await _many(bash, call, given["_repeat"])
        return await bash.invoke(call)
    except CommandRefused as refused:
        return Failed(kind="refused", message=str(refused))
    except StoreUnavailable:
        return Failed(kind="refused", message="nothing runs without a record")


def forged(given):
    """Build a command without its checks."""
    kind = COMMANDS[given["op"]]
    command = object.__new__(kind)
    for field in kind.__attrs_attrs__:
        object.__setattr__(command, field.name, given.get(field.name, field.default))
    return command


async def _cut_at_exit(bash, call):
    """Cancel about when the process ends, while an innocent process stands by."""
    with subprocess.Popen(  # noqa: ASYNC220 # a process of the test alone
        [PYTHON, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE
    ) as sentinel:
        for delay in range(12):
            with anyio.move_on_after(0.01 * delay):
                await bash.invoke(call)
        assert sentinel.poll() is None
        sentinel.communicate(b"\n")
        assert sentinel.returncode == 0
    return Failed(kind="refused", message="cancelled")


async def _many(bash, call, times):
    arguments = {"command": {name: held for name, held in call.arguments["command"].items() if name != "_repeat"}}
    outcomes = []

    async def one():
        outcomes.append(await bash.invoke(attrs.evolve(call, arguments=arguments)))

    async with anyio.create_task_group() as group:
        for _ in range(times):
            group.start_soon(one)
    return outcomes[-1]
