"""Calls that wait for a person: while nothing runs, bound to the exact call, made once."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from unit.durable.scene import Ledger, crashing, open_runtime

from par import Agent, RunContext, Runtime, tool
from par._clock import Clock
from par.errors import ApprovalRefused, UsageError
from par.events import ApprovalDecided, ApprovalRequested, RunEnded
from par.middleware import Permissions, Rule
from par.outcomes import NeedsApproval
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


class Time:
    """A clock that a test sets."""

    def __init__(self):
        self.at = datetime(2030, 1, 1, tzinfo=UTC)
        self.clock = Clock(now=lambda: self.at)

    def advance(self, seconds):
        self.at += timedelta(seconds=seconds)


def paying(ledger, *, roles=(), expires_s=None, script=None):
    @tool
    async def pay(ctx: RunContext, amount: int) -> str | NeedsApproval:
        """Pay."""
        if ctx.approval is None:
            return NeedsApproval(prompt=f"May I pay {amount}?", roles=roles, expires_s=expires_s)
        ledger.note("pay", ctx.idempotency_key)
        ledger.die()
        return f"paid {amount}, allowed by {ctx.approval.by}"

    @tool(effect="read")
    async def look(x: int) -> int:
        """Look."""
        ledger.note("look", "")
        return x

    lines = script or [[call("look", x=1), call("pay", amount=5)], say("done")]
    return Agent(ScriptedModel(lines), tools=[pay, look])


async def asked(store, agent, **options):
    """Run until a person is asked; return the approval."""
    async with open_runtime(store, **options) as runtime:
        result = await runtime.run(agent, "go", session="s")
        (approval,) = await runtime.approvals("s")
    assert result.stop_reason == "suspended"
    assert [need.approval_id for need in result.approvals] == [approval.id]
    return approval


def outcomes(result):
    return [(one.name, one.outcome, one.content) for one in result.messages[2].results]


async def test_an_approved_call_is_made_once_by_another_process(store):
    ledger = Ledger()
    agent = paying(ledger)
    approval = await asked(store, agent)
    assert ledger.names == ["look"]

    async with open_runtime(store) as other:
        await other.approve("s", approval.id, by="ann", note="as agreed")
    async with open_runtime(store, agents=[agent]) as runtime:
        (recovered,) = await runtime.recover()
        assert await runtime.recover() == ()

    assert outcomes(recovered.result) == [("look", "done", "1"), ("pay", "done", "paid 5, allowed by ann")]
    assert ledger.names == ["look", "pay"]
    assert recovered.result.output == "done"
    assert (await store.verify("s")).ok


async def test_what_is_asked_and_decided_is_told(store):
    agent = paying(Ledger(), roles=("boss",))
    approval = await asked(store, agent)
    async with open_runtime(store) as runtime:
        await runtime.approve("s", approval.id, by="ann", roles=["boss"], note="as agreed")

    events = [envelope.event async for envelope in store.events("s")]
    (request,) = [event for event in events if isinstance(event, ApprovalRequested)]
    (decision,) = [event for event in events if isinstance(event, ApprovalDecided)]
    (end,) = [event for event in events if isinstance(event, RunEnded)]
    assert (request.approval, request.tool, request.arguments) == (approval.id, "pay", {"amount": 5})
    assert (request.prompt, request.roles, request.key) == ("May I pay 5?", ("boss",), approval.key)
    assert (decision.approval, decision.decision, decision.by, decision.note) == (
        approval.id,
        "approved",
        "ann",
        "as agreed",
    )
    assert (end.stop_reason, end.status) == ("suspended", "suspended")


async def test_a_rejected_call_is_not_made_and_the_model_is_told_why(store):
    ledger = Ledger()
    agent = paying(ledger)
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        await runtime.reject("s", approval.id, by="ann", note="too much")
        result = await runtime.resume("s", agent)

    (_, (name, outcome, content)) = outcomes(result)
    assert (name, outcome) == ("pay", "failed")
    assert "too much" in content
    assert "pay" not in ledger.names


async def test_a_modified_call_is_made_with_the_other_arguments(store):
    ledger = Ledger()
    agent = paying(ledger)
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        await runtime.modify("s", approval.id, {"amount": 3}, by="ann")
        result = await runtime.resume("s", agent)

    assert outcomes(result)[1] == ("pay", "done", "paid 3, allowed by ann")


async def test_an_escalated_decision_is_left_to_others(store):
    agent = paying(Ledger())
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        await runtime.escalate("s", approval.id, to=["boss"], by="ann")
        with pytest.raises(ApprovalRefused, match="boss"):
            await runtime.approve("s", approval.id, by="ann")
        await runtime.approve("s", approval.id, by="bob", roles=["boss"])
        result = await runtime.resume("s", agent)

    assert outcomes(result)[1][2] == "paid 5, allowed by bob"


async def test_who_lacks_the_role_decides_nothing(store):
    agent = paying(Ledger(), roles=("boss", "owner"))
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        for decide in (runtime.approve, runtime.reject):
            with pytest.raises(ApprovalRefused, match="boss, owner"):
                await decide("s", approval.id, by="ann", roles=["clerk"])
        assert len(await runtime.approvals("s")) == 1


async def test_a_decision_is_made_once(store):
    agent = paying(Ledger())
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        await runtime.reject("s", approval.id, by="ann")
        with pytest.raises(ApprovalRefused, match="rejected already"):
            await runtime.approve("s", approval.id, by="bob")


async def test_an_unknown_decision_and_one_of_an_ended_turn_are_refused(store):
    agent = paying(Ledger())
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        with pytest.raises(ApprovalRefused, match="waits for no such"):
            await runtime.approve("s", "01J", by="ann")
        with pytest.raises(UsageError, match="by"):
            await runtime.approve("s", approval.id, by="")
        await runtime.cancel("s")
        with pytest.raises(ApprovalRefused, match="ended"):
            await runtime.approve("s", approval.id, by="ann")
        (withdrawn,) = await runtime.approvals("s", pending=False)

    assert withdrawn.status == "withdrawn"


async def test_nobody_decides_after_the_deadline(store):
    time = Time()
    agent = paying(Ledger(), expires_s=60)
    approval = await asked(store, agent, clock=time.clock)
    assert approval.expires_at == time.at + timedelta(seconds=60)
    time.advance(61)

    async with open_runtime(store, clock=time.clock) as runtime:
        with pytest.raises(ApprovalRefused, match="expired"):
            await runtime.approve("s", approval.id, by="ann")


async def test_what_nobody_decided_in_time_counts_as_rejected(store):
    time = Time()
    ledger = Ledger()
    agent = paying(ledger, expires_s=60)
    await asked(store, agent, clock=time.clock)
    time.advance(61)

    async with open_runtime(store, clock=time.clock) as runtime:
        result = await runtime.resume("s", agent)
        (approval,) = await runtime.approvals("s", pending=False)

    events = [envelope.event async for envelope in store.events("s")]
    assert outcomes(result)[1][1] == "failed"
    assert "in time" in outcomes(result)[1][2]
    assert "pay" not in ledger.names
    assert approval.status == "expired"
    assert [event.decision for event in events if isinstance(event, ApprovalDecided)] == ["expired"]


async def test_resuming_what_still_waits_suspends_it_again(store):
    ledger = Ledger()
    agent = paying(ledger)
    approval = await asked(store, agent)

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)
        (still,) = await runtime.approvals("s")

    assert result.stop_reason == "suspended"
    assert still == approval
    assert ledger.names == ["look"]


async def test_a_crash_during_the_approved_call_does_not_make_it_twice(store):
    ledger = Ledger()
    agent = paying(ledger)
    approval = await asked(store, agent)
    async with open_runtime(store) as runtime:
        await runtime.approve("s", approval.id, by="ann")
    with crashing():
        async with open_runtime(store, ledger=ledger) as runtime:
            await runtime.resume("s", agent)

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", agent)

    assert ledger.names.count("pay") == 1
    assert outcomes(result)[1][:2] == ("pay", "unknown")


async def test_of_two_calls_that_wait_none_is_made_before_both_are_decided(store):
    ledger = Ledger()
    agent = paying(ledger, script=[[call("pay", amount=1), call("pay", amount=2)], say("done")])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        first, second = await runtime.approvals("s")
        await runtime.approve("s", second.id, by="ann")
        assert (await runtime.resume("s", agent)).stop_reason == "suspended"
        assert ledger.names == []
        await runtime.reject("s", first.id, by="bob", note="no")
        result = await runtime.resume("s", agent)

    assert [(outcome, "ann" in content) for _, outcome, content in outcomes(result)] == [
        ("failed", False),
        ("done", True),
    ]


async def test_permissions_ask_in_the_same_way(store):
    ledger = Ledger()

    @tool
    async def wipe(ctx: RunContext, disk: str) -> str:
        """Wipe."""
        ledger.note("wipe", ctx.idempotency_key)
        return "wiped"

    guard = Permissions(rules=[Rule("confirm", "wipe", approvers=("boss",))], default="allow", expires_s=60.0)
    agent = Agent(ScriptedModel([call("wipe", disk="a"), say("done")]), tools=[wipe], middleware=[guard])
    approval = await asked(store, agent)
    assert approval.roles == ("boss",)
    assert approval.expires_at == approval.asked_at + timedelta(seconds=60)

    async with open_runtime(store) as runtime:
        await runtime.approve("s", approval.id, by="ann", roles=["boss"])
        result = await runtime.resume("s", agent)

    assert result.messages[2].results[0].content == "wiped"
    assert ledger.names == ["wipe"]


async def test_without_a_durable_session_the_run_ends_as_it_did(store):
    async with Runtime() as runtime:
        result = await runtime.run(paying(Ledger()), "go", session="s")

    assert result.stop_reason == "suspended"
    assert [need.approval_id for need in result.approvals] == [""]


async def test_deciding_does_not_take_the_session_from_a_run_of_the_same_runtime(store):
    begun, go_on = anyio.Event(), anyio.Event()

    @tool(effect="read")
    async def work(x: int) -> int:
        """Work."""
        begun.set()
        await go_on.wait()
        return x

    agent = Agent(ScriptedModel([call("work", x=1), say("done")]), tools=[work])
    results = []
    async with open_runtime(store) as runtime, anyio.create_task_group() as group:

        async def run():
            results.append(await runtime.run(agent, "go", session="s"))

        async def decide():
            with pytest.raises(ApprovalRefused):
                await runtime.approve("s", "01J", by="ann")

        group.start_soon(run)
        await begun.wait()
        group.start_soon(decide)
        await anyio.sleep(0.2)
        go_on.set()

    assert [result.output for result in results] == ["done"]
