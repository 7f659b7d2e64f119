"""Sends again what an SDK's client has sent before, with another body, without having the rest made anew."""

import ssl
from collections.abc import Mapping
from typing import Final, Protocol, TypeAlias, final

import anyio
import attrs
import httpx2

from par.errors import ConnectionFailed, StreamInterrupted

__all__ = ["NO_ANSWER", "Direct", "Sdk", "failed_to_connect", "with_body"]

NO_ANSWER: Final = (httpx2.RequestError, ssl.SSLError, anyio.EndOfStream)
"""What is raised where the server was not reached; the last two by TLS, through anyio."""

_MADE_FOR_EACH = frozenset({"host", "content-length", "cookie"})
_STATISTICS = "x-stainless-"
"""Headers by which the SDKs count how they are used."""


class Sdk(Protocol):
    """What the SDKs' clients tell of themselves in public: all that a request of theirs is made of, beside its body."""

    @property
    def base_url(self) -> httpx2.URL: ...
    @property
    def auth_headers(self) -> dict[str, str]: ...
    @property
    def default_headers(self) -> Mapping[str, object]: ...
    @property
    def default_query(self) -> Mapping[str, object]: ...
    @property
    def timeout(self) -> object: ...


_Facts: TypeAlias = tuple[
    httpx2.URL, dict[str, str], dict[str, str], Mapping[str, object], object, list[tuple[bytes, bytes]]
]
"""What the client says of its address, key, headers, query and timeout, and the headers of its HTTP client: with others it
would be another request. A tuple, because its parts are mostly the same objects each time, which it compares first."""


@attrs.frozen(kw_only=True, eq=False)
class _Form:
    """A request without its body; ``None`` for one that cannot be made from what is known."""

    facts: _Facts = attrs.field(repr=False)
    request: httpx2.Request | None


@final
class Direct:
    """The short way to a server, for one client of an SDK.

    The SDKs make the headers, the address and the options of each request anew, which costs half of what the request
    itself costs. They are the same each time, so the first request to a path goes through the SDK; the next ones are
    copies of it with other bodies, sent by the same HTTP client, with its transport, proxies, hooks and limits. A
    change of the client's key, headers, address, query or timeout sends one through the SDK again.

    Only a request that holds nothing but what the client tells in public is copied: a signature, a header of a hook
    or of a tracer stands in no public place, so such requests all go through the SDK.
    """

    __slots__ = ("_client", "_forms", "_http")

    def __init__(self, client: Sdk, http: httpx2.AsyncClient) -> None:
        self._client = client
        self._http = http
        self._forms: dict[str, _Form] = {}

    def request(self, path: str, content: bytes) -> httpx2.Request | None:
        """Return the request that the client would send, or ``None`` if it has to make it itself."""
        form = self._forms.get(path)
        if form is None or form.request is None or form.facts != self._facts():
            return None
        model = form.request
        request = httpx2.Request("POST", model.url, headers=model.headers, content=content, extensions=model.extensions)
        cookies = self._http.cookies
        if cookies:
            cookies.set_cookie_header(request)
        return request

    async def send(self, request: httpx2.Request, *, stream: bool) -> httpx2.Response:
        """Send it; the body of the answer is unread if ``stream`` is true.

        Raises:
            Exception: one of ``NO_ANSWER``, if there was none.
        """
        return await self._http.send(request, stream=stream)

    def learn(self, path: str, answer: httpx2.Response) -> None:
        """Take the request that led to ``answer``, made by the client itself, as the form of those to ``path``."""
        request = answer.history[0].request if answer.history else answer.request
        facts = self._facts()
        known = self._is_known(request, facts)
        self._forms[path] = _Form(facts=facts, request=_bare(request) if known else None)

    def _facts(self) -> _Facts:
        client = self._client
        # what is no text marks a header that is left out, by an object that is another each time
        headers = {name: value for name, value in client.default_headers.items() if isinstance(value, str)}
        http_headers = self._http.headers.raw
        return client.base_url, client.auth_headers, headers, client.default_query, client.timeout, http_headers

    def _is_known(self, request: httpx2.Request, facts: _Facts) -> bool:
        known = httpx2.Headers(self._http.headers)
        known.update(facts[1])
        known.update(facts[2])
        return set(request.extensions) <= {"timeout"} and all(
            name.startswith(_STATISTICS) or name in _MADE_FOR_EACH or known.get(name) == value
            for name, value in request.headers.multi_items()
        )


def _bare(request: httpx2.Request) -> httpx2.Request:
    headers = [
        (name, value) for name, value in request.headers.raw if name.lower() not in (b"content-length", b"cookie")
    ]
    return httpx2.Request(
        request.method, request.url, headers=headers, stream=httpx2.ByteStream(b""), extensions=request.extensions
    )


def failed_to_connect(error: Exception, provider: str) -> ConnectionFailed:
    """Return what to raise where there was no answer."""
    what = type(error).__name__
    return ConnectionFailed(f"{what}: {error}" if str(error) else what, provider=provider)


async def with_body(answer: httpx2.Response, provider: str) -> httpx2.Response:
    """Read the body of an answer that says no; it is closed then, and where the reading breaks off.

    Raises:
        StreamInterrupted: if the connection broke in it.
    """
    try:
        await answer.aread()
    except NO_ANSWER as error:
        raise StreamInterrupted(f"{type(error).__name__}: {error}", provider=provider) from error
    return answer
