"""A process that is killed at an instant that nothing tells, and the next one too."""

import pytest
from durable.lab import kill_at_random, told

TIMES = 10


@pytest.mark.timeout(240)
def test_a_session_survives_kills_at_random_instants(lab):
    _, took_s = lab.undisturbed()

    kill_at_random(lab, TIMES, seed=1, took_s=took_s)

    assert told(lab.judge()) == ""
    assert lab.kills > TIMES / 2
