"""What a resumed session does: what is recorded is not done again, what was at work is settled as its tool says."""

import anyio
import pytest
from unit.durable.scene import Ledger, crashing, open_runtime

from par import Agent, Done, RunContext, tool
from par.errors import (
    DefinitionChanged,
    NoSuchSession,
    NothingToResume,
    ReplayMismatch,
    SessionUnfinished,
    TurnFailed,
    UnknownEffect,
    UsageError,
)
from par.events import RunResumed, RunStarted, ToolCallEnded
from par.testing import ScriptedModel, call, fail, say

pytestmark = pytest.mark.anyio


def look_tool(ledger: Ledger):
    @tool(effect="read")
    async def look(ctx: RunContext, x: int) -> int:
        """Look."""
        ledger.note("look", ctx.idempotency_key)
        return x + 1

    return look


def agent_of(*tools, script=None, **options):
    lines = script or [call("look", x=1), call("look", x=2), say("done")]
    return Agent(ScriptedModel(lines), tools=list(tools), **options)


async def test_nothing_that_is_recorded_is_done_again(store):
    ledger = Ledger()
    agent = agent_of(look_tool(ledger))
    with crashing():
        async with open_runtime(store, crash_at=("commit", 4)) as runtime:
            await runtime.run(agent, "go", session="s")

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    assert result.output == "done"
    assert ledger.names.count("look") <= 3
    assert len(set(ledger.keys)) == 2
    assert (await store.verify("s")).ok


async def test_an_uninterrupted_and_a_resumed_turn_say_the_same(store):
    agent = agent_of(look_tool(Ledger()))
    async with open_runtime(store) as runtime:
        whole = await runtime.run(agent, "go", session="whole")
    with crashing():
        async with open_runtime(store, crash_at=("commit", 5)) as runtime:
            await runtime.run(agent, "go", session="cut")

    async with open_runtime(store) as runtime:
        cut = await runtime.resume("cut", agent)

    assert (cut.output, cut.messages, cut.usage, cut.steps) == (whole.output, whole.messages, whole.usage, whole.steps)


async def test_a_resumed_turn_is_told_as_one(store):
    agent = agent_of(look_tool(Ledger()))
    with crashing():
        async with open_runtime(store, crash_at=("commit", 5)) as runtime:
            await runtime.run(agent, "go", session="s")
    async with open_runtime(store) as runtime:
        await runtime.resume("s", agent)

    events = [envelope.event async for envelope in store.events("s")]
    (resumed,) = [event for event in events if isinstance(event, RunResumed)]
    assert sum(isinstance(event, RunStarted) for event in events) == 1
    assert sum(isinstance(event, ToolCallEnded) for event in events) == 2
    assert (resumed.turn, resumed.attempt, resumed.migrated) == (1, 2, False)


async def test_a_session_that_was_interrupted_takes_no_new_prompt(store):
    agent = agent_of(look_tool(Ledger()))
    with crashing():
        async with open_runtime(store, crash_at=("commit", 5)) as runtime:
            await runtime.run(agent, "go", session="s")

    async with open_runtime(store) as runtime:
        with pytest.raises(SessionUnfinished):
            await runtime.run(agent, "another", session="s")
        assert (await runtime.resume("s", agent)).output == "done"


async def test_an_ended_turn_is_resumed_to_what_it_came_to(store):
    agent = agent_of(look_tool(Ledger()), output=int, script=[call("look", x=1), say('{"value": 7}')])
    async with open_runtime(store) as runtime:
        first = await runtime.run(agent, "go", session="s")
    async with open_runtime(store) as runtime:
        again = await runtime.resume("s", agent)

    assert (again.output, again.messages, again.steps) == (7, first.messages, first.steps)


async def test_a_failed_turn_is_resumed_to_its_failure(store):
    agent = agent_of(script=[fail(ValueError("secret"))])
    async with open_runtime(store) as runtime:
        with pytest.raises(ValueError, match="secret"):
            await runtime.run(agent, "go", session="s")
        with pytest.raises(TurnFailed) as failed:
            await runtime.resume("s", agent)

    assert failed.value.error_type == "ValueError"
    assert "secret" not in str(failed.value)


async def test_a_session_that_is_not_there_cannot_be_resumed(store):
    async with open_runtime(store) as runtime:
        with pytest.raises(NoSuchSession):
            await runtime.resume("nowhere", agent_of())


async def test_a_session_without_a_turn_has_nothing_to_resume(store):
    agent = agent_of()
    with crashing():
        async with open_runtime(store, crash_at=("commit", 1)) as runtime:
            await runtime.run(agent, "go", session="s")

    async with open_runtime(store) as runtime:
        with pytest.raises(NothingToResume):
            await runtime.resume("s", agent)
        assert (await runtime.run(agent_of(script=[say("hi")]), "go", session="s")).output == "hi"


# --- effects in doubt ---------------------------------------------------------------------------------


def pay_tool(ledger: Ledger, **options):
    @tool(**options)
    async def pay(ctx: RunContext, amount: int) -> str:
        """Pay."""
        ledger.note("pay", ctx.idempotency_key)
        ledger.die()
        return f"paid {amount}"

    return pay


PAYING = [call("pay", amount=5), say("done")]


async def interrupted_payment(store, ledger, agent):
    """Die after the effect, before its result is recorded."""
    with crashing():
        async with open_runtime(store, ledger=ledger) as runtime:
            await runtime.run(agent, "go", session="s")


async def test_an_effect_that_must_not_be_repeated_is_reported_as_unknown(store):
    ledger = Ledger()
    agent = agent_of(pay_tool(ledger), script=PAYING)
    await interrupted_payment(store, ledger, agent)

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    (told,) = result.messages[2].results
    assert told.outcome == "unknown"
    assert "verify" in told.content
    assert ledger.names == ["pay"]


async def test_an_idempotent_effect_is_repeated_with_the_same_key(store):
    ledger = Ledger()
    agent = agent_of(pay_tool(ledger, effect="idempotent"), script=PAYING)
    await interrupted_payment(store, ledger, agent)

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    assert result.messages[2].results[0].content == "paid 5"
    assert ledger.names == ["pay", "pay"]
    assert len(set(ledger.keys)) == 1


async def test_a_tool_may_let_the_turn_fail_instead(store):
    ledger = Ledger()
    agent = agent_of(pay_tool(ledger, on_unknown="fail"), script=PAYING)
    await interrupted_payment(store, ledger, agent)

    async with open_runtime(store) as runtime:
        with pytest.raises(UnknownEffect) as failed:
            await runtime.resume("s", agent)

    assert (failed.value.tool, failed.value.key) == ("pay", ledger.keys[0])
    assert ledger.names == ["pay"]


@pytest.mark.parametrize(("happened", "payments"), [(True, 1), (False, 2)], ids=["happened", "not-happened"])
async def test_a_probe_is_asked_whether_it_happened(store, happened, payments):
    ledger = Ledger()
    pay = pay_tool(ledger)

    @pay.probe
    async def find(ctx: RunContext, amount: int) -> Done[str] | None:
        ledger.probed = (ctx.idempotency_key, amount)
        return Done(f"found {amount}") if happened else None

    agent = agent_of(pay, script=PAYING)
    await interrupted_payment(store, ledger, agent)

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    assert ledger.probed == (ledger.keys[0], 5)
    assert ledger.names.count("pay") == payments
    assert result.messages[2].results[0].content == ("found 5" if happened else "paid 5")
    assert len(set(ledger.keys)) == 1


async def test_what_a_probe_does_not_find_is_not_done_again_while_somebody_may_still_do_it(store):
    ledger = Ledger()
    pay = pay_tool(ledger)

    @pay.probe
    async def find(ctx: RunContext, amount: int) -> Done[str] | None:
        return None

    agent = agent_of(pay, script=PAYING)
    await interrupted_payment(store, ledger, agent)

    async with open_runtime(store, rival=True) as runtime:
        result = await runtime.resume("s", agent)

    assert result.messages[2].results[0].outcome == "unknown"
    assert ledger.names == ["pay"]


async def test_a_probe_that_fails_leaves_it_unknown(store):
    ledger = Ledger()
    pay = pay_tool(ledger)

    @pay.probe
    async def find(ctx: RunContext, amount: int) -> Done[str] | None:
        raise ConnectionError("the bank is closed")

    agent = agent_of(pay, script=PAYING)
    await interrupted_payment(store, ledger, agent)

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    assert result.messages[2].results[0].outcome == "unknown"
    assert ledger.names == ["pay"]


async def test_a_call_that_was_not_begun_is_simply_made(store):
    ledger = Ledger()
    agent = agent_of(pay_tool(ledger), script=PAYING)
    with crashing():
        # the model has answered, and the tool's call was told; its claim is the next commit
        async with open_runtime(store, crash_at=("commit", 5)) as runtime:
            await runtime.run(agent, "go", session="s")
    assert ledger.names == []

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    assert result.messages[2].results[0].content == "paid 5"
    assert ledger.names == ["pay"]


# --- which agent --------------------------------------------------------------------------------------


async def cut_off(store, agent, at=5):
    with crashing():
        async with open_runtime(store, crash_at=("commit", at)) as runtime:
            await runtime.run(agent, "go", session="s")


async def test_another_definition_is_refused(store):
    look = look_tool(Ledger())
    await cut_off(store, agent_of(look))

    async with open_runtime(store) as runtime:
        with pytest.raises(DefinitionChanged) as refused:
            await runtime.resume("s", agent_of(look, instructions="Be brief."))
        assert refused.value.recorded != refused.value.given
        assert (await runtime.resume("s", agent_of(look))).output == "done"


async def test_another_definition_is_migrated_to_if_one_says_so(store):
    look = look_tool(Ledger())
    await cut_off(store, agent_of(look))
    other = agent_of(look, instructions="Be brief.")

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", other, on_change="migrate")
        (turn,) = await runtime.turns("s")

    events = [envelope.event async for envelope in store.events("s")]
    assert result.output == "done"
    assert [event.migrated for event in events if isinstance(event, RunResumed)] == [True]
    assert turn.attempt == 2


async def test_an_agent_that_does_something_else_is_found_out(store):
    await cut_off(store, agent_of(look_tool(Ledger())), at=9)

    @tool(name="look", effect="read")
    async def other(x: int) -> int:
        """Look."""
        return x

    # the recorded replies are what decides, so only a different engine would differ: make one by renaming the record
    async with open_runtime(store, renamed={"look": "peek"}) as runtime:
        with pytest.raises(ReplayMismatch) as found:
            await runtime.resume("s", agent_of(other), on_change="migrate")

    assert (found.value.recorded, found.value.wanted) == ("tool peek", "tool look")


async def test_on_change_knows_two_words(store):
    async with open_runtime(store) as runtime:
        with pytest.raises(UsageError, match="on_change"):
            await runtime.resume("s", agent_of(), on_change="ignore")


async def test_agents_are_found_by_name(store):
    agent = agent_of(look_tool(Ledger()), name="finder")
    await cut_off(store, agent)

    async with open_runtime(store) as runtime:
        with pytest.raises(UsageError, match="finder"):
            await runtime.resume("s")
    async with open_runtime(store, agents=[agent]) as runtime:
        assert (await runtime.resume("s")).output == "done"


async def test_two_agents_of_one_name_are_refused(store):
    with pytest.raises(UsageError, match="two agents"):
        open_runtime(store, agents=[agent_of(), agent_of()])


async def test_a_closed_runtime_leaves_its_turns_to_be_resumed(store):
    begun = anyio.Event()

    @tool(effect="read")
    async def look(x: int) -> int:
        """Look."""
        if not begun.is_set():
            begun.set()
            await anyio.sleep_forever()
        return x

    agent = agent_of(look)
    results = []
    async with anyio.create_task_group() as group, open_runtime(store) as runtime:

        async def run():
            results.append(await runtime.run(agent, "go", session="s"))

        group.start_soon(run)
        await begun.wait()
    assert [result.stop_reason for result in results] == ["suspended"]

    async with open_runtime(store) as runtime:
        assert (await runtime.resume("s", agent)).output == "done"
