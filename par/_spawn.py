"""Start a process so that no cancellation, however it comes, can leave it behind."""

import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from subprocess import PIPE

import anyio
from anyio.abc import Process

__all__ = ["signal_group", "spawned"]

_REAP_S = 5.0
_GONE_S = 0.2
"""How long the rest of a killed group may take to be gone; where nobody reaps orphans, it stays as zombies."""


@asynccontextmanager
async def spawned(
    argv: Sequence[str],
    *,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    stdin: int = PIPE,
    stdout: int = PIPE,
    stderr: int | None = PIPE,
    grace_s: float = 0.0,
) -> AsyncGenerator[Process]:
    """Run ``argv`` in a session and process group of its own while the block is open.

    Leaving the block kills the whole group and reaps the process, also when the block is cancelled, and also
    when the cancellation comes while the process is being started: event loops lose such a process. A process
    that still runs is asked to end first, and has ``grace_s`` seconds for it.

    Raises:
        OSError: if the program cannot be started.
    """
    started: list[Process] = []
    failed: list[OSError] = []

    async def start() -> None:
        # in a task of its own, because a shield does not stop asyncio's own ``task.cancel()``
        with anyio.CancelScope(shield=True):
            try:
                process = await anyio.open_process(
                    list(argv),
                    cwd=cwd,
                    env=env,
                    pass_fds=pass_fds,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
            except OSError as error:
                failed.append(error)
            else:
                started.append(process)

    try:
        async with anyio.create_task_group() as group:  # noqa: ASYNC112 # a task of its own is the point
            group.start_soon(start)
        if failed:
            raise failed[0]
        yield started[0]
    finally:
        for process in started:
            with anyio.move_on_after(_REAP_S + grace_s, shield=True):
                if grace_s and process.returncode is None:
                    signal_group(process, signal.SIGTERM)
                    with anyio.move_on_after(grace_s):
                        await process.wait()
                # the group may outlive its leader, so it is killed whether or not the leader has ended
                signal_group(process, signal.SIGKILL)
                await process.wait()
                await _group_gone(process)
                await process.aclose()


async def _group_gone(process: Process) -> None:
    # the others of the group are not our children, so nobody tells us when the kernel is done with them
    with anyio.move_on_after(_GONE_S):
        while _group_exists(process):  # noqa: ASYNC110 # nothing else tells
            await anyio.sleep(_GONE_S / 100)


def _group_exists(process: Process) -> bool:
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to all that is left of a process's group.

    The group keeps its number as long as anything in it lives; when nothing does, there is nobody to signal.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
