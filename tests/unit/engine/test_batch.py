"""The tools of one reply: side by side, in order, each on its own."""

import threading
import time

import anyio
import pytest
from support.process_tools import broken, dies, double, too_slow

from par import Agent, Document, Image, RunContext, ToolFailed, tool
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


async def results_of(tools, *calls, **options):
    run = await Agent(ScriptedModel([list(calls), say("done")]), tools=tools, **options).run("go")
    return run.messages[-2].results


async def test_tools_of_one_reply_run_at_the_same_time():
    running = 0
    most = 0
    all_here = anyio.Event()

    @tool
    async def meet(n: int) -> int:
        """Wait until all three are here."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            all_here.set()
        await all_here.wait()
        running -= 1
        return n

    results = await results_of([meet], call("meet", n=1), call("meet", n=2), call("meet", n=3))

    assert most == 3
    assert [result.content for result in results] == ["1", "2", "3"]


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_no_more_than_the_limit_run_at_once(limit):
    running = 0
    most = 0

    @tool
    async def count(n: int) -> int:
        """Count who is here."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return n

    await results_of([count], *[call("count", n=n) for n in range(8)], max_parallel_tools=limit)

    assert most == limit


async def test_a_failing_tool_does_not_cancel_its_siblings():
    failed = anyio.Event()

    @tool
    async def fails(x: int) -> int:
        """Fail at once."""
        failed.set()
        raise ToolFailed("no luck")

    @tool
    async def lasts(x: int) -> str:
        """Go on after the other has failed."""
        await failed.wait()
        await anyio.lowlevel.checkpoint()
        return "still here"

    results = await results_of([fails, lasts], call("fails", x=1), call("lasts", x=1))

    assert [(r.outcome, r.content) for r in results] == [("failed", "no luck"), ("done", "still here")]


async def test_a_crash_is_told_with_its_type_and_message():
    @tool
    async def crash(x: int) -> int:
        """Crash."""
        return {}["key"]

    (result,) = await results_of([crash], call("crash", x=1))

    assert result.content == "crash crashed: KeyError: 'key'"


async def test_a_wrong_argument_teaches_the_model():
    @tool
    async def add(x: int, y: int = 2) -> int:
        """Add."""
        return x + y

    results = await results_of(
        [add], call("add", x="5"), call("add", x=3.9), call("add", x=1, z=2), call("add"), call("add", x=1, y=None)
    )

    assert [result.outcome for result in results] == ["failed"] * 5
    assert "Send 5 without quotes." in results[0].content
    assert "expected a whole number, got the number 3.9" in results[1].content
    assert "'z' is not a field. The fields are: x, y." in results[2].content
    assert "x is missing" in results[3].content
    assert "y: expected a whole number, got null" in results[4].content


async def test_a_result_of_another_type_is_a_failure():
    @tool
    async def lies(x: int) -> int:
        """Return text in place of a number."""
        return "three"  # type: ignore[return-value]

    (result,) = await results_of([lies], call("lies", x=1))

    assert result.outcome == "failed"
    assert "lies returned str instead of a whole number" in result.content


PICTURE = Image(base64="aGk=", media_type="image/png")
FILE = Document(file_id="file-1")


@pytest.mark.parametrize(
    ("value", "content", "blocks"),
    [
        (PICTURE, "", (PICTURE,)),
        (FILE, "", (FILE,)),
        (["look", PICTURE, "and", FILE], "look\nand", (PICTURE, FILE)),
        (("look", PICTURE), "look", (PICTURE,)),
        (["look"], '["look"]', ()),
        ([1, FILE], '[1,{"url":null,"base64":null,"file_id":"file-1","media_type":null,"name":null}]', ()),
        ([], "[]", ()),
    ],
    ids=["picture", "file", "list", "tuple", "texts", "other", "empty"],
)
async def test_a_tool_may_show_pictures_and_files(value, content, blocks):
    @tool
    async def look():
        """Look."""
        return value

    (result,) = await results_of([look], call("look"))

    assert (result.content, result.blocks) == (content, blocks)


async def test_a_tool_that_promises_a_picture_may_return_one():
    @tool
    async def look() -> list[str | Image]:
        """Look."""
        return ["here", PICTURE]

    (result,) = await results_of([look], call("look"))

    assert (result.content, result.outcome, result.blocks) == ("here", "done", (PICTURE,))


async def test_a_timeout_ends_an_async_tool_after_its_cleanup():
    cleaned = []

    @tool(timeout=0.01)
    async def slow(x: int) -> int:
        """Take too long."""
        try:
            await anyio.sleep(60)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                cleaned.append(x)
        return x

    (result,) = await results_of([slow], call("slow", x=1))

    assert (result.outcome, cleaned) == ("timed_out", [1])
    assert "0.01 s" in result.content


async def test_a_timeout_of_a_thread_waits_for_it_and_says_so():
    ended = []

    @tool(timeout=0.01)
    def slow(x: int) -> int:
        """Take too long in a thread."""
        time.sleep(0.05)
        ended.append(x)
        return x

    (result,) = await results_of([slow], call("slow", x=1))

    assert (result.outcome, ended) == ("timed_out", [1])
    assert "cannot be stopped" in result.content


async def test_a_sync_tool_runs_in_a_worker_thread():
    @tool
    def where() -> bool:
        """Tell the thread."""
        return threading.current_thread() is threading.main_thread()

    (result,) = await results_of([where], call("where"))

    assert result.content == "false"


async def test_a_sync_tool_may_tell_progress_and_know_its_deadline():
    seen = []

    @tool(timeout=50)
    def work(ctx: RunContext) -> bool:
        """Work."""
        ctx.progress_from_thread("half", 0.5)
        return 0 < ctx.remaining_s <= 50

    agent = Agent(ScriptedModel([call("work"), say("done")]), tools=[work])
    async with agent.run_stream("go") as stream:
        async for event in stream:
            seen.append(event)

    assert [e.message for e in seen if type(e).__name__ == "ToolProgress"] == ["half"]
    assert stream.result.messages[-2].results[0].content == "true"


async def test_an_abandoned_thread_is_reported_as_unknown_on_timeout():
    release = threading.Event()

    @tool(sync="abandon", timeout=0.01)
    def stuck(x: int) -> int:
        """Hang."""
        release.wait(10)
        return x

    try:
        (result,) = await results_of([stuck], call("stuck", x=1))
    finally:
        release.set()

    assert result.outcome == "unknown"
    assert "goes on in its thread" in result.content


async def test_an_abandoned_thread_does_not_hold_up_a_cancelled_run():
    release, begun = threading.Event(), threading.Event()

    @tool(sync="abandon", effect="read")
    def stuck(x: int) -> int:
        """Hang."""
        begun.set()
        release.wait(10)
        return x

    agent = Agent(ScriptedModel([call("stuck", x=1), say("done")]), tools=[stuck])
    try:
        async with agent.run_stream("go") as stream:
            async for event in stream:
                if type(event).__name__ == "ToolCallStarted":
                    await anyio.to_thread.run_sync(begun.wait)
                    break
    finally:
        release.set()

    assert stream.result.stop_reason == "cancelled"
    assert stream.messages[-1].results[0].outcome == "unknown"


async def test_a_process_tool_returns_its_result():
    (result,) = await results_of([double], call("double", x=21))

    assert result.content == "42"


async def test_a_process_tool_raises_in_the_parent():
    (result,) = await results_of([broken], call("broken", x=7))

    assert result.content == "broken crashed: LookupError: no 7"


async def test_a_process_that_dies_is_a_failure():
    (result,) = await results_of([dies], call("dies", x=7))

    assert "ended without an answer (exit status 3)" in result.content


async def test_a_process_tool_is_killed_at_its_timeout():
    started = time.perf_counter()

    (result,) = await results_of([too_slow], call("too_slow", x=7))

    assert result.outcome == "timed_out"
    assert time.perf_counter() - started < 20


async def test_the_idempotency_key_differs_for_each_call_and_names_the_run():
    keys = []

    @tool
    async def note(ctx: RunContext) -> str:
        """Note the key."""
        keys.append(ctx.idempotency_key)
        return "ok"

    agent = Agent(ScriptedModel([[call("note"), call("note")], say("done")]), tools=[note])
    result = await agent.run("go")

    assert len(set(keys)) == 2
    assert all(key.startswith(result.run_id) for key in keys)


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
async def test_progress_outside_its_range_is_refused(fraction):
    @tool
    async def boast(ctx: RunContext) -> str:
        """Boast."""
        await ctx.progress("very far", fraction)
        return "x"

    (result,) = await results_of([boast], call("boast"))

    assert "fraction must be between 0 and 1" in result.content
