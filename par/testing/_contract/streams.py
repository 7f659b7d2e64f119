"""Scenarios of answers on their way: cut, odd, cancelled."""

from collections.abc import Awaitable, Callable
from typing import Literal

import anyio

from par._engine.groups import unwrapped
from par.errors import ConnectionFailed, StreamInterrupted, UnreadableReply
from par.testing._contract.scenario import Scenario, Stage, scenario
from par.testing._contract.subject import Bench, ContractBroken, expect
from par.testing._scripted import Call, Say, call, say
from par.testing._server.script import Faulty
from par.testing._server.sse import SseStyle

__all__ = ["STREAMS"]

_HANGS_UP_WITHIN_S = 10.0
_STYLES = (
    SseStyle(newline="\r\n"),
    SseStyle(newline="\r"),
    SseStyle(space=False),
    SseStyle(comments=True),
    SseStyle(lines=True),
    SseStyle(ids=True, retry=True),
    SseStyle(bom=True),
    SseStyle(last_blank_line=False),
    SseStyle(chunk_bytes=5),
    SseStyle(newline="\r\n", space=False, comments=True, lines=True, ids=True, retry=True, bom=True, chunk_bytes=7),
)


@scenario(needs="streaming", modes=(True,))
async def events_in_every_legal_form(stage: Stage) -> None:
    """Line ends, comments, several lines of data, byte order marks, and cuts anywhere change nothing."""
    said: list[Say | Call] = [say("Grüße, 你好, 🙂"), call("weather", city="Zürich")]
    async with stage.bench([Faulty(said, sse=style) for style in _STYLES]) as bench:
        for style in _STYLES:
            reply = await bench.ask()

            expect(reply.message.text == "Grüße, 你好, 🙂", f"{style!r} gives the text {reply.message.text!r}")
            arguments = [use.arguments for use in reply.message.tool_uses]
            expect(arguments == [{"city": "Zürich"}], f"{style!r} gives the arguments {arguments!r}")


@scenario(needs="streaming", modes=(True,))
async def a_cut_stream_is_no_answer(stage: Stage) -> None:
    """A stream that ends early is StreamInterrupted, wherever and however politely it ends."""
    places: tuple[Literal["event", "character"], ...] = ("event", "character")
    cuts: list[tuple[Literal["event", "character"], bool]] = [
        (place, clean) for place in places for clean in (False, True)
    ]
    script = [Faulty(say("Grüße und mehr"), cut_in=place, clean_cut=clean) for place, clean in cuts]
    async with stage.bench(script) as bench:
        for place, _ in cuts:
            error = await bench.must_fail()

            how = f"cut in the middle of {'an' if place == 'event' else 'a'} {place}"
            expect(isinstance(error, StreamInterrupted), f"{how}: {error!r} is no StreamInterrupted")


@scenario(modes=(False,))
async def a_cut_answer_is_no_answer(stage: Stage) -> None:
    """A body that ends early is an error that may be tried again, or one that cannot be read."""
    async with stage.bench([Faulty(say("Once upon a time"), cut_after=40)]) as bench:
        error = await bench.must_fail()

        kinds = (StreamInterrupted, ConnectionFailed, UnreadableReply)
        expect(isinstance(error, kinds), f"{error!r} does not say that the answer broke off")


@scenario(needs="streaming", modes=(True,))
async def cancelling_a_stream_hangs_up(stage: Stage) -> None:
    """When the caller is cancelled in mid-stream, the connection is closed at once."""
    async with stage.bench([Faulty(say("one two three four five six"), stall_after=6)]) as bench:
        await _cancel_when(bench, bench.shown.wait)


@scenario()
async def cancelling_before_the_answer_hangs_up(stage: Stage) -> None:
    """When the caller is cancelled while the server thinks, the connection is closed at once."""
    async with stage.bench([Faulty(say("never"), stall_after=0)]) as bench:
        await _cancel_when(bench, bench.server.received)


async def _cancel_when(bench: Bench, begun: Callable[[], Awaitable[object]]) -> None:
    async def hang() -> None:
        await bench.ask()
        raise ContractBroken("the call returned although the server had not answered")

    try:
        with anyio.fail_after(_HANGS_UP_WITHIN_S):
            async with anyio.create_task_group() as group:
                group.start_soon(hang)
                await begun()
                group.cancel_scope.cancel()
            request = await bench.server.closed()
    except BaseExceptionGroup as failures:
        raise unwrapped(failures) from failures
    except TimeoutError:
        raise ContractBroken("the connection was not closed when the call was cancelled") from None
    expect(not request.answered, "the whole answer was sent before the connection was closed")


STREAMS: tuple[Scenario, ...] = (
    events_in_every_legal_form,
    a_cut_stream_is_no_answer,
    a_cut_answer_is_no_answer,
    cancelling_a_stream_hangs_up,
    cancelling_before_the_answer_hangs_up,
)
