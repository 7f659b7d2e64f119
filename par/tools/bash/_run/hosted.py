"""Running code of the project: behind the wall, in private folders, with everything ended afterwards."""

import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import attrs

from par._spawn import spawned
from par.errors import CommandRefused
from par.tools.bash._commands.leaves import Run
from par.tools.bash._commands.protected import PROTECTED
from par.tools.bash._commands.refusals import quote
from par.tools.bash._commands.running import RunLinter, RunPython, RunTask, RunTests
from par.tools.bash._git.prefix import CLEAN_ENV
from par.tools.bash._native.interrupt import chunks, in_thread
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._policy.hosted import Place
from par.tools.bash._run.attend import GRACE_S, Bounds, Exited, attend
from par.tools.bash._run.changes import changed_since
from par.tools.bash._run.hosted_argv import READER, linter_argv, module_argv, script_argv, task_argv, tests_argv
from par.tools.bash._run.hosted_verify import verify_hosted
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.work import Work
from par.tools.bash._walls.ground import finished
from par.tools.bash._walls.values import Limits, Wall, WallSpec, Wrapped, inside

__all__ = ["run_hosted"]

_DRAIN: Final = 256 * 1024 * 1024
"""Bytes of output beyond the kept ones; test suites say much."""
_FILES: Final = 1024
_MOST_LINKS: Final = 40
_MAX_SCRIPT: Final = 10 * 1024 * 1024
_CLEAR_S: Final = 10.0
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64")
_TOP: Final = tuple(sorted(name for name in PROTECTED if name.startswith(".") and name != ".git"))
_PYTHON: Final = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"}


@attrs.frozen(kw_only=True)
class _Plan:
    """What is to be started, and where."""

    argv: tuple[str, ...]
    cwd: str
    place: Place
    writes: bool
    script: int | None = None
    """The descriptor that holds the script."""


async def run_hosted(work: Work, command: Run) -> Outcome:
    """Run what the host has set up under the name that the command gives.

    Raises:
        CommandRefused: for a name, an option or a path that is not there, a script that changed after it was
            approved, and a wall that does not fit.
    """
    async with _planned(work, command) as plan, _private_folders() as (home, tmp):
        room = work.room
        with room.workspace.root() as root:
            spec = _spec(room, plan, root, home, tmp)
            wall = work.wall if work.wall is not None else work.no_wall
            await wall.probe()
            absent = await in_thread(partial(_absent, room))
            since_ns = time.time_ns()  # compared with times of the file system
            exited, wrapped = await _run(wall, plan, spec, work)
        notes = await in_thread(partial(_after, room, wrapped, absent, since_ns, writes=plan.writes))
    code, number = wrapped.ended(exited.returncode if exited.returncode is not None else -9)
    if exited.flooded:
        notes = (*notes, "The output was so long that the command was ended.")
    return Outcome(
        stdout=exited.stdout,
        stderr=exited.stderr,
        exit_code=None if exited.timed_out else code,
        signal=None if exited.timed_out else number,
        timed_out=exited.timed_out,
        notes=(*notes, f"Wall: {wall.name}."),
        argv=(plan.argv,),
    )


async def _run(wall: Wall, plan: _Plan, spec: WallSpec, work: Work) -> tuple[Exited, Wrapped]:
    policy = work.room.policy
    bounds = Bounds(
        max_bytes=policy.max_output_bytes,
        max_lines=policy.max_output_lines,
        drain=_DRAIN,
        deadline=work.deadline,
        tell=work.tell,
    )
    async with wall.wrap(plan.argv, spec) as wrapped:
        started = False
        try:
            async with spawned(
                wrapped.argv,
                cwd=wrapped.cwd,
                env=wrapped.env,
                pass_fds=wrapped.pass_fds,
                stdin=subprocess.DEVNULL,
                grace_s=GRACE_S,
            ) as process:
                started = True
                exited = await attend(process, bounds)
        except OSError as error:
            if started:
                raise
            problem = f"{wall.name} cannot be started ({error.strerror})."
            raise CommandRefused("cannot_start", problem, field="op", remedy="Tell the user.") from None
    said = exited.stderr.head
    if exited.returncode and any(said.startswith(mark) for mark in wrapped.failure_marks):
        problem = f"the wall {wall.name} could not be built: {quote(said[:200].decode(errors='replace'))}."
        raise CommandRefused("wall_missing", problem, field="op", remedy="Nothing was run. Ask the user.")
    return exited, wrapped


def _spec(room: Room, plan: _Plan, root: int, home: str, tmp: str) -> WallSpec:
    policy = room.policy
    workspace = _real(root, room.workspace.path)
    # what lies in the workspace is there anyway; at the top of it, it must not be changed either
    reads = _read_only(plan)
    own = {
        path[len(workspace) + 1 :].split("/", 1)[0]
        for path in reads
        if inside(path, f"{workspace}/") and path != workspace
    }
    return WallSpec(
        root=root,
        workspace=workspace,
        access="write" if plan.writes else "read",
        git="read",
        home=home,
        tmp=tmp,
        cwd=plan.cwd,
        read_only=tuple(path for path in reads if not inside(path, workspace)),
        env={**CLEAN_ENV, **_PYTHON, **plan.place.env},
        unix_pairs=True,
        protected=tuple(sorted({*_TOP, *own})),
        limits=Limits(
            cpu_s=int(policy.run_timeout_s) + 1,
            file_bytes=plan.place.file_bytes,
            files=_FILES,
            data_bytes=plan.place.data_bytes,
        ),
        pass_fds=() if plan.script is None else (plan.script,),
    )


def _read_only(plan: _Plan) -> tuple[str, ...]:
    """Return what the program needs besides the system: its installation, and what the host has named."""
    wanted = [*plan.place.read_only]
    for place in _links(plan.argv[0]):
        folder = Path(place).parent
        if not place.startswith(tuple(f"{name}/" for name in _SYSTEM)):
            wanted.append(str(folder.parent if folder.name == "bin" else folder))
    if plan.script is not None:
        wanted.append(READER)
    real = (os.path.realpath(path) for path in wanted)
    return tuple(dict.fromkeys(path for path in real if os.path.exists(path) and path != "/"))  # noqa: PTH110 # plain texts


def _links(program: str) -> list[str]:
    """Return the places that a program's path leads through, link by link."""
    places = [os.path.normpath(program)]
    while len(places) < _MOST_LINKS and os.path.islink(places[-1]):  # noqa: PTH114 # plain texts
        target = os.readlink(places[-1])  # noqa: PTH115
        places.append(os.path.normpath(os.path.join(os.path.dirname(places[-1]), target)))  # noqa: PTH118, PTH120
    return [*places, os.path.realpath(program)]


def _real(root: int, path: str) -> str:
    """Return the path of the workspace as it is now; the descriptor says what it is."""
    try:
        return os.readlink(f"/proc/self/fd/{root}")  # noqa: PTH115 # a descriptor, not a path
    except OSError:
        return os.path.realpath(path)


@asynccontextmanager
async def _private_folders() -> AsyncGenerator[tuple[str, str]]:
    made: list[str] = []

    def make() -> None:
        made.append(os.path.realpath(tempfile.mkdtemp(prefix="par-run-")))

    def clear() -> None:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)

    try:
        for _ in range(2):
            await finished(make)
        yield made[0], made[1]
    finally:
        with anyio.move_on_after(_CLEAR_S, shield=True):
            await anyio.to_thread.run_sync(clear)


@asynccontextmanager
async def _planned(work: Work, command: Run) -> AsyncGenerator[_Plan]:
    stack = ExitStack()
    try:
        plan = await finished(partial(_plan, work, command, stack))
        yield plan
    finally:
        stack.close()


def _plan(work: Work, command: Run, stack: ExitStack) -> _Plan:
    hosted = work.room.policy.hosted  # the policy has looked: the names are there
    if isinstance(command, RunTests):
        runner = hosted.runners[command.runner]
        cwd = _folder(work.room, command.cwd)
        argv = tests_argv(runner, command, partial(_admit, work.room, cwd))
        verify_hosted(argv, runner)
        return _Plan(argv=argv, cwd=cwd, place=runner.place, writes=True)
    if isinstance(command, RunLinter):
        linter = hosted.linters[command.tool]
        cwd = _folder(work.room, command.cwd)
        argv = linter_argv(linter, command, partial(_admit, work.room, cwd))
        verify_hosted(argv, linter)
        return _Plan(argv=argv, cwd=cwd, place=linter.place, writes=command.fix)
    if isinstance(command, RunTask):
        task = hosted.tasks[command.name]
        cwd = _folder(work.room, task.cwd)
        argv = task_argv(task, command, partial(_admit, work.room, cwd))
        verify_hosted(argv, task)
        return _Plan(argv=argv, cwd=cwd, place=task.place, writes="write" in task.effects)
    return _python(work, command, stack)


def _python(work: Work, command: RunPython, stack: ExitStack) -> _Plan:
    host = work.room.policy.python
    if host is None:
        raise RuntimeError("the policy allowed a script, and has no Python")
    cwd = _folder(work.room, command.cwd)
    if command.script is None:
        argv = module_argv(host, command)
        verify_hosted(argv, host)
        return _Plan(argv=argv, cwd=cwd, place=host.place, writes=True)
    name, source = _source(work, command.script)
    fd = os.memfd_create("script", os.MFD_CLOEXEC) if hasattr(os, "memfd_create") else _unnamed()
    stack.callback(os.close, fd)
    os.write(fd, source)
    os.lseek(fd, 0, os.SEEK_SET)
    shown = f"./{os.path.relpath(name, cwd)}" if cwd != "." else f"./{name}"
    argv = script_argv(host, command, held=str(fd), shown=shown)
    verify_hosted(argv, host)
    return _Plan(argv=argv, cwd=cwd, place=host.place, writes=True, script=fd)


def _unnamed() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _source(work: Work, path: str) -> tuple[str, bytes]:
    """Return the script's real name and its text, which has to be the one that was decided on."""
    try:
        with work.room.workspace.open_file(path) as opened:
            work.room.allow_reading(opened)
            if opened.facts.st_size > _MAX_SCRIPT:
                problem = f"the script has {opened.facts.st_size} bytes; at most {_MAX_SCRIPT} are run."
                raise CommandRefused("too_large", problem, field="script")
            source = b"".join(chunks(opened.fd))
            name = opened.name
    except OSError as error:
        refuse_os_error(error, path, "script")
    if hashlib.sha256(source).hexdigest() != work.script_sha256:
        raise CommandRefused(
            "script_changed",
            f"{quote(path)} changed after it was approved.",
            field="script",
            remedy="Nothing was run. Send the command again.",
        )
    return name, source


def _folder(room: Room, path: str | None) -> str:
    try:
        with room.workspace.open_folder(path or ".") as folder:
            return folder.name
    except OSError as error:
        refuse_os_error(error, path or ".", "cwd")


def _admit(room: Room, cwd: str, path: str, field: str) -> str:
    """Return how a path is written for a program that starts in ``cwd``; it exists, and lies in the workspace."""
    whole = path if cwd == "." else f"{cwd}/{path}"
    try:
        with room.workspace.open_any(whole) as opened:
            room.allow_reading(opened, field)  # linters and test runners show lines of what they look at
    except OSError as error:
        refuse_os_error(error, path, field)
    return f"./{path}"


def _after(room: Room, wrapped: Wrapped, absent: frozenset[str], since_ns: int, *, writes: bool) -> tuple[str, ...]:
    """Look at what a command left behind: protected names that it made are put aside, changes are told."""
    if not writes:
        return ()
    notes = [*changed_since(room.workspace, since_ns)]
    names = [name for name in dict.fromkeys(wrapped.unguarded) if name in absent]
    with room.workspace.root() as root:
        for name in names:
            aside = f"quarantine-{secrets.token_hex(4)}{name}"
            with suppress(FileNotFoundError):
                os.rename(name, aside, src_dir_fd=root, dst_dir_fd=root)  # by descriptor
                notes.append(f"The command made {name}, which programs obey: it was put aside as {aside}.")
    return tuple(notes)


def _absent(room: Room) -> frozenset[str]:
    """Return the protected names that are not at the top of the workspace."""
    with room.workspace.root() as root:
        there = set(os.listdir(root))  # noqa: PTH208 # by descriptor
    return frozenset({".git", *_TOP} - there)
