"""What is said of an unfinished turn is what the engine would have said: folded from its steps, at every place."""

import tempfile
from pathlib import Path

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history import replay_problems

from par import Agent, ModelReply, RunContext, Runtime, tool
from par._durable.fold import folded
from par.messages import Assistant, Text, ToolUse
from par.outcomes import NeedsApproval
from par.persistence import open_sqlite
from par.testing import ScriptedModel, call, say

LINES = st.one_of(
    st.lists(st.sampled_from(["look", "fail", "none", "twice"]), min_size=1, max_size=3).map(
        lambda names: [call(name, x=1) for name in names]
    ),
    st.just(say("a part, ", finish="length")),
    st.just(
        ModelReply(
            message=Assistant((Text("thinking"), ToolUse("c1", "look", {"x": 1}), ToolUse("c1", "look", {"x": 2}))),
            finish="length",
        )
    ),
)


@tool(effect="read")
async def look(x: int) -> int:
    """Look."""
    return x


@tool(effect="idempotent")
async def fail(x: int) -> int:
    """Fail."""
    raise ValueError("no")


@tool
async def twice(ctx: RunContext, x: int) -> int:
    """Do it once."""
    return 2 * x


async def recorded(lines):
    """Run the script; return the turn's messages and what is recorded of its steps."""
    agent = Agent(ScriptedModel([*lines, say("end")]), tools=[look, fail, twice], max_continuations=9)
    with tempfile.TemporaryDirectory() as folder:
        async with open_sqlite(Path(folder) / "s.db", durability="process") as store:
            kept = []
            log = store.session_log()

            class Store:
                def __getattr__(self, name):
                    return getattr(store, name)

                def session_log(self):
                    return Log()

            class Log:
                def __getattr__(self, name):
                    return getattr(log, name)

                async def commit(self, change, envelopes, /):
                    kept.extend(change.steps)
                    return await log.commit(change, envelopes)

            async with Runtime(store=Store()) as runtime:
                await runtime.run(agent, "go", session="s")
                (turn,) = await runtime.turns("s")
    return turn, {step.ordinal: step for step in kept}


@settings(max_examples=25, deadline=None)
@given(lines=st.lists(LINES, max_size=4))
def test_the_steps_of_a_turn_fold_to_its_messages(lines):
    turn, steps = anyio.run(recorded, lines)
    whole = turn.messages
    open_turn = attrs.evolve(turn, messages=())
    assert folded(open_turn, steps.values()) == whole

    for count in range(len(steps) + 1):
        part = folded(open_turn, [steps[ordinal] for ordinal in sorted(steps)[:count]])
        assert replay_problems(part) == []
        finished = [message for message in part if message in whole]
        assert len(finished) >= len(part) - 2  # the last batch, or a cut answer, may be unfinished


@pytest.mark.anyio
async def test_a_call_that_waits_for_a_person_says_so_in_the_fold(tmp_path):
    @tool
    async def pay(ctx: RunContext, x: int) -> int | NeedsApproval:
        """Pay."""
        return NeedsApproval(prompt="may I?") if ctx.approval is None else x

    agent = Agent(ScriptedModel([[call("look", x=1), call("pay", x=2)], say("end")]), tools=[look, pay])
    async with open_sqlite(tmp_path / "s.db") as store, Runtime(store=store) as runtime:
        await runtime.run(agent, "go", session="s")
        before = await runtime.messages("s")
        (approval,) = await runtime.approvals("s")
        await runtime.approve("s", approval.id, by="ann")
        result = await runtime.resume("s", agent)
        after = await runtime.messages("s")

    assert [one.outcome for one in before[2].results] == ["done", "needs_approval"]
    assert after == result.messages
