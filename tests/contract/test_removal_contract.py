"""What every store does with scopes, keys and heads, and with what has to go. It runs on the stores of the contract."""

from datetime import timedelta

import attrs
import pytest
from contract.test_store_contract import FACTORIES, KEY, NOW
from unit.persistence.made import START, envelope, envelopes

from par._clock import Clock
from par.errors import StoreError, StoreUnavailable, WrongKey
from par.events import RecordsExpired, RecordsRedacted, Redacted, ToolProgress
from par.persistence import AUDIT_SESSION, Queue, read_heads, sign_heads

pytestmark = pytest.mark.anyio
HELD = Clock(now=lambda: NOW)


@pytest.fixture(params=FACTORIES)
def opened(request, tmp_path):
    return lambda **options: FACTORIES[request.param](tmp_path, **options)


def progress(message="half way"):
    return ToolProgress(call_id="c1", name="weather", message=message)


# scopes


async def test_a_scope_sees_nothing_of_another(opened):
    async with opened(scope="a") as a, opened(scope="b") as b:
        await a.append(envelopes("s", 3))

        assert (await b.events(), await b.sessions(), await b.heads()) == ((), (), ())
        assert (await b.last_seq("s"), await b.last_position()) == (0, 0)
        assert (await b.verify()).events == 0


async def test_scopes_have_their_own_sessions_of_one_name_and_their_own_ids(opened):
    async with opened(scope="a") as a, opened(scope="b") as b:
        mine = envelopes("s", 2)
        await a.append(mine)
        await b.append(mine)

        assert await a.events() == await b.events() == tuple(mine)
        assert (await a.verify()).ok and (await b.verify()).ok


async def test_removal_in_a_scope_leaves_another_alone(opened):
    async with opened(scope="a") as a, opened(scope="b", clock=HELD) as b:
        await a.append(stored := envelopes("s", 3))
        await b.append(envelopes("s", 3))
        await b.redact("s", seqs=[1], reason="r", by="x")
        await b.redact_person(["sunny", "s "], reason="r", by="x")
        await b.expire(before=NOW)

        assert await a.events() == tuple(stored)
        assert (await a.verify()).ok


async def test_a_head_of_another_scope_is_refused(opened):
    async with opened(scope="a") as a, opened(scope="b") as b:
        await a.append(envelopes())

        with pytest.raises(ValueError, match="scope 'b'"):
            await b.verify(heads=await a.heads())


@pytest.mark.parametrize("scope", ["", "x" * 201, "a\0b", "\ud800"])
async def test_a_scope_that_cannot_be_kept_is_refused(opened, scope):
    with pytest.raises(ValueError, match="scope"):
        async with opened(scope=scope):
            pass


# keys


async def test_a_store_with_a_key_is_verified_with_it(opened):
    async with opened(key=KEY) as store:
        await store.append(envelopes())
    async with opened(key=KEY) as store:
        await store.append(envelopes(count=1, first=4))
        verification = await store.verify()

    assert (verification.events, verification.broken, verification.unkeyed) == (4, (), ())


async def test_another_key_is_refused_at_once(opened):
    async with opened(key=KEY) as store:
        await store.append(envelopes())

    with pytest.raises(WrongKey, match="another one"):
        async with opened(key=KEY + b"!"):
            pass


async def test_without_its_key_a_scope_can_be_read_and_neither_written_nor_verified(opened):
    async with opened(key=KEY) as store:
        await store.append(stored := envelopes())

    async with opened() as store:
        assert await store.events() == tuple(stored)
        with pytest.raises(WrongKey):
            await store.append(envelopes(count=1, first=4))
        with pytest.raises(WrongKey):
            await store.verify()


async def test_the_key_of_a_scope_is_none_of_another(opened):
    async with opened(scope="a", key=KEY), opened(scope="b", key=KEY[::-1]) as b, opened(scope="c") as c:
        await b.append(envelopes())
        await c.append(envelopes())

        assert (await b.verify()).ok and (await c.verify()).ok


async def test_what_was_written_before_there_was_a_key_is_named_until_something_follows(opened):
    async with opened() as store:
        await store.append(envelopes("old", 2))
        await store.append(envelopes("goes on", 2))

    async with opened(key=KEY) as store:
        await store.append(envelopes("goes on", 1, first=3))
        verification = await store.verify()

    assert (verification.broken, verification.unkeyed) == ((), ("old",))


@pytest.mark.parametrize(("key", "error"), [(b"short", ValueError), ("text of 16 letters", TypeError)])
async def test_a_key_that_is_none_is_refused(opened, key, error):
    with pytest.raises(error, match="key"):
        async with opened(key=key):
            pass


# heads


async def test_heads_tell_the_end_of_each_session(opened):
    async with opened() as store:
        await store.append(a := envelopes("a", 2))
        await store.append(b := envelopes("b", 3))
        heads = await store.heads()

    assert [(one.scope, one.session, one.seq, one.at, one.position) for one in heads] == [
        ("default", "a", 2, a[-1].at, 2),
        ("default", "b", 3, b[-1].at, 5),
    ]


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_store_that_grew_agrees_with_its_older_heads(opened, key):
    async with opened(key=key) as store:
        await store.append(envelopes("a", 2))
        heads = read_heads(sign_heads(await store.heads(), key=key), key=key)
        await store.append(envelopes("a", 2, first=3))
        await store.append(envelopes("b", 1))

        assert (await store.verify(heads=heads)).ok
        assert (await store.verify("a", heads=heads)).ok


@pytest.mark.parametrize(
    ("changes", "seq"), [({"seq": 5}, 4), ({"hash": "00" * 32}, 3), ({"position": 9}, 3), ({"session": "gone"}, 1)]
)
async def test_a_head_that_the_store_does_not_agree_with_is_named(opened, changes, seq):
    async with opened() as store:
        await store.append(envelopes("a", 3))
        (head,) = await store.heads()
        forged = attrs.evolve(head, **changes)
        verification = await store.verify(heads=[forged])

    assert [(one.session, one.seq) for one in verification.broken] == [(forged.session, seq)]


# redaction


async def test_a_redacted_event_leaves_its_place_and_the_chain_holds(opened):
    async with opened(clock=HELD) as store:
        await store.append(stored := envelopes(count=3))
        done = await store.redact("s", seqs=[2], reason="asked for", by="ann")
        found = await store.events("s")
        verification = await store.verify()

    assert (done.session, done.seqs) == ("s", (2,))
    assert found == (stored[0], attrs.evolve(stored[1], event=Redacted(kind="tool_call_ended")), stored[2])
    assert (verification.broken, verification.redacted, verification.events) == ((), 1, 4)


async def test_a_redaction_is_told_in_the_stores_own_session(opened):
    async with opened(clock=HELD) as store:
        await store.append(envelopes(count=3))
        await store.redact("s", seqs=[3, 1], reason="asked for", by="ann")
        (told,) = await store.events(AUDIT_SESSION)

    assert told.event == RecordsRedacted(session="s", seqs=(1, 3), reason="asked for", by="ann")
    assert (told.seq, told.at) == (1, NOW)


async def test_what_was_redacted_before_is_passed_over(opened):
    async with opened() as store:
        await store.append(envelopes(count=3))
        await store.redact("s", seqs=[1, 2], reason="r", by="x")
        again = await store.redact("s", seqs=[2, 3], reason="r", by="x")
        none = await store.redact("s", seqs=[1], reason="r", by="x")

        assert (again.seqs, none.seqs) == ((3,), ())
        assert await store.last_seq(AUDIT_SESSION) == 2


async def test_a_redacted_event_that_is_sent_again_is_passed_over(opened):
    async with opened() as store:
        await store.append(stored := envelopes(count=2))
        await store.redact("s", seqs=[1], reason="r", by="x")
        await store.append(stored)

        assert await store.last_seq("s") == 2


async def test_events_of_a_session_are_redacted_by_what_they_hold(opened):
    async with opened() as store:
        await store.append([envelope("a", 1, "Jane Doe"), envelope("a", 2, "nobody"), envelope("a", 3, "jane DOE!")])
        await store.append([envelope("b", 1, "Jane Doe")])
        done = await store.redact("a", texts=["Jane Doe"], reason="r", by="x")

        assert done.seqs == (1, 3)
        assert not isinstance((await store.events("b"))[0].event, Redacted)


@pytest.mark.parametrize(
    "content", ["so 'Zoë \"Z\" O\\'K'", '{"name": "Zoë \\"Z\\" O\\\\\\\\\'K"}', '["Zo\\u00eb \\"z\\" O\\\\\\\\\'k"]']
)
async def test_a_person_is_found_however_json_writes_the_name(opened, content):
    async with opened() as store:
        await store.append([envelope("a", 1, "nothing"), envelope("a", 2, content)])
        await store.append([envelope("b", 1, "x" + content)])
        done = await store.redact_person(['Zoë "Z" O\\'], reason="r", by="x")
        left = [one.seq for one in await store.events("a") if not isinstance(one.event, Redacted)]
        verification = await store.verify()

    assert [(one.session, one.seqs) for one in done] == [("a", (2,)), ("b", (1,))]
    assert left == [1]
    assert verification.ok


@pytest.mark.parametrize(
    "arguments",
    [
        {"reason": "r", "by": "x"},
        {"seqs": [1], "texts": ["x"], "reason": "r", "by": "x"},
        {"seqs": [0], "reason": "r", "by": "x"},
        {"texts": [], "reason": "r", "by": "x"},
        {"texts": [" "], "reason": "r", "by": "x"},
        {"seqs": [1], "reason": "", "by": "x"},
        {"seqs": [1], "reason": "r", "by": " "},
    ],
)
async def test_an_impossible_redaction_is_refused(opened, arguments):
    async with opened() as store:
        await store.append(stored := envelopes())
        with pytest.raises(ValueError, match="must"):
            await store.redact("s", **arguments)

        assert await store.events() == tuple(stored)


async def test_an_event_that_is_not_there_cannot_be_redacted(opened):
    async with opened() as store:
        await store.append(stored := envelopes(count=2))
        with pytest.raises(StoreError, match="event 3 of session 's' cannot be redacted"):
            await store.redact("s", seqs=[1, 3], reason="r", by="x")

        assert await store.events() == tuple(stored)


async def test_the_stores_own_session_is_closed_to_everybody_else(opened):
    async with opened() as store:
        for attempt in (
            store.append([envelope(AUDIT_SESSION)]),
            store.post(AUDIT_SESSION, [progress()]),
            store.redact(AUDIT_SESSION, seqs=[1], reason="r", by="x"),
            store.expire(before=NOW, session=AUDIT_SESSION),
        ):
            with pytest.raises(StoreError, match="par.audit"):
                await attempt


async def test_the_mark_of_a_redacted_event_cannot_be_stored(opened):
    async with opened() as store:
        with pytest.raises(StoreError, match="removed"):
            await store.append([envelope(event=Redacted(kind="run_ended"))])


# expiry


def aged(session, *days):
    return [envelope(session, seq, at=START + timedelta(days=day)) for seq, day in enumerate(days, 1)]


async def test_old_events_go_from_the_front_and_the_chain_holds(opened):
    async with opened(clock=HELD) as store:
        await store.append(stored := aged("s", 1, 2, 3, 28, 29))
        heads = await store.heads()
        done = await store.expire(older_than=timedelta(days=10))
        await store.append([more := envelope("s", 6, at=NOW)])

        assert (done.sessions, done.events) == (1, 3)
        assert await store.events("s") == (*stored[3:], more)
        verification = await store.verify(heads=heads)
        assert (verification.broken, verification.expired, verification.events) == ((), 3, 4)


async def test_an_expiry_is_told_in_the_stores_own_session(opened):
    async with opened(clock=HELD) as store:
        await store.append(aged("s", 1, 2, 28))
        await store.expire(before=NOW - timedelta(days=10))
        (told,) = await store.events(AUDIT_SESSION)

    assert isinstance(told.event, RecordsExpired)
    assert (told.event.session, told.event.through_seq, told.event.events) == ("s", 2, 2)
    assert told.event.before == NOW - timedelta(days=10)


async def test_a_session_that_is_all_old_goes_and_keeps_its_numbers(opened):
    async with opened(clock=HELD) as store:
        await store.append(aged("s", 1, 2, 3))
        heads = await store.heads()
        await store.expire(before=NOW)

        assert await store.events("s") == ()
        assert [one.session for one in await store.sessions()] == [AUDIT_SESSION]
        assert await store.last_seq("s") == 3
        assert (await store.verify(heads=heads)).ok
        await store.append([envelope("s", 4, at=NOW)])
        assert (await store.verify(heads=heads)).ok


async def test_nothing_behind_a_young_event_expires(opened):
    async with opened(clock=HELD) as store:
        await store.append(stored := aged("s", 1, 29, 2))
        done = await store.expire(older_than=timedelta(days=10))

        assert done.events == 1
        assert await store.events("s") == tuple(stored[1:])
        assert (await store.verify()).ok


async def test_one_session_can_expire_alone(opened):
    async with opened(clock=HELD) as store:
        await store.append(aged("a", 1, 2))
        await store.append(b := aged("b", 1, 2))
        done = await store.expire(before=NOW, session="a")

        assert (done.sessions, done.events) == (1, 2)
        assert await store.events("b") == tuple(b)


async def test_expiry_goes_on_in_bounded_steps_and_says_how_far_it_is(opened):
    steps = []

    async with opened(clock=HELD) as store:
        for session in ("", "a", "b"):
            await store.append(envelopes(session, 900))
        done = await store.expire(before=NOW, progress=steps.append)

        assert [one.events for one in steps] == [1000, 2000, 2700]
        assert (done.sessions, done.events) == (3, 2700)
        assert (await store.verify()).expired == 2700


async def test_what_expires_twice_holds(opened):
    async with opened(clock=HELD) as store:
        await store.append(aged("s", 1, 2, 3, 28))
        await store.expire(before=START + timedelta(days=2))
        await store.expire(before=START + timedelta(days=3))
        nothing = await store.expire(before=START + timedelta(days=3))
        verification = await store.verify()

    assert nothing.events == 0
    assert (verification.broken, verification.expired) == ((), 2)


async def test_what_was_redacted_expires_like_the_rest(opened):
    async with opened(clock=HELD) as store:
        await store.append(aged("s", 1, 2, 28, 29))
        await store.redact("s", seqs=[1, 3], reason="r", by="x")
        await store.expire(older_than=timedelta(days=10))
        verification = await store.verify()

    assert (verification.broken, verification.expired, verification.redacted) == ((), 2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"older_than": timedelta(days=1), "before": NOW},
        {"older_than": timedelta(0)},
        {"before": NOW.replace(tzinfo=None)},
    ],
)
async def test_an_impossible_expiry_is_refused(opened, arguments):
    async with opened(clock=HELD) as store:
        await store.append(stored := envelopes())
        with pytest.raises(ValueError, match=r"older_than|before"):
            await store.expire(**arguments)

        assert await store.events() == tuple(stored)


# posting


async def test_posted_events_are_numbered_by_the_store(opened):
    async with opened(clock=HELD) as store:
        await store.append(envelopes(count=2))
        taken = await store.post("s", [progress("a"), progress("b")], run="r9")
        await store.flush()
        found = await store.events("s", after=2)
        verification = await store.verify()

    assert taken == 2
    assert [(one.seq, one.run, one.at, one.event.message) for one in found] == [
        (3, "r9", NOW, "a"),
        (4, "r9", NOW, "b"),
    ]
    assert verification.ok


async def test_closing_stores_what_was_posted(opened):
    async with opened() as store:
        for number in range(50):
            await store.post(f"s{number % 3}", [progress()])
    async with opened() as store:
        assert len(await store.events()) == 50
        assert (await store.verify()).ok


async def test_a_closed_store_takes_no_posted_events(opened):
    async with opened() as store:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        await store.post("s", [progress()])


async def test_posting_to_a_full_queue_drops_where_that_was_asked_for(opened):
    told = []
    queue = Queue(limit=2, when_full="drop", on_drop=lambda number, error: told.append((number, type(error))))

    async with opened(queue=queue) as store:
        taken = [await store.post("s", [progress(), progress()]) for _ in range(200)]
        await store.flush()
        stored = len(await store.events("s"))

        assert stored == sum(taken)
        assert stored + store.dropped == 400
        assert (len(told) > 0) is (store.dropped > 0)


async def test_a_store_that_never_drops_counts_nothing(opened):
    async with opened(queue=Queue(limit=2)) as store:
        for _ in range(100):
            await store.post("s", [progress()])
        await store.flush()

        assert (len(await store.events("s")), store.dropped) == (100, 0)
