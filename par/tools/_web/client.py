"""Get a page: one guarded request after the other until there is an answer."""

import re
import ssl
from collections.abc import Mapping
from typing import final

import anyio
import anyio.to_thread
import attrs

from par.errors import ToolFailed
from par.tools._harmless import harmless
from par.tools._web.addresses import Address
from par.tools._web.body import ACCEPTED, read_body
from par.tools._web.charset import decoded, media_type_of
from par.tools._web.pinned import Answer, Unreachable, answered, default_tls
from par.tools._web.policy import WebPolicy
from par.tools._web.resolve import Resolve, checked_addresses, system_addresses
from par.tools._web.urls import Target, read_url, redirected

__all__ = ["WebClient", "WebPage"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRYABLE = frozenset({408, 425, 429})
_NO_BODY = frozenset({204, 205})
_EXPLAINING_BYTES = 2000
_EXPLAINING_CHARACTERS = 300
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_OWN_HEADERS = frozenset({"accept-encoding", "connection", "content-length", "host", "te", "transfer-encoding"})
_NO_HEADERS: Mapping[str, str] = {}


@attrs.frozen(kw_only=True)
class WebPage:
    """An answer of status 2xx."""

    url: str
    """Where it came from, after redirects."""
    status: int
    content_type: str
    """The media type in small letters, without parameters; empty if there is no body."""
    text: str
    cut: bool
    """Whether the body has more than the policy's ``max_bytes``."""


@final
class WebClient:
    """Gets pages from the public web, and from nowhere else.

    A host is looked up here, each of its addresses is checked, and the connection goes to the address that was
    checked; the same holds for each redirect. Nothing is kept between calls: no connection, no cookie. Proxies that the
    environment names are not used. One client may serve all event loops.

    Args:
        policy: what may be reached, and how much is read.
        resolve: takes a host name and a port and returns addresses as text; the system's resolver by default.
            Its answers are checked like any other's.
        tls: settings for https, for authorities of your own; by default what the system trusts. Names are checked.

    Raises:
        ValueError: if ``tls`` does not check certificates and names.
    """

    __slots__ = ("_resolve", "_tls", "policy")

    def __init__(
        self,
        policy: WebPolicy | None = None,
        *,
        resolve: Resolve = system_addresses,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if tls is not None and (tls.verify_mode != ssl.CERT_REQUIRED or not tls.check_hostname):
            raise ValueError("tls must check certificates and host names")
        self.policy = WebPolicy() if policy is None else policy
        self._resolve = resolve
        self._tls = tls

    def __repr__(self) -> str:
        return f"WebClient({self.policy!r})"

    async def get(self, url: str, *, headers: Mapping[str, str] = _NO_HEADERS) -> WebPage:
        """Return the page at ``url``; ``headers`` are sent to its host alone, and not to where it redirects.

        Raises:
            ValueError: for a header that is none, or that belongs to the client.
            ToolFailed: with a sentence for the model, if the URL is refused or there is no page; ``retryable`` if
                the same call may succeed later.
        """
        sent = _checked(headers)
        first = read_url(url)
        limit_s = self.policy.timeout_s
        try:
            with anyio.fail_after(limit_s):
                return await self._followed(first, sent)
        except TimeoutError:
            raise ToolFailed(f"{first.authority} took longer than {limit_s:g} s.", retryable=True) from None

    async def _followed(self, first: Target, headers: Mapping[str, str]) -> WebPage:
        target = first
        for _ in range(self.policy.max_redirects + 1):
            same = (target.scheme, target.authority) == (first.scheme, first.authority)
            got = await self._hop(target, headers if same else _NO_HEADERS)
            if isinstance(got, WebPage):
                return got
            target = got
        raise ToolFailed(f"{first.authority} redirects more than {self.policy.max_redirects} times.")

    async def _hop(self, target: Target, headers: Mapping[str, str]) -> WebPage | Target:
        refusal = self.policy.refusal_of(target.host, target.port)
        if refusal is not None:
            raise ToolFailed(f"{target.authority} is refused: {refusal}.")
        addresses = await checked_addresses(
            target.host, target.port, self._resolve, allow_private=self.policy.allow_private
        )
        sent = {
            "user-agent": self.policy.user_agent,
            "accept": "text/html, application/xhtml+xml, application/json;q=0.9, text/*;q=0.8, */*;q=0.5",
            "accept-encoding": ACCEPTED,
            **headers,
        }
        for address in addresses:
            try:
                return await self._asked(target, address, sent, self.policy.timeout_s / len(addresses))
            except Unreachable:
                continue
        raise ToolFailed(f"{target.authority} cannot be reached.", retryable=True)

    async def _asked(
        self, target: Target, address: Address, headers: Mapping[str, str], connect_s: float
    ) -> WebPage | Target:
        tls = await self._settings() if target.scheme == "https" else None
        async with answered(target, address, tls=tls, headers=headers, connect_s=connect_s) as answer:
            status = answer.status
            if status in _REDIRECTS and "location" in answer.headers:
                return redirected(target, answer.headers["location"])
            if not 200 <= status < 300:
                raise await _failure(target, answer)
            return await self._read(target, answer)

    async def _settings(self) -> ssl.SSLContext:
        """Read the system's authorities when they are first needed: it takes tens of milliseconds."""
        if self._tls is None:
            self._tls = await anyio.to_thread.run_sync(default_tls)
        return self._tls

    async def _read(self, target: Target, answer: Answer) -> WebPage:
        header = answer.headers.get("content-type", "")
        media_type = media_type_of(header)
        if answer.status in _NO_BODY:
            return WebPage(url=target.url, status=answer.status, content_type="", text="", cut=False)
        if not self.policy.reads(media_type):
            what = f"of type {media_type[:80]!r}" if media_type else "of no type that the server names"
            raise ToolFailed(
                f"{target.shown} is {what}, which is not read here: {', '.join(self.policy.content_types)} are."
            )
        coding = answer.headers.get("content-encoding", "")
        body = await read_body(answer.chunks, coding, self.policy.max_bytes)
        text = await anyio.to_thread.run_sync(decoded, body.data, header)
        return WebPage(url=target.url, status=answer.status, content_type=media_type, text=text, cut=body.cut)


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name!r} is no header that a caller may set")
        if not _HEADER_VALUE.fullmatch(value):  # without the value, which may be a secret
            raise ValueError(f"the header {name} must be ASCII text without ends of line")
    return {name.lower(): value for name, value in headers.items()}


async def _failure(target: Target, answer: Answer) -> ToolFailed:
    """Make the error of an answer that is no page; what a JSON or plain text says of it helps the model."""
    status = answer.status
    said = ""
    header = answer.headers.get("content-type", "")
    if media_type_of(header) in {"application/json", "application/problem+json", "text/plain"}:
        body = await read_body(answer.chunks, answer.headers.get("content-encoding", ""), _EXPLAINING_BYTES)
        said = harmless(" ".join(decoded(body.data, header).split())[:_EXPLAINING_CHARACTERS])
    after = answer.headers.get("retry-after", "")
    wait = f" It asks to wait {after} s." if after.isascii() and after.isdigit() and len(after) < 7 else ""
    return ToolFailed(
        f"{target.shown} answered with status {status}.{wait}" + (f" It says: {said}" if said else ""),
        retryable=status >= 500 or status in _RETRYABLE,
    )
