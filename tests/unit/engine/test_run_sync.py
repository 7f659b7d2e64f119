"""Scripts have no event loop of their own."""

import pytest

from par import Agent
from par.testing import ScriptedModel, say


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_run_sync_answers_on_either_event_loop(backend):
    assert Agent(ScriptedModel([say("hello")])).run_sync("hi", backend=backend).output == "hello"


def test_run_sync_may_be_called_again():
    agent = Agent(ScriptedModel([say("hello")]))

    assert [agent.run_sync("hi").output for _ in range(2)] == ["hello", "hello"]
