"""The host of drivers that speak only asyncio."""

import asyncio
import threading
import time

import anyio
import pytest

from par.errors import StoreUnavailable
from par.persistence._host import open_host

pytestmark = pytest.mark.anyio


def portal_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("asyncio-portal")]


async def answer(question):
    await asyncio.sleep(0)
    return f"{question}!"


async def fail():
    await asyncio.sleep(0)
    raise LookupError("not there")


async def test_a_call_returns_what_the_driver_returns():
    async with open_host() as host:
        assert await host.call(answer, "why") == "why!"


async def test_a_call_raises_what_the_driver_raises():
    async with open_host() as host:
        with pytest.raises(LookupError, match="not there"):
            await host.call(fail)


async def test_calls_of_many_tasks_run_side_by_side():
    async with open_host() as host:
        barrier = await host.call(make_barrier)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(host.call, barrier)


async def make_barrier():
    waiting = 0
    everybody = asyncio.Event()

    async def barrier():
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            everybody.set()
        await everybody.wait()

    return barrier


async def test_all_calls_run_on_one_asyncio_loop():
    async def loop():
        return asyncio.get_running_loop()

    async with open_host() as host:
        assert await host.call(loop) is await host.call(loop)


async def test_a_cancelled_call_is_cancelled_in_the_driver_and_has_ended_before_the_caller_goes_on():
    log = []
    started = anyio.Event()

    async def hang(tell):
        tell()
        try:
            await asyncio.Event().wait()
        finally:
            time.sleep(0.05)  # noqa: ASYNC251 # a clean-up that takes its time
            log.append("cleaned up")

    async with open_host() as host, anyio.create_task_group() as tasks:

        async def call():
            try:
                await host.call(hang, threadsafe(started))
            finally:
                log.append("caller")

        tasks.start_soon(call)
        await started.wait()
        tasks.cancel_scope.cancel()

    assert log == ["cleaned up", "caller"]


def threadsafe(event):
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()
        return lambda: token.run_sync_soon(event.set)
    return event.set


async def test_a_host_is_of_use_after_a_cancelled_call():
    async with open_host() as host:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await host.call(answer, "lost")

        assert await host.call(answer, "again") == "again!"


async def test_when_the_host_is_closed_its_thread_has_ended():
    async with open_host() as host:
        await host.call(answer, "why")

    assert portal_threads() == []


async def test_a_host_that_is_left_by_cancellation_has_ended_its_thread():
    with anyio.CancelScope() as scope:
        async with open_host():
            scope.cancel()
            await anyio.sleep_forever()

    assert portal_threads() == []


async def test_on_asyncio_there_is_no_thread(anyio_backend_name):
    before = threading.active_count()

    async with open_host() as host:
        await host.call(answer, "why")
        threads = threading.active_count() - before

    assert (threads == 0) is (anyio_backend_name == "asyncio")


async def test_a_closed_host_in_a_thread_takes_no_calls(anyio_backend_name):
    if anyio_backend_name == "asyncio":
        pytest.skip("in place there is nothing to close")
    async with open_host() as host:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        await host.call(answer, "late")
