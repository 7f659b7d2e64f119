"""What every store does. A store takes part by adding its factory to ``FACTORIES``."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Protocol

import anyio
import pytest
from unit.persistence.made import START, envelope, envelopes

from par._clock import Clock
from par.errors import StoreError, StoreUnavailable
from par.persistence import AuditStore, Queue, open_sqlite

pytestmark = pytest.mark.anyio


class Factory(Protocol):
    """Opens the database that belongs to the folder, made at the first time, for one scope of it."""

    def __call__(
        self,
        folder: Path,
        /,
        *,
        scope: str = "default",
        key: bytes | None = None,
        queue: Queue | None = None,
        clock: Clock | None = None,
    ) -> AbstractAsyncContextManager[AuditStore]: ...


FACTORIES: dict[str, Factory] = {
    "sqlite-power": lambda folder, **options: open_sqlite(folder / "audit.db", **options),
    "sqlite-process": lambda folder, **options: open_sqlite(folder / "audit.db", durability="process", **options),
}
KEY = b"a key of 16 bytes or more"
NOW = START + timedelta(days=30)


@pytest.fixture(params=FACTORIES)
def opened(request, tmp_path):
    return lambda **options: FACTORIES[request.param](tmp_path, **options)


async def test_events_come_back_equal_and_in_order(opened):
    stored = envelopes(count=5)

    async with opened() as store:
        await store.append(stored)

        assert await store.events("s") == tuple(stored)


async def test_events_are_there_after_the_store_was_closed(opened):
    stored = envelopes(count=2)
    async with opened() as store:
        await store.append(stored)

    async with opened() as store:
        await store.append(more := envelopes(count=1, first=3))

        assert await store.events("s") == (*stored, *more)
        assert (await store.verify()).ok


async def test_events_of_all_sessions_come_in_the_order_of_storage(opened):
    a, b = envelopes("a", 2), envelopes("b", 2)

    async with opened() as store:
        for one in (b[0], a[0], a[1], b[1]):
            await store.append([one])

        assert await store.events() == (b[0], a[0], a[1], b[1])


async def test_events_of_a_session_begin_after_a_sequence_number(opened):
    async with opened() as store:
        await store.append(stored := envelopes(count=5))

        assert await store.events("s", after=3) == tuple(stored[3:])


async def test_events_of_all_sessions_begin_after_a_position(opened):
    async with opened() as store:
        await store.append(envelopes("a", 2))
        await store.append(b := envelopes("b", 2))

        assert await store.events(after=3) == (b[1],)


async def test_events_end_at_the_limit(opened):
    async with opened() as store:
        await store.append(stored := envelopes(count=600))

        assert await store.events("s", limit=400) == tuple(stored[:400])


@pytest.mark.parametrize("session", ["s", None])
async def test_events_of_one_run_are_told_from_others(opened, session):
    stored = [envelope(seq=seq, run=run) for seq, run in ((1, "x"), (2, "y"), (3, "x"))]

    async with opened() as store:
        await store.append(stored)

        assert await store.events(session, run="x") == (stored[0], stored[2])


@pytest.mark.parametrize("number", [255, 256, 257, 512, 513])
async def test_all_events_come_however_they_fall_into_pages(opened, number):
    async with opened() as store:
        await store.append(stored := envelopes(count=number))

        assert await store.events() == tuple(stored)


async def test_an_unknown_session_has_no_events(opened):
    async with opened() as store:
        await store.append(envelopes())

        assert (await store.events("other"), await store.last_seq("other")) == ((), 0)


async def test_last_seq_is_the_number_of_the_last_event(opened):
    async with opened() as store:
        await store.append(envelopes(count=4))

        assert await store.last_seq("s") == 4


async def test_a_loop_over_events_finds_what_is_stored_meanwhile(opened):
    seen = []

    async with opened() as store:
        await store.append(envelopes(count=256))
        async for one in store.events("s"):
            seen.append(one.seq)
            if one.seq == 256:
                await store.append(envelopes(count=1, first=257))

    assert seen == list(range(1, 258))


async def test_a_loop_over_events_may_be_left_early(opened):
    async with opened() as store:
        await store.append(envelopes(count=300))
        async for _ in store.events():
            break

        await store.append(envelopes(count=1, first=301))


@pytest.mark.parametrize("arguments", [{"after": -1}, {"limit": 0}, {"limit": -1}])
async def test_impossible_ranges_are_refused_at_the_call(opened, arguments):
    async with opened() as store:
        with pytest.raises(ValueError, match=next(iter(arguments))):
            store.events(**arguments)


async def test_an_append_of_nothing_stores_nothing(opened):
    async with opened() as store:
        await store.append([])

        assert await store.events() == ()


async def test_a_gap_is_refused_and_the_session_goes_on(opened):
    async with opened() as store:
        await store.append(envelopes(count=2))
        with pytest.raises(StoreError, match="the next one, which is 3"):
            await store.append(envelopes(count=1, first=4))
        await store.append(envelopes(count=1, first=3))

        assert await store.last_seq("s") == 3


async def test_an_append_is_stored_as_a_whole_or_not_at_all(opened):
    async with opened() as store:
        with pytest.raises(StoreError):
            await store.append([*envelopes(count=2), envelope(seq=9)])

        assert await store.events() == ()


async def test_the_same_events_once_more_are_stored_once(opened):
    async with opened() as store:
        await store.append(stored := envelopes(count=3))
        await store.append([*stored[1:], *(more := envelopes(count=1, first=4))])

        assert await store.events() == (*stored, *more)


async def test_an_event_twice_in_one_append_is_stored_once(opened):
    one = envelope()

    async with opened() as store:
        await store.append([one, one])

        assert await store.events() == (one,)


async def test_another_event_under_a_stored_number_is_refused(opened):
    async with opened() as store:
        await store.append([stored := envelope(content="sunny")])
        with pytest.raises(StoreError, match="event 1 of session 's' was refused"):
            await store.append([envelope(content="rain", id=stored.id)])

        assert await store.events() == (stored,)


async def test_an_id_that_is_taken_is_refused(opened):
    async with opened() as store:
        await store.append([stored := envelope("a")])
        with pytest.raises(StoreError, match="'b'"):
            await store.append([envelope("b", id=stored.id)])

        assert await store.events() == (stored,)


async def test_an_append_that_fails_does_not_fail_those_beside_it(opened):
    failed = []

    async with opened() as store:
        await store.append([taken := envelope("taken")])

        async def append(one):
            try:
                await store.append([one])
            except StoreError:
                failed.append(one.session)

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(append, envelope(f"good {number}"))
                tasks.start_soon(append, envelope(f"gap {number}", seq=2))
                tasks.start_soon(append, envelope(f"taken {number}", id=taken.id))

        assert {one.session.split()[0] for one in await store.events()} == {"taken", "good"}
        assert len(await store.events()) == 11
        assert len(failed) == 20


async def test_concurrent_appends_of_many_sessions_keep_every_chain(opened):
    async with opened() as store:

        async def write(session):
            for one in envelopes(session, 20):
                await store.append([one])

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(write, f"s{number}")

        verification = await store.verify()
        assert (verification.sessions, verification.events, verification.ok) == (20, 400, True)


async def test_concurrent_appends_to_one_session_are_stored_in_the_order_of_the_calls(opened):
    numbers = count(1)

    async with opened() as store:

        async def write():
            for _ in range(10):
                await store.append([envelope(seq=next(numbers))])

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(write)

        assert [one.seq for one in await store.events()] == list(range(1, 201))
        assert (await store.verify()).ok


async def test_a_cancelled_append_is_stored_all_the_same(opened):
    async with opened() as store:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.append(envelopes(count=2))
        await store.append(envelopes(count=1, first=3))

        assert scope.cancelled_caught
        assert [one.seq for one in await store.events()] == [1, 2, 3]


async def test_what_is_queued_when_the_block_is_cancelled_is_stored(opened):
    stored = envelopes(count=5)

    with anyio.CancelScope() as scope:
        async with opened() as store:
            scope.cancel()
            await store.append(stored)
    async with opened() as store:
        assert await store.events() == tuple(stored)


async def test_a_closed_store_takes_no_events(opened):
    async with opened() as store:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        await store.append(envelopes())


@pytest.mark.parametrize("read", [lambda s: s.last_seq("s"), lambda s: s.verify(), lambda s: s.events()])
async def test_a_closed_store_cannot_be_read(opened, read):
    async with opened() as store:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        await read(store)


async def test_an_error_in_the_block_comes_out_as_it_is(opened):
    async def use():
        async with opened() as store:
            await store.append(envelopes())
            raise KeyError

    with pytest.raises(KeyError):
        await use()


@pytest.mark.parametrize(
    "content",
    ["", "é漢🎉", "a\x00b", "half \ud83d pair", "'; DROP TABLE event; --", "x" * 1_000_000],
    ids=["empty", "unicode", "nul", "surrogate", "sql", "large"],
)
async def test_any_text_comes_back_as_it_was(opened, content):
    stored = envelope(content=content)

    async with opened() as store:
        await store.append([stored])

        assert await store.events() == (stored,)
        assert (await store.verify()).ok


@pytest.mark.parametrize("name", ["", "order 42", "it's", "a\nb", "漢", "%", "a\x00b"])
async def test_any_name_of_a_session_is_kept_apart_from_others(opened, name):
    async with opened() as store:
        await store.append([stored := envelope(name)])
        await store.append([envelope("another")])

        assert await store.events(name) == (stored,)
        assert (await store.verify(name)).events == 1


@pytest.mark.parametrize(
    "changes",
    [{"seq": 0}, {"seq": -1}, {"seq": 2**63}, {"step": -1}, {"session": "\ud800"}, {"at": START.replace(tzinfo=None)}],
)
async def test_an_envelope_that_cannot_be_stored_is_refused(opened, changes):
    async with opened() as store:
        with pytest.raises(StoreError):
            await store.append([envelope(**changes)])
        await store.append([good := envelope("good")])

        assert await store.events() == (good,)


async def test_a_session_that_nobody_knows_verifies_as_nothing(opened):
    async with opened() as store:
        await store.append(envelopes())

        verification = await store.verify("other")

    assert (verification.sessions, verification.events, verification.ok) == (0, 0, True)


async def test_one_session_is_verified_alone(opened):
    async with opened() as store:
        await store.append(envelopes("a", 2))
        await store.append(envelopes("b", 3))

        verification = await store.verify("b")

    assert (verification.sessions, verification.events) == (1, 3)


async def test_a_session_that_grows_while_it_is_verified_is_whole(opened):
    async with opened() as store:
        await store.append(envelopes(count=3_000))
        found = []

        async def verify():
            found.append(await store.verify())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(verify)
            for seq in range(3_001, 3_020):
                await store.append([envelope(seq=seq)])

    assert found[0].ok
    assert found[0].events >= 3_000
