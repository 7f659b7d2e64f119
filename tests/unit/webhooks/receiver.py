"""A real HTTP server on this machine that takes webhooks, and answers as it is told."""

from contextlib import asynccontextmanager
from functools import partial

import anyio
import attrs

from par.webhooks import verify_signature

SECRET = "the secret of this test"
OTHER = "another secret of this test"


@attrs.define
class Receiver:
    """What came to it, and how the connections ended."""

    port: int
    heads: list[str] = attrs.field(factory=list)
    bodies: list[bytes] = attrs.field(factory=list)
    closed: list[str] = attrs.field(factory=list)
    came: anyio.Event = attrs.field(factory=anyio.Event)
    ended: anyio.Event = attrs.field(factory=anyio.Event)
    """Set when the first connection is closed."""

    def url(self, path="/hook", host="127.0.0.1", scheme="http"):
        return f"{scheme}://{host}:{self.port}{path}"

    def header(self, name, which=-1):
        lines = [line.partition(":") for line in self.heads[which].split("\r\n")[1:]]
        return next((value.strip() for found, _, value in lines if found.lower() == name.lower()), None)

    def check(self, *secrets, which=-1, **how):
        return verify_signature(self.bodies[which], self.header("Par-Signature", which), secrets or (SECRET,), **how)


def status(line, **headers):
    """Return the bytes of an answer without a body."""
    lines = [f"HTTP/1.1 {line}", "Content-Length: 0"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


OK = status("204 No Content")


@asynccontextmanager
async def receiving(*answers, tls=None):
    """Serve for the time of the block: each answer once, the last one from then on. One may be an async function."""
    script = list(answers) or [OK]
    async with await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener:
        receiver = Receiver(listener.extra(anyio.abc.SocketAttribute.local_port))
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, partial(_connection, receiver, script, tls))
            try:
                yield receiver
            finally:
                group.cancel_scope.cancel()


async def _connection(receiver, script, tls, stream):
    try:
        async with stream:
            if tls is not None:
                stream = await anyio.streams.tls.TLSStream.wrap(
                    stream, server_side=True, ssl_context=tls, standard_compatible=False
                )
            head, body = await _request(stream)
            receiver.heads.append(head)
            receiver.bodies.append(body)
            receiver.came.set()
            answer = script.pop(0) if len(script) > 1 else script[0]
            if callable(answer):
                await answer(stream)
            else:
                await stream.send(answer)
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        receiver.closed.append("by the sender")
    else:
        receiver.closed.append("by the receiver")
    receiver.ended.set()


async def _request(stream):
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    length = next(int(line.split(":")[1]) for line in text.split("\r\n") if line.lower().startswith("content-length:"))
    while len(body) < length:
        body += await stream.receive()
    return text, body
