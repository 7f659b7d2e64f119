"""Turns, steps and changes for tests of durable sessions, and machines whose clock and processes a test holds."""

from datetime import UTC, datetime, timedelta

import attrs
from unit.persistence.made import START

from par._clock import Clock
from par._durable.log import Signal, StepRecord
from par._ids import UlidSource
from par.calls import ModelReply
from par.messages import Assistant, Text, as_messages
from par.outcomes import Done
from par.persistence._processes import Machine
from par.sessions import Approval, TurnInfo
from par.states import TaskState

_IDS = UlidSource()


def turn(number=1, *, text="hello", **changes):
    """Return a turn that runs."""
    fields = {
        "number": number,
        "id": _IDS.next(),
        "agent": "agent",
        "definition": "d",
        "state": TaskState.RUNNING,
        "input": as_messages(text),
        "started_at": START,
    }
    return TurnInfo(**{**fields, **changes})


def ended(one, *, text="bye", **changes):
    """Return the turn when it has been completed with an answer."""
    fields = {
        "state": TaskState.COMPLETED,
        "stop_reason": "finished",
        "messages": (*one.input, Assistant((Text(text),))),
        "ended_at": START + timedelta(minutes=1),
    }
    return attrs.evolve(one, **{**fields, **changes})


def step(ordinal=0, *, turn=1, kind="model", text="bye", **changes):
    """Return a step that is done."""
    result = ModelReply(message=Assistant((Text(text),))) if kind == "model" else Done(text)
    fields = {
        "turn": turn,
        "ordinal": ordinal,
        "kind": kind,
        "name": "name",
        "key": f"t:{ordinal}",
        "status": "done",
        "result": result,
    }
    return StepRecord(**{**fields, **changes})


def started(ordinal=0, *, turn=1, **changes):
    """Return a tool's step whose result is not known."""
    return step(ordinal, turn=turn, kind="tool", status="started", result=None, **changes)


def signal(name="steer", *, at=START, **body):
    """Return a signal."""
    return Signal(id=_IDS.next(), name=name, body=body, at=at)


def approval(session="s", *, turn=1, ordinal=0, **changes):
    """Return an approval that waits for a decision, for ever."""
    fields = {
        "id": _IDS.next(),
        "session": session,
        "turn": turn,
        "ordinal": ordinal,
        "call_id": "c1",
        "tool": "pay",
        "arguments": {"to": "Ada"},
        "key": "k",
        "prompt": "pay?",
        "asked_at": START,
    }
    return Approval(**{**fields, **changes})


class Hands:
    """What a test moves: the time, and which processes have ended."""

    def __init__(self, boot="boot"):
        self.boot = boot
        self.us = 1_000_000
        self.now = datetime(2025, 1, 31, 12, tzinfo=UTC)
        self.dead = set()

    def pass_s(self, seconds):
        """Let seconds go by."""
        self.us += round(seconds * 1_000_000)
        self.now += timedelta(seconds=seconds)

    @property
    def clock(self):
        return Clock(now=lambda: self.now)

    @property
    def machine(self):
        return Machine(
            boot=self.boot,
            me=f"{self.boot} - 1 1",
            steady_us=lambda: self.us,
            wall_us=lambda: round(self.now.timestamp() * 1_000_000),
            is_alive=lambda owner: False if owner in self.dead else None,
        )
