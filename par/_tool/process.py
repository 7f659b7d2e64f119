"""Run a function in a process of its own that a cancelled call takes down with it."""

import multiprocessing.spawn
import pickle
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import anyio
from anyio.abc import Process

from par._spawn import spawned
from par._tool.function import Function
from par.errors import ToolFailed

__all__ = ["run_in_process"]


async def run_in_process(function: Function, arguments: Mapping[str, object]) -> object:
    """Call ``function(**arguments)`` in a fresh process and return its result.

    The function is found by module and name, so it is defined at the top of a module; arguments and result
    are pickled. When the call is cancelled, the process and what it started in its own process group are
    killed and reaped before the cancellation goes on.

    Raises:
        ToolFailed: if the process ended without an answer.
        Exception: what the function raised.
    """
    preparation = multiprocessing.spawn.get_preparation_data("par-tool")
    preparation.pop("authkey", None)  # cannot be pickled outside multiprocessing's own spawning
    request = pickle.dumps((preparation, function.__module__, function.__qualname__, dict(arguments)))
    async with spawned([sys.executable, "-m", "par._tool.worker"], stderr=None) as process:
        answer = await _talk(process, request)
        await process.wait()
    return _result(function.__name__, answer, process.returncode)


async def _talk(process: Process, request: bytes) -> bytes:
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("the worker was started without its pipes")
    with suppress(anyio.BrokenResourceError):  # it died; its exit status says why
        await stdin.send(request)
        await stdin.aclose()
    return b"".join([chunk async for chunk in stdout])


def _result(name: str, answer: bytes, returncode: int | None) -> object:
    if not answer:
        raise ToolFailed(f"the process of {name} ended without an answer (exit status {returncode})")
    # the bytes come from the process that we started
    worked, value = cast("tuple[bool, object]", pickle.loads(answer))  # noqa: S301
    if worked:
        return value
    raise cast("Exception", value)  # the worker sends nothing else with False
