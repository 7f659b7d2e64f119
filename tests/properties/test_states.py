"""A walk through the states of a task, however long, obeys the table."""

from hypothesis import given
from hypothesis import strategies as st

from par import TaskState
from par.errors import IllegalTransition
from par.states import MOVES, is_terminal, transition


@given(st.lists(st.sampled_from(TaskState), max_size=40))
def test_a_walk_never_leaves_a_final_state(targets):
    state = TaskState.PENDING
    ended = None
    for target in targets:
        try:
            state = transition(state, target)
        except IllegalTransition:
            assert target not in MOVES[state]
        if ended is not None:
            assert state is ended
        elif is_terminal(state):
            ended = state
