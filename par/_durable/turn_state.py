"""A turn that this process has the right to work at."""

from collections.abc import Callable
from typing import Final, final

import anyio

from par._durable.fenced import Fenced
from par._durable.keeper import Keeper
from par._durable.log import Lease, Opened, SessionLog
from par._durable.steps import DurableSteps
from par._engine.run import Run
from par._engine.steps import StepRunner
from par._store import Store
from par.deltas import Emit
from par.messages import Message
from par.sessions import TurnInfo
from par.states import TaskState

__all__ = ["Turn"]

_GIVE_UP_S: Final = 5.0


@final
class Turn:
    """The ``OpenTurn`` of a session that was opened: a new turn, or the open one."""

    def __init__(
        self,
        opened: Opened,
        *,
        log: SessionLog,
        keeper: Keeper,
        store: Store,
        until: float,
        definition: str,
        message_id: str | None,
    ) -> None:
        self._log = log
        self._keeper = keeper
        self._until = until
        self.opened = opened
        self.lease: Lease = opened.lease
        self.store = Fenced(log, opened.lease, store)
        self.definition = definition
        self.message_id = message_id
        self.info: TurnInfo | None = None
        """The turn as it was recorded last; ``None`` until it has begun here."""

    @property
    def number(self) -> int:
        """The number of the turn in its session."""
        return self.opened.info.turns + 1 if self.opened.open is None else self.opened.open.number

    @property
    def state(self) -> TaskState:
        """The state in which the turn was left, ``pending`` if it is new."""
        return TaskState.PENDING if self.opened.open is None else self.opened.open.state

    @property
    def input(self) -> tuple[Message, ...] | None:
        """What was said to begin the turn; ``None`` if it is new."""
        return None if self.opened.open is None else self.opened.open.input

    @property
    def waiting(self) -> Callable[[], bool]:
        """Tells whether there is something to record beside events."""
        return self.store.waiting

    def id_for(self, run_id: str, /) -> str:
        """Return the id of the turn."""
        return run_id if self.opened.open is None else self.opened.open.id

    def runner(self, run: Run, emit: Emit, /) -> StepRunner:
        """Return what runs the steps of this run."""
        return DurableSteps(self, run, self._log, self._keeper, emit)

    async def keep(self, run: Run, /) -> None:
        """Keep the lease until cancelled."""
        await self._keeper.tend(self.lease, self._until, run)

    async def give_up(self) -> None:
        """Give the session back, shielded, for a bounded time; if that fails, its lease runs out."""
        with anyio.move_on_after(_GIVE_UP_S, shield=True):
            await self._log.release(self.lease)
