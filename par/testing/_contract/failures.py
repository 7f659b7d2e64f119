"""Scenarios of what goes wrong at the provider."""

import socket

from par._json import JsonObject
from par.errors import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestRejected,
    RequestTooLarge,
    ServerFailed,
    StreamInterrupted,
    TransientModelError,
    UnreadableReply,
)
from par.testing._contract.scenario import Scenario, Stage, scenario
from par.testing._contract.subject import Bench, expect
from par.testing._scripted import fail, say
from par.testing._server.script import Faulty, ServerLine, raw_answer
from par.testing._server.server import TEST_KEY, ProviderServer

__all__ = ["FAILURES"]

_PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"


async def _fails(
    stage: Stage, told: ModelError, kinds: tuple[type[ModelError], ...], *, transient: bool = False
) -> ModelError:
    """Let the server tell of an error; it must become one of these, after one request."""
    async with stage.bench([fail(told)]) as bench:
        error = await bench.must_fail()

        expect(isinstance(error, kinds), f"{error!r} is none of {', '.join(kind.__name__ for kind in kinds)}")
        expect(
            isinstance(error, TransientModelError) is transient,
            f"{error!r} is {'not ' if transient else ''}an error after which the call is made again",
        )
        expect(len(bench.server.requests) == 1, f"the call was made {len(bench.server.requests)} times")
    if not isinstance(error, ModelError):  # said above; for the checkers
        raise error
    return error


@scenario()
async def a_wrong_key(stage: Stage) -> None:
    """401 is AuthenticationFailed, with the status and the body."""
    error = await _fails(stage, AuthenticationFailed(), (AuthenticationFailed,))

    expect(error.status == 401, f"the status is {error.status!r}")
    expect(error.body is not None, "the error does not hold what the server said")


@scenario(modes=(False,))
async def no_permission(stage: Stage) -> None:
    """403 is AccessDenied."""
    await _fails(stage, AccessDenied(), (AccessDenied,))


@scenario(modes=(False,))
async def no_such_model(stage: Stage) -> None:
    """404 is ModelNotFound."""
    await _fails(stage, ModelNotFound(), (ModelNotFound,))


@scenario(modes=(False,))
async def a_request_that_is_too_large(stage: Stage) -> None:
    """413 is RequestTooLarge."""
    await _fails(stage, RequestTooLarge(), (RequestTooLarge, ContextTooLong))


@scenario()
async def a_conversation_that_is_too_long(stage: Stage) -> None:
    """The API's words for a full context are ContextTooLong."""
    await _fails(stage, ContextTooLong(), (ContextTooLong,))


@scenario()
async def a_wrong_request(stage: Stage) -> None:
    """400 is RequestRejected, with what the server says about it."""
    error = await _fails(stage, RequestRejected("the moon is full"), (RequestRejected,))

    expect("the moon is full" in str(error), f"the error does not tell what the server said: {error}")


@scenario()
async def a_rate_limit(stage: Stage) -> None:
    """429 is RateLimited, with the seconds to wait and the id of the request."""
    error = await _fails(stage, RateLimited(retry_after_s=7), (RateLimited,), transient=True)

    expect(error.retry_after_s == 7, f"retry_after_s is {error.retry_after_s!r}")
    expect(error.request_id == "req_0", f"the request id is {error.request_id!r}")


@scenario()
async def a_broken_server(stage: Stage) -> None:
    """500 is ServerFailed."""
    await _fails(stage, ServerFailed(), (ServerFailed,), transient=True)


@scenario()
async def a_full_server(stage: Stage) -> None:
    """503 and 529 are Overloaded."""
    await _fails(stage, Overloaded(), (Overloaded,), transient=True)


@scenario()
async def a_server_that_hangs_up(stage: Stage) -> None:
    """A connection that ends without an answer is ConnectionFailed."""
    await _fails(stage, ConnectionFailed(), (ConnectionFailed, StreamInterrupted), transient=True)


@scenario()
async def a_server_that_is_not_there(stage: Stage) -> None:
    """A refused connection is ConnectionFailed."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # held and not listened at: nobody else can have it
        port: int = held.getsockname()[1]
        server = ProviderServer([], key=TEST_KEY, port=port)
        async with stage.subject.open(server) as model:
            error = await Bench(stage.subject, server, model, stream=stage.stream).must_fail()

    expect(isinstance(error, ConnectionFailed), f"{error!r} is no ConnectionFailed")


@scenario()
async def an_error_page(stage: Stage) -> None:
    """A page of a gateway is an error of its status, however it is labelled."""
    async with stage.bench([raw_answer(_PAGE, status=502, content_type="text/html")]) as bench:
        error = await bench.must_fail()

        expect(isinstance(error, (ServerFailed, Overloaded)), f"{error!r} is no ServerFailed")


@scenario()
async def an_answer_that_is_garbage(stage: Stage) -> None:
    """What is not the API's is UnreadableReply and never an empty answer."""
    bodies = [(_PAGE, "text/html"), (b"garbage", "application/json"), (b"{}", "application/json")]
    async with stage.bench([raw_answer(body, content_type=kind) for body, kind in bodies]) as bench:
        for _ in bodies:
            error = await bench.must_fail()

            expect(isinstance(error, UnreadableReply), f"{error!r} is no UnreadableReply")


@scenario()
async def the_key_is_in_no_error(stage: Stage) -> None:
    """Servers quote the key; errors must not."""
    key = TEST_KEY
    quoted: JsonObject = {
        "error": {"message": f"Incorrect API key provided: {key}", "type": "invalid_request_error", "param": key}
    }
    lines: list[ServerLine] = [
        raw_answer(quoted, status=401),
        raw_answer(f"Bearer {key} is not known", status=500, content_type="text/plain"),
        raw_answer(f"no JSON, but {key}"),
        fail(RateLimited(f"the key {key} has no room")),
    ]
    async with stage.bench(lines) as bench:
        for _ in lines:
            error = await bench.must_fail()

            told = f"{error} {error!r} {getattr(error, 'body', None)!r} {getattr(error, 'detail', None)!r}"
            expect(key not in told, f"the key stands in {told}")


@scenario(needs="streaming", modes=(True,))
async def an_error_within_the_stream(stage: Stage) -> None:
    """What an event says went wrong is that error, and what had come is no answer."""
    told = (Overloaded(), RateLimited())
    async with stage.bench([Faulty(say("Once upon a time"), error=each, error_after=4) for each in told]) as bench:
        for _ in told:
            error = await bench.must_fail()

            expect(isinstance(error, TransientModelError), f"{error!r} is no TransientModelError")


FAILURES: tuple[Scenario, ...] = (
    a_wrong_key,
    no_permission,
    no_such_model,
    a_request_that_is_too_large,
    a_conversation_that_is_too_long,
    a_wrong_request,
    a_rate_limit,
    a_broken_server,
    a_full_server,
    a_server_that_hangs_up,
    a_server_that_is_not_there,
    an_error_page,
    an_answer_that_is_garbage,
    the_key_is_in_no_error,
    an_error_within_the_stream,
)
