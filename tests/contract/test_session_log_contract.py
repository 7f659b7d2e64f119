"""What every session log does. Another database takes part by a ``world`` fixture of its own."""

from contextlib import AsyncExitStack
from datetime import timedelta

import anyio
import attrs
import pytest
from support.session_log import Hands, approval, ended, signal, started, step, turn
from unit.persistence.made import START, envelopes

from par._durable.log import Change, DurableStore, Lease, Totals, merged
from par.calls import ModelReply
from par.errors import (
    LeaseLost,
    NoSuchSession,
    NothingToResume,
    SessionBusy,
    SessionUnfinished,
    StoreError,
    StoreUnavailable,
)
from par.messages import Assistant, Text, ToolUse, as_messages
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, Unknown
from par.persistence import open_sqlite
from par.sessions import SessionInfo
from par.states import TaskState

pytestmark = pytest.mark.anyio

LEASE_S = 30.0


class SqliteWorld:
    """A file, opened as often as a test likes, on a machine whose time and processes the test holds."""

    def __init__(self, folder):
        self.file = folder / "audit.db"
        self.hands = Hands()
        self.stack = AsyncExitStack()

    async def store(self, **options):
        return await self.stack.enter_async_context(open_sqlite(self.file, durability="process", **options))

    async def log(self, store=None):
        store = store or await self.store()
        return store.session_log().on(self.hands.machine, self.hands.clock)

    async def pass_s(self, seconds):
        self.hands.pass_s(seconds)


@pytest.fixture
async def world(tmp_path):
    one = SqliteWorld(tmp_path)
    async with one.stack:
        yield one


async def owned(log, session="s", *, wants="new", lease_s=LEASE_S):
    """Own a session in a new name."""
    return (await log.acquire(session, await log.identity(), lease_s=lease_s, wants=wants, agent="agent")).lease


async def begun(log, session="s", **changes):
    """Own a session with an open turn."""
    lease = await owned(log, session)
    await log.commit(Change(lease=lease, turn=turn(**changes), state=TaskState.RUNNING), [])
    return lease


async def test_a_store_says_that_it_has_the_durable_side(world):
    assert isinstance(await world.store(), DurableStore)


async def test_each_identity_is_another_one_and_its_process_lives(world):
    log = (await world.store()).session_log()

    one, two = await log.identity(), await log.identity()

    assert one != two
    assert log.machine.is_alive(one) is True


async def test_a_session_is_made_for_its_first_owner(world):
    log = await world.log()
    owner = await log.identity()

    opened = await log.acquire("s", owner, lease_s=LEASE_S, wants="new", agent="agent")

    assert opened.lease == Lease(session="s", owner=owner, fence=1)
    assert (opened.seq, opened.turns, opened.open, opened.steps, opened.approvals) == (0, (), None, (), ())
    assert opened.history == ()
    info = await log.session("s")
    assert info == opened.info
    assert (info.agent, info.state, info.turns, info.status) == ("agent", TaskState.PENDING, 0, "running")
    assert info.owner.startswith("1 on ")
    assert info.lease_until is not None
    assert info.created_at == info.updated_at == world.hands.now


@pytest.mark.parametrize("wants", ["open", "any"])
async def test_a_session_that_is_not_there_is_not_made_to_be_gone_on_with(world, wants):
    log = await world.log()

    with pytest.raises(NoSuchSession):
        await owned(log, wants=wants)

    assert await log.list_sessions() == ()


@pytest.mark.parametrize("wants", ["new", "open", "any"])
async def test_a_session_has_one_owner(world, wants):
    log = await world.log()
    await begun(log)

    with pytest.raises(SessionBusy) as caught:
        await owned(log, wants=wants)

    assert caught.value.owner.startswith("1 on ")
    assert 0 < caught.value.free_in_s <= LEASE_S


async def test_a_lease_that_has_run_out_is_taken_over(world):
    log = await world.log()
    await begun(log)
    await world.pass_s(LEASE_S + 1)

    lease = await owned(log, wants="open")

    assert lease.fence == 2


async def test_who_is_dead_is_nobodys_owner(world):
    log = await world.log()
    lease = await begun(log)
    world.hands.dead.add(lease.owner)

    assert (await log.session("s")).owner is None
    assert (await owned(log, wants="open")).fence == 2


async def opened(log):
    return await log.acquire("s", await log.identity(), lease_s=LEASE_S, wants="any")


async def test_a_former_owner_that_may_be_alive_is_a_rival_for_as_long_as_the_turn_lasts(world):
    log = await world.log()
    lease = await begun(log)
    await world.pass_s(LEASE_S + 1)

    second = await opened(log)
    world.hands.dead.add(second.lease.owner)
    third = await opened(log)
    await log.commit(Change(lease=third.lease, turn=ended(turn(1))), [])
    await log.commit(Change(lease=third.lease, turn=turn(2), releases=True), [])
    fourth = await opened(log)

    assert [one.rival for one in (second, third, fourth)] == [True, True, False]
    assert lease.owner not in world.hands.dead


async def test_who_has_given_up_or_is_dead_is_no_rival(world):
    log = await world.log()
    await log.release(await begun(log))
    first = await opened(log)
    world.hands.dead.add(first.lease.owner)
    await world.pass_s(LEASE_S + 1)

    second = await opened(log)

    assert (first.rival, second.rival, second.lease.fence) == (False, False, 3)


async def test_who_takes_a_session_from_itself_has_lost_the_answer(world):
    log = await world.log()
    owner = await log.identity()
    await log.acquire("s", owner, lease_s=LEASE_S, wants="new")

    opened = await log.acquire("s", owner, lease_s=LEASE_S, wants="new")

    assert opened.lease.fence == 2


async def test_a_turn_that_was_interrupted_is_not_passed_over(world):
    log = await world.log()
    await log.release(await begun(log))

    with pytest.raises(SessionUnfinished):
        await owned(log)

    assert (await owned(log, wants="any")).fence == 2


async def test_a_turn_that_has_ended_is_not_gone_on_with(world):
    log = await world.log()
    lease = await owned(log)
    await log.commit(Change(lease=lease, turn=ended(turn()), releases=True), [])

    with pytest.raises(NothingToResume):
        await owned(log, wants="open")

    assert (await owned(log)).fence == 2


@pytest.mark.parametrize("refused", ["new", "open"])
async def test_who_is_refused_changes_nothing(world, refused):
    log = await world.log()
    lease = await owned(log)
    one = turn() if refused == "new" else ended(turn())
    await log.commit(Change(lease=lease, turn=one, releases=True), [])
    before = await log.session("s")
    world.hands.now += timedelta(seconds=1)

    with pytest.raises((SessionUnfinished, NothingToResume)):
        await owned(log, wants=refused)

    assert await log.session("s") == before


async def test_a_session_that_was_given_up_is_free(world):
    log = await world.log()
    lease = await begun(log)

    await log.release(lease)

    assert (await log.session("s")).owner is None
    assert (await owned(log, wants="any")).fence == 2


async def test_a_session_that_was_just_made_and_given_up_is_gone(world):
    log = await world.log()

    await log.release(await owned(log))

    assert await log.session("s") is None


async def test_a_former_owner_gives_nothing_up(world):
    log = await world.log()
    former = await begun(log)
    await world.pass_s(LEASE_S + 1)
    await owned(log, wants="any")

    await log.release(former)

    assert (await log.session("s")).owner is not None


async def test_the_fence_of_a_session_that_was_made_anew_lets_no_former_owner_in(world):
    log = await world.log()
    former = await owned(log)
    await log.release(former)
    assert (await owned(log)).fence == former.fence

    with pytest.raises(LeaseLost):
        await log.commit(Change(lease=former, turn=turn()), envelopes())


async def test_what_was_committed_is_what_the_next_owner_finds(world):
    store = await world.store()
    log = await world.log(store)
    lease = await owned(log)
    first = ended(turn(1, message_id="m1"), cause="done \x00 \ud800")
    await log.commit(Change(lease=lease, turn=first, steps=(step(0),), totals=Totals(steps=1)), envelopes("s", 2))
    second = turn(2, text="second", attempt=2)
    steps = (
        step(0, turn=2, inbox=as_messages("steered")),
        step(1, turn=2, kind="tool", name="a\ud800\x00b", attempt=3),
        started(2, turn=2),
        step(3, turn=2, kind="value", result={"at": [1.5, None, "\ud800"]}),
    )
    asked = approval(turn=2, ordinal=1, expires_at=START, roles=("boss",), details={"x": "\x00"}, risk="high")
    totals = Totals(steps=4, tokens=50, cost_micro=7)
    await log.commit(
        Change(
            lease=lease,
            turn=second,
            steps=steps,
            approvals=(asked,),
            state=TaskState.SUSPENDED,
            totals=totals,
            releases=True,
        ),
        envelopes("s", 3, first=3),
    )

    opened = await log.acquire("s", await log.identity(), lease_s=LEASE_S, wants="open")

    assert (opened.seq, opened.turns, opened.open, opened.steps) == (5, (first,), second, steps)
    assert opened.approvals == (asked,)
    assert opened.history == first.messages
    info = opened.info
    assert (info.state, info.turns, info.steps, info.tokens, info.cost_micro) == (TaskState.SUSPENDED, 2, 4, 50, 7)
    assert await log.turns("s") == (first, second)
    assert await log.steps("s", 1) == (step(0),)
    assert await log.steps("s", 2) == steps
    assert (await store.verify()).ok
    assert len(await store.events("s")) == 5


@pytest.mark.parametrize(
    "outcome",
    [
        Done({"a": [1, "\x00"]}),
        Failed(kind="crashed", message="m", error_type="E"),
        TimedOut(after_s=1.5, message="m"),
        Cancelled(reason="r"),
        Unknown(reason="r"),
        Handoff(target="t"),
        NeedsApproval(prompt="p", roles=("r",)),
    ],
    ids=lambda outcome: type(outcome).__name__,
)
async def test_each_outcome_of_a_tool_comes_back(world, outcome):
    log = await world.log()
    lease = await begun(log)

    await log.commit(Change(lease=lease, steps=(step(0, kind="tool", result=outcome),)), [])

    assert (await log.steps("s", 1))[0].result == outcome


async def test_a_reply_comes_back(world):
    log = await world.log()
    lease = await begun(log)
    reply = ModelReply(
        message=Assistant((Text("a"), ToolUse("u", "t", {"x": 1}))), finish="tool_uses", headers={"h": "1"}
    )

    await log.commit(Change(lease=lease, steps=(step(0, result=reply),)), [])

    assert (await log.steps("s", 1))[0].result == reply


@pytest.mark.parametrize("events", [0, 2], ids=["without events", "with events"])
async def test_a_former_owner_writes_nothing(world, events):
    store = await world.store()
    log = await world.log(store)
    former = await begun(log)
    await world.pass_s(LEASE_S + 1)
    await owned(log, wants="any")
    before = await log.session("s")

    with pytest.raises(LeaseLost) as caught:
        await log.commit(
            Change(
                lease=former,
                turn=ended(turn()),
                steps=(step(0),),
                approvals=(approval(),),
                totals=Totals(steps=9),
                releases=True,
            ),
            envelopes("s", events),
        )

    assert caught.value.session == "s"
    assert (await log.turns("s"))[0].is_open
    assert (await log.steps("s", 1), await log.approvals("s"), await store.events()) == ((), (), ())
    assert await log.session("s") == before


async def test_a_former_owner_is_told_so_also_where_its_events_do_not_fit(world):
    log = await world.log()
    former = await begun(log)
    await world.pass_s(LEASE_S + 1)
    lease = await owned(log, wants="any")
    await log.commit(Change(lease=lease), envelopes("s", 2))

    with pytest.raises(LeaseLost):
        await log.commit(Change(lease=former), envelopes("s", 1))


async def test_nobody_writes_to_a_session_that_is_not_there(world):
    log = await world.log()

    with pytest.raises(LeaseLost):
        await log.commit(Change(lease=Lease(session="s", owner="me", fence=1)), envelopes())


async def test_a_commit_whose_events_do_not_fit_changes_nothing(world):
    store = await world.store()
    log = await world.log(store)
    lease = await begun(log)

    with pytest.raises(StoreError, match="not the next one"):
        await log.commit(Change(lease=lease, steps=(step(0),)), envelopes("s", 1, first=2))

    assert await log.steps("s", 1) == ()
    await log.commit(Change(lease=lease, steps=(step(0),)), envelopes("s", 1))


async def test_a_commit_that_is_repeated_is_carried_out_once(world):
    store = await world.store()
    log = await world.log(store)
    lease = await begun(log)
    stored = envelopes("s", 2)
    change = Change(lease=lease, steps=(step(0),), totals=Totals(steps=1, tokens=3))

    for _ in range(2):
        await log.commit(change, stored)

    info = await log.session("s")
    assert (info.steps, info.tokens) == (1, 3)
    assert await log.steps("s", 1) == (step(0),)
    assert await store.events("s") == tuple(stored)


async def test_a_commit_without_events_may_be_repeated(world):
    log = await world.log()
    lease = await begun(log)
    sent = signal()
    await log.send("s", sent)
    change = Change(lease=lease, steps=(step(0),), takes={sent.id: 0}, approvals=(approval(),))

    assert [await log.commit(change, []) for _ in range(2)] == [False, False]
    assert (len(await log.steps("s", 1)), len(await log.approvals())) == (1, 1)


async def test_a_former_owner_may_repeat_what_was_done(world):
    log = await world.log()
    former = await begun(log)
    stored = envelopes("s", 2)
    await log.commit(Change(lease=former, steps=(started(0),), totals=Totals(steps=1)), stored)
    await world.pass_s(LEASE_S + 1)
    lease = await owned(log, wants="any")
    await log.commit(Change(lease=lease, steps=(step(0, kind="tool"),), totals=Totals(steps=5)), [])

    await log.commit(Change(lease=former, steps=(started(0),), totals=Totals(steps=1)), stored)

    assert (await log.session("s")).steps == 5
    assert (await log.steps("s", 1))[0].status == "done"


async def test_a_store_that_knows_less_repeats_what_another_one_did(world):
    """What a store remembers of the ends of chains may be old."""
    one, two = await world.log(), await world.log()
    lease = await begun(one)
    await two.commit(Change(lease=lease), envelopes("s", 1))
    stored = envelopes("s", 2, first=2)
    await one.commit(Change(lease=lease, steps=(step(0),)), stored)
    await world.pass_s(LEASE_S + 1)
    await owned(one, wants="any")

    await two.commit(Change(lease=lease, steps=(step(0),)), stored)


async def test_what_is_refused_takes_nothing_else_along(world):
    store = await world.store()
    log = await world.log(store)
    good, other = await begun(log, "good"), await begun(log, "other")
    bad = await begun(log, "bad")
    await begun(log, "full", message_id="m")
    full = attrs.evolve(await _again(log, world, "full"))
    await _again(log, world, "bad")
    results = {}

    async def attempt(name, coroutine):
        try:
            results[name] = await coroutine
        except StoreError as error:
            results[name] = type(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(attempt, "append", store.append(envelopes("plain", 2)))
        tasks.start_soon(attempt, "good", log.commit(Change(lease=good, steps=(step(0),)), envelopes("good", 2)))
        tasks.start_soon(attempt, "bad", log.commit(Change(lease=bad, steps=(step(0),)), envelopes("bad", 2)))
        tasks.start_soon(attempt, "gap", store.append(envelopes("plain", 1, first=9)))
        twice = Change(lease=full, turn=turn(2, message_id="m"))
        tasks.start_soon(attempt, "full", log.commit(twice, envelopes("full", 1)))
        tasks.start_soon(attempt, "other", log.commit(Change(lease=other, steps=(step(0),)), []))

    assert results == {
        "append": None,
        "good": False,
        "bad": LeaseLost,
        "gap": StoreError,
        "full": StoreError,
        "other": False,
    }
    assert {one.session for one in await store.events()} == {"plain", "good"}
    assert [len(await log.steps(name, 1)) for name in ("good", "other", "bad")] == [1, 1, 0]
    assert (await store.verify()).ok


async def _again(log, world, name):
    await world.pass_s(LEASE_S + 1)
    return await owned(log, name, wants="any")


async def test_results_are_removed_when_the_turn_has_ended(world):
    log = await world.log()
    lease = await begun(log)
    await log.commit(Change(lease=lease, steps=(step(0, inbox=as_messages("x")), step(1, kind="tool"))), [])

    await log.commit(Change(lease=lease, turn=ended(turn()), steps=(step(2),), clears_results=True), [])

    assert [(one.ordinal, one.result, one.inbox) for one in await log.steps("s", 1)] == [
        (0, None, ()),
        (1, None, ()),
        (2, None, ()),
    ]


async def test_a_step_that_is_done_is_never_changed(world):
    log = await world.log()
    lease = await begun(log)
    await log.commit(Change(lease=lease, steps=(started(0, attempt=1),)), [])
    await log.commit(Change(lease=lease, steps=(started(0, attempt=2),)), [])
    assert (await log.steps("s", 1))[0].attempt == 2
    done = step(0, kind="tool", text="first", attempt=2)
    await log.commit(Change(lease=lease, steps=(done,)), [])

    await log.commit(Change(lease=lease, steps=(step(0, kind="tool", text="second", attempt=3),)), [])

    assert await log.steps("s", 1) == (done,)


async def test_a_turn_is_replaced_and_a_further_one_counts(world):
    log = await world.log()
    lease = await owned(log)
    first = turn(1)
    await log.commit(Change(lease=lease, turn=first), [])
    await log.commit(Change(lease=lease, turn=ended(first)), [])

    info = await log.session("s")
    assert (info.turns, info.state) == (1, TaskState.COMPLETED)

    await log.commit(Change(lease=lease, turn=turn(2, agent="another")), [])

    info = await log.session("s")
    assert (info.turns, info.state, info.agent) == (2, TaskState.RUNNING, "another")
    assert [one.is_open for one in await log.turns("s")] == [False, True]


async def test_a_turn_that_has_ended_is_never_opened_again(world):
    log = await world.log()
    lease = await owned(log)
    await log.commit(Change(lease=lease, turn=ended(turn())), [])

    with pytest.raises(StoreError, match="refused"):
        await log.commit(Change(lease=lease, turn=turn()), [])


async def test_steps_of_no_turn_are_refused(world):
    log = await world.log()
    lease = await owned(log)

    with pytest.raises(StoreError, match="refused"):
        await log.commit(Change(lease=lease, steps=(step(0),)), [])


async def test_changes_that_go_together_do_what_both_do(world):
    log = await world.log()
    lease = await owned(log)
    first = Change(lease=lease, turn=turn(), steps=(started(0),), totals=Totals(steps=1))
    second = Change(lease=lease, steps=(step(0, kind="tool"), step(1)), totals=Totals(steps=2))

    await log.commit(merged(first, second), [])

    assert [one.status for one in await log.steps("s", 1)] == ["done", "done"]
    assert (await log.session("s")).steps == 2


async def test_signals_wait_until_they_are_taken_and_are_taken_once(world):
    log = await world.log()
    lease = await begun(log)
    steer, follow, stop = signal("steer", text="a\x00\ud800"), signal("follow_up"), signal("interrupt", cause="c")
    for one in (steer, follow, stop, steer):
        await log.send("s", one)
    later = signal("cancel")
    await log.send("s", later)

    assert await log.inbox("s") == (steer, follow)
    assert await log.stops(["s", "t"]) == {"s": stop}
    assert await log.commit(Change(lease=lease), []) is True
    assert await log.commit(Change(lease=lease, steps=(step(0),), takes={steer.id: 0, stop.id: 0}), []) is True
    assert await log.inbox("s") == (follow,)
    assert await log.stops(["s"]) == {"s": later}
    assert await log.commit(Change(lease=lease, takes={follow.id: 1, later.id: 1, steer.id: 1}), []) is False
    await log.send("s", steer)
    assert (await log.inbox("s"), await log.stops(["s"])) == ((), {})


async def test_signals_of_no_session_are_refused(world):
    log = await world.log()

    with pytest.raises(NoSuchSession):
        await log.send("s", signal())

    assert await log.inbox("s") == ()


async def test_approvals_are_asked_for_and_decided(world):
    log = await world.log()
    lease, second = await begun(log), await begun(log, "t")
    late = approval(asked_at=START + timedelta(seconds=2))
    early = approval("t", asked_at=START + timedelta(seconds=1))
    await log.commit(Change(lease=lease, approvals=(late,)), [])
    await log.commit(Change(lease=second, approvals=(early,)), [])

    assert await log.approvals() == (early, late)
    assert await log.approvals("s") == (late,)

    decided = attrs.evolve(
        late, status="approved", decided_by="Ada", note="n", decided_at=START, modified={"to": "Bob"}
    )
    await log.commit(Change(lease=lease, approvals=(decided,)), [])

    assert await log.approvals() == (early, decided)
    assert await log.approvals(pending=True) == (early,)
    assert await log.approvals("s", pending=True) == ()


async def test_a_message_never_makes_two_turns(world):
    log = await world.log()
    lease = await owned(log)
    first = ended(turn(1, message_id="m"))
    await log.commit(Change(lease=lease, turn=first), [])

    assert await log.turn_of_message("s", "m") == first
    assert await log.turn_of_message("s", "other") is None
    assert await log.turn_of_message("t", "m") is None
    with pytest.raises(StoreError, match="refused"):
        await log.commit(Change(lease=lease, turn=turn(2, message_id="m")), [])
    assert (await log.session("s")).turns == 1


async def test_sessions_are_listed_by_state_and_in_pages(world):
    log = await world.log()
    for name, state in (("d", "running"), ("a", "completed"), ("c", "running"), ("b", "failed")):
        lease = await owned(log, name)
        await log.commit(Change(lease=lease, state=TaskState(state)), [])

    async def ids(**options):
        return "".join([one.id for one in await log.list_sessions(**options)])

    running, failed = TaskState.RUNNING, TaskState.FAILED
    assert await ids() == "abcd"
    assert await ids(limit=2) == "ab"
    assert await ids(after="b") == "cd"
    assert await ids(states=[running]) == "cd"
    assert await ids(states=[running, failed, running]) == "bcd"
    assert await ids(states=[running, failed], after="b", limit=1) == "c"
    assert await ids(states=[TaskState.PENDING]) == ""


@pytest.mark.parametrize("ask", ["list_sessions", "due"])
async def test_a_limit_is_at_least_one(world, ask):
    log = await world.log()

    with pytest.raises(ValueError, match="limit must be 1 or more"):
        await getattr(log, ask)(limit=0)


async def due_ids(log, **options):
    return "".join([one.id for one in await log.due(**options)])


async def test_due_is_what_nobody_works_at_the_longest_untouched_first(world):
    log = await world.log()
    leases = {name: await begun(log, name) for name in "abcdef"}
    await log.commit(Change(lease=leases["a"], turn=ended(turn()), releases=True), [])
    for name in "dcb":
        world.hands.now += timedelta(seconds=1)
        await log.commit(Change(lease=leases[name], releases=True), [])

    assert await due_ids(log) == "dcb"
    assert await due_ids(log, limit=2) == "dc"

    world.hands.dead.add(leases["e"].owner)
    assert await due_ids(log) == "edcb"

    await log.renew([leases["f"]], lease_s=3 * LEASE_S)
    world.hands.dead.clear()
    await world.pass_s(LEASE_S + 1)
    assert await due_ids(log) == "edcb"

    await world.pass_s(3 * LEASE_S)
    assert await due_ids(log) == "efdcb"


async def test_due_is_not_what_waits_for_a_person(world):
    log = await world.log()
    lease = await begun(log)
    one = approval(expires_at=world.hands.now + timedelta(seconds=10))
    two = approval(expires_at=world.hands.now + timedelta(seconds=20))
    await log.commit(Change(lease=lease, approvals=(one, two), releases=True), [])

    assert await log.due() == ()
    await world.pass_s(15)
    assert await log.due() == ()
    await world.pass_s(5)
    assert await due_ids(log) == "s"


async def test_due_is_what_no_longer_waits_for_a_person(world):
    log = await world.log()
    lease = await begun(log)
    one = approval()
    await log.commit(Change(lease=lease, approvals=(one,)), [])
    await log.release(lease)
    await world.pass_s(1_000_000)
    assert await log.due() == ()

    lease = await owned(log, wants="any")
    await log.commit(Change(lease=lease, approvals=(attrs.evolve(one, status="rejected"),), releases=True), [])

    assert await due_ids(log) == "s"


async def test_due_is_a_later_turn_whatever_an_earlier_one_waited_for(world):
    log = await world.log()
    lease = await begun(log)
    await log.commit(Change(lease=lease, approvals=(approval(),)), [])
    await log.commit(Change(lease=lease, turn=ended(turn())), [])

    await log.commit(Change(lease=lease, turn=turn(2), releases=True), [])

    assert await due_ids(log) == "s"


async def test_due_is_a_session_whose_owner_died_though_it_waits_for_a_person(world):
    log = await world.log()
    lease = await begun(log)
    await log.commit(Change(lease=lease, approvals=(approval(),)), [])
    world.hands.dead.add(lease.owner)

    assert await due_ids(log) == "s"


async def test_a_lease_that_is_renewed_holds(world):
    log = await world.log()
    lease = await begun(log)
    await world.pass_s(LEASE_S - 1)

    assert await log.renew([lease], lease_s=LEASE_S) == frozenset()

    await world.pass_s(LEASE_S - 1)
    with pytest.raises(SessionBusy):
        await owned(log, wants="any")


async def test_a_lease_that_is_lost_is_not_renewed(world):
    log = await world.log()
    lease, kept = await begun(log), await begun(log, "t")
    await world.pass_s(LEASE_S + 1)
    await owned(log, wants="any")
    nobody = Lease(session="nobody", owner="x", fence=1)

    assert await log.renew([lease, kept, nobody], lease_s=LEASE_S) == {"s", "nobody"}
    assert await log.renew([], lease_s=LEASE_S) == frozenset()


async def test_a_lease_that_was_given_up_is_neither_held_nor_lost(world):
    log = await world.log()
    lease = await begun(log)
    await log.commit(Change(lease=lease, releases=True), [])

    assert await log.renew([lease], lease_s=LEASE_S) == frozenset()
    assert (await log.session("s")).owner is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True])
async def test_a_lease_is_a_time(world, seconds):
    log = await world.log()

    with pytest.raises(ValueError, match="lease_s must be"):
        await owned(log, lease_s=seconds)
    with pytest.raises(ValueError, match="lease_s must be"):
        await log.renew([], lease_s=seconds)


async def test_of_many_that_race_for_a_session_one_wins(world):
    logs = [await world.log() for _ in range(3)]
    lease = await begun(logs[0])
    world.hands.dead.add(lease.owner)
    won, refused = [], []

    async def race(log):
        try:
            won.append(await owned(log, wants="open"))
        except SessionBusy:
            refused.append(log)

    async with anyio.create_task_group() as tasks:
        for log in logs * 3:
            tasks.start_soon(race, log)

    assert ([one.fence for one in won], len(refused)) == ([2], 8)


async def test_of_many_that_race_to_make_a_session_one_wins(world):
    logs = [await world.log() for _ in range(3)]
    won, refused = [], []

    async def race(log):
        try:
            won.append(await owned(log))
        except SessionBusy:
            refused.append(log)

    async with anyio.create_task_group() as tasks:
        for log in logs * 3:
            tasks.start_soon(race, log)

    assert ([one.fence for one in won], len(refused)) == ([1], 8)


async def test_many_steps_side_by_side_are_all_recorded(world):
    store = await world.store()
    log = await world.log(store)
    lease = await begun(log)
    stored = []

    async def commit(number):
        ours = envelopes("s", 2, first=len(stored) + 1)  # numbered in the order of the calls, whichever that is
        stored.extend(ours)
        change = Change(lease=lease, steps=(step(number, kind="tool"),), totals=Totals(steps=len(stored) // 2))
        await log.commit(change, ours)

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(commit, number)

    assert [one.ordinal for one in await log.steps("s", 1)] == list(range(50))
    assert (await log.session("s")).steps == 50
    assert await store.events("s") == tuple(stored)


async def test_many_sessions_of_two_stores_do_not_wait_crosswise(world):
    logs = [await world.log(), await world.log()]
    leases = [await begun(logs[0], f"s{number}") for number in range(10)]

    async def work(log, ordinals, order):
        for ordinal in ordinals:
            async with anyio.create_task_group() as tasks:
                for lease in order:
                    tasks.start_soon(log.commit, Change(lease=lease, steps=(step(ordinal),)), [])
            await log.renew(order, lease_s=LEASE_S)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, logs[0], range(0, 10, 2), leases)
        tasks.start_soon(work, logs[1], range(1, 10, 2), leases[::-1])

    for lease in leases:
        assert len(await logs[0].steps(lease.session, 1)) == 10


async def test_who_is_cancelled_while_it_acquires_owns_nothing(world):
    log = await world.log()
    await log.release(await begun(log))
    got = []

    async def acquire(owner):
        got.append(await log.acquire("s", owner, lease_s=LEASE_S, wants="any"))

    for steps in range(20):  # an instant later each time
        owner = await log.identity()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(acquire, owner)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

        assert ((await log.session("s")).owner is not None) is bool(got)
        if got:
            await log.release(got.pop().lease)


async def test_who_is_cancelled_while_it_commits_has_committed_or_not(world):
    log = await world.log()
    lease = await begun(log)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log.commit, Change(lease=lease, steps=(step(0),)), envelopes("s", 1))
        await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await log.commit(Change(lease=lease, steps=(step(1),)), [])

    assert [one.ordinal for one in await log.steps("s", 1)] == [0, 1]


async def test_sessions_of_other_scopes_are_not_seen(world):
    here, there = await world.log(), await world.log(await world.store(scope="other scope"))
    lease = await begun(here, message_id="m")
    await here.commit(Change(lease=lease, steps=(step(0),), approvals=(approval(),)), [])
    await here.send("s", signal("cancel"))
    await here.release(lease)

    assert await there.session("s") is None
    assert (await there.list_sessions(), await there.due(), await there.turns("s")) == ((), (), ())
    assert (await there.steps("s", 1), await there.approvals(), await there.stops(["s"])) == ((), (), {})
    assert await there.turn_of_message("s", "m") is None
    with pytest.raises(NoSuchSession):
        await there.send("s", signal())
    with pytest.raises(LeaseLost):
        await there.commit(Change(lease=lease), [])
    assert (await owned(there)).fence == 1
    assert (await here.session("s")).turns == 1


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "par.audit"])
async def test_names_that_no_database_keeps_are_refused(world, name):
    log = await world.log()

    with pytest.raises(StoreError):
        await owned(log, name)
    with pytest.raises(StoreError):
        await log.commit(Change(lease=Lease(session=name, owner="x", fence=1)), [])


@pytest.mark.parametrize(
    "broken",
    [
        {"steps": (step(0, result=Done(1)),)},
        {"steps": (step(0, kind="tool", result="text"),)},
        {"steps": (step(0, kind="value", result={1, 2}),)},
        {"steps": (step(0, kind="value", result=float("nan")),)},
        {"steps": (step(0), step(0, turn=2))},
        {"approvals": (approval("another"),)},
        {"turn": turn(message_id="\0")},
        {"turn": turn(id="")},
        {"takes": {"": 0}},
    ],
    ids=[
        "model-without-reply",
        "tool-without-outcome",
        "no-json",
        "nan",
        "two-turns",
        "approval-of-another",
        "nul-in-message-id",
        "turn-without-id",
        "signal-without-id",
    ],
)
async def test_what_cannot_be_stored_is_refused_before_it_is_queued(world, broken):
    store = await world.store()
    log = await world.log(store)
    lease = await begun(log)

    with pytest.raises(StoreError):
        await log.commit(Change(lease=lease, **broken), envelopes("s", 1))

    assert await store.events() == ()


async def test_results_are_cleared_of_a_turn(world):
    log = await world.log()
    lease = await begun(log)

    with pytest.raises(ValueError, match="names their turn"):
        await log.commit(Change(lease=lease, clears_results=True), [])


async def test_all_is_there_after_the_store_was_closed(world):
    async with AsyncExitStack() as stack:
        outer, world.stack = world.stack, stack
        log = await world.log()
        lease = await begun(log)
        await log.commit(Change(lease=lease, steps=(step(0),), releases=True), envelopes("s", 2))
    world.stack = outer

    with pytest.raises(StoreUnavailable):
        await log.commit(Change(lease=lease), [])
    again = await world.log()
    opened = await again.acquire("s", await again.identity(), lease_s=1, wants="open")
    assert (opened.seq, opened.steps, opened.lease.fence) == (2, (step(0),), 2)


async def test_commits_without_events_are_written_when_the_store_is_closed(world):
    async with AsyncExitStack() as stack:
        outer, world.stack = world.stack, stack
        log = await world.log()
        lease = await begun(log)
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(log.commit, Change(lease=lease, steps=(step(number),)), [])
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    world.stack = outer

    assert [one.ordinal for one in await (await world.log()).steps("s", 1)] == [0, 1, 2, 3, 4]


async def test_an_owner_in_words_of_its_own_is_shown_as_it_is(world):
    log = await world.log()
    opened = await log.acquire("s", "somebody", lease_s=LEASE_S, wants="new")

    assert isinstance(opened.info, SessionInfo)
    assert opened.info.owner == "somebody"
    with pytest.raises(SessionBusy, match="somebody"):
        await owned(log)


async def told(log, session="s", *, text="Ada", first=1):
    """Own a session whose open turn has content everywhere."""
    lease = await owned(log, session)
    await log.commit(Change(lease=lease, turn=turn(text=f"from {text}")), envelopes(session, 2, first=first))
    taken, waiting = signal(text="steered"), signal(text="later")
    for one in (taken, waiting):
        await log.send(session, one)
    await log.commit(
        Change(
            lease=lease,
            steps=(step(0, inbox=as_messages("steered")), started(1)),
            takes={taken.id: 0},
            approvals=(approval(session, ordinal=1),),
        ),
        envelopes(session, 1, first=first + 2),
    )
    return lease


async def check_bare(log, store, session="s"):
    (one,) = await log.turns(session)
    assert (one.input, one.messages, one.state, one.cause) == (
        (),
        (),
        TaskState.FAILED,
        "its content was redacted",
    )
    assert (one.stop_reason, one.is_open) == ("failed", False)
    assert [(x.name, x.result, x.inbox) for x in await log.steps(session, 1)] == [("name", None, ())] * 2
    (asked,) = await log.approvals(session)
    assert (asked.arguments, asked.prompt, asked.key, asked.status, asked.tool) == ({}, "", "", "withdrawn", "pay")
    info = await log.session(session)
    assert (info.state, info.owner) == (TaskState.FAILED, None)
    assert await log.due() == ()


async def test_redacting_an_event_takes_the_content_of_its_turn_along(world):
    store = await world.store()
    log = await world.log(store)
    lease = await told(log)

    await store.redact("s", seqs=[2], reason="r", by="x")

    await check_bare(log, store)
    with pytest.raises(LeaseLost):
        await log.commit(Change(lease=lease), [])
    assert (await store.verify()).ok
    assert (await owned(log)).fence == 3


@pytest.mark.parametrize(
    "texts", [["ADA"], ["steered"], ["Bye"], ["pay?"]], ids=["input", "inbox", "result", "approval"]
)
async def test_redacting_a_text_finds_it_in_all_that_a_turn_holds(world, texts):
    store = await world.store()
    log = await world.log(store)
    await told(log)
    await told(log, "other", text="Bob")

    await store.redact("s", texts=texts, reason="r", by="x")

    await check_bare(log, store)
    assert (await log.turns("other"))[0].is_open


async def test_redacting_a_person_finds_all_sessions_and_what_waits_for_them(world):
    store = await world.store()
    log = await world.log(store)
    await told(log)
    await told(log, "other", text="Bob")
    await log.send("other", signal(text="about Ada"))

    await store.redact_person(["Ada"], reason="r", by="x")

    assert [one.is_open for name in ("s", "other") for one in await log.turns(name)] == [
        False,
        False,
    ]  # asked to pay Ada
    assert [one.body for one in await log.inbox("other")] == [{"text": "later"}]


async def test_redacting_leaves_other_turns_in_the_conversation(world):
    store = await world.store()
    log = await world.log(store)
    lease = await owned(log)
    turns = [ended(turn(1, text="Ada")), ended(turn(2, text="Bob")), turn(3, text="Cyd")]
    for number, one in enumerate(turns):
        change = Change(lease=lease, turn=one, steps=(step(0, turn=number + 1),))
        await log.commit(change, envelopes("s", 2, first=1 + 2 * number))

    await store.redact("s", seqs=[3], reason="r", by="x")
    await store.redact("s", texts=["ada"], reason="r", by="x")
    await log.release(lease)

    opened = await log.acquire("s", await log.identity(), lease_s=LEASE_S, wants="open")
    assert (opened.history, opened.open) == ((), turns[2])
    assert [one.state for one in opened.turns] == [TaskState.COMPLETED] * 2
    assert [one.cause for one in opened.turns] == ["its content was redacted"] * 2
    assert len(opened.steps) == 1


async def test_redacting_events_between_turns_touches_none(world):
    store = await world.store()
    log = await world.log(store)
    lease = await owned(log)
    await log.commit(Change(lease=lease, turn=ended(turn(1))), envelopes("s", 2))
    await store.append(envelopes("s", 1, first=3))
    await log.commit(Change(lease=lease, turn=ended(turn(2))), envelopes("s", 1, first=4))

    await store.redact("s", seqs=[3], reason="r", by="x")

    assert all(one.messages for one in await log.turns("s"))


async def test_what_expires_takes_old_turns_along_and_sessions_without_turns(world):
    store = await world.store()
    log = await world.log(store)
    world.hands.now = START
    old, young = ended(turn(1)), ended(turn(2), ended_at=START + timedelta(days=9))
    for name, turns in (("gone", [old]), ("kept", [old, young]), ("open", [old, turn(2)])):
        lease = await owned(log, name)
        for number, one in enumerate(turns):
            change = Change(lease=lease, turn=one, steps=(step(0, turn=number + 1),), approvals=())
            await log.commit(change, envelopes(name, 1, first=number + 1))
        await log.release(lease)
    sent = signal()
    await log.send("open", sent)

    await store.expire(before=START + timedelta(days=5))

    assert [one.id for one in await log.list_sessions()] == ["kept", "open"]
    assert [one.number for one in await log.turns("kept")] == [2]
    assert [one.number for one in await log.turns("open")] == [2]
    assert await log.steps("kept", 1) == ()
    assert await log.inbox("open") == (sent,)
    assert (await store.verify()).ok


async def test_what_expires_of_one_session_leaves_the_others(world):
    store = await world.store()
    log = await world.log(store)
    world.hands.now = START
    for name in "ab":
        await log.commit(Change(lease=await owned(log, name), turn=ended(turn(1)), releases=True), [])

    await store.expire(before=START + timedelta(days=5), session="a")

    assert [one.id for one in await log.list_sessions()] == ["b"]
