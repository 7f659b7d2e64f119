"""Sends an answer, well or badly."""

from collections.abc import Mapping, Sequence
from typing import final

import anyio
import attrs

from par.testing._server.http import HttpWriter
from par.testing._server.script import Faulty
from par.testing._server.seen import SeenRequest
from par.testing._server.sse import ServerEvent, written

__all__ = ["Delivery", "HungUp"]


class HungUp(Exception):
    """The answer was cut, so the connection must be closed."""


@final
class _Cut:
    """Counts the bytes of a body down to where it is cut."""

    def __init__(self, place: int | None) -> None:
        self._left = place

    def take(self, data: bytes) -> tuple[bytes, bool]:
        """Return what of ``data`` may leave, and whether that is the end."""
        if self._left is None:
            return data, False
        part = data[: self._left]
        self._left -= len(part)
        return part, self._left == 0


@attrs.frozen(kw_only=True)
class Delivery:
    """One answer on its way: what happens to it, and the request that it answers."""

    writer: HttpWriter
    seen: SeenRequest
    faults: Faulty

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a body at once, with its length.

        Raises:
            HungUp: if it was cut.
        """
        await self._before()
        await self.writer.head(status, self._headers(headers), length=len(body))
        part, is_cut = _Cut(self._place([body])).take(body)
        self.seen.answered = not is_cut
        await self.writer.raw(part)
        if is_cut:
            raise HungUp

    async def stream(self, headers: Mapping[str, str], events: Sequence[ServerEvent]) -> None:
        """Send events, one after the other.

        Raises:
            HungUp: if they were cut.
        """
        pieces = written(events, self.faults.sse)
        cut = _Cut(self._place(pieces))
        await self._before()
        await self.writer.head(200, self._headers(headers), length=None)
        for number, piece in enumerate(pieces):
            if number == self.faults.stall_after:
                await anyio.sleep_forever()
            if number:
                await anyio.sleep(self.faults.pause_s)
            part, is_cut = cut.take(piece)
            await self._send(part)
            if is_cut:
                if not self.faults.clean_cut:
                    raise HungUp
                await self.writer.end()
                return
            self.seen.events_sent = number + 1
        if self.faults.stall_after is not None and self.faults.stall_after >= len(pieces):
            await anyio.sleep_forever()
        self.seen.answered = True
        await self.writer.end()

    async def _before(self) -> None:
        if self.faults.stall_after == 0:
            await anyio.sleep_forever()
        await anyio.sleep(self.faults.delay_s)

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        changed = {**headers, **self.faults.headers}
        if self.faults.content_type is not None:
            changed["content-type"] = self.faults.content_type
        return changed

    async def _send(self, data: bytes) -> None:
        size = self.faults.sse.chunk_bytes or len(data) or 1
        for at in range(0, len(data), size):
            await self.writer.chunk(data[at : at + size])

    def _place(self, pieces: Sequence[bytes]) -> int | None:
        """Return where the body is cut."""
        body = b"".join(pieces)
        match self.faults.cut_in:
            case None:
                return self.faults.cut_after
            case "last_event":
                return len(body) - len(pieces[-1])
            case "event":
                middle = len(pieces) // 2
                return sum(len(piece) for piece in pieces[:middle]) + len(pieces[middle]) // 2
            case "character":
                place = next((at for at, byte in enumerate(body) if byte >= 0xC0), None)
                if place is None:
                    raise ValueError("there is no character of several bytes in the answer")
                return place + 1
