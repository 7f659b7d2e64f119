"""The life of a task: eight states and the eighteen moves between them, as data."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from par.errors import IllegalTransition

__all__ = ["MOVES", "TaskState", "is_terminal", "transition"]


class TaskState(StrEnum):
    """Where a task stands. ``completed``, ``failed`` and ``cancelled`` are final."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    WAITING_INPUT = "waiting_input"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_S = TaskState

MOVES: Final[Mapping[TaskState, frozenset[TaskState]]] = MappingProxyType({
    _S.PENDING: frozenset({_S.SCHEDULED, _S.CANCELLED}),
    _S.SCHEDULED: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.WAITING_INPUT, _S.SUSPENDED, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.WAITING_INPUT: frozenset({_S.RUNNING, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.SUSPENDED: frozenset({_S.SCHEDULED, _S.RUNNING, _S.COMPLETED, _S.FAILED, _S.CANCELLED}),
    _S.COMPLETED: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
})
"""The legal moves: from each state to the states in its set."""


def is_terminal(state: TaskState) -> bool:
    """Tell whether nothing can follow ``state``."""
    return not MOVES[state]


def transition(current: TaskState, target: TaskState) -> TaskState:
    """Return ``target`` if the move is legal.

    Raises:
        IllegalTransition: if it is not; its ``why`` says whether the states are the same, the first is
            final, or the move simply does not exist, in this order.
    """
    if current == target:
        raise IllegalTransition(current=current, target=target, why="self")
    if target not in MOVES[current]:
        why = "terminal" if is_terminal(current) else "invalid"
        raise IllegalTransition(current=current, target=target, why=why)
    return target
