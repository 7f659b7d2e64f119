"""The turn of a durable session, as far as the engine knows it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from par._engine.session import Session
from par._engine.steps import StepRunner
from par._store import Store
from par.deltas import Emit
from par.messages import Message
from par.states import TaskState

if TYPE_CHECKING:
    from par._engine.run import Run

__all__ = ["OpenTurn", "Opening"]


class OpenTurn(Protocol):
    """A turn that this process has the right to work at: a new one, or one that another process began."""

    @property
    def state(self) -> TaskState:
        """The state in which the turn was left, ``pending`` if it is new."""
        ...

    @property
    def input(self) -> tuple[Message, ...] | None:
        """What was said to begin the turn, as it is inside of the run; ``None`` if it is new."""
        ...

    @property
    def store(self) -> Store:
        """Where the run's events go: together with its checkpoints, and only as long as nobody else has the session."""
        ...

    @property
    def waiting(self) -> Callable[[], bool]:
        """Tells whether there is something to record beside events."""
        ...

    def id_for(self, run_id: str, /) -> str:
        """Return the id of the turn, which is that of its first run."""
        ...

    def runner(self, run: "Run", emit: Emit, /) -> StepRunner:
        """Return what runs the steps of this run."""
        ...

    async def keep(self, run: "Run", /) -> None:
        """Keep the right to the session, and end the run when it is lost or somebody asks for that; until cancelled."""
        ...

    async def give_up(self) -> None:
        """Give the session back: no run will work at the turn. Shields itself, for a bounded time."""
        ...


class Opening(Protocol):
    """Gets the right to a turn."""

    async def open(self, session: Session, /) -> OpenTurn:
        """Become the owner of the session, and put what is stored of it into ``session``.

        Raises:
            SessionError: if that cannot be.
            StoreError: if the store cannot do it.
        """
        ...
