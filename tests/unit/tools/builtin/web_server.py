"""A real HTTP server on this machine, and a client that finds it under made-up names."""

import ssl
from contextlib import asynccontextmanager
from functools import partial

import anyio
import attrs

from par.tools.web import WebClient, WebPolicy


@attrs.define
class Server:
    """What was asked of the server, and where it listens."""

    port: int
    heads: list[str] = attrs.field(factory=list)
    names: list[str | None] = attrs.field(factory=list)
    ended: list[str] = attrs.field(factory=list)

    def url(self, path="/", host="public.test", scheme="http"):
        return f"{scheme}://{host}:{self.port}{path}"

    def header(self, name, which=-1):
        lines = self.heads[which].split("\r\n")[1:]
        found = [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].lower() == name.lower()]
        return found[0] if found else None

    @property
    def lines(self):
        return [head.split("\r\n")[0] for head in self.heads]


def page(body=b"hello", *, status="200 OK", kind="text/plain", **headers):
    """Return the bytes of a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def serving(answer, *, tls=None, host="127.0.0.1"):
    """Serve for the time of the block. ``answer`` is bytes, a dict of them by path, or an async function."""
    async with await anyio.create_tcp_listener(local_host=host, local_port=0) as listener:
        server = Server(listener.extra(anyio.abc.SocketAttribute.local_port))
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, partial(_connection, server, answer, tls))
            try:
                yield server
            finally:
                group.cancel_scope.cancel()


async def _connection(server, answer, tls, stream):
    try:
        async with stream:
            if tls is not None:
                stream = await anyio.streams.tls.TLSStream.wrap(
                    stream, server_side=True, ssl_context=tls, standard_compatible=False
                )
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive()
            server.heads.append(head.decode("latin-1"))
            path = head.split(b" ")[1].decode()
            reply = answer[path] if isinstance(answer, dict) else answer
            if callable(reply):
                await reply(stream)
            else:
                await stream.send(reply)
    except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError):
        server.ended.append("broken")
    else:
        server.ended.append("whole")


def names(**addresses):
    """Return a resolver that knows these names alone; a name with several answers gives them one after the other."""
    asked = []

    async def resolve(name, port):
        await anyio.lowlevel.checkpoint()
        asked.append(name)
        known = addresses[name.replace(".", "_")]
        if isinstance(known, list):
            return known[min(asked.count(name), len(known)) - 1]
        return known

    resolve.asked = asked
    return resolve


def client_of(server, resolve=None, *, tls=None, **settings):
    """Return a client that may reach the server and finds it under ``public.test``."""
    found = names(public_test=("127.0.0.1",)) if resolve is None else resolve
    policy = WebPolicy(**{"allow_private": True, "ports": (server.port,), **settings})
    return WebClient(policy, resolve=found, tls=tls)
