"""Errors of durable sessions."""

from par._errors.root import ParError
from par._errors.usage import UsageError

__all__ = [
    "ApprovalRefused",
    "DefinitionChanged",
    "MessageAnswered",
    "NoSuchSession",
    "NothingToResume",
    "ReplayMismatch",
    "SessionBusy",
    "SessionError",
    "SessionUnfinished",
    "TooManyAttempts",
    "TurnFailed",
    "UnknownEffect",
]


class SessionError(ParError):
    """Something about a durable session; ``session`` is its id."""

    def __init__(self, session: str, problem: str) -> None:
        self.session = session
        self.problem = problem
        super().__init__(f"session {session!r}: {problem}")


class NoSuchSession(SessionError):
    """There is no session of that id."""

    def __init__(self, session: str) -> None:
        super().__init__(session, "there is no such session")


class NothingToResume(SessionError):
    """The last turn of the session has ended; ``rt.run`` begins another."""

    def __init__(self, session: str) -> None:
        super().__init__(session, "its last turn has ended, so there is nothing to resume")


class SessionBusy(SessionError):
    """Another process works at the session; ``owner`` says which, ``free_in_s`` when its lease ends at the latest."""

    def __init__(self, session: str, *, owner: str, free_in_s: float) -> None:
        self.owner = owner
        self.free_in_s = free_in_s
        super().__init__(session, f"the process {owner} works at it; its lease ends in {free_in_s:.1f} s")


class SessionUnfinished(SessionError):
    """The last turn was interrupted: resume it, or cancel it, before another begins."""

    def __init__(self, session: str) -> None:
        super().__init__(session, "its last turn was interrupted: resume it with rt.resume, or end it with rt.cancel")


class DefinitionChanged(SessionError):
    """The agent is not the one that began the turn; ``recorded`` and ``given`` are the hashes of the definitions."""

    def __init__(self, session: str, *, recorded: str, given: str) -> None:
        self.recorded = recorded
        self.given = given
        super().__init__(
            session,
            f"the agent was defined otherwise when the turn began ({recorded[:12]}, now {given[:12]}): resume it with "
            'that agent, or with on_change="migrate"',
        )


class ReplayMismatch(SessionError):
    """The recorded steps are not those that the agent takes now; nothing was done."""

    def __init__(self, session: str, *, ordinal: int, recorded: str, wanted: str) -> None:
        self.ordinal = ordinal
        self.recorded = recorded
        self.wanted = wanted
        super().__init__(
            session, f"step {ordinal} is recorded as {recorded}, and the agent wants {wanted}: was it changed?"
        )


class MessageAnswered(SessionError):
    """The inbound message has a turn already, with this number; ``rt.run`` with its id returns what that came to."""

    def __init__(self, session: str, *, message_id: str, turn: int) -> None:
        self.message_id = message_id
        self.turn = turn
        super().__init__(session, f"the message {message_id!r} is answered by its turn {turn}")


class TooManyAttempts(SessionError):
    """So many processes have died over the turn that it was given up; it is ``failed``."""

    def __init__(self, session: str, *, attempts: int) -> None:
        self.attempts = attempts
        super().__init__(session, f"{attempts} processes have worked at its turn and none has ended it: it is given up")


class TurnFailed(SessionError):
    """The turn that was asked for has failed earlier; ``error_type`` and ``message`` say with what."""

    def __init__(self, session: str, *, error_type: str, message: str) -> None:
        self.error_type = error_type
        self.message = message
        super().__init__(session, f"its turn failed with {error_type}" + (f": {message}" if message else ""))


class UnknownEffect(SessionError):
    """A tool with ``on_unknown="fail"`` was interrupted, and whether it had its effect cannot be told."""

    def __init__(self, session: str, *, tool: str, key: str) -> None:
        self.tool = tool
        self.key = key
        super().__init__(session, f"whether {tool} (key {key}) had its effect before the crash cannot be told")


class ApprovalRefused(UsageError):
    """A decision was not accepted: decided already, expired, not this person's to make, or unknown."""

    def __init__(self, approval: str, problem: str) -> None:
        self.approval = approval
        self.problem = problem
        super().__init__(f"approval {approval}: {problem}")
