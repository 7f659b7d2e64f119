"""Whatever is done to a stored record is found, and named."""

import contextlib
import sqlite3

import pytest
from unit.persistence.made import envelope, envelopes

from par.errors import ChainBroken, DecodeError
from par.persistence import open_sqlite
from par.persistence._chain import Linker, record_of

pytestmark = pytest.mark.anyio

TRIGGERS = ("event_is_never_changed", "event_is_never_deleted", "head_is_never_deleted", "head_only_grows")


KEY = b"a key of 16 bytes or more"


def key_of(file):
    return KEY if file.stem == "keyed" else None


def opened(file):
    return open_sqlite(file, durability="process", key=key_of(file))


@pytest.fixture(params=["plain", "keyed"])
async def file(request, tmp_path, anyio_backend):
    path = tmp_path / f"{request.param}.db"
    async with opened(path) as store:
        await store.append([envelope("a", 1, parent="p"), *envelopes("a", 4, first=2)])
        await store.append(envelopes("b", 5))
    return path


def tamper(file, *statements):
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for trigger in TRIGGERS:
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement, *values in statements:
            assert connection.execute(statement, values).rowcount != 0


async def breaks(file):
    async with opened(file) as store:
        verification = await store.verify()
        for one in verification.broken:
            alone = await store.verify(one.session)
            assert [(x.session, x.seq) for x in alone.broken] == [(one.session, one.seq)]
    return [(one.session, one.seq) for one in verification.broken]


async def test_a_file_that_nobody_touched_is_whole(file):
    assert await breaks(file) == []


@pytest.mark.parametrize("seq", [1, 3, 5])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "substr(id, 2)"),
        ("at", "replace(at, '2025', '2024')"),
        ("run", "run || 'x'"),
        ("parent", "'q'"),
        ("parent", "CASE seq WHEN 1 THEN NULL ELSE '' END"),
        ("step", "step + 1"),
        ("step", "'x'"),
        ("kind", "'run_ended'"),
        ("body", "replace(body, 'weather', 'wether ')"),
        ("body", "body || ' '"),
        ("body", "CAST(x'ff' || body AS TEXT)"),
        ("body", "NULL"),
        ("salt", "zeroblob(16)"),
        ("salt", "NULL"),
        ("body_hash", "zeroblob(32)"),
        ("body_hash", "NULL"),
        ("format", "1"),
        ("format", "5 - format"),
        ("format", "4"),
        ("scope", "'other'"),
        ("previous", "zeroblob(31) || x'01'"),
        ("previous", "hash"),
        ("hash", "zeroblob(32)"),
        ("hash", "substr(hash, 1, 31)"),
    ],
)
async def test_a_changed_column_is_found(file, seq, column, value):
    tamper(file, (f"UPDATE event SET {column} = {value} WHERE session = 'a' AND seq = {seq}",))

    assert await breaks(file) == [("a", seq)]


async def test_text_moved_from_one_field_to_its_neighbour_is_found(file):
    tamper(
        file, ("UPDATE event SET at = at || substr(run, 1, 1), run = substr(run, 2) WHERE session = 'a' AND seq = 2",)
    )

    assert await breaks(file) == [("a", 2)]


def forged_at(file, seq):
    """Return the values of a forged record of session a, with a hash made by somebody who has the key."""
    forged = record_of(envelope("a", seq, content="forged"), "default")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        (previous,) = connection.execute(
            "SELECT hash FROM event WHERE session = 'a' AND seq = ?", (seq - 1,)
        ).fetchone()
    linker = Linker(key_of(file))
    return (linker.format, *forged[:12], previous, linker.link(previous, forged.sealed))


COLUMNS = "format, scope, session, seq, id, at, run, parent, step, kind, body, salt, body_hash, previous, hash"


async def test_a_changed_record_with_its_hash_made_anew_is_found_at_the_next_one(file):
    values = forged_at(file, 2)
    places = ", ".join("?" * len(values))
    tamper(file, (f"UPDATE event SET ({COLUMNS}) = ({places}) WHERE session = 'a' AND seq = 2", *values))

    assert await breaks(file) == [("a", 3)]


@pytest.mark.parametrize("seq", [1, 2, 5])
async def test_a_dropped_record_is_found(file, seq):
    tamper(file, (f"DELETE FROM event WHERE session = 'a' AND seq = {seq}",))

    assert await breaks(file) == [("a", seq)]


async def test_a_truncated_tail_is_found_at_its_first_missing_record(file):
    tamper(file, ("DELETE FROM event WHERE session = 'a' AND seq > 2",))

    assert await breaks(file) == [("a", 3)]


async def test_a_session_whose_records_are_all_gone_is_found(file):
    tamper(file, ("DELETE FROM event WHERE session = 'a'",))

    assert await breaks(file) == [("a", 1)]


async def test_a_dropped_record_with_the_others_closed_up_is_found(file):
    tamper(
        file,
        ("DELETE FROM event WHERE session = 'a' AND seq = 2",),
        ("UPDATE event SET seq = -seq WHERE session = 'a' AND seq > 2",),
        ("UPDATE event SET seq = -seq - 1 WHERE session = 'a' AND seq < 0",),
    )

    assert await breaks(file) == [("a", 2)]


async def test_two_records_that_changed_places_are_found(file):
    tamper(
        file,
        ("UPDATE event SET seq = 99 WHERE session = 'a' AND seq = 2",),
        ("UPDATE event SET seq = 2 WHERE session = 'a' AND seq = 3",),
        ("UPDATE event SET seq = 3 WHERE session = 'a' AND seq = 99",),
    )

    assert await breaks(file) == [("a", 2)]


async def test_two_positions_that_changed_places_are_found(file):
    tamper(
        file,
        ("UPDATE event SET position = 99 WHERE position = 2",),
        ("UPDATE event SET position = 2 WHERE position = 3",),
        ("UPDATE event SET position = 3 WHERE position = 99",),
    )

    assert await breaks(file) == [("a", 3)]


@pytest.mark.parametrize("seq", ["6", "0", "-3", "'x'"])
async def test_an_added_record_is_found(file, seq):
    tamper(
        file,
        (
            f"""
            INSERT INTO event (
                format, scope, session, seq, id, at, run, step, kind, body, salt, body_hash, previous, hash
            )
            SELECT format, scope, session, {seq}, 'new', at, run, step, kind, body, salt, body_hash, hash, hash
            FROM event WHERE session = 'a' AND seq = 5
            """,
        ),
    )

    assert [session for session, _ in await breaks(file)] == ["a"]


async def test_a_record_that_continues_the_chain_without_the_head_is_found(file):
    values = forged_at(file, 6)
    places = ", ".join("?" * len(values))
    tamper(file, (f"INSERT INTO event ({COLUMNS}) VALUES ({places})", *values))

    assert await breaks(file) == [("a", 6)]


def without_rules(file, *statements):
    """Put a table without any constraint in the place of the one that par made."""
    tamper(
        file,
        ("ALTER TABLE event RENAME TO old",),
        ("CREATE TABLE event AS SELECT * FROM old",),
        ("DROP TABLE old",),
        *statements,
    )


async def problem(file):
    async with opened(file) as store:
        (one,) = (await store.verify("a")).broken
    return (one.seq, one.problem)


async def test_a_second_record_of_one_number_is_found(file):
    without_rules(file, ("INSERT INTO event SELECT * FROM event WHERE session = 'a' AND seq = 3",))

    assert await problem(file) == (3, "there are two records with this number")


async def test_an_added_record_without_a_number_is_found(file):
    add = "INSERT INTO event (scope, session, id, body) VALUES ('default', 'a', 'new', '{}')"
    without_rules(file, (add,))

    assert await problem(file) == (5, "the session has 6 records, of which 5 are in the chain")


async def test_a_record_moved_to_another_session_is_found_in_both(file):
    tamper(file, ("UPDATE event SET session = 'c' WHERE session = 'a' AND seq = 3",))

    assert await breaks(file) == [("a", 3), ("c", 1)]


async def test_records_moved_to_a_session_without_a_head_are_found(file):
    tamper(file, ("UPDATE event SET session = 'c' WHERE session = 'a'",))

    assert await breaks(file) == [("a", 1), ("c", 1)]


async def test_a_session_whose_name_is_no_text_is_found(file):
    tamper(file, ("UPDATE event SET session = x'61' WHERE session = 'b' AND seq = 5",))
    async with opened(file) as store:
        broken = (await store.verify()).broken

    assert ("b", 5) in [(one.session, one.seq) for one in broken]
    assert "no text" in broken[-1].problem


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE head SET hash = zeroblob(32) WHERE session = 'a'", 5),
        ("UPDATE head SET seq = 6 WHERE session = 'a'", 6),
        ("UPDATE head SET seq = 4 WHERE session = 'a'", 5),
        ("UPDATE head SET seq = 'x' WHERE session = 'a'", 5),
        ("UPDATE head SET at = replace(at, '2025', '2024') WHERE session = 'a'", 5),
        ("UPDATE head SET position = 1 WHERE session = 'a'", 5),
        ("UPDATE head SET format = 5 - format WHERE session = 'a'", 5),
        ("DELETE FROM head WHERE session = 'a'", 5),
    ],
)
async def test_a_changed_head_is_found(file, statement, seq):
    tamper(file, (statement,))

    assert await breaks(file) == [("a", seq)]


async def test_every_broken_session_is_named_with_its_first_break(file):
    tamper(file, ("UPDATE event SET run = 'x' WHERE seq IN (2, 4)",))

    assert await breaks(file) == [("a", 2), ("b", 2)]


async def test_the_first_break_can_be_raised(file):
    tamper(file, ("UPDATE event SET run = 'x' WHERE seq = 2",))
    async with opened(file) as store:
        verification = await store.verify("b")

    with pytest.raises(ChainBroken, match="'b' is broken at event 2"):
        verification.raise_if_broken()


@pytest.mark.parametrize("body", ["'{'", '\'{"type":"unheard_of"}\'', "CAST(x'ff' AS TEXT)"])
async def test_a_record_that_cannot_be_read_is_named(file, body):
    tamper(file, (f"UPDATE event SET body = {body} WHERE session = 'a' AND seq = 2",))
    async with opened(file) as store:
        with pytest.raises(DecodeError, match="event 2 of session 'a'"):
            await store.events("a")


def rewritten(file, first):
    """Rewrite session a from a number on as somebody does who has no key: events, hashes and the head."""
    linker = Linker()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        row = connection.execute("SELECT hash FROM event WHERE session = 'a' AND seq = ?", (first - 1,)).fetchone()
    previous = row[0] if row else bytes(32)
    statements = []
    for seq in range(first, 6):
        forged = record_of(envelope("a", seq, content="forged"), "default")
        digest = linker.link(previous, forged.sealed)
        values = (linker.format, *forged[:12], previous, digest)
        places = ", ".join("?" * len(values))
        statements.append((f"UPDATE event SET ({COLUMNS}) = ({places}) WHERE session = 'a' AND seq = {seq}", *values))
        previous = digest
    head = "UPDATE head SET (hash, format, at) = (?, ?, ?) WHERE session = 'a'"
    tamper(file, *statements, (head, previous, linker.format, forged.at))


@pytest.mark.parametrize("first", [2, 5])
async def test_a_tail_that_was_rewritten_without_the_key_is_found_where_there_is_one(file, first):
    rewritten(file, first)

    assert await breaks(file) == ([("a", first)] if key_of(file) else [])


async def test_a_session_that_was_rewritten_whole_without_the_key_is_named_as_unkeyed(file):
    rewritten(file, 1)
    async with opened(file) as store:
        verification = await store.verify()

    assert verification.unkeyed == (("a",) if key_of(file) else ())


async def test_what_was_rewritten_whole_is_found_by_a_head_that_was_kept_elsewhere(file):
    async with opened(file) as store:
        kept = await store.heads()
    rewritten(file, 1)
    async with opened(file) as store:
        verification = await store.verify(heads=kept)

    assert [(one.session, one.seq) for one in verification.broken] == [("a", 5)]


async def test_a_session_that_was_removed_with_its_head_is_found_by_one_that_was_kept_elsewhere(file):
    async with opened(file) as store:
        kept = await store.heads()
    tamper(file, ("DELETE FROM event WHERE session = 'a'",), ("DELETE FROM head WHERE session = 'a'",))
    async with opened(file) as store:
        verification = await store.verify(heads=kept)

    assert [(one.session, one.seq) for one in verification.broken] == [("a", 1)]


async def test_a_truncated_tail_with_its_head_moved_back_is_found_by_one_that_was_kept_elsewhere(file):
    async with opened(file) as store:
        kept = await store.heads()
    columns = "seq, hash, format, at, position"
    older = f"(SELECT {columns} FROM event WHERE session = 'a' AND seq = 2)"
    back = f"UPDATE head SET ({columns}) = {older} WHERE session = 'a'"
    tamper(file, ("DELETE FROM event WHERE session = 'a' AND seq > 2",), (back,))
    async with opened(file) as store:
        unnoticed = await store.verify()
        verification = await store.verify(heads=kept)

    assert unnoticed.ok
    assert [(one.session, one.seq) for one in verification.broken] == [("a", 3)]
