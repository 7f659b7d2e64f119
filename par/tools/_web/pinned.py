"""The only file that speaks to the HTTP library: one request to one address that was checked.

It is httpcore2, the lower half of httpx2, that is spoken to. Of the upper half nothing may be used here, neither
proxies nor redirects nor cookies nor unlimited decompression; and it leaves a generator open when a body is not read
to its end.
"""

import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import anyio
import attrs

from par.errors import MissingExtra, ToolFailed
from par.tools._web.addresses import Address
from par.tools._web.urls import Target

try:
    import httpcore2
except ModuleNotFoundError as error:
    raise MissingExtra(extra="web", module="httpcore2") from error

__all__ = ["Answer", "Unreachable", "answered", "default_tls"]

_CLOSING_S = 2.0


@attrs.frozen(kw_only=True, eq=False)
class Answer:
    """The status, the headers by their names in small letters, and the body as it comes from the network."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncGenerator[bytes, None]


class Unreachable(Exception):
    """No connection came about; another address may answer."""


def default_tls() -> ssl.SSLContext:
    """Return settings that trust what the system trusts, and check names."""
    return httpcore2.default_ssl_context()


@asynccontextmanager
async def answered(
    target: Target,
    address: Address,
    *,
    tls: ssl.SSLContext | None,
    headers: Mapping[str, str],
    connect_s: float,
    posted: bytes | None = None,
) -> AsyncGenerator[Answer, None]:
    """Ask one address for ``target`` and give the answer for the time of the block.

    The URL of the request has the address in the place of the host, so there is no name left that could be looked up
    again. The server still sees the name: in the ``Host`` header, and in the TLS handshake, whose certificate is
    checked against it. No proxy is used. ``tls`` is needed for https alone. With ``posted`` it is a POST of these bytes.

    Raises:
        Unreachable: if the connection fails.
        ToolFailed: if the certificate is wrong, or the server breaks off.
    """
    extensions: dict[str, object] = {"timeout": {"connect": connect_s}}
    if target.host.address is None:
        extensions["sni_hostname"] = target.host.name
    length = {} if posted is None else {"Content-Length": str(len(posted))}
    request = httpcore2.Request(
        "GET" if posted is None else "POST",
        httpcore2.URL(
            scheme=target.scheme.encode(), host=str(address).encode(), port=target.port, target=target.path.encode()
        ),
        headers=[
            (name.encode("ascii"), value.encode("ascii"))
            for name, value in {"Host": target.authority, **headers, **length, "Connection": "close"}.items()
        ],
        content=posted,
        extensions=extensions,
    )
    pool = httpcore2.AsyncConnectionPool(ssl_context=tls, max_connections=1, http2=False, retries=0)
    try:
        response = await _begun(pool, request, target)
        try:
            with _translated(target):
                yield Answer(status=response.status, headers=_by_name(response.headers), chunks=response.aiter_stream())
        finally:
            with anyio.move_on_after(_CLOSING_S, shield=True):
                await response.aclose()
    finally:
        with anyio.move_on_after(_CLOSING_S, shield=True):
            await pool.aclose()


def _by_name(pairs: list[tuple[bytes, bytes]]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", errors="replace")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def _begun(pool: httpcore2.AsyncConnectionPool, request: httpcore2.Request, target: Target) -> httpcore2.Response:
    try:
        with _translated(target):
            return await pool.handle_async_request(request)
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
        wrong = _certificate_problem(error)
        if wrong is not None:
            raise ToolFailed(f"The certificate of {target.host.name} is refused: {wrong}.") from None
        raise Unreachable from error


@contextmanager
def _translated(target: Target) -> Generator[None, None, None]:
    """Tell of what the library raises, except for failed connections, in sentences for the model."""
    try:
        yield
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
        raise
    except httpcore2.RemoteProtocolError as error:
        raise ToolFailed(f"{target.authority} broke the rules of HTTP or closed too early.") from error
    except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
        raise ToolFailed(f"The connection to {target.authority} failed.", retryable=True) from error


def _certificate_problem(error: BaseException) -> str | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message.rstrip(".")
        seen = seen.__cause__ or seen.__context__
    return None
