"""How a run gets the right to a turn: of a new one, or of one that was left unfinished."""

from typing import Final, Literal, final

import anyio
import attrs

from par._durable.definition import definition_of
from par._durable.keeper import Keeper
from par._durable.log import Opened, SessionLog
from par._durable.turn_state import Turn
from par._engine.plan import Plan
from par._engine.session import Session
from par._store import Store
from par.errors import DefinitionChanged, MessageAnswered, NothingToResume, SessionBusy, UsageError

__all__ = ["OnChange", "OpenAgain", "OpenNew", "Place"]

OnChange = Literal["refuse", "migrate"]

_POLL_S: Final = 0.1


@attrs.frozen(kw_only=True, eq=False)
class Place:
    """Where the sessions of one runtime are."""

    log: SessionLog
    store: Store
    keeper: Keeper
    owner: str


@final
class OpenNew:
    """Begins a turn."""

    def __init__(self, place: Place, plan: Plan, message_id: str | None) -> None:
        self._place = place
        self._plan = plan
        self._message_id = message_id

    async def open(self, session: Session, /) -> Turn:
        """Become the owner of a session without an open turn, which is made if there is none.

        Raises:
            MessageAnswered: if the message has a turn.
            SessionBusy: if another process works at it.
            SessionUnfinished: if its last turn was interrupted.
            StoreError: if the store cannot do it.
        """
        place = self._place
        definition = definition_of(self._plan)
        until = anyio.current_time() + place.keeper.lease_s
        opened = await place.log.acquire(
            session.id, place.owner, lease_s=place.keeper.lease_s, wants="new", agent=self._plan.name
        )
        turn = _turn(place, opened, until, definition, self._message_id)
        for old in opened.turns:
            if self._message_id is not None and old.message_id == self._message_id:
                await turn.give_up()
                raise MessageAnswered(session.id, message_id=self._message_id, turn=old.number)
        _enter(session, opened)
        return turn


@final
class OpenAgain:
    """Goes on with an open turn."""

    def __init__(
        self, place: Place, plan: Plan, *, on_change: OnChange, wait_s: float | None, turn: int | None = None
    ) -> None:
        if on_change not in ("refuse", "migrate"):
            raise UsageError(f'on_change must be "refuse" or "migrate", got {on_change!r}')
        self._place = place
        self._plan = plan
        self._on_change = on_change
        self._wait_s = wait_s
        self._number = turn

    async def open(self, session: Session, /) -> Turn:
        """Become the owner of a session with an open turn.

        Raises:
            NoSuchSession: if there is none.
            NothingToResume: if its last turn has ended, or is not the one that is wanted.
            SessionBusy: if another process works at it, and goes on to.
            DefinitionChanged: if another agent began the turn, and the turn is not to be migrated.
            StoreError: if the store cannot do it.
        """
        place = self._place
        definition = definition_of(self._plan)
        opened, until = await self._acquired(session.id)
        turn = _turn(place, opened, until, definition, None)
        if self._number is not None and turn.number != self._number:
            await turn.give_up()
            raise NothingToResume(session.id)
        recorded = definition if opened.open is None else opened.open.definition
        if recorded != definition and self._on_change == "refuse":
            await turn.give_up()
            raise DefinitionChanged(session.id, recorded=recorded, given=definition)
        _enter(session, opened)
        return turn

    async def _acquired(self, session: str) -> tuple[Opened, float]:
        """Acquire the session; wait for a lease to run out, if its owner does not renew it."""
        place, give_up = self._place, None if self._wait_s is None else anyio.current_time() + self._wait_s
        while True:
            now = anyio.current_time()
            try:
                opened = await place.log.acquire(session, place.owner, lease_s=place.keeper.lease_s, wants="open")
            except SessionBusy as busy:
                if give_up is None:
                    give_up = now + busy.free_in_s + _POLL_S
                if now >= give_up:
                    raise
                await anyio.sleep(min(_POLL_S, max(give_up - now, 0.0)))
            else:
                return opened, now + place.keeper.lease_s


def _turn(place: Place, opened: Opened, until: float, definition: str, message_id: str | None) -> Turn:
    return Turn(
        opened,
        log=place.log,
        keeper=place.keeper,
        store=place.store,
        until=until,
        definition=definition,
        message_id=message_id,
    )


def _enter(session: Session, opened: Opened) -> None:
    session.history = opened.history
    session.seq = opened.seq
    session.known_to_store = True
