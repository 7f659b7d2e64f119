"""What a runtime does to its sessions besides running them: looking, sending, stopping, deciding."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

import anyio
import attrs

from par._durable.control import SessionControl
from par._durable.deciding import bound_key
from par._durable.log import SignalName
from par._durable.sessions import DurableSessions
from par._engine.host import Host
from par._engine.session import Session
from par._json import JsonObject
from par.errors import NoSuchSession, SessionBusy, UsageError
from par.messages import Message, Text, User
from par.sessions import Approval, SessionInfo, SessionStatus, StepInfo, TurnInfo

__all__ = ["SessionDesk"]

_WAIT_S: Final = 10.0


class SessionDesk:
    """The part of a ``Runtime`` that other processes, people and command lines use: it runs no agent.

    All of it needs a durable store, except that messages and stops also reach a session that this runtime keeps in
    memory. Nothing waits longer than it says, and a caller that is cancelled has done all or nothing.
    """

    _host: Host
    _durable: DurableSessions | None
    _sessions: dict[str, Session]

    # --- looking ---------------------------------------------------------------------------------------

    async def sessions(
        self, *, status: SessionStatus | None = None, limit: int | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return the durable sessions of the store, those with this status or all, in the order of their ids.

        Raises:
            UsageError: if the store is not durable.
            StoreError: if the store cannot be read.
        """
        return await self._control().sessions(status=status, limit=limit)

    async def session(self, session: str) -> SessionInfo:
        """Return what the store knows of a session.

        Raises:
            NoSuchSession: if there is none of that id.
            UsageError: if the store is not durable.
        """
        return await self._control().session(session)

    async def turns(self, session: str) -> tuple[TurnInfo, ...]:
        """Return the turns of a session, in order; raises as ``session`` does."""
        return await self._control().turns(session)

    async def steps(self, session: str, turn: int | None = None) -> tuple[StepInfo, ...]:
        """Return the recorded steps of a turn, of the last one by default; raises as ``session`` does."""
        return await self._control().steps(session, turn)

    async def messages(self, session: str) -> tuple[Message, ...]:
        """Return a session's conversation as the store has it, the open turn as far as it is recorded.

        It can be sent to any provider: a call that is being made has a result that says so. Raises as ``session`` does.
        """
        return await self._control().messages(session)

    # --- sending ---------------------------------------------------------------------------------------

    async def steer(self, session: str, text: str) -> None:
        """Tell a running session something: its next model call sees it, exactly once, whatever crashes.

        If none is running, the first model call of the next turn sees it.

        Raises:
            NoSuchSession: if there is no such session.
            UsageError: for an empty text.
        """
        await self._send(session, "steer", text)

    async def follow_up(self, session: str, text: str) -> None:
        """Tell a running session something once it has answered: it goes on instead of ending the turn; as ``steer``."""
        await self._send(session, "follow_up", text)

    async def interrupt(self, session: str, cause: str = "interrupted") -> None:
        """End the open turn before its next step, as ``cancelled``; what is being done is finished first.

        Returns when the turn has been told. If it has suspended, it ends when it is resumed.

        Raises:
            NoSuchSession: if there is no such session.
        """
        await self._tell(session, "interrupt", cause)

    async def cancel(self, session: str, cause: str = "cancelled", *, wait_s: float = _WAIT_S) -> None:
        """End the open turn now, as ``cancelled``, in whichever process it is; return when it has ended.

        Raises:
            NoSuchSession: if there is no such session.
            NothingToResume: if no turn is open.
            SessionBusy: if its process, or this one, has not ended it within ``wait_s`` seconds; it has been told.
        """
        limit_s = _seconds("wait_s", wait_s)
        run = self._host.at_work(session)
        if run is None:
            await self._control(session).cancel(session, cause, wait_s=limit_s)
            return
        with anyio.move_on_after(limit_s):
            await self._host.cancel(run, cause)
            return
        raise SessionBusy(session, owner="that this is", free_in_s=0.0)

    async def signal(self, session: str, name: SignalName, body: JsonObject) -> None:
        """Send a signal as it is, which the methods above make by themselves.

        ``steer`` and ``follow_up`` have the body ``{"text": ...}``, ``interrupt`` and ``cancel`` ``{"cause": ...}``.

        Raises:
            NoSuchSession: if there is no such session.
            UsageError: for another name or body.
        """
        wanted = {"steer": "text", "follow_up": "text", "interrupt": "cause", "cancel": "cause"}.get(name)
        if wanted is None or set(body) != {wanted} or not isinstance(body[wanted], str) or not body[wanted]:
            raise UsageError(f"the signal {name!r} with {sorted(body)} is none: see Runtime.signal")
        await self._control(session).signal(session, name, body)

    async def _send(self, session: str, name: SignalName, text: str) -> None:
        if not text.strip():
            raise UsageError("the text is empty")
        local = self._in_memory(session)
        if local is None:
            await self._control(session).signal(session, name, {"text": text})
        else:
            local.send(User((Text(text),)), follow_up=name == "follow_up")

    async def _tell(self, session: str, name: SignalName, cause: str) -> None:
        run = self._host.at_work(session)
        if run is not None:
            run.session.interrupted = cause
        elif self._in_memory(session) is None:
            await self._control(session).signal(session, name, {"cause": cause})

    # --- deciding --------------------------------------------------------------------------------------

    async def approvals(self, session: str | None = None, *, pending: bool = True) -> tuple[Approval, ...]:
        """Return the calls that wait for a person (with ``pending=False`` also those that were decided), oldest first.

        Raises:
            UsageError: if the store is not durable.
        """
        return await self._control().approvals(session, pending=pending)

    async def approve(
        self, session: str, approval: str, *, by: str, roles: Iterable[str] = (), note: str = ""
    ) -> Approval:
        """Let a call be made, once and as it was shown, when the session is resumed.

        Args:
            session: the session's id.
            approval: the id of the approval.
            by: who decides; it is recorded.
            roles: the roles that this person has; the caller has made sure of them.
            note: words for the record, and for the model where a call is rejected.

        Raises:
            ApprovalRefused: if it is decided, has expired, is withdrawn or unknown, or needs another role.
            NoSuchSession: if there is no such session.
            SessionBusy: if the run that asked does not end within 10 s.
        """

        def approved(found: Approval, now: datetime) -> Approval:
            return attrs.evolve(found, status="approved", decided_by=by, note=note, decided_at=now)

        return await self._control().decide(
            session, approval, "approved", by=by, roles=_roles(roles), note=note, change=approved
        )

    async def reject(
        self, session: str, approval: str, *, by: str, roles: Iterable[str] = (), note: str = ""
    ) -> Approval:
        """Say no: the model is told who said it and why (``note``); see ``approve``."""

        def rejected(found: Approval, now: datetime) -> Approval:
            return attrs.evolve(found, status="rejected", decided_by=by, note=note, decided_at=now)

        return await self._control().decide(
            session, approval, "rejected", by=by, roles=_roles(roles), note=note, change=rejected
        )

    async def modify(
        self,
        session: str,
        approval: str,
        arguments: JsonObject,
        *,
        by: str,
        roles: Iterable[str] = (),
        note: str = "",
    ) -> Approval:
        """Let the call be made with other arguments, which are approved with that; see ``approve``."""
        try:
            bound_key("-", arguments, {})
        except ValueError as error:
            raise UsageError(str(error)) from None

        def modified(found: Approval, now: datetime) -> Approval:
            return attrs.evolve(found, status="approved", decided_by=by, note=note, decided_at=now, modified=arguments)

        return await self._control().decide(
            session, approval, "modified", by=by, roles=_roles(roles), note=note, change=modified
        )

    async def escalate(
        self,
        session: str,
        approval: str,
        *,
        to: Iterable[str],
        by: str,
        roles: Iterable[str] = (),
        note: str = "",
        expires_s: float | None = None,
    ) -> Approval:
        """Leave the decision to others: to who has one of the roles ``to``; it goes on waiting.

        ``expires_s`` is for how many seconds from now, by default until it would have expired anyway. See ``approve``.
        """
        others = _roles(to)
        if not others:
            raise UsageError("to must name the roles that may decide from now on")
        longer = None if expires_s is None else timedelta(seconds=_seconds("expires_s", expires_s))

        def escalated(found: Approval, now: datetime) -> Approval:
            return attrs.evolve(found, roles=others, expires_at=found.expires_at if longer is None else now + longer)

        return await self._control().decide(
            session, approval, "escalated", by=by, roles=_roles(roles), note=note, change=escalated
        )

    # --- which sessions --------------------------------------------------------------------------------

    def _in_memory(self, session: str) -> Session | None:
        """Return a session that this runtime alone knows."""
        return None if self._durable is not None else self._sessions.get(session)

    def _durable_store(self) -> DurableSessions:
        if self._durable is None:
            raise UsageError(
                "this runtime has no durable sessions: enter it with a store of par.persistence, Runtime(store=...)"
            )
        return self._durable

    def _control(self, session: str | None = None) -> SessionControl:
        if self._durable is None and session is not None and self._sessions:
            raise NoSuchSession(session)
        return self._durable_store().control


def _roles(roles: Iterable[str]) -> tuple[str, ...]:
    found = () if isinstance(roles, str) else tuple(roles)
    if isinstance(roles, str) or not all(found):
        raise UsageError(f"roles must be several texts that are not empty, got {roles!r}")
    return found


def _seconds(name: str, value: float) -> float:
    if isinstance(value, bool) or not isfinite(value) or value < 0:
        raise UsageError(f"{name} must be a number of seconds, 0 or more, got {value!r}")
    return value
