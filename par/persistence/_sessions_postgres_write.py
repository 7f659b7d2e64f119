"""A batch of changes of sessions, as the one document that ``checkpoint`` in Postgres is given."""

import json
from typing import Final, TypeAlias, cast, final

import attrs

from par.persistence._postgres_driver import Row
from par.persistence._sessions_values import StepRow, Work

__all__ = ["Changes", "Done"]

_Values: TypeAlias = dict[str, object]
_TURN: Final = ("number", "id", "state", "message_id", "ended_at", "facts", "input", "messages")
_STEP: Final = ("turn", "ord", "kind", "status", "attempt", "label", "result", "inbox")
_STATUS: Final = 3
_APPROVAL: Final = ("id", "turn", "ord", "status", "asked_at", "expires_at", "body")


@attrs.frozen
class Done:
    """What came of a batch: the places of those whose lease does not hold, and for which sessions signals wait."""

    lost: frozenset[int] = frozenset()
    """Of those that were to be carried out; if there are any, nothing was."""
    doubtful: frozenset[int] = frozenset()
    """Of those that are refused in any case."""
    waiting: frozenset[str] = frozenset()

    @classmethod
    def of(cls, row: Row | None) -> "Done":
        """Read what ``checkpoint`` returns."""
        if row is None:
            return cls()
        lost, doubtful, waiting = cast("tuple[list[int], list[int], list[str] | None]", (row[0], row[1], row[2]))
        return cls(frozenset(lost), frozenset(doubtful), frozenset(waiting or ()))


@final
class Changes:
    """Changes that are carried out together: of each row the last one, so that none is written twice."""

    def __init__(self) -> None:
        self._asks: dict[str, None] = {}
        self._leases: list[_Values] = []
        self._doubts: list[_Values] = []
        self._sessions: dict[str, _Values] = {}
        self._turns: dict[tuple[str, int], _Values] = {}
        self._steps: dict[tuple[str, int, int], StepRow] = {}
        self._clears: dict[tuple[str, int], None] = {}
        self._takes: dict[tuple[str, str], _Values] = {}
        self._approvals: dict[tuple[str, str], _Values] = {}

    def __bool__(self) -> bool:
        return bool(self._asks)

    def ask(self, work: Work) -> None:
        """Ask whether signals wait for the session, and change nothing."""
        self._asks[work.session] = None

    def doubt(self, place: int, work: Work) -> None:
        """Ask whether the lease holds of a change that is refused in any case."""
        self._asks[work.session] = None
        self._doubts.append(_lease(place, work))

    def add(self, place: int, work: Work, first: int | None, last: int | None) -> None:
        """Carry out the work; ``first`` and ``last`` are the numbers of its events, if it has any."""
        session, turn = work.session, work.turn
        self._asks[session] = None
        self._leases.append(_lease(place, work))
        self._add_session(work)
        if turn is not None:
            before = self._turns.get((session, turn[0]))
            row: _Values = {"session": session, **dict(zip(_TURN, turn, strict=True)), "first": first, "last": last}
            if before is not None:
                row["first"] = before["first"]
                row["last"] = before["last"] if before["ended_at"] is not None else last
            self._turns[session, turn[0]] = row
        for step in work.steps:
            key = (session, step[0], step[1])
            if key not in self._steps or self._steps[key][_STATUS] == "started":
                self._steps[key] = step
        if work.clears and work.number is not None:
            self._clears[session, work.number] = None
        for name, ordinal in work.takes:
            taken: _Values = {"session": session, "id": name, "turn": work.number, "ord": ordinal}
            self._takes.setdefault((session, name), taken)
        for approval in work.approvals:
            asked: _Values = {"session": session, **dict(zip(_APPROVAL, approval, strict=True))}
            self._approvals[session, approval[0]] = asked

    def _add_session(self, work: Work) -> None:
        row = self._sessions.setdefault(work.session, {"session": work.session, "releases": False})
        row["at"] = work.at
        if work.totals is not None:
            row |= dict(zip(("steps", "tokens", "cost"), work.totals, strict=True))
        if work.state is not None:
            row["state"] = work.state
        if work.turn is not None and work.turn[0] >= cast("int", row.get("turn", 0)):  # it is set here alone
            row |= {"turn": work.turn[0], "agent": work.agent, "open": work.turn[4] is None}
        row["releases"] = row["releases"] or work.releases

    def text(self) -> str:
        """Return the document."""
        steps = [
            {"session": session, **dict(zip(_STEP, step, strict=True))} for (session, _, _), step in self._steps.items()
        ]
        clears = [{"session": session, "turn": turn} for session, turn in self._clears]
        rest = bool(self._clears or self._takes or self._approvals)
        return json.dumps(
            {
                "asks": list(self._asks),
                "leases": self._leases,
                "doubts": self._doubts,
                "sessions": list(self._sessions.values()),
                "turns": list(self._turns.values()),
                "steps": steps,
                "rest": [1] if rest else [],
                "clears": clears,
                "takes": list(self._takes.values()),
                "approvals": list(self._approvals.values()),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )


def _lease(place: int, work: Work) -> _Values:
    return {"place": place, "session": work.session, "owner": work.owner, "fence": work.fence}
