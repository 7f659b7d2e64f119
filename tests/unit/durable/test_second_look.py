"""Holes that a second reader looked for: what is cancelled, asked twice, or comes at the wrong moment."""

import threading

import anyio
import pytest
from unit.durable.scene import Ledger, crashing, open_runtime

from par import Agent, RunContext, tool, wrap_tool
from par._durable.fenced import Fenced
from par.errors import ApprovalRefused, LeaseLost, NoSuchSession, SessionBusy, StoreError, StoreUnavailable, UsageError
from par.events import ToolProgress
from par.middleware import Permissions, Rule
from par.outcomes import NeedsApproval
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


class Watched:
    """A store whose session log calls ``before`` and ``after`` with each change and its events."""

    def __init__(self, store, *, before=None, after=None):
        self._store = store
        self._log = _WatchedLog(store.session_log(), before, after)

    def __getattr__(self, name):
        return getattr(self._store, name)

    def session_log(self):
        return self._log


class _WatchedLog:
    def __init__(self, log, before, after):
        self._log = log
        self._before = before
        self._after = after

    def __getattr__(self, name):
        return getattr(self._log, name)

    async def commit(self, change, envelopes, /):
        if self._before is not None:
            await self._before(change, envelopes)
        waits = await self._log.commit(change, envelopes)
        if self._after is not None:
            await self._after(change, envelopes)
        return waits


def told(envelopes, kind):
    return any(isinstance(envelope.event, kind) for envelope in envelopes)


def results(messages):
    """Return name, outcome and content of every tool result."""
    found = [message.results for message in messages if type(message).__name__ == "ToolResults"]
    return [(one.name, one.outcome, one.content) for batch in found for one in batch]


def once_tool(ledger, name="act"):
    @tool(name=name)
    async def act(ctx: RunContext, x: int) -> str:
        """Act."""
        ledger.note(name, ctx.idempotency_key)
        return f"did {x}"

    return act


# --- commits and cancellations -------------------------------------------------------------------------


async def test_a_claim_is_stored_though_the_commit_before_it_was_cancelled_and_made(store):
    scopes, cut, claimed = [], anyio.Event(), []

    async def after(change, envelopes):
        if scopes and told(envelopes, ToolProgress) and not cut.is_set():
            scopes[0].cancel()
            await anyio.sleep_forever()

    @tool(effect="read")
    async def tells(ctx: RunContext) -> str:
        """Tell."""
        await held.wait()  # from here on nobody else writes
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await ctx.progress("half way")
        cut.set()
        await done.wait()
        return "told"

    @tool
    async def act(ctx: RunContext) -> str:
        """Act."""
        claimed.extend(
            (step.name, step.status) for step in await store.session_log().steps("s", 1) if step.kind == "tool"
        )
        done.set()
        return "done"

    done, held = anyio.Event(), anyio.Event()

    @wrap_tool
    async def hold(call, call_next):
        if call.name == "act":
            held.set()
            await cut.wait()
        return await call_next(call)

    agent = Agent(ScriptedModel([[call("tells"), call("act")], say("ok")]), tools=[tells, act], middleware=[hold])
    async with open_runtime(Watched(store, after=after)) as runtime:
        result = await runtime.run(agent, "go", session="s")

    assert result.output == "ok"
    assert claimed == [("act", "started")]


async def test_what_is_recorded_of_a_batch_is_said_though_the_resumed_rest_is_cancelled(store):
    ledger = Ledger()
    begun, log = anyio.Event(), store.session_log()

    @tool(effect="read")
    async def slow() -> str:
        """Wait."""
        if not ledger.probed:
            ledger.probed = True
            while not any(step.status == "done" and step.name == "act" for step in await log.steps("s", 1)):
                await anyio.lowlevel.checkpoint()
            ledger.die()
        begun.set()
        await anyio.sleep_forever()
        return "never"

    agent = Agent(
        ScriptedModel([[call("act", x=1), call("slow")], say("ok")]),
        tools=[once_tool(ledger), slow],
    )
    with crashing():
        async with open_runtime(store, ledger=ledger) as runtime:
            await runtime.run(agent, "go", session="s")

    async with open_runtime(store) as runtime, anyio.create_task_group() as group:

        async def resume():
            await runtime.resume("s", agent)

        group.start_soon(resume)
        await begun.wait()
        await runtime.cancel("s", "enough")
        messages = await runtime.messages("s")

    assert ledger.names == ["act"]
    assert results(messages)[0] == ("act", "done", "did 1")


@pytest.mark.parametrize("way", ["cancelled", "max_steps"])
async def test_a_turn_that_ends_while_it_is_replayed_forgets_nothing(store, way):
    ledger = Ledger()

    def agent(**options):
        script = [call("act", x=1), call("act", x=2), call("act", x=3), say("ok")]
        return Agent(ScriptedModel(script), tools=[once_tool(ledger)], **options)

    with crashing():
        async with open_runtime(store, crash_at=("commit", 15)) as runtime:
            await runtime.run(agent(), "go", session="s")
    assert len(ledger.names) >= 2
    scope = anyio.CancelScope()
    async with open_runtime(store) as runtime:
        before = await runtime.messages("s")
        info = await runtime.session("s")
    assert [content for _, _, content in results(before)][:2] == ["did 1", "did 2"]

    async def after(change, envelopes):
        if way == "cancelled" and change.turn is not None:
            scope.cancel()

    async with open_runtime(Watched(store, after=after)) as runtime:
        with scope:
            result = await runtime.resume(
                "s", agent(max_steps=1) if way == "max_steps" else agent(), on_change="migrate"
            )
            assert result.messages == before
            assert result.steps in (2, 3)
        (turn,) = await runtime.turns("s")
        assert turn.stop_reason == way
        assert await runtime.messages("s") == before
        assert turn.usage.total_tokens == info.tokens
        assert runtime.history("s") == before


async def test_a_resumed_turn_that_ends_before_it_begins_has_ended(store):
    ledger = Ledger()
    agent = Agent(ScriptedModel([call("act", x=1), say("ok")]), tools=[once_tool(ledger)])
    with crashing():
        async with open_runtime(store, crash_at=("commit", 9)) as runtime:
            await runtime.run(agent, "go", session="s")

    async with open_runtime(store) as runtime:
        before = await runtime.messages("s")
        result = await runtime.resume("s", agent, timeout_s=1e-9)
        info, (turn,) = await runtime.session("s"), await runtime.turns("s")
        assert result.stop_reason == "cancelled"
        assert info.state is turn.state
        assert not turn.is_open
        assert turn.messages == before
        assert len(results(before)) == 1


# --- people ---------------------------------------------------------------------------------------------


def asking(ledger, *, roles=()):
    @tool
    async def pay(ctx: RunContext, amount: int) -> str | NeedsApproval:
        """Pay."""
        if ctx.approval is None:
            return NeedsApproval(prompt=f"May I pay {amount}?", roles=roles)
        ledger.note(f"pay {amount}", ctx.idempotency_key)
        return f"paid {amount}, allowed by {ctx.approval.by}"

    return pay


async def test_two_decisions_at_the_same_time_are_both_made(store):
    ledger = Ledger()
    agent = Agent(ScriptedModel([[call("pay", amount=1), call("pay", amount=2)], say("ok")]), tools=[asking(ledger)])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        first, second = await runtime.approvals("s")
        async with anyio.create_task_group() as group:
            for one in (first, second):
                group.start_soon(lambda one=one: runtime.approve("s", one.id, by="ann"))
        result = await runtime.resume("s", agent)

    assert sorted(ledger.names) == ["pay 1", "pay 2"]
    assert result.output == "ok"


async def test_of_two_decisions_about_one_call_at_the_same_time_one_is_refused(store):
    agent = Agent(ScriptedModel([call("pay", amount=1), say("ok")]), tools=[asking(Ledger())])
    refused = []
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        (one,) = await runtime.approvals("s")

        async def decide(way):
            try:
                await way("s", one.id, by="ann")
            except ApprovalRefused as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(decide, runtime.approve)
            group.start_soon(decide, runtime.reject)

    assert len(refused) == 1


async def test_a_layer_and_a_tool_that_both_ask_about_one_call_are_both_answered(store):
    ledger = Ledger()
    guard = Permissions(rules=[Rule("confirm", "pay")], default="allow")
    agent = Agent(
        ScriptedModel([call("pay", amount=5), say("ok")]), tools=[asking(ledger, roles=("boss",))], middleware=[guard]
    )
    async with open_runtime(store) as runtime:
        result = await runtime.run(agent, "go", session="s")
        (first,) = await runtime.approvals("s")
        await runtime.approve("s", first.id, by="ann")
        result = await runtime.resume("s", agent)
        assert ledger.names == []  # what ann may allow is not what the boss may
        (second,) = await runtime.approvals("s")
        assert second.roles == ("boss",)
        await runtime.approve("s", second.id, by="bob", roles=["boss"])
        result = await runtime.resume("s", agent)

    assert result.output == "ok"
    assert ledger.names == ["pay 5"]
    assert results(result.messages) == [("pay", "done", "paid 5, allowed by bob")]


async def test_changed_arguments_stay_when_somebody_else_is_asked_too(store):
    ledger = Ledger()
    guard = Permissions(rules=[Rule("confirm", "pay")], default="allow")
    agent = Agent(ScriptedModel([call("pay", amount=500), say("ok")]), tools=[asking(ledger)], middleware=[guard])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        (first,) = await runtime.approvals("s")
        await runtime.modify("s", first.id, {"amount": 3}, by="ann")
        await runtime.resume("s", agent)
        (second,) = await runtime.approvals("s")
        assert second.arguments == {"amount": 3}
        await runtime.approve("s", second.id, by="bob")
        result = await runtime.resume("s", agent)

    assert ledger.names == ["pay 3"]
    assert result.output == "ok"


async def test_roles_are_several_texts(store):
    agent = Agent(ScriptedModel([call("pay", amount=1), say("ok")]), tools=[asking(Ledger())])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        (one,) = await runtime.approvals("s")
        with pytest.raises(UsageError, match="roles"):
            await runtime.escalate("s", one.id, to="boss", by="ann")
        with pytest.raises(UsageError, match="roles"):
            await runtime.approve("s", one.id, by="ann", roles="boss")
        assert (await runtime.approvals("s")) == (one,)


async def test_a_decision_that_cannot_be_stored_gives_the_session_back(store):
    agent = Agent(ScriptedModel([call("pay", amount=1), say("ok")]), tools=[asking(Ledger())])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        (one,) = await runtime.approvals("s")
        with pytest.raises(UsageError, match="JSON"):
            await runtime.modify("s", one.id, {"amount": object()}, by="ann")
        assert (await runtime.session("s")).owner is None


# --- what is sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["interrupt", "cancel"])
async def test_an_order_to_stop_that_came_too_late_does_not_stop_the_next_turn(store, name):
    agent = Agent(ScriptedModel([say("ok")]))
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "one", session="s")
        await runtime.signal("s", name, {"cause": "late"})
        await runtime.signal("s", name, {"cause": "later"})
        result = await runtime.run(agent, "two", session="s")
        assert (result.stop_reason, result.cause) == ("finished", None)
        assert await store.session_log().stops(["s"]) == {}


@pytest.mark.parametrize("decided", [True, False])
async def test_an_interrupted_turn_that_waits_for_a_person_makes_no_call_when_it_is_resumed(store, decided):
    ledger = Ledger()
    agent = Agent(ScriptedModel([call("pay", amount=1), say("ok")]), tools=[asking(ledger)])
    async with open_runtime(store) as runtime:
        await runtime.run(agent, "go", session="s")
        (one,) = await runtime.approvals("s")
        await runtime.interrupt("s", "stop it")
        if decided:
            await runtime.approve("s", one.id, by="ann")
        result = await runtime.resume("s", agent)
        assert await runtime.approvals("s") == ()

    assert (result.stop_reason, result.cause) == ("cancelled", "stop it")
    assert results(result.messages)[0][1] == "cancelled"
    assert ledger.names == []


# --- stores that fail -----------------------------------------------------------------------------------


async def test_a_turn_whose_store_was_away_is_gone_on_with(store):
    ledger = Ledger()
    agent = Agent(ScriptedModel([call("act", x=1), say("ok")]), tools=[once_tool(ledger)])
    away = []

    async def before(change, envelopes):
        if any(step.kind == "tool" and step.status == "done" for step in change.steps) and not away:
            away.append(True)
            raise StoreUnavailable("the database", "it is away")

    async with open_runtime(Watched(store, before=before)) as runtime:
        with pytest.raises(StoreUnavailable):
            await runtime.run(agent, "go", session="s")
        assert (await runtime.session("s")).status == "running"
        result = await runtime.resume("s", agent)

    assert result.output == "ok"
    assert ledger.names == ["act"]


async def test_a_result_that_cannot_be_stored_ends_the_turn_and_leaves_the_session_free(store):
    ledger = Ledger()

    @tool(effect="read")
    async def deep() -> object:
        """Nest."""
        value = 1
        for _ in range(150):
            value = [value]
        return value

    agent = Agent(
        ScriptedModel([[call("act", x=1), call("deep"), call("act", x=2)], say("ok")]),
        tools=[once_tool(ledger), deep],
    )
    async with open_runtime(store) as runtime:
        with pytest.raises(StoreError, match="deeper"):
            await runtime.run(agent, "go", session="s")
        info, steps = await runtime.session("s"), await runtime.steps("s")
        assert (info.status, info.owner) == ("failed", None)
        assert info.steps == sum(step.status == "done" for step in steps)
        assert (await runtime.run(Agent(ScriptedModel([say("again")])), "go", session="s")).output == "again"
    assert (await store.verify("s")).ok


async def test_who_lost_the_session_does_not_take_the_events_of_others_for_its_own(store):
    log = store.session_log()
    opened = await log.acquire("s", await log.identity(), lease_s=0.001, wants="new", agent="a")
    fenced = Fenced(log, opened.lease, store)
    assert await fenced.last_seq("s") == 0
    await anyio.sleep(0.002)
    other = await log.acquire("s", await log.identity(), lease_s=10, wants="new", agent="a")
    assert other.lease.fence == 2
    with pytest.raises(LeaseLost):
        await fenced.last_seq("s")


# --- messages that come twice ----------------------------------------------------------------------------


async def test_a_message_whose_turn_ended_meanwhile_gets_its_own_answer(store):
    agent = Agent(ScriptedModel([say("first")]))
    later = Agent(ScriptedModel([say("second")]))
    with crashing():
        async with open_runtime(store, crash_at=("commit", 3)) as runtime:
            await runtime.run(agent, "one", session="s", message_id="m1")

    other = open_runtime(store)
    raced = []

    class Racing(Watched):
        def session_log(self):
            return _Racing(super().session_log())

    class _Racing:
        def __init__(self, log):
            self._log = log

        def __getattr__(self, name):
            return getattr(self._log, name)

        async def acquire(self, *args, **options):
            if not raced:
                raced.append(True)
                await other.resume("s", agent)
                await other.run(later, "two", session="s", message_id="m2")
            return await self._log.acquire(*args, **options)

    async with other, open_runtime(Racing(store)) as runtime:
        result = await runtime.run(agent, "one", session="s", message_id="m1")

    assert result.output == "first"


async def test_a_message_id_that_cannot_be_kept_leaves_the_session_free(store):
    agent = Agent(ScriptedModel([say("ok")]))
    async with open_runtime(store) as runtime:
        for bad in ("a\0b", "\ud800"):
            with pytest.raises(UsageError):
                await runtime.run(agent, "one", session="s", message_id=bad)
        assert await runtime.sessions() == ()


@pytest.mark.parametrize("name", ["\ud800", "a\0b", "par.audit"])
async def test_no_session_has_a_name_that_cannot_be_kept(store, name):
    agent = Agent(ScriptedModel([say("ok")]))
    async with open_runtime(store) as runtime:
        for look in (runtime.session, runtime.turns, runtime.steps, runtime.messages):
            with pytest.raises(NoSuchSession):
                await look(name)
        with pytest.raises(NoSuchSession):
            await runtime.steer(name, "hello")
        assert await runtime.approvals(name) == ()
        with pytest.raises(StoreError):
            await runtime.run(agent, "go", session=name, message_id="m1")


# --- leases ---------------------------------------------------------------------------------------------


async def test_the_lease_is_kept_until_a_cancelled_run_has_really_ended(store):
    started, free, renewed = anyio.Event(), threading.Event(), anyio.Event()
    cancelled = []

    class Renewing(Watched):
        def session_log(self):
            return _Renewing(super().session_log())

    class _Renewing:
        def __init__(self, log):
            self._log = log

        def __getattr__(self, name):
            return getattr(self._log, name)

        async def renew(self, leases, /, *, lease_s):
            if cancelled:
                renewed.set()
            return await self._log.renew(leases, lease_s=lease_s)

    @tool
    def block() -> str:
        """Block."""
        anyio.from_thread.run_sync(started.set)
        free.wait(20)
        return "done"

    agent = Agent(ScriptedModel([call("block"), say("ok")]), tools=[block])
    async with open_runtime(Renewing(store), lease_s=0.05) as runtime, anyio.create_task_group() as group:

        async def run():
            await runtime.run(agent, "go", session="s")

        group.start_soon(run)
        await started.wait()
        group.cancel_scope.cancel()
        cancelled.append(True)
        with anyio.CancelScope(shield=True), anyio.move_on_after(5) as scope:
            await renewed.wait()
        free.set()
        assert not scope.cancelled_caught


async def test_cancelling_waits_no_longer_than_it_says(store):
    started, free = anyio.Event(), threading.Event()

    @tool
    def block() -> str:
        """Block."""
        anyio.from_thread.run_sync(started.set)
        free.wait(20)
        return "done"

    agent = Agent(ScriptedModel([call("block"), say("ok")]), tools=[block])
    async with open_runtime(store) as runtime, anyio.create_task_group() as group:

        async def run():
            await runtime.run(agent, "go", session="s")

        group.start_soon(run)
        await started.wait()
        try:
            with pytest.raises(UsageError):
                await runtime.cancel("s", wait_s=-1)
            with pytest.raises(SessionBusy), anyio.fail_after(5):
                await runtime.cancel("s", wait_s=0.01)
        finally:
            free.set()


# --- agents that changed --------------------------------------------------------------------------------


async def test_a_call_in_doubt_whose_tool_is_gone_is_unknown(store):
    ledger = Ledger()

    @tool
    async def act(ctx: RunContext, x: int) -> str:
        """Act."""
        ledger.note("act", ctx.idempotency_key)
        ledger.die()
        return "done"

    script = [call("act", x=1), say("ok")]
    with crashing():
        async with open_runtime(store, ledger=ledger) as runtime:
            await runtime.run(Agent(ScriptedModel(script), tools=[act]), "go", session="s")

    async with open_runtime(store) as runtime:
        result = await runtime.resume("s", Agent(ScriptedModel(script)), on_change="migrate")

    assert [outcome for _, outcome, _ in results(result.messages)] == ["unknown"]
