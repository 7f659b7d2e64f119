"""The counts that a session shows: one turn of three steps, a model call, a tool, a model call."""

from itertools import groupby, pairwise

import pytest
from durable import script

from par import Agent, Runtime, Usage, tool
from par.persistence import open_sqlite
from par.states import MOVES, TaskState
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"it rains in {city}"


def usage(input_tokens, output_tokens, cost_micro):
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, cost_micro=cost_micro, requests=1)


async def test_a_question_with_one_tool_is_one_turn_of_three_steps(tmp_path):
    model = ScriptedModel([
        [say("I look.", usage=usage(10, 5, 3)), call("weather", city="Bern")],
        say("It rains.", usage=usage(20, 4, 5)),
    ])
    agent = Agent(model, tools=[weather])

    async with open_sqlite(tmp_path / "a.db") as store, Runtime(store=store, agents=[agent]) as rt:
        result = await rt.run(agent, "How is the weather in Bern?", session="s")
        info = await rt.session("s")
        steps = await rt.steps("s", turn=1)

    assert result.output == "It rains."
    assert (info.turns, info.steps, info.tokens, info.cost_micro) == (1, 3, 39, 8)
    assert (info.state, info.status) == (TaskState.COMPLETED, "completed")
    assert [(step.ordinal, step.kind) for step in steps] == [(1, "model"), (2, "tool"), (3, "model")]


async def test_the_next_question_is_the_next_turn_of_the_same_session(tmp_path):
    agent = Agent(ScriptedModel([say("Yes.", usage=usage(7, 1, 1))]))

    async with open_sqlite(tmp_path / "a.db") as store, Runtime(store=store, agents=[agent]) as rt:
        await rt.run(agent, "Are you there?", session="s")
        await rt.run(agent, "Still?", session="s")
        info = await rt.session("s")

    assert (info.turns, info.steps, info.tokens, info.cost_micro) == (2, 2, 16, 2)


class Watched:
    """A store whose session log keeps the states that were recorded, in order."""

    def __init__(self, store):
        self._store = store
        self.states = []
        self.turns = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def session_log(self):
        log = self._store.session_log()
        commit = log.commit

        async def watched(change, envelopes, /):
            self.states += [] if change.state is None else [change.state]
            self.turns += [] if change.turn is None else [change.turn.state]
            return await commit(change, envelopes)

        return with_commit(log, watched)


def with_commit(log, commit):
    """Return the log with another ``commit``."""

    class Log:
        def __getattr__(self, name):
            return getattr(log, name)

    Log.commit = staticmethod(commit)
    return Log()


async def test_every_state_that_is_recorded_follows_from_the_one_before_by_legal_moves(tmp_path):
    scene = script.Scene(session="s", ledger=str(tmp_path / "ledger"), pause_s=0)
    agent = script.make_agent(scene, lambda _: None)

    async with open_sqlite(tmp_path / "a.db") as plain:
        store = Watched(plain)
        async with Runtime(store=store, agents=[agent]) as rt:
            suspended = await rt.run(agent, script.MESSAGES[0][1], session="s")
            (approval,) = await rt.approvals("s")
            await rt.approve("s", approval.id, by="ann", roles=("boss",))
            resumed = await rt.resume("s")

    assert (suspended.stop_reason, resumed.stop_reason) == ("suspended", "finished")
    assert short(store.turns) == ["running", "suspended", "running", "completed"]
    assert short(store.states) == short(store.turns)
    assert all(after in MOVES[before] for before, after in pairwise(map(TaskState, short(store.turns))))


def short(states):
    return [state.value for state, _ in groupby(states)]
