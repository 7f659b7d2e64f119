"""A subscriber of the bus that brings each event to a URL."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from math import isfinite
from typing import Final, final

import anyio

from par._bus.delivery import Delivery
from par._clock import Clock
from par.codec import dumps, tag_of
from par.errors import DeliveryFailed, DeliveryRefused, ToolFailed, UsageError
from par.events import Event
from par.tools._web.urls import Target, read_url
from par.webhooks._client import WebhookAnswer, WebhookClient, WebhookHttpClient
from par.webhooks._signature import (
    EVENT_HEADER,
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    checked_secrets,
    sign,
)

__all__ = ["Webhook"]

_AGAIN: Final = frozenset({408, 425, 429})
"""Answers below 500 that speak of now and not of the event."""


@final
class Webhook:
    """Posts each event that it is given to a URL, signed. Subscribe it: ``bus.subscribe(webhook, Kind, name="...")``.

    The body is the JSON of the event's envelope; ``Par-Signature`` is its signature, which the receiver checks with
    ``verify_signature``. An answer of status 2xx is a delivery, and what comes after the answer's head is not
    read. Everything else is a failure, which the bus tries again after a pause, for 408, 425, 429 and 5xx not before
    the answer's ``Retry-After``; any other status, a redirect too, will not change by trying: the event becomes a dead
    letter at once. So does what fails at every attempt, and each of those can be replayed. A receiver may see an event
    twice, with the same ``Par-Event-Id``.

    Errors, logs and ``repr`` show the host of the URL, and neither its path, which may be a secret, nor the secrets.

    Args:
        url: where to post, with https; http is for this machine (``127.0.0.1``, ``[::1]``, ``localhost``).
        secret: what signs, at least 16 bytes; text is taken as UTF-8.
        previous_secret: signs as well, for as long as receivers may know only the older one.
        client: what sends; by default an ``WebhookHttpClient``.
        timeout_s: seconds for an attempt. Keep it below ``timeout_s`` of the subscription's policy, which is 10.
        allow_http: whether http may be used to other machines, where all of the event can be read on the way.
        clock: tells the time of the signature.

    Raises:
        UsageError: if the URL is none, or would be sent unencrypted to another machine.
        ValueError: for a short secret, or a time that is not above 0.
        MissingExtra: without a ``client`` and the extra ``web``.
    """

    __slots__ = ("_client", "_clock", "_secrets", "_target", "_timeout_s")

    def __init__(
        self,
        url: str,
        *,
        secret: str | bytes,
        previous_secret: str | bytes | None = None,
        client: WebhookClient | None = None,
        timeout_s: float = 5.0,
        allow_http: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._target = _checked_url(url, allow_http=allow_http)
        self._secrets = checked_secrets((secret,) if previous_secret is None else (secret, previous_secret))
        if isinstance(timeout_s, bool) or not isfinite(timeout_s) or timeout_s <= 0:
            raise ValueError(f"timeout_s must be a finite number of seconds above 0, got {timeout_s!r}")
        self._timeout_s = timeout_s
        self._client = WebhookHttpClient() if client is None else client
        self._clock = clock or Clock()

    def __repr__(self) -> str:
        return f"Webhook('{self._target.scheme}://{self._target.authority}/...')"

    async def __call__(self, delivery: Delivery[Event], /) -> None:
        """Post the event.

        Raises:
            DeliveryFailed: if a later attempt may succeed.
            DeliveryRefused: if none will.
            TypeError: if the event holds what JSON cannot express.
        """
        where = self._target.authority
        body = dumps(delivery.envelope).encode()
        headers = self._headers(delivery, body)
        try:
            with anyio.fail_after(self._timeout_s):
                answer = await self._client.post(self._target.url, headers=headers, body=body)
        except TimeoutError:
            raise DeliveryFailed(where, f"it took longer than {self._timeout_s:g} s") from None
        except DeliveryFailed:
            raise
        except Exception as error:  # noqa: BLE001 # the boundary: what other clients raise may tell the URL
            raise DeliveryFailed(where, f"the client failed with {type(error).__name__}") from None
        self._judge(answer)

    def _headers(self, delivery: Delivery[Event], body: bytes) -> Mapping[str, str]:
        now = self._clock.now()
        return {
            "Content-Type": "application/json",
            "User-Agent": "par-webhook",
            ID_HEADER: delivery.envelope.id,
            EVENT_HEADER: tag_of(delivery.event),
            TIMESTAMP_HEADER: str(int(now.timestamp())),
            SIGNATURE_HEADER: sign(body, self._secrets, at=now),
        }

    def _judge(self, answer: WebhookAnswer) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        said = f"it answered with status {status}"
        if status >= 500 or status in _AGAIN:
            after_s = _seconds(answer.retry_after, self._clock.now())
            raise DeliveryFailed(self._target.authority, said, status=status, retry_after_s=after_s)
        raise DeliveryRefused(self._target.authority, said, status=status)


def _checked_url(url: str, *, allow_http: bool) -> Target:
    if "@" in url.partition("://")[2].partition("/")[0]:  # what would be told of it below has them in it
        raise UsageError("the URL of a webhook has no user and password: the receiver checks its signature")
    try:
        target = read_url(url)
    except ToolFailed as error:
        raise UsageError(f"this is no URL for a webhook: {error}") from None
    if target.scheme == "http" and not allow_http and not _is_this_machine(target):
        raise UsageError(
            f"a webhook to {target.authority} needs https; allow_http=True sends what runs say where others can read it"
        )
    return target


def _is_this_machine(target: Target) -> bool:
    name = target.host.name
    if target.host.address is None:
        return name == "localhost" or name.endswith(".localhost")
    return ip_address(str(target.host.address)).is_loopback


def _seconds(text: str, now: datetime) -> float | None:
    """Read a ``Retry-After``: a number of seconds, or a date. Source: RFC 9110, section 10.2.3."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
