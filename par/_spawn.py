"""Start a process so that no cancellation, however it comes, can leave it behind."""

import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from subprocess import PIPE

import anyio
from anyio.abc import Process

__all__ = ["spawned"]

_REAP_S = 5.0


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
) -> AsyncGenerator[Process]:
    """Run ``argv`` in a session and process group of its own while the block is open.

    Leaving the block kills the whole group and reaps the process, also when the block is cancelled, and also
    when the cancellation comes while the process is being started: event loops lose such a process.

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
            with anyio.move_on_after(_REAP_S, shield=True):
                # the group may outlive its leader, so it is killed whether or not the leader has ended
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
                await process.aclose()
