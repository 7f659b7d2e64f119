"""What a webhook sends with, and the one that comes with par."""

import ssl
from collections.abc import Mapping
from functools import partial
from typing import Protocol, final

import anyio.to_thread
import attrs

from par.errors import DeliveryFailed, ToolFailed
from par.tools._web.resolve import Resolve, checked_addresses, system_addresses
from par.tools._web.urls import Target, read_url

__all__ = ["WebhookAnswer", "WebhookClient", "WebhookHttpClient"]

_CONNECT_S = 10.0


@attrs.frozen(kw_only=True)
class WebhookAnswer:
    """What of a receiver's answer counts."""

    status: int
    retry_after: str = ""
    """The header ``Retry-After``, empty if there is none."""


class WebhookClient(Protocol):
    """Sends one request. What it raises is a failed attempt; a cancelled call must close its connection."""

    async def post(self, url: str, /, *, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """Send a POST, follow no redirect, and return the answer without its body."""
        ...


@final
class WebhookHttpClient:
    """Posts to a URL, each time over a connection of its own, and takes the head of the answer for the whole.

    A host is looked up here, each of its addresses is checked, and the connection goes to an address that was
    checked. No redirect is followed, no body of an answer is read, no cookie is kept, and no proxy is used that the
    environment names. A call that is cancelled closes its connection. One client may serve many webhooks and
    event loops.

    Args:
        allow_private: whether this machine and private networks may be reached; the services of cloud hosts that hand
            out credentials never are. Say no where users of the program write the URL.
        resolve: takes a host name and a port and returns addresses as text; the system's resolver by default.
        tls: settings for https, for authorities of your own; by default what the system trusts. Names are checked.

    Raises:
        MissingExtra: without the extra ``web``.
        ValueError: if ``tls`` does not check certificates and names.
    """

    __slots__ = ("_allow_private", "_answered", "_default_tls", "_resolve", "_tls", "_unreachable")

    def __init__(
        self,
        *,
        allow_private: bool = True,
        resolve: Resolve = system_addresses,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # here, for who checks signatures needs no library for HTTP
        from par.tools._web.pinned import Unreachable, answered, default_tls  # noqa: PLC0415

        if tls is not None and (tls.verify_mode != ssl.CERT_REQUIRED or not tls.check_hostname):
            raise ValueError("tls must check certificates and host names")
        self._allow_private = allow_private
        self._resolve = resolve
        self._tls = tls
        self._answered = answered
        self._default_tls = default_tls
        self._unreachable = Unreachable

    def __repr__(self) -> str:
        return f"WebhookHttpClient(allow_private={self._allow_private})"

    async def post(self, url: str, /, *, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """Send a POST and return the answer's status.

        Raises:
            DeliveryFailed: if there is no answer; of the URL it names the host alone.
            ToolFailed: if the URL is none.
        """
        target = read_url(url)
        try:
            return await self._posted(target, headers, body)
        except ToolFailed as error:
            raise DeliveryFailed(target.authority, str(error)) from None

    async def _posted(self, target: Target, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        addresses = await checked_addresses(target.host, target.port, self._resolve, allow_private=self._allow_private)
        tls = await self._settings() if target.scheme == "https" else None
        ask = partial(self._answered, tls=tls, headers=headers, connect_s=_CONNECT_S / len(addresses), posted=body)
        for address in addresses:
            try:
                async with ask(target, address) as answer:
                    return WebhookAnswer(status=answer.status, retry_after=answer.headers.get("retry-after", ""))
            except self._unreachable:
                continue
        raise DeliveryFailed(target.authority, "it cannot be reached")

    async def _settings(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = await anyio.to_thread.run_sync(self._default_tls)
        return self._tls
