"""The server: it reads requests, refuses what must be refused, and plays its script."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import final

import anyio
import anyio.abc
import anyio.lowlevel
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectSendStream

from par._engine.groups import unwrapped
from par._json import Json, JsonObject, dump_json
from par.errors import RequestRejected
from par.testing._scripted import Fail
from par.testing._server.chat_reply import CHAT
from par.testing._server.delivery import Delivery, HungUp
from par.testing._server.dialect import Dialect
from par.testing._server.failures import refused_for, retry_headers
from par.testing._server.http import HttpRequest, HttpWriter, read_request
from par.testing._server.issued import Issued
from par.testing._server.messages_reply import MESSAGES
from par.testing._server.refused import Misshapen, Refused
from par.testing._server.responses_reply import RESPONSES
from par.testing._server.script import Faulty, Raw, Script, playback
from par.testing._server.seen import SeenConnection, SeenRequest
from par.testing._server.sse import ServerEvent

__all__ = ["TEST_KEY", "ProviderServer", "provider_server"]

TEST_KEY = "sk-par-0123456789-of-a-test-and-of-nothing-else"
_DIALECTS = (CHAT, RESPONSES, MESSAGES)


@final
class ProviderServer:
    """A provider on this machine; ``provider_server`` opens it.

    Any client of the three APIs can be pointed at ``base_url`` with ``key``: ``AsyncOpenAI(base_url=..., api_key=...)``
    for chat completions and for the responses API, ``AsyncAnthropic(base_url=..., api_key=...)``. ``requests`` and
    ``connections`` hold what came, in order, refused requests too.
    """

    def __init__(self, script: Script, *, key: str, port: int) -> None:
        self.key = key
        self.base_url = f"http://127.0.0.1:{port}"
        self.requests: list[SeenRequest] = []
        self.connections: list[SeenConnection] = []
        self._script = script
        self._next = 0
        self._issued = Issued()
        self._news = anyio.Event()

    @property
    def refusals(self) -> list[str]:
        """What was wrong with the requests that were refused as the real API would refuse them."""
        return [request.refusal for request in self.requests if request.refusal is not None]

    @property
    def lines_left(self) -> int:
        """How many lines of the script have not been played; 0 for a function."""
        return 0 if callable(self._script) else len(self._script) - self._next

    async def received(self, count: int = 1) -> SeenRequest:
        """Wait until so many requests have come, and return the last of these."""
        while len(self.requests) < count:
            await self._news.wait()
        await anyio.lowlevel.checkpoint()
        return self.requests[count - 1]

    async def closed(self, number: int = 0) -> SeenRequest:
        """Wait until the client closes the connection of the request of that number, and return the request.

        If it was not ``answered`` by then, the client hung up in the middle.
        """
        request = await self.received(number + 1)
        await request.connection.closed.wait()
        return request

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        """Serve one connection until it is closed; does not raise for a client that hangs up."""
        connection = SeenConnection(len(self.connections))
        self.connections.append(connection)
        send, receive = anyio.create_memory_object_stream[bytes]()
        async with stream, receive, anyio.create_task_group() as group:
            # reading all the time is the only way to notice that the client hangs up
            group.start_soon(_pump, stream, send, connection, group.cancel_scope)
            with suppress(anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, HungUp):
                await self._answer_all(BufferedByteReceiveStream(receive), HttpWriter(stream), connection)
            group.cancel_scope.cancel()

    async def _answer_all(
        self, incoming: BufferedByteReceiveStream, writer: HttpWriter, connection: SeenConnection
    ) -> None:
        while True:
            request = await read_request(incoming)
            await self._answer(request, writer, connection)
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _answer(self, request: HttpRequest, writer: HttpWriter, connection: SeenConnection) -> None:
        path = request.path.partition("?")[0]
        dialect = next((known for known in _DIALECTS if path.endswith(known.path)), None)
        body, problem = _read(request.body)
        seen = SeenRequest(
            number=len(self.requests),
            api=None if dialect is None else dialect.name,
            method=request.method,
            path=request.path,
            headers=request.headers,
            body=body,
            connection=connection,
        )
        self.requests.append(seen)
        self._news.set()
        self._news = anyio.Event()
        if dialect is None:
            await writer.head(404, {"content-type": "application/json"}, length=2)
            await writer.raw(b"{}")
            return
        try:
            self._check(dialect, request, body, problem)
        except Refused as refused:
            seen.refusal = refused.message
            await _refuse(refused, dialect, Delivery(writer=writer, seen=seen, faults=Faulty(line=())))
        else:
            await self._play(dialect, seen, writer)

    def _check(self, dialect: Dialect, request: HttpRequest, body: JsonObject, problem: str | None) -> None:
        """Look at the request as the real API would.

        Raises:
            Refused: for what it would not take.
        """
        if request.method != "POST":
            raise Refused(f"Invalid method for URL ({request.method})", status=405)
        if dialect.key_of(request.headers) != self.key:
            kind = "authentication_error" if dialect is MESSAGES else "invalid_request_error"
            raise Refused("The API key is wrong or missing.", status=401, kind=kind, code="invalid_api_key")
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise Refused("The content type must be application/json.")
        if problem is not None:
            raise Refused(problem)
        try:
            dialect.check(body, request.headers, self._issued)
        except Misshapen as wrong:
            raise dialect.worded(wrong) from wrong

    async def _play(self, dialect: Dialect, seen: SeenRequest, writer: HttpWriter) -> None:
        if callable(self._script):
            line = self._script(seen)
        elif self._next < len(self._script):
            line = self._script[self._next]
            self._next += 1
        else:
            line = _exhausted(len(self._script))
        faults = line if isinstance(line, Faulty) else Faulty(line=line)
        delivery = Delivery(writer=writer, seen=seen, faults=faults)
        headers = {"content-type": "application/json", dialect.id_header: f"req_{seen.number}"}
        match faults.line:
            case Raw() as raw:
                await _send_raw(raw, headers, delivery)
            case Fail(error=error):
                refused = refused_for(error, dialect.name)
                if refused is None:
                    raise HungUp
                await _refuse(refused, dialect, delivery, retry_headers(error))
            case said:
                played = playback(said, seen.number)
                headers.update(played.reply.headers)
                if played.reply.request_id is not None:
                    headers[dialect.id_header] = played.reply.request_id
                if seen.streamed:
                    events = dialect.events(played, seen.body, self._issued)
                    headers["content-type"] = "text/event-stream; charset=utf-8"
                    await delivery.stream(headers, _with_error(events, faults, dialect, headers[dialect.id_header]))
                else:
                    whole = dialect.whole(played, seen.body, self._issued)
                    await delivery.whole(200, headers, dump_json(whole).encode())


@asynccontextmanager
async def provider_server(script: Script, *, key: str = TEST_KEY) -> AsyncGenerator[ProviderServer]:
    """Serve a script on the loopback while the block runs, at a port that the system chooses.

    ``script`` has a line for each request that is not refused, in the order in which they come: ``say``, ``call``,
    ``call_malformed``, ``fail``, a ``ModelReply`` or a list of ``say`` and ``call`` as for ``ScriptedModel``;
    ``refuse``, ``raw_answer``, and any of these made ``faulty``. Or it is a function from the request to its line, for
    requests that come at once. One script serves chat completions, the responses API and Anthropic's messages, whole
    and streamed, as each request asks for.

    Requests are checked as strictly as the real APIs check them, and answered with 400 and the API's own form of an
    error where they would be; ``ProviderServer.refusals`` lists the reasons. ``key`` is the only one that is taken.
    After the last line every request is refused. Leaving the block closes all connections; what the
    block raises comes out as it is.
    """
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port: int = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610 # not a query of Django's
    server = ProviderServer(script, key=key, port=port)
    try:
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, server.serve)
            try:
                yield server
            finally:
                group.cancel_scope.cancel()
    except BaseExceptionGroup as failures:
        raise unwrapped(failures) from failures


async def _pump(
    stream: anyio.abc.ByteReceiveStream,
    send: MemoryObjectSendStream[bytes],
    connection: SeenConnection,
    scope: anyio.CancelScope,
) -> None:
    async with send:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                await send.send(await stream.receive())
    connection.close()
    scope.cancel()


def _read(content: bytes) -> tuple[JsonObject, str | None]:
    """Return the body of a request, and what is wrong with it."""
    try:
        value: Json = json.loads(content)
    except (ValueError, RecursionError):
        return {}, "We could not parse the JSON body of your request."
    if not isinstance(value, dict):
        return {}, "The body of the request must be a JSON object."
    return value, None


async def _refuse(
    refused: Refused, dialect: Dialect, delivery: Delivery, headers: Mapping[str, str] | None = None
) -> None:
    id_ = f"req_{delivery.seen.number}"
    told = {"content-type": "application/json", dialect.id_header: id_, **(headers or {})}
    await delivery.whole(refused.status, told, dump_json(dialect.failure(refused, id_)).encode())


async def _send_raw(raw: Raw, headers: dict[str, str], delivery: Delivery) -> None:
    del headers["content-type"]
    if raw.content_type is not None:
        headers["content-type"] = raw.content_type
    await delivery.whole(raw.status, {**headers, **raw.headers}, raw.body)


def _exhausted(lines: int) -> Fail:
    return Fail(RequestRejected(f"the script has {lines} lines, and another request came"))


def _with_error(events: list[ServerEvent], faults: Faulty, dialect: Dialect, id_: str) -> list[ServerEvent]:
    if faults.error is None:
        return events
    refused = refused_for(faults.error, dialect.name)
    if refused is None:
        raise TypeError("a stream that just ends is made with cut_after or cut_in")
    return [*events[: faults.error_after], dialect.failure_event(refused, id_)]
