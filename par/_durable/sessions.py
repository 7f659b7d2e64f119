"""The durable sessions of one runtime: which turn a run works at, and what is due."""

from collections.abc import Awaitable, Callable
from typing import Final, final

import anyio
import attrs

from par._clock import Clock
from par._durable.control import SessionControl
from par._durable.keeper import Keeper
from par._durable.log import DurableStore, is_plain
from par._durable.openings import OnChange, OpenAgain, OpenNew, Place
from par._durable.results import result_of
from par._engine.plan import Plan
from par._engine.turns import Opening
from par._store import Store
from par.calls import RunResult
from par.errors import MessageAnswered, NothingToResume, SessionBusy, SessionUnfinished, TooManyAttempts
from par.events import Envelope, ErrorInfo
from par.sessions import SessionInfo, TurnInfo
from par.states import TaskState

__all__ = ["DurableSessions", "Recovered", "Work", "open_sessions"]

Work = Callable[[Opening | None], Awaitable[RunResult[object]]]
"""Runs a turn whose right comes from the opening."""

_FREE: Final = (SessionBusy, NothingToResume)
"""What says that a session which was due has been taken care of by somebody else."""


@attrs.frozen(kw_only=True)
class Recovered:
    """A session that ``recover`` went on with: its result, or the error with which that failed."""

    session: str
    result: RunResult[object] | None = None
    error: Exception | None = None


async def open_sessions(
    store: Store, *, lease_s: float, clock: Clock, publish: Callable[[Envelope], None]
) -> "DurableSessions | None":
    """Return the durable sessions of a store, ``None`` if it has none."""
    if not isinstance(store, DurableStore):
        return None
    log = store.session_log()
    place = Place(log=log, store=store, keeper=Keeper(log, lease_s), owner=await log.identity())
    return DurableSessions(place, SessionControl(log, clock, publish))


@final
class DurableSessions:
    """Finds for each run the turn that it works at. Where that turn has ended, its result is there already."""

    def __init__(self, place: Place, control: SessionControl) -> None:
        self._place = place
        self._log = place.log
        self.control = control

    async def run(self, session: str, plan: Plan, message_id: str | None, work: Work) -> RunResult[object]:
        """Take a new turn, or the one that answers this message."""
        known = await self.turn_of(session, message_id)
        if known is None:
            try:
                return await work(self.new(plan, message_id))
            except (MessageAnswered, SessionUnfinished):
                known = await self.turn_of(session, message_id)  # noqa: ASYNC120 # a cancellation counts for more
                if known is None:
                    raise
        if known.is_open:
            try:
                return await work(self.again(plan, "refuse", None, turn=known.number))
            except NothingToResume:  # it has ended meanwhile, and another may be open
                known = await self.turn_of(session, message_id)  # noqa: ASYNC120 # as above
                if known is None or known.is_open:
                    raise
        return await self._result(session, known, plan)

    async def resume(
        self, session: str, plan: Plan, on_change: OnChange, wait_s: float | None, work: Work
    ) -> RunResult[object]:
        """Go on with the open turn, or return what the last turn came to."""
        try:
            return await work(self.again(plan, on_change, wait_s))
        except NothingToResume:
            turns = await self._log.turns(session)  # noqa: ASYNC120 # as above
            if not turns:
                raise
        return result_of(session, turns[-1], turns, plan)

    def new(self, plan: Plan, message_id: str | None) -> Opening:
        """Return what gets the right to a new turn."""
        return OpenNew(self._place, plan, message_id)

    def again(self, plan: Plan, on_change: OnChange, wait_s: float | None, *, turn: int | None = None) -> Opening:
        """Return what gets the right to the open turn, or to this one alone."""
        return OpenAgain(self._place, plan, on_change=on_change, wait_s=wait_s, turn=turn)

    async def turn_of(self, session: str, message_id: str | None) -> TurnInfo | None:
        """Return the turn that answers an inbound message."""
        if message_id is None or not is_plain(session):
            return None
        return await self._log.turn_of_message(session, message_id)

    async def _result(self, session: str, turn: TurnInfo, plan: Plan) -> RunResult[object]:
        return result_of(session, turn, await self._log.turns(session), plan)

    async def recover(
        self, resume: Callable[[SessionInfo], Awaitable[RunResult[object]]], *, limit: int, max_attempts: int
    ) -> tuple[Recovered, ...]:
        """Go on with every session that is due, at most ``limit`` at a time; one that fails does not stop the others.

        Raises:
            StoreError: if the store cannot tell what is due.
        """
        due = await self._log.due()
        found: dict[str, Recovered] = {}
        limiter = anyio.CapacityLimiter(limit)

        async def go_on(info: SessionInfo) -> None:
            async with limiter:
                try:
                    await self._refuse_the_hopeless(info, max_attempts)
                    found[info.id] = Recovered(session=info.id, result=await resume(info))
                except _FREE:
                    return
                except Exception as error:  # noqa: BLE001 # told to the caller, beside what became of the others
                    found[info.id] = Recovered(session=info.id, error=error)

        async with anyio.create_task_group() as group:
            for info in due:
                group.start_soon(go_on, info, name=info.id)
        return tuple([found[info.id] for info in due if info.id in found])

    async def _refuse_the_hopeless(self, info: SessionInfo, max_attempts: int) -> None:
        turns = await self._log.turns(info.id)
        if not turns or turns[-1].attempt < max_attempts or info.state is TaskState.SUSPENDED:
            return
        error = TooManyAttempts(info.id, attempts=turns[-1].attempt)
        await self.control.end(info.id, TaskState.FAILED, str(error), error=ErrorInfo.of(error))
        raise error
