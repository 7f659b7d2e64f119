"""Tries to break out of a wall, with a program of par's own, before anything else is run in it."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import anyio
import anyio.abc
import anyio.to_thread
import attrs

from par._spawn import spawned
from par.errors import CommandRefused
from par.tools.bash._walls.ground import finished, python_roots
from par.tools.bash._walls.values import Capability, WallSpec, Wrapped

__all__ = ["EVERYTHING", "Wrap", "probed"]

EVERYTHING: Final = (
    "works",
    "read",
    "read_link",
    "link",
    "write",
    "make",
    "truncate",
    "setuid",
    "mode",
    "environ",
    "proc_root",
    "tcp",
    "udp",
    "unix_path",
    "unix_name",
    "vsock",
    "keys",
    "ptrace",
    "signal",
    "mount",
    "kernel",
    "descriptors",
    "git_hooks",
    "git_config",
    "git_replace",
    "background",
)
"""The attempts, by the names that the canary gives them."""

Wrap: TypeAlias = Callable[[Sequence[str], WallSpec], AbstractAsyncContextManager[Wrapped]]

_MOST_OUTPUT = 65_536
_CLEAN_S = 5.0
_AFTER_EXIT_S = 1.0
"""How long what the command left behind may take to be gone: the kernel ends it, but not at once."""


@attrs.frozen(kw_only=True)
class _Scene:
    """A workspace, something outside that has to stay as it is, and servers that have to hear nothing."""

    folder: str
    root: int
    token: str
    tcp: socket.socket
    udp: socket.socket
    unix: tuple[socket.socket, ...]

    @property
    def secret(self) -> Path:
        """The file outside."""
        return Path(self.folder, "out", "secret")

    def heard(self) -> bool:
        """Return whether a datagram arrived."""
        with suppress(BlockingIOError):
            return bool(self.udp.recv(1))
        return False

    def spec(self) -> WallSpec:
        """Return what the wall is told about it."""
        below = self.folder
        return WallSpec(
            root=self.root,
            workspace=f"{below}/ws",
            access="write",
            home=f"{below}/home",
            tmp=f"{below}/tmp",  # noqa: S108 # below a folder of its own
            read_only=python_roots(),
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )

    def facts(self, victim: int) -> tuple[str, ...]:
        """Return what the canary is told."""
        below = self.folder
        return (
            *(f"{name}={below}/{name}" for name in ("ws", "out", "home", "tmp")),
            f"secret={self.secret}",
            f"socket={below}/out/socket",
            f"token={self.token}",
            f"victim={victim}",
            f"tcp={self.tcp.getsockname()[1]}",
            f"udp={self.udp.getsockname()[1]}",
        )


async def probed(name: str, wrap: Wrap, *, python: str, promised: Sequence[str], seconds: float) -> Capability:
    """Run the canary in a wall and return what held. The wall is available if everything promised did."""
    results: dict[str, str] = {}
    problem = f"trying it out took more than {seconds:g} seconds"
    with anyio.move_on_after(seconds):
        try:
            async with _scene() as scene:
                problem = await _try_out(scene, wrap, python, results)
        except (OSError, CommandRefused) as error:
            problem = f"it cannot be tried out ({error})"
    held = tuple(attempt for attempt in EVERYTHING if results.get(attempt, "").startswith("held"))
    lost = [f"{attempt} ({results.get(attempt, 'not tried')})" for attempt in promised if attempt not in held]
    if not problem and lost:
        problem = f"it does not hold: {', '.join(lost)}"
    return Capability(wall=name, available=not problem, why_not=problem, held=held)


async def _try_out(scene: _Scene, wrap: Wrap, python: str, results: dict[str, str]) -> str:
    canary = str(Path(__file__).with_name("canary.py"))
    victim_argv = (python, "-I", "-S", "-c", "import os; os.write(1, os.read(0, 1))")
    quiet = subprocess.DEVNULL
    async with spawned(victim_argv, env={"TOKEN": scene.token}, stderr=quiet) as victim:
        spec = scene.spec()
        spec = attrs.evolve(spec, read_only=(*spec.read_only, canary))
        argv = (python, "-I", "-S", canary, *scene.facts(victim.pid))
        async with (
            wrap(argv, spec) as wrapped,
            spawned(wrapped.argv, cwd=wrapped.cwd, env=wrapped.env, pass_fds=wrapped.pass_fds, stdin=quiet) as process,
        ):
            said, complaint, ended = await _attend(process)
        for line in said.decode(errors="replace").splitlines():
            attempt, _, outcome = line.partition(" ")
            results[attempt] = outcome
        if "works" not in results:
            return f"it does not start: {complaint.decode(errors='replace').strip() or 'it says nothing'}"
        if not ended:
            results["background"] = "open a process outlived the command"
        if not await _answers(victim):
            results["signal"] = "open the signal arrived"
    if scene.heard():
        results["udp"] = "open the datagram arrived"
    return ""


async def _answers(victim: anyio.abc.Process) -> bool:
    if victim.stdin is None or victim.stdout is None:
        raise RuntimeError("the process was started without pipes")
    try:
        await victim.stdin.send(b"x")
        return await victim.stdout.receive(1) == b"x"
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        return False


async def _attend(process: anyio.abc.Process) -> tuple[bytes, bytes, bool]:
    """Return both outputs, and whether everything that could write to them was gone soon after the process was."""
    said = {"out": b"", "err": b""}
    closed: list[str] = []

    async def read(name: str, stream: anyio.abc.ByteReceiveStream | None) -> None:
        if stream is None:
            raise RuntimeError("the process was started without pipes")
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while len(said[name]) < _MOST_OUTPUT:
                said[name] += await stream.receive(_MOST_OUTPUT)
        closed.append(name)

    async with anyio.create_task_group() as readers:
        readers.start_soon(read, "out", process.stdout)
        readers.start_soon(read, "err", process.stderr)
        await process.wait()
        readers.cancel_scope.deadline = anyio.current_time() + _AFTER_EXIT_S
    return said["out"], said["err"], len(closed) == 2


@asynccontextmanager
async def _scene() -> AsyncGenerator[_Scene]:
    stack = ExitStack()
    try:
        yield await finished(partial(_build, stack))
    finally:
        with anyio.move_on_after(_CLEAN_S, shield=True):
            await anyio.to_thread.run_sync(stack.close)


def _build(stack: ExitStack) -> _Scene:
    folder = os.path.realpath(tempfile.mkdtemp(prefix="par-wall-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    below = Path(folder)
    for name in ("out", "home", "tmp", "ws/.git/hooks", "ws/src"):
        (below / name).mkdir(parents=True)
    for name in ("out/secret", "ws/.git/config", "ws/a.txt"):
        (below / name).write_text("text\n")
    (below / "ws/link").symlink_to(below / "out/secret")
    token = secrets.token_hex(16)
    root = os.open(below / "ws", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, root)

    def server(family: int, kind: int, address: tuple[str, int] | str) -> socket.socket:
        one = stack.enter_context(socket.socket(family, kind))
        one.setblocking(False)  # noqa: FBT003 # that is how it is called
        one.bind(address)
        if kind == socket.SOCK_STREAM:
            one.listen(4)
        return one

    return _Scene(
        folder=folder,
        root=root,
        token=token,
        tcp=server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        udp=server(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        unix=tuple(
            server(socket.AF_UNIX, socket.SOCK_STREAM, address)
            for address in (f"{folder}/out/socket", f"\0{token}")
            if sys.platform.startswith("linux") or address.startswith("/")
        ),
    )
