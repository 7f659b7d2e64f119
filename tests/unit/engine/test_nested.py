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


async def test_all_runs_of_a_tree_know_its_root():
    roots = []

    @tool(effect="read")
    async def leaf(ctx: RunContext) -> str:
        """Tell the root."""
        roots.append((ctx.root_run_id, ctx.run_id))
        return "x"

    low = Agent(ScriptedModel([call("leaf"), say("x")]), tools=[leaf])

    @tool(effect="read")
    async def ask(ctx: RunContext) -> str:
        """Ask below."""
        return (await low.run("go", parent=ctx)).output

    result = await Agent(ScriptedModel([[call("ask"), call("leaf")], say("x")]), tools=[ask, leaf]).run("go")

    assert {root for root, _ in roots} == {result.run_id}
    assert len({run for _, run in roots}) == 2


async def test_an_exhausted_budget_ends_the_run_with_what_there_is():
    from par import wrap_model
    from par.errors import BudgetExhausted

    asked = 0

    @wrap_model
    async def two(call, call_next):
        nonlocal asked
        asked += 1
        if asked > 2:
            raise BudgetExhausted(kind="steps", limit=2, used=2, needed=1)
        return await call_next(call)

    @tool(effect="read")
    async def leaf() -> str:
        """Do nothing."""
        return "x"

    result = await Agent(ScriptedModel([call("leaf")] * 9), tools=[leaf], middleware=[two]).run("go")

    assert (result.stop_reason, result.cause) == (
        "budget",
        str(BudgetExhausted(kind="steps", limit=2, used=2, needed=1)),
    )
    assert len(result.messages) == 5
