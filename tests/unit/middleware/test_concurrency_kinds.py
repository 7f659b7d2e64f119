"""The limits of ``Concurrency`` hold for every kind of tool: async, in a thread, running an agent, and bash."""

import threading

import anyio
import pytest

from par import Agent, RunContext, tool
from par.events import BashCompleted, BashInvoked
from par.middleware import Concurrency
from par.testing import ScriptedModel, call, say
from par.tools.bash import Bash

pytestmark = pytest.mark.anyio


class Gauge:
    """Counts who is in; each waits, for a bounded time, until ``company`` are in at once."""

    def __init__(self, company):
        self.company = company
        self.now = self.most = self.total = 0
        self._changed = threading.Condition()

    def enter(self):
        with self._changed:
            self.now += 1
            self.total += 1
            self.most = max(self.most, self.now)
            self._changed.notify_all()

    def full(self):
        return self.most >= self.company

    def wait(self):
        with self._changed:
            self._changed.wait_for(self.full, timeout=5)
            self._changed.wait_for(lambda: self.most > self.company, timeout=0.02)  # time for one too many to show up

    def leave(self):
        with self._changed:
            self.now -= 1


def in_a_thread(gauge):
    @tool(effect="read")
    def work() -> str:
        """Work in a thread."""
        gauge.enter()
        gauge.wait()
        gauge.leave()
        return "ok"

    return work


def on_the_loop(gauge, name="work"):
    @tool(effect="read", name=name)
    async def work() -> str:
        """Work on the event loop."""
        gauge.enter()
        await anyio.to_thread.run_sync(gauge.wait)
        gauge.leave()
        return "ok"

    return work


def in_an_agent(gauge):
    inner = Agent(ScriptedModel([call("leaf"), say("inner")] * 9), tools=[on_the_loop(gauge, "leaf")])

    @tool(effect="read")
    async def work(ctx: RunContext) -> str:
        """Ask an agent."""
        return (await inner.run("go", parent=ctx)).output

    return work


KINDS = {"thread": in_a_thread, "loop": on_the_loop, "agent": in_an_agent}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    "layer", [{"tools": 2}, {"per_tool": {"work": 2}}, {"tools": 3, "per_tool": {"work": 2}}], ids=str
)
async def test_no_more_tools_than_allowed_run_at_once_whatever_their_kind(kind, layer):
    gauge = Gauge(company=2)
    agent = Agent(
        ScriptedModel([[call("work")] * 4, say("done")]), tools=[kind(gauge)], middleware=[Concurrency(**layer)]
    )

    await agent.run("go")

    assert (gauge.most, gauge.total) == (2, 4)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_without_the_limit_they_all_run_at_once(kind):
    gauge = Gauge(company=4)

    await Agent(ScriptedModel([[call("work")] * 4, say("done")]), tools=[kind(gauge)]).run("go")

    assert gauge.most == 4


@pytest.mark.parametrize(("layer", "one_by_one"), [([Concurrency(per_tool={"bash": 1})], True), ([], False)])
async def test_commands_of_bash_keep_the_limit(tmp_path, layer, one_by_one):
    listing = call("bash", command={"op": "list_dir", "path": "."})
    agent = Agent(ScriptedModel([[listing] * 3, say("done")]), tools=[Bash(tmp_path)], middleware=layer)

    async with agent.run_stream("go") as stream:
        told = [item async for item in stream]

    commands = [type(event) for event in told if isinstance(event, (BashInvoked, BashCompleted))]
    assert len(commands) == 6
    assert (commands == [BashInvoked, BashCompleted] * 3) is one_by_one
