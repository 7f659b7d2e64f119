"""A provider on the loopback that counts every request in a sliding window, and refuses what is too much."""

import math
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from par.calls import ModelReply
from par.errors import RateLimited
from par.messages import Assistant, Text
from par.usage import Usage


class StrictServer:
    """Answers ``200`` to at most ``limit`` requests in any ``per_s`` seconds, and ``429`` to the others."""

    def __init__(self, limit, per_s):
        self.limit = limit
        self.per_s = per_s
        self.accepted = []
        self.refused = []
        self._window = deque()

    def _answer(self):
        now = anyio.current_time()
        window = self._window
        while window and window[0] <= now - self.per_s:
            window.popleft()
        if len(window) < self.limit:
            window.append(now)
            self.accepted.append(now)
            left = self.limit - len(window)
            reset = window[0] + self.per_s - now
            told = {"limit": self.limit, "remaining": left, "reset": f"{math.ceil(reset * 1000)}ms"}
            return "200 OK", "".join(f"x-ratelimit-{name}-requests: {value}\r\n" for name, value in told.items())
        self.refused.append(now)
        return "429 Too Many Requests", f"retry-after-ms: {math.ceil((window[0] + self.per_s - now) * 1000)}\r\n"

    async def serve(self, stream):
        async with stream:
            buffered = BufferedByteReceiveStream(stream)
            with suppress(anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
                while True:
                    await buffered.receive_until(b"\r\n\r\n", 4096)
                    status, headers = self._answer()
                    await stream.send(f"HTTP/1.1 {status}\r\n{headers}content-length: 2\r\n\r\nok".encode())

    @asynccontextmanager
    async def listening(self):
        """Serve beside the block; gives the port."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self.serve)
            yield listener.extra(anyio.abc.SocketAttribute.local_port)
            group.cancel_scope.cancel()


class HttpModel:
    """Asks the server, each caller on a connection of its own that is kept for the next call."""

    name = "loopback"

    def __init__(self, port):
        self._port = port
        self._idle = []
        self._open = AsyncExitStack()

    async def __aenter__(self):
        await self._open.__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self._open.__aexit__(*exc)

    async def __call__(self, call):
        if not self._idle:
            stream = await self._open.enter_async_context(await anyio.connect_tcp("127.0.0.1", self._port))
            self._idle.append((stream, BufferedByteReceiveStream(stream)))
        stream, buffered = self._idle.pop()
        await stream.send(b"POST /v1 HTTP/1.1\r\nhost: loopback\r\ncontent-length: 0\r\n\r\n")
        head = (await buffered.receive_until(b"\r\n\r\n", 4096)).decode()
        await buffered.receive_exactly(2)
        self._idle.append((stream, buffered))
        status, *lines = head.split("\r\n")
        headers = dict(line.split(": ") for line in lines)
        if " 429 " in status:
            raise RateLimited("too many", status=429, retry_after_s=int(headers["retry-after-ms"]) / 1000)
        return ModelReply(message=Assistant((Text("ok"),)), usage=Usage(requests=1), headers=headers)
