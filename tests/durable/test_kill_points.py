"""A process that is killed at any named point: another one goes on, and nothing is lost and nothing happens twice."""

import pytest
from durable.lab import one_of_each, sweep, sweep_twice, told


@pytest.mark.timeout(240)
def test_a_session_survives_a_kill_at_each_named_point(either_lab):
    points, _ = either_lab.undisturbed()
    names = one_of_each(points)

    sweep(either_lab, names)

    assert told(either_lab.judge()) == ""
    assert either_lab.kills == len(names)


@pytest.mark.timeout(240)
def test_a_session_survives_kills_at_two_points_in_a_row(other_lab):
    points, _ = other_lab.undisturbed(stream=True, chain=True)
    names = one_of_each(points)[::3]

    again = [f"{name.split('#')[0]}#1" for name in names[5:] + names[:5]]  # of the process that goes on
    sweep_twice(other_lab, names, again, stream=True, chain=True)

    assert told(other_lab.judge()) == ""
    assert other_lab.kills >= len(names)
