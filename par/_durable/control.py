"""What is done to durable sessions from outside: looking, sending, stopping, deciding."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal, final

import anyio
import attrs

from par._clock import Clock
from par._durable.fold import folded, spent
from par._durable.log import Change, Lease, Opened, SessionLog, Signal, SignalName, is_plain
from par._ids import UlidSource
from par._json import JsonObject
from par.errors import (
    ApprovalRefused,
    LeaseLost,
    NoSuchSession,
    NothingToResume,
    SessionBusy,
    StoreError,
    UsageError,
)
from par.events import ApprovalDecided, Envelope, ErrorInfo, Event, RunEnded
from par.messages import Message
from par.sessions import STATUS_OF, Approval, SessionInfo, SessionStatus, StepInfo, TurnInfo
from par.states import TaskState, transition

__all__ = ["SessionControl"]

_LEASE_S: Final = 10.0
"""For how long a session is taken to write one thing: what a slow database may take."""
_POLL_S: Final = 0.05

_Verb = Literal["approved", "rejected", "modified", "escalated"]


@final
class SessionControl:
    """The sessions of a store, for those who do not run them. Each change takes a session only while nobody has it."""

    def __init__(self, log: SessionLog, clock: Clock, publish: Callable[[Envelope], None]) -> None:
        self._log = log
        self._clock = clock
        self._publish = publish
        self._ids = UlidSource()

    # --- looking ---------------------------------------------------------------------------------------

    async def sessions(self, *, status: SessionStatus | None, limit: int | None) -> tuple[SessionInfo, ...]:
        """Return the sessions with this status, or all, in the order of their ids."""
        states = tuple([state for state, coarse in STATUS_OF.items() if coarse == status])
        return await self._log.list_sessions(states=states, limit=limit)

    async def session(self, session: str) -> SessionInfo:
        """Return what is known of a session."""
        found = await self._log.session(session) if is_plain(session) else None
        if found is None:
            raise NoSuchSession(session)
        return found

    async def turns(self, session: str) -> tuple[TurnInfo, ...]:
        """Return the turns of a session."""
        await self.session(session)
        return await self._log.turns(session)

    async def steps(self, session: str, turn: int | None) -> tuple[StepInfo, ...]:
        """Return the steps of a turn, the last one by default."""
        info = await self.session(session)
        records = await self._log.steps(session, info.turns if turn is None else turn)
        return tuple([record.info for record in records])

    async def messages(self, session: str) -> tuple[Message, ...]:
        """Return the conversation, the turn that has not ended as far as it is recorded."""
        said: list[Message] = []
        for turn in await self.turns(session):
            steps = await self._log.steps(session, turn.number) if turn.is_open else ()
            said.extend(folded(turn, steps))
        return tuple(said)

    # --- sending ---------------------------------------------------------------------------------------

    async def signal(self, session: str, name: SignalName, body: JsonObject) -> None:
        """Send something to a session."""
        if not is_plain(session):
            raise NoSuchSession(session)
        await self._log.send(session, Signal(id=self._ids.next(), name=name, body=body, at=self._clock.now()))

    # --- stopping --------------------------------------------------------------------------------------

    async def cancel(self, session: str, cause: str, *, wait_s: float) -> None:
        """End the open turn of a session: here if nobody works at it, else by asking its owner and waiting."""
        give_up = anyio.current_time() + wait_s
        asked = False
        while True:
            try:
                await self.end(session, TaskState.CANCELLED, cause)
            except NothingToResume:
                if asked:
                    return
                raise
            except SessionBusy:
                if not asked:
                    await self.signal(session, "cancel", {"cause": cause})  # noqa: ASYNC120 # busy is no error here
                    asked = True
                if anyio.current_time() >= give_up:
                    raise
            else:
                return
            await anyio.sleep(_POLL_S)

    async def end(self, session: str, state: TaskState, cause: str, *, error: ErrorInfo | None = None) -> None:
        """End an open turn at which nobody works, as ``cancelled`` or ``failed``."""
        opened = await self._log.acquire(session, await self._log.identity(), lease_s=_LEASE_S, wants="open")
        turn = opened.open
        if turn is None:  # the log has promised one
            raise NothingToResume(session)
        now = self._clock.now()
        state = transition(turn.state, state)
        usage, calls = spent(opened.steps)
        ended = attrs.evolve(
            turn,
            state=state,
            messages=folded(turn, opened.steps),
            stop_reason="cancelled" if state is TaskState.CANCELLED else "failed",
            cause=cause,
            error=error,
            usage=usage,
            model_calls=calls,
            ended_at=now,
        )
        event = RunEnded(
            stop_reason="cancelled" if state is TaskState.CANCELLED else "failed",
            status=state,
            steps=calls,
            usage=usage,
            duration_s=(now - turn.started_at).total_seconds(),
            cause=cause,
            error=error,
        )
        withdrawn = tuple([
            attrs.evolve(approval, status="withdrawn", decided_at=now)
            for approval in opened.approvals
            if approval.status == "pending"
        ])
        await self._write(
            opened,
            Change(
                lease=opened.lease,
                turn=ended,
                state=state,
                clears_results=True,
                approvals=withdrawn,
                releases=True,
            ),
            event,
            now,
        )

    # --- deciding --------------------------------------------------------------------------------------

    async def approvals(self, session: str | None, *, pending: bool) -> tuple[Approval, ...]:
        """Return the approvals of a session, or of all."""
        if session is not None and not is_plain(session):
            return ()
        return await self._log.approvals(session, pending=pending)

    async def decide(
        self,
        session: str,
        approval_id: str,
        verb: _Verb,
        *,
        by: str,
        roles: tuple[str, ...],
        note: str,
        change: Callable[[Approval, datetime], Approval],
        wait_s: float = _LEASE_S,
    ) -> Approval:
        """Write a decision, if it may be made now, and by this person.

        Raises:
            ApprovalRefused: if there is no such approval, it is decided or has expired, or the roles do not fit.
            SessionBusy: if the session's run does not end within ``wait_s``.
        """
        if not by:
            raise UsageError("by must say who decides")
        opened = await self._taken(session, approval_id, wait_s)
        now = self._clock.now()
        try:
            approval = _decidable(opened, approval_id, roles, now)
            decided = change(approval, now)
        except BaseException:
            await self._give_back(opened.lease)  # noqa: ASYNC102 # bounded and shielded there
            raise
        event = ApprovalDecided(
            approval=approval.id,
            call_id=approval.call_id,
            tool=approval.tool,
            decision=verb,
            by=by,
            note=note,
            arguments=decided.modified,
            roles=decided.roles if verb == "escalated" else (),
        )
        await self._write(opened, Change(lease=opened.lease, approvals=(decided,), releases=True), event, now)
        return decided

    async def _taken(self, session: str, approval_id: str, wait_s: float) -> Opened:
        """Own the session of an approval, as soon as the run that asked for it has been suspended."""
        give_up = anyio.current_time() + wait_s
        owner = await self._log.identity()  # one of its own: two decisions in one process take nothing from each other
        while True:
            try:
                return await self._log.acquire(session, owner, lease_s=_LEASE_S, wants="open")
            except NothingToResume:
                raise ApprovalRefused(approval_id, "its turn has ended") from None
            except SessionBusy:
                if anyio.current_time() >= give_up:
                    raise
            await anyio.sleep(_POLL_S)

    async def _write(self, opened: Opened, change: Change, event: Event, now: datetime) -> None:
        turn = opened.open
        envelope = Envelope(
            id=self._ids.next(),
            session=opened.info.id,
            run="" if turn is None else turn.id,
            step=spent(opened.steps)[1],
            parent=None,
            at=now,
            seq=opened.seq + 1,
            event=event,
        )
        try:
            await self._log.commit(change, [envelope])
        except LeaseLost:
            raise
        except Exception:  # one that is cancelled is carried out, and gives it back
            await self._give_back(opened.lease)  # noqa: ASYNC120 # as above
            raise
        self._publish(envelope)

    async def _give_back(self, lease: Lease) -> None:
        with anyio.move_on_after(_LEASE_S, shield=True), suppress(StoreError):  # else the lease runs out
            await self._log.release(lease)


def _decidable(opened: Opened, approval_id: str, roles: tuple[str, ...], now: datetime) -> Approval:
    approval = next((one for one in opened.approvals if one.id == approval_id), None)
    if approval is None:
        raise ApprovalRefused(approval_id, f"the session {opened.info.id!r} waits for no such decision")
    if approval.status != "pending":
        raise ApprovalRefused(approval_id, f"it is {approval.status} already")
    if approval.expires_at is not None and approval.expires_at <= now:
        raise ApprovalRefused(approval_id, f"it expired at {approval.expires_at.isoformat(timespec='seconds')}")
    if approval.roles and not set(roles) & set(approval.roles):
        raise ApprovalRefused(approval_id, f"only {', '.join(approval.roles)} may decide")
    return approval
