"""Recording a command that no run has asked for: in a session of its own."""

from typing import Final, final

from par._clock import Clock
from par._context import RunContext
from par._ids import new_ulid
from par._store import Store
from par.events import Envelope, Event
from par.usage import Usage

__all__ = ["SESSION", "recorded_context"]

SESSION: Final = "par.bash"
"""How the sessions of these commands begin; a ULID follows, so that two commands at once are two chains."""


@final
class _Recorder:
    """Stands in for a run: numbers events and stores them."""

    agent_name = "par bash"
    step = 0
    usage = Usage()
    can_suspend = False

    def __init__(self, store: Store) -> None:
        self.run_id = self.root_run_id = new_ulid()
        self.session_id = f"{SESSION}.{self.run_id}"
        self.clock = Clock()
        self._store = store
        self._last = 0

    async def emit(self, event: Event) -> None:
        """Store an event.

        Raises:
            StoreError: if the store cannot take it.
        """
        self._last += 1
        envelope = Envelope(
            id=new_ulid(),
            session=self.session_id,
            run=self.run_id,
            step=0,
            parent=None,
            at=self.clock.now(),
            seq=self._last,
            event=event,
        )
        await self._store.append([envelope])


def recorded_context(store: Store) -> RunContext[object]:
    """Return a context whose events go to the store, in a session of their own."""
    return RunContext[object](None, _Recorder(store))
