"""The task that writes for all."""

from itertools import chain

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint
from unit.persistence.made import START, envelope

from par._durable.log import Change, Lease
from par.errors import StoreError, StoreUnavailable
from par.persistence._chain import record_of
from par.persistence._group_commit import Checkpoint, Queue, TryAgain, open_group_commit
from par.persistence._sessions_values import work_of

pytestmark = pytest.mark.anyio


def item(name, events=1):
    return tuple(record_of(envelope(name, seq), "default") for seq in range(1, events + 1))


class Disk:
    """Writes when it is let, and remembers what was in each commit."""

    def __init__(self, *, gate_open=True):
        self.commits = []
        self.gate = anyio.Event()
        self.error = None
        if gate_open:
            self.gate.set()

    async def write(self, batch):
        self.commits.append([records[0].session for records in batch])
        await self.gate.wait()
        await checkpoint()
        if self.error is not None:
            raise self.error
        return [StoreError("refused") if records[0].session == "bad" else None for records in batch]


async def save(group, records):
    await group.wait(group.put(records))


async def test_what_is_queued_while_a_commit_runs_joins_the_next_in_order():
    disk = Disk(gate_open=False)

    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        first = group.put(item("a"))
        await wait_all_tasks_blocked()
        later = [group.put(item(name)) for name in "bcd"]
        disk.gate.set()
        for pending in (first, *later):
            await group.wait(pending)

    assert disk.commits == [["a"], ["b", "c", "d"]]


async def test_a_commit_is_bounded():
    disk = Disk()

    async with open_group_commit(disk.write, "x", Queue(limit=10_000)) as group:
        pending = [group.put(item(name, 900)) for name in "abcd"]
        for one in pending:
            await group.wait(one)

    assert disk.commits == [["a", "b"], ["c", "d"]]


async def test_an_item_larger_than_a_commit_is_written_alone():
    disk = Disk()

    async with open_group_commit(disk.write, "x", Queue(limit=10_000)) as group:
        pending = [group.put(item("a", 3_000)), group.put(item("b"))]
        for one in pending:
            await group.wait(one)

    assert disk.commits == [["a"], ["b"]]


async def test_a_refused_item_fails_its_own_caller_alone():
    disk = Disk()

    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        good, bad, also = group.put(item("good")), group.put(item("bad")), group.put(item("also"))
        await group.wait(good)
        with pytest.raises(StoreError, match="refused"):
            await group.wait(bad)
        await group.wait(also)


async def test_a_commit_that_fails_is_told_to_all_its_callers_and_the_next_one_works():
    disk = Disk()
    disk.error = StoreUnavailable("x", "disk full")

    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        pending = [group.put(item(name)) for name in "ab"]
        for one in pending:
            with pytest.raises(StoreUnavailable, match="disk full"):
                await group.wait(one)
        disk.error = None
        await save(group, item("c"))

    assert disk.commits == [["a", "b"], ["c"]]


async def test_an_unforeseen_error_does_not_end_the_task():
    disk = Disk()
    disk.error = RuntimeError("boom")

    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        with pytest.raises(StoreError, match="boom"):
            await save(group, item("a"))
        disk.error = None
        await save(group, item("b"))


async def test_a_cancelled_caller_leaves_its_item_in_the_queue():
    disk = Disk(gate_open=False)

    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(save, group, item("a"))
            tasks.start_soon(save, group, item("a2"))
            await wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        disk.gate.set()

    assert sorted(chain(*disk.commits)) == ["a", "a2"]


@pytest.mark.parametrize(("limit", "held"), [(3, True), (4, False)])
async def test_a_full_queue_holds_even_a_cancelled_caller(limit, held):
    disk = Disk(gate_open=False)
    left = anyio.Event()

    async with open_group_commit(disk.write, "x", Queue(limit=limit)) as group, anyio.create_task_group() as tasks:

        async def hasty():
            with anyio.CancelScope() as scope:
                scope.cancel()
                await save(group, item("b", 3))
            left.set()

        group.put(item("a"))
        tasks.start_soon(hasty)
        for _ in range(20):  # a cancellation is delivered some turns of the loop later
            await checkpoint()
        was_held = not left.is_set()
        disk.gate.set()
        await left.wait()

    assert was_held is held


async def test_closing_writes_what_is_queued():
    disk = Disk()

    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        group.put(item("a"))

    assert disk.commits == [["a"]]


async def test_closing_in_a_cancelled_scope_writes_what_is_queued():
    disk = Disk()

    with anyio.CancelScope() as scope:
        async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
            group.put(item("a"))
            scope.cancel()
            await checkpoint()

    assert disk.commits == [["a"]]


async def test_closing_takes_nothing_more():
    disk = Disk()
    async with open_group_commit(disk.write, "x", Queue(limit=100)) as group:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        group.put(item("a"))


async def test_closing_gives_up_on_a_disk_that_hangs_and_tells_the_callers():
    disk = Disk(gate_open=False)
    problems = []

    async def caller(group, name):
        try:
            await save(group, item(name))
        except StoreUnavailable as error:
            problems.append(error.problem)

    async with (
        anyio.create_task_group() as tasks,
        open_group_commit(disk.write, "x", Queue(limit=100, flush_s=0.01)) as group,
    ):
        tasks.start_soon(caller, group, "running")
        await wait_all_tasks_blocked()
        tasks.start_soon(caller, group, "queued")
        await wait_all_tasks_blocked()

    assert problems == ["it was closed before this could be written"] * 2


async def test_closing_in_a_cancelled_scope_gives_up_on_a_disk_that_hangs_too():
    disk = Disk(gate_open=False)

    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with open_group_commit(disk.write, "x", Queue(limit=100, flush_s=0.01)) as group:
            pending = group.put(item("a"))
            scope.cancel()
            await checkpoint()

    assert isinstance(pending.error, StoreUnavailable)


async def test_the_blocks_error_comes_out_as_it_is_with_its_own_context():
    disk = Disk()
    cause = KeyError("cause")

    async def use():
        async with open_group_commit(disk.write, "x", Queue(limit=100)):
            raise LookupError from cause

    with pytest.raises(LookupError) as caught:
        await use()

    assert caught.value.__cause__ is cause


async def test_a_group_from_the_block_comes_out_as_it_is():
    disk = Disk()

    async def use():
        async with open_group_commit(disk.write, "x", Queue(limit=100)):
            raise ExceptionGroup("mine", [KeyError(), LookupError()])

    with pytest.raises(ExceptionGroup, match="mine") as caught:
        await use()

    assert len(caught.value.exceptions) == 2


class Away(Disk):
    """A database that is away for some tries, and whose tries may have been half done."""

    def __init__(self, tries):
        super().__init__()
        self.left = tries

    async def write(self, batch):
        results = await super().write(batch)
        self.left -= 1
        if self.left >= 0:
            raise TryAgain("x", "it went away")
        return results


async def test_a_batch_is_tried_again_until_the_database_is_back_and_keeps_its_place():
    disk = Away(tries=2)

    async with open_group_commit(disk.write, "x", Queue()) as group:
        first = group.put(item("a"))
        await wait_all_tasks_blocked()
        second = group.put(item("b"))
        await group.wait(first)
        await group.wait(second)

    assert disk.commits == [["a"], ["a"], ["a"], ["b"]]


async def test_a_database_that_stays_away_is_given_up_and_the_next_batch_tried():
    disk = Away(tries=1)

    async with open_group_commit(disk.write, "x", Queue(give_up_s=0.001)) as group:
        with pytest.raises(StoreUnavailable, match="went away") as caught:
            await save(group, item("a"))
        await save(group, item("b"))

    assert type(caught.value) is StoreUnavailable
    assert disk.commits == [["a"], ["b"]]


async def test_closing_gives_up_on_a_database_that_stays_away():
    disk = Away(tries=10**9)

    with anyio.fail_after(10):
        async with open_group_commit(disk.write, "x", Queue(flush_s=0.01)) as group:
            pending = group.put(item("a"))

    assert isinstance(pending.error, StoreUnavailable)


async def test_what_nobody_waits_for_is_taken_at_once_and_written():
    disk = Disk(gate_open=False)

    async with open_group_commit(disk.write, "x", Queue(limit=2)) as group:
        taken = [await group.offer(item("a")), await group.offer(item("b"))]
        disk.gate.set()

    assert taken == [True, True]
    assert [*chain(*disk.commits)] == ["a", "b"]


async def test_a_full_queue_makes_who_offers_wait_for_room():
    disk = Disk(gate_open=False)
    taken = []

    async with open_group_commit(disk.write, "x", Queue(limit=2)) as group, anyio.create_task_group() as tasks:

        async def offer():
            for name in "abc":
                taken.append(await group.offer(item(name)))

        tasks.start_soon(offer)
        await wait_all_tasks_blocked()
        before = len(taken)
        disk.gate.set()

    assert (before, taken, group.dropped) == (2, [True, True, True], 0)


async def test_a_full_queue_drops_counts_and_tells_once_where_that_was_asked_for():
    disk = Disk(gate_open=False)
    told = []
    queue = Queue(limit=2, when_full="drop", on_drop=lambda number, error: told.append((number, str(error))))

    async with open_group_commit(disk.write, "x", queue) as group:
        taken = [await group.offer(item(name, 2)) for name in "abcd"]
        disk.gate.set()
        await group.flush()
        taken.append(await group.offer(item("e")))

    assert taken == [True, False, False, False, True]
    assert group.dropped == 6
    assert told == [(2, "the store 'x' cannot be used: 2 events wait to be written already")]
    assert [*chain(*disk.commits)] == ["a", "e"]


async def test_what_could_not_be_written_though_nobody_waited_is_counted_and_told():
    disk = Disk()
    told = []

    async with open_group_commit(
        disk.write, "x", Queue(on_drop=lambda number, error: told.append((number, str(error))))
    ) as group:
        await group.offer(item("bad", 3))
        await group.offer(item("good"))
        await group.flush()

    assert (group.dropped, told) == (3, [(3, "refused")])


async def test_what_on_drop_raises_is_raised_at_the_end_and_stops_nothing():
    disk = Disk()

    def broken(number, error):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        async with open_group_commit(disk.write, "x", Queue(on_drop=broken)) as group:
            await group.offer(item("bad"))
            await group.flush()
            await save(group, item("good"))

    assert [*chain(*disk.commits)] == ["bad", "good"]


async def test_a_flush_waits_for_all_that_is_queued():
    disk = Disk(gate_open=False)
    done = anyio.Event()

    async with open_group_commit(disk.write, "x", Queue()) as group, anyio.create_task_group() as tasks:

        async def flush():
            await group.flush()
            done.set()

        await group.offer(item("a"))
        await wait_all_tasks_blocked()
        last = group.put(item("b"))
        tasks.start_soon(flush)
        await wait_all_tasks_blocked()
        early = done.is_set()
        disk.gate.set()
        await done.wait()

    assert not early
    assert last.settled.is_set()


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": True},
        {"when_full": "explode"},
        {"give_up_s": 0},
        {"give_up_s": float("nan")},
        {"flush_s": -1.0},
        {"flush_s": True},
    ],
)
def test_an_impossible_queue_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Queue(**options)


async def test_a_change_without_events_is_waited_for_at_the_end():
    work = work_of(Change(lease=Lease(session="s", owner="me", fence=1)), "default", START)

    async def write(batch):
        await wait_all_tasks_blocked()  # closing has begun
        await checkpoint()
        return [True for _ in batch]

    async with open_group_commit(write, "x", Queue(limit=100)) as group:
        pending = group.put(Checkpoint((), work))

    assert (pending.error, pending.signals) == (None, True)
