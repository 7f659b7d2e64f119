"""An agent that is asked by a tool of another."""

import anyio
import pytest
from support.memory_store import MemoryStore

from par import Agent, RunContext, Runtime, tool
from par.events import RunEnded, RunStarted
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio

inner = Agent(ScriptedModel([say("I am the expert")]), name="expert")


@tool(effect="read")
async def ask_expert(ctx: RunContext, question: str) -> str:
    """Ask an expert."""
    return (await inner.run(question, parent=ctx)).output


async def test_the_inner_run_is_recorded_in_the_same_store_and_names_its_parent():
    store = MemoryStore()
    agent = Agent(ScriptedModel([call("ask_expert", question="why?"), say("done")]), tools=[ask_expert])

    async with Runtime(store=store) as runtime:
        result = await runtime.run(agent, "go", session="s")

    parents = {e.event.agent: e.parent for e in store.envelopes if isinstance(e.event, RunStarted)}
    assert parents == {"agent": None, "expert": result.run_id}
    assert len([e for e in store.envelopes if isinstance(e.event, RunEnded)]) == 2


async def test_each_session_is_numbered_by_itself():
    store = MemoryStore()
    agent = Agent(ScriptedModel([call("ask_expert", question="why?"), say("done")]), tools=[ask_expert])

    async with Runtime(store=store) as runtime:
        await runtime.run(agent, "go", session="s")

    sessions = {e.session for e in store.envelopes}
    assert len(sessions) == 2
    for session in sessions:
        seqs = [e.seq for e in store.envelopes if e.session == session]
        assert seqs == list(range(1, len(seqs) + 1))


async def test_the_outer_deadline_ends_the_inner_run():
    @tool(effect="read")
    async def forever(x: int) -> int:
        """Never end."""
        await anyio.sleep_forever()
        return x

    slow = Agent(ScriptedModel([call("forever", x=1), say("x")]), tools=[forever], name="slow")

    @tool(effect="read")
    async def ask(ctx: RunContext) -> str:
        """Ask."""
        return (await slow.run("go", parent=ctx)).output

    store = MemoryStore()
    async with Runtime(store=store) as runtime:
        result = await runtime.run(Agent(ScriptedModel([call("ask"), say("x")]), tools=[ask]), "go", timeout_s=0.05)

    ends = [e.event for e in store.envelopes if isinstance(e.event, RunEnded)]
    assert result.stop_reason == "cancelled"
    assert [end.cause for end in ends] == ["cancelled from outside", "the deadline of 0.05 s"]
