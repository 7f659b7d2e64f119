"""The life of a task: which moves there are, and why the others are none."""

from itertools import product

import pytest

from par import TaskState
from par.errors import IllegalTransition
from par.sessions import STATUS_OF
from par.states import MOVES, is_terminal, transition

LEGAL = {
    ("pending", "scheduled"),
    ("pending", "cancelled"),
    ("scheduled", "running"),
    ("scheduled", "cancelled"),
    ("running", "waiting_input"),
    ("running", "suspended"),
    ("running", "completed"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("waiting_input", "running"),
    ("waiting_input", "completed"),
    ("waiting_input", "failed"),
    ("waiting_input", "cancelled"),
    ("suspended", "scheduled"),
    ("suspended", "running"),
    ("suspended", "completed"),
    ("suspended", "failed"),
    ("suspended", "cancelled"),
}
TERMINAL = {"completed", "failed", "cancelled"}
PAIRS = list(product(TaskState, TaskState))


def why_not(current, target):
    if current == target:
        return "self"
    return "terminal" if current in TERMINAL else "invalid"


def test_there_are_eight_states_and_eighteen_moves():
    assert len(TaskState) == 8
    assert {(current.value, target.value) for current in MOVES for target in MOVES[current]} == LEGAL
    assert len(LEGAL) == 18


@pytest.mark.parametrize(("current", "target"), [pair for pair in PAIRS if (pair[0], pair[1]) in LEGAL])
def test_a_legal_move_returns_its_target(current, target):
    assert transition(current, target) is target


@pytest.mark.parametrize(("current", "target"), [pair for pair in PAIRS if (pair[0], pair[1]) not in LEGAL])
def test_every_other_move_is_refused_with_its_reason(current, target):
    with pytest.raises(IllegalTransition) as caught:
        transition(current, target)

    error = caught.value
    assert (error.current, error.target, error.why) == (current, target, why_not(current, target))


def test_a_final_state_that_moves_to_itself_is_called_self_and_not_terminal():
    with pytest.raises(IllegalTransition, match=r"cannot go from completed to completed \(self\)"):
        transition(TaskState.COMPLETED, TaskState.COMPLETED)


def test_states_are_compared_by_value_so_that_text_from_a_database_works():
    with pytest.raises(IllegalTransition, match="self"):
        transition("running", "running")


def test_the_final_states_are_the_three_that_say_so():
    assert {state.value for state in TaskState if is_terminal(state)} == TERMINAL


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        MOVES[TaskState.COMPLETED] = frozenset({TaskState.RUNNING})


def test_every_one_of_the_64_pairs_is_legal_or_refused_and_none_is_both():
    answers = {}
    for current, target in PAIRS:
        try:
            answers[current.value, target.value] = transition(current, target) is target
        except IllegalTransition:
            answers[current.value, target.value] = False

    assert len(answers) == 64
    assert {pair for pair, legal in answers.items() if legal} == LEGAL


def test_each_state_has_one_coarse_status():
    assert {state.value: STATUS_OF[state] for state in TaskState} == {
        "pending": "running",
        "scheduled": "running",
        "running": "running",
        "waiting_input": "running",
        "suspended": "running",
        "completed": "completed",
        "failed": "failed",
        "cancelled": "failed",
    }


def test_the_coarse_status_is_final_where_the_state_is_and_only_there():
    assert {state for state in TaskState if STATUS_OF[state] != "running"} == {
        state for state in TaskState if is_terminal(state)
    }


def test_the_coarse_status_never_goes_back():
    order = ("running", "completed", "failed")
    backwards = [
        (current, target)
        for current, targets in MOVES.items()
        for target in targets
        if order.index(STATUS_OF[target]) < order.index(STATUS_OF[current])
    ]

    assert backwards == []
