"""Many sessions in a few processes that are killed one after the other: all finish."""

import pytest
from durable import pool


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [40])
def test_all_sessions_finish_while_their_hosts_are_killed(lab, number):
    outcome = pool.carry(lab, number, seed=3)

    assert outcome.problems == []
    assert outcome.kills > 2
