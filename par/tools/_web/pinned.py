"""The only file that speaks to the HTTP library: one request to one address that was checked."""

import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Protocol

import anyio

from par.errors import MissingExtra, ToolFailed
from par.tools._web.addresses import Address
from par.tools._web.urls import Target

try:
    import httpx2
except ModuleNotFoundError as error:
    raise MissingExtra(extra="web", module="httpx2") from error

__all__ = ["Answer", "Unreachable", "answered", "default_tls"]

_CLOSING_S = 2.0


class Answer(Protocol):
    """The status, the headers (names in any case) and the body of an answer, as it comes from the network."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def aiter_raw(self) -> AsyncGenerator[bytes, None]: ...


class Unreachable(Exception):
    """No connection came about; another address may answer."""


def default_tls() -> ssl.SSLContext:
    """Return settings that trust what the system trusts, and check names; the environment is not read."""
    return httpx2.create_ssl_context(trust_env=False)


@asynccontextmanager
async def answered(
    target: Target, address: Address, *, tls: ssl.SSLContext, headers: Mapping[str, str], connect_s: float
) -> AsyncGenerator[Answer, None]:
    """Ask one address for ``target`` and give the answer for the time of the block.

    The URL of the request has the address in the place of the host, so there is no name left that could be looked up
    again. The server still sees the name: in the ``Host`` header, and in the TLS handshake, whose certificate is
    checked against it. No proxy is used, no redirect followed, no cookie kept.

    Raises:
        Unreachable: if the connection fails.
        ToolFailed: if the certificate is wrong, or the server breaks off.
    """
    place = f"[{address}]" if ":" in str(address) else str(address)
    extensions: dict[str, object] = {"timeout": {"connect": connect_s, "read": None, "write": None, "pool": None}}
    if target.host.address is None:
        extensions["sni_hostname"] = target.host.name
    request = httpx2.Request(
        "GET",
        httpx2.URL(f"{target.scheme}://{place}:{target.port}{target.path}"),
        headers={"Host": target.authority, **headers, "Connection": "close"},
        extensions=extensions,
    )
    transport = httpx2.AsyncHTTPTransport(verify=tls, trust_env=False, http2=False, retries=0)
    try:
        response = await _first_line(transport, request, target)
        try:
            with _translated(target):
                yield response
        finally:
            with anyio.move_on_after(_CLOSING_S, shield=True):
                await response.aclose()
    finally:
        with anyio.move_on_after(_CLOSING_S, shield=True):
            await transport.aclose()


async def _first_line(transport: httpx2.AsyncHTTPTransport, request: httpx2.Request, target: Target) -> httpx2.Response:
    try:
        with _translated(target):
            return await transport.handle_async_request(request)
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        wrong = _certificate_problem(error)
        if wrong is not None:
            raise ToolFailed(f"The certificate of {target.host.name} is refused: {wrong}.") from None
        raise Unreachable from error


@contextmanager
def _translated(target: Target) -> Generator[None, None, None]:
    """Tell of what the library raises, except for failed connections, in sentences for the model."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout):
        raise
    except httpx2.RemoteProtocolError as error:
        raise ToolFailed(f"{target.authority} broke the rules of HTTP or closed too early: {error}.") from error
    except httpx2.TransportError as error:
        raise ToolFailed(f"The connection to {target.authority} failed.", retryable=True) from error


def _certificate_problem(error: BaseException) -> str | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message
        seen = seen.__cause__ or seen.__context__
    return None
