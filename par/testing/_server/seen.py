"""What the server saw: requests, and the connections on which they came."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, final

import anyio
import attrs

from par._json import JsonObject

__all__ = ["ApiName", "SeenConnection", "SeenRequest"]

ApiName: TypeAlias = Literal["chat", "responses", "anthropic"]


@final
class SeenConnection:
    """One connection of a client; ``number`` counts from 0. ``closed`` is set when the client closes it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = anyio.Event()
        self.closed_at_s: float | None = None
        """When the client closed it, by the clock of the event loop."""

    def close(self) -> None:
        """Note that the client has closed it."""
        if self.closed_at_s is None:
            self.closed_at_s = anyio.current_time()
            self.closed.set()


@attrs.define(eq=False, kw_only=True)
class SeenRequest:
    """One request, and what became of it.

    ``body`` is empty where the request had no JSON object in it. ``refusal`` is the message with which the server
    refused it. ``events_sent`` counts the events of a stream that have left; ``answered`` says that the whole
    answer has.
    """

    number: int
    api: ApiName | None
    method: str
    path: str
    headers: Mapping[str, str]
    body: JsonObject
    connection: SeenConnection
    refusal: str | None = None
    events_sent: int = 0
    answered: bool = False

    @property
    def streamed(self) -> bool:
        """Whether the request asks for a stream."""
        return self.body.get("stream") is True
