"""Events and letters made by hand, and handlers that do as they are told."""

from datetime import UTC, datetime

import anyio

from par.bus import DeadLetter
from par.events import Envelope, ToolProgress

AT = datetime(2025, 1, 31, 12, tzinfo=UTC)


def envelope(event=None, *, message="m", seq=1, session="session", id=None, at=AT, parent=None):
    event = event or ToolProgress(call_id="c", name="n", message=message)
    return Envelope(
        id=id or f"{session}-{seq}", session=session, run="r", step=2, parent=parent, at=at, seq=seq, event=event
    )


def envelopes(count, **facts):
    return [envelope(seq=seq, **facts) for seq in range(1, count + 1)]


def letter(id, *, subscriber="s", envelope=envelope(), reason="closed", attempts=0, at=AT, **facts):  # noqa: B008
    return DeadLetter(id=id, subscriber=subscriber, envelope=envelope, reason=reason, attempts=attempts, at=at, **facts)


class Handler:
    """Remembers what it is given; does what ``script`` says for each call, in order, and succeeds after that."""

    def __init__(self, *script):
        self.script = list(script)
        self.calls = []
        self.done = []
        self.called = anyio.Event()
        self.now = self.most = 0

    async def __call__(self, delivery):
        self.calls.append((delivery.envelope.seq, delivery.attempt))
        self.called.set()
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            step = self.script.pop(0) if self.script else None
            if isinstance(step, BaseException):
                raise step
            if callable(step):
                await step()
        finally:
            self.now -= 1
        self.done.append(delivery.envelope.seq)


async def hang():
    await anyio.sleep_forever()
