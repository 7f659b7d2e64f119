"""Whatever is done to a stored record is found and named: by the database, and record by record with a key."""

import pytest
from unit.persistence.made import envelope, envelopes

from par.errors import ChainBroken
from par.persistence._chain import Linker, record_of
from par.persistence._postgres_open import open_postgres
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._postgres_verify import _WHOLE

pytestmark = pytest.mark.anyio

KEY = b"k" * 32


@pytest.fixture(params=[None, KEY], ids=["plain", "keyed"])
def key(request):
    return request.param


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": False})  # what is checked is the same on each; the contract runs on all


@pytest.fixture
async def stored(dsn, scope, key, anyio_backend):
    async with open_postgres(dsn, scope=scope, key=key) as store:
        await store.append([envelope("a", 1, parent="p"), *envelopes("a", 4, first=2)])
        await store.append(envelopes("b", 5))


@pytest.fixture
def tamper(sql, scope, stored):
    """Changes rows behind the triggers' back, as who owns the server can."""

    def run(*statements):
        sql("SET session_replication_role = replica", *statements, scope=scope)

    return run


@pytest.fixture
def breaks(dsn, scope, key):
    async def run():
        async with open_postgres(dsn, scope=scope, key=key) as store:
            verification = await store.verify()
            for one in verification.broken:
                alone = await store.verify(one.session)
                assert [(x.session, x.seq) for x in alone.broken] == [(one.session, one.seq)]
        return [(one.session, one.seq) for one in verification.broken]

    return run


def of(scope, more=""):
    return f"WHERE scope = '{scope}' {more}"


async def test_what_nobody_touched_is_whole(breaks, stored):
    assert await breaks() == []


async def test_the_database_alone_finds_a_plain_chain_whole(dsn, scope, stored, key):
    async with open_pg_pool(dsn, scope=scope) as pool:
        rows = await pool.run(lambda connection: connection.fetch(_WHOLE, scope, None, None))

    assert [tuple(row) for row in rows] == [("a", 5, key is None), ("b", 5, key is None)]


@pytest.mark.parametrize("seq", [1, 3, 5])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", "substr(id, 2)"),
        ("at", "at - interval '1 year'"),
        ("at", "at + interval '1 microsecond'"),
        ("run", "run || 'x'"),
        ("parent", "'q'"),
        ("parent", "CASE seq WHEN 1 THEN NULL ELSE '' END"),
        ("step", "step + 1"),
        ("kind", "'run_ended'"),
        ("body", "replace(body, 'weather', 'wether ')"),
        ("body", "body || ' '"),
        ("salt", "sha256(salt)"),
        ("body_hash", "sha256(body_hash)"),
        ("previous", "sha256(previous)"),
        ("previous", "hash"),
        ("hash", "sha256(hash)"),
        ("format", "5 - format"),
    ],
)
async def test_a_changed_column_is_found(tamper, breaks, scope, seq, column, value, sql):
    sql("SELECT make_partition('2024-01-01')")

    tamper(f"UPDATE event SET {column} = {value} {of(scope)} AND session = 'a' AND seq = {seq}")

    assert await breaks() == [("a", seq)]


async def test_text_moved_from_one_field_to_its_neighbour_is_found(tamper, breaks, scope):
    tamper(f"UPDATE event SET id = id || substr(run, 1, 1), run = substr(run, 2) {of(scope)} AND session='a' AND seq=2")

    assert await breaks() == [("a", 2)]


async def test_contents_that_were_removed_without_a_word_are_found(tamper, breaks, scope):
    tamper(f"UPDATE event SET body = NULL, salt = NULL {of(scope)} AND session = 'a' AND seq = 2")

    assert await breaks() == [("a", 2)]


@pytest.mark.parametrize("seq", [1, 2, 5])
async def test_a_dropped_record_is_found(tamper, breaks, scope, seq):
    tamper(f"DELETE FROM event {of(scope)} AND session = 'a' AND seq = {seq}")

    assert await breaks() == [("a", seq)]


async def test_a_truncated_tail_is_found_at_its_first_missing_record(tamper, breaks, scope):
    tamper(f"DELETE FROM event {of(scope)} AND session = 'a' AND seq > 2")

    assert await breaks() == [("a", 3)]


async def test_a_session_whose_records_are_all_gone_is_found(tamper, breaks, scope):
    tamper(f"DELETE FROM event {of(scope)} AND session = 'a'")

    assert await breaks() == [("a", 1)]


async def test_a_dropped_record_with_the_others_closed_up_is_found(tamper, breaks, scope):
    tamper(
        f"DELETE FROM event {of(scope)} AND session = 'a' AND seq = 2",
        f"UPDATE event SET seq = seq - 1 {of(scope)} AND session = 'a' AND seq > 2",
    )

    assert await breaks() == [("a", 2)]


async def test_two_records_that_changed_places_are_found(tamper, breaks, scope):
    tamper(f"UPDATE event SET seq = 5 - seq {of(scope)} AND session = 'a' AND seq IN (2, 3)")

    assert await breaks() == [("a", 2)]


async def test_two_positions_that_changed_places_are_found(tamper, breaks, scope):
    tamper(f"UPDATE event SET position = 5 - position {of(scope)} AND position IN (2, 3)")

    assert await breaks() == [("a", 3)]


async def test_a_second_record_of_one_number_is_found(tamper, breaks, scope, sql):
    tamper(
        "INSERT INTO event SELECT position + 100, format, scope, session, seq, id, at + interval '1 second', run, parent, "
        f"step, kind, body, salt, body_hash, previous, hash FROM event {of(scope)} AND session = 'a' AND seq = 3"
    )

    assert await breaks() == [("a", 3)]


async def test_an_added_record_is_found(tamper, breaks, scope):
    tamper(
        "INSERT INTO event SELECT 100, format, scope, session, 6, id || 'x', at, run, parent, step, kind, body, salt, "
        f"body_hash, hash, hash FROM event {of(scope)} AND session = 'a' AND seq = 5"
    )

    assert await breaks() == [("a", 6)]


async def test_a_record_moved_to_another_session_is_found_in_both(tamper, breaks, scope):
    tamper(f"UPDATE event SET session = 'c' {of(scope)} AND session = 'a' AND seq = 3")

    assert await breaks() == [("a", 3), ("c", 1)]


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("UPDATE head SET hash = sha256('x')", 5),
        ("UPDATE head SET seq = 6", 6),
        ("UPDATE head SET seq = 4", 5),
        ("UPDATE head SET at = at + interval '1 second'", 5),
        ("UPDATE head SET position = 99", 5),
        ("UPDATE head SET format = 5 - format", 5),
        ("DELETE FROM head", 5),
    ],
)
async def test_a_changed_head_is_found(tamper, breaks, scope, change, seq):
    tamper(f"{change} {of(scope)} AND session = 'a'")

    assert await breaks() == [("a", seq)]


async def test_every_broken_session_is_named_with_its_first_break(tamper, breaks, scope):
    tamper(f"UPDATE event SET run = 'x' {of(scope)} AND seq IN (2, 4)")

    assert await breaks() == [("a", 2), ("b", 2)]


async def test_breaks_are_found_in_more_sessions_than_one_statement_looks_at(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append([envelope(f"s{number:03}") for number in range(450)])
        sql(
            "SET session_replication_role = replica",
            f"UPDATE event SET run = 'x' {of(scope)} AND session IN ('s000', 's199', 's200', 's449')",
        )
        verification = await store.verify()

    assert [one.session for one in verification.broken] == ["s000", "s199", "s200", "s449"]
    assert (verification.sessions, verification.events) == (450, 450)


async def test_a_chain_made_anew_without_the_key_is_told_from_one_with_it(tamper, dsn, scope, key):
    linker, previous = Linker(), bytes(32)
    statements = []
    for seq in range(1, 6):
        forged = record_of(envelope("a", seq, content="forged"), scope)
        digest = linker.link(previous, forged.sealed)
        statements.append(
            f"UPDATE event SET id = '{forged.id}', at = '{forged.at}', run = '{forged.run}', parent = NULL, "
            f"body = '{forged.body}', salt = '\\x{forged.salt.hex()}', body_hash = '\\x{forged.body_hash.hex()}', "
            f"previous = '\\x{previous.hex()}', hash = '\\x{digest.hex()}', format = 2 "
            f"{of(scope)} AND session = 'a' AND seq = {seq}"
        )
        previous = digest
    tamper(
        *statements,
        f"UPDATE head SET hash = '\\x{previous.hex()}', at = '{forged.at}', format = 2 {of(scope)} AND session = 'a'",
    )

    async with open_postgres(dsn, scope=scope, key=key) as store:
        verification = await store.verify()

    # without a key only a head that was kept elsewhere would show it
    assert (verification.ok, verification.unkeyed) == (True, () if key is None else ("a",))


async def test_the_first_break_can_be_raised(tamper, dsn, scope, key):
    tamper(f"UPDATE event SET run = 'x' {of(scope)} AND session = 'b' AND seq = 2")
    async with open_postgres(dsn, scope=scope, key=key) as store:
        verification = await store.verify("b")

    with pytest.raises(ChainBroken, match="'b' is broken at event 2"):
        verification.raise_if_broken()
