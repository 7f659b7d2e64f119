"""Laws of the hash chain: whatever single thing is changed in a file, verification finds it."""

import contextlib
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from unit.persistence.made import START, envelope

from par.errors import StoreError
from par.persistence._chain import GENESIS, link, record_of, seal
from par.persistence._sqlite_file import open_reader, open_writer
from par.persistence._sqlite_verify import advance, check
from par.persistence._sqlite_write import write_batch

SESSIONS = {"a": 4, "b": 3, "c": 1}
COLUMNS = ["session", "seq", "id", "at", "run", "parent", "step", "kind", "body", "previous", "hash"]
TRIGGERS = ["event_is_never_changed", "event_is_never_deleted", "head_is_never_deleted", "head_only_grows"]
PLACES = st.sampled_from([(name, seq) for name, number in SESSIONS.items() for seq in range(1, number + 1)])
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.binary(max_size=33),
)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def id_of(session, seq):
    """Ids that one flipped bit does not turn into one another."""
    return f"{session}{session}-{seq}{seq}"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    file = tmp_path_factory.mktemp("chain") / "x.db"
    with contextlib.closing(open_writer(file, "process", True)) as connection:
        for name, number in SESSIONS.items():
            for seq in range(1, number + 1):
                at = START + timedelta(seconds=seq)
                one = envelope(name, seq, id=id_of(name, seq), parent="p" if seq == 2 else None, at=at)
                assert write_batch(connection, [(record_of(one),)]) == [None]
    return file


@pytest.fixture
def forged(template):
    """A connection to a copy of the file in which nothing is forbidden any more."""

    @contextlib.contextmanager
    def copy():
        file = template.with_name("copy.db")
        shutil.copy(template, file)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for trigger in TRIGGERS:
                connection.execute(f"DROP TRIGGER {trigger}")
            yield connection

    return copy


def broken(connection):
    (_, _, file), *_ = connection.execute("PRAGMA database_list").fetchall()
    with contextlib.closing(open_reader(Path(file))) as reader:
        job = check(reader, None)
        while (result := advance(reader, job)) is None:
            pass
        return {one.session: one.seq for one in result.broken}


def test_the_file_is_whole_before_anything_is_changed(forged):
    with forged() as connection:
        assert broken(connection) == {}


@few
@given(place=PLACES, column=st.sampled_from(COLUMNS), value=VALUES)
def test_any_other_value_in_any_column_is_found(forged, place, column, value):
    session, seq = place
    with forged() as connection:
        (before,) = connection.execute(f"SELECT {column} FROM event WHERE session = ? AND seq = ?", place).fetchone()
        try:
            connection.execute(f"UPDATE event SET {column} = ? WHERE session = ? AND seq = ?", (value, *place))
        except sqlite3.IntegrityError:
            assume(False)  # a key that is taken, or no value where one must be: it cannot be in a file
        after = connection.execute(f"SELECT {column} FROM event WHERE id = ?", (id_of(*place),)).fetchone()
        assume(after is None or after != (before,))

        found = broken(connection).get(session)
        # a record that took another number may stand before the place that it left
        assert found == seq or (column == "seq" and found is not None)


@few
@given(place=PLACES, column=st.sampled_from(COLUMNS[2:]), data=st.data())
def test_any_flipped_bit_of_any_field_is_found(forged, place, column, data):
    with forged() as connection:
        where = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM event WHERE session = ? AND seq = ?"
        kind, content = connection.execute(where, place).fetchone()
        assume(content)
        position = data.draw(st.integers(0, len(content) - 1))
        bit = data.draw(st.integers(0, 7))
        flipped = bytearray(content)
        flipped[position] ^= 1 << bit
        typed = {"text": "CAST(? AS TEXT)", "blob": "?", "integer": "CAST(CAST(? AS TEXT) AS INTEGER)"}[kind]
        connection.execute(
            f"UPDATE event SET {column} = {typed} WHERE session = ? AND seq = ?", (bytes(flipped), *place)
        )
        assume(connection.execute(where, place).fetchone() != (kind, content))

        assert broken(connection) == {place[0]: place[1]}


@few
@given(place=PLACES)
def test_any_missing_record_is_found(forged, place):
    with forged() as connection:
        connection.execute("DELETE FROM event WHERE session = ? AND seq = ?", place)

        assert broken(connection) == {place[0]: place[1]}


@few
@given(one=PLACES, two=PLACES)
def test_any_two_records_that_changed_places_are_found(forged, one, two):
    assume(one != two)
    swap = "UPDATE event SET session = ?, seq = ? WHERE session = ? AND seq = ?"
    with forged() as connection:
        for target, source in ((("z", 99), one), (one, two), (two, ("z", 99))):
            connection.execute(swap, (*target, *source))

        found = broken(connection)

    first = {}
    for session, seq in sorted([one, two]):
        first.setdefault(session, seq)
    assert found == first


@few
@given(session=st.sampled_from(sorted(SESSIONS)), seq=st.integers(1, 9), digest=st.binary(min_size=32, max_size=32))
def test_any_other_head_is_found(forged, session, seq, digest):
    with forged() as connection:
        connection.execute("UPDATE head SET seq = ?, hash = ? WHERE session = ?", (seq, digest, session))

        assert set(broken(connection)) == {session}


FIELDS = st.lists(st.none() | st.binary(max_size=4), min_size=9, max_size=9)


@given(FIELDS, FIELDS)
def test_different_fields_are_never_sealed_to_the_same_bytes(one, two):
    assert (seal(one) == seal(two)) is (one == two)


@given(FIELDS, st.binary(min_size=32, max_size=32))
def test_a_link_depends_on_what_came_before(fields, previous):
    assume(previous != GENESIS)

    assert link(previous, seal(fields)) != link(GENESIS, seal(fields))


def test_the_hash_of_a_record_is_these_exact_bytes():
    """A file of years ago is verified by whatever runs then: this must never change."""
    record = record_of(envelope("s", 1, id="01J", at=START))

    assert record.sealed == (
        b"".join(len(x).to_bytes(8, "big") for x in (b"s", b"1", b"01J", b"2025-01-31T12:00:00.123456Z", b"r1"))
        + (b"\xff" * 8)
        + b"".join(number.to_bytes(8, "big") for number in (1, 15, len(record.body)))
        + b"s1"
        + b"01J"
        + b"2025-01-31T12:00:00.123456Z"
        + b"r1"
        + b"1"
        + b"tool_call_ended"
        + record.body.encode()
    )
    assert link(GENESIS, record.sealed).hex() == "12b483e9450424ce139399ea22e3d8eb3291725c7f93e7f16edbe548f10b58b2"


@few
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4)), max_size=12))
def test_whatever_is_appended_in_whatever_order_the_chains_stay_whole(tmp_path, appends):
    file = tmp_path / "x.db"
    file.unlink(missing_ok=True)
    expected = {"a": 0, "b": 0}
    with contextlib.closing(open_writer(file, "process", True)) as connection:
        results = write_batch(
            connection, [(record_of(envelope(name, seq, id=f"{name}{seq}")),) for name, seq in appends]
        )
        for (name, seq), result in zip(appends, results, strict=True):
            fits = seq <= expected[name] + 1
            expected[name] = max(expected[name], seq) if fits else expected[name]
            assert (result is None) is fits
            assert result is None or isinstance(result, StoreError)
        assert broken(connection) == {}
        stored = dict(connection.execute("SELECT session, max(seq) FROM event GROUP BY session").fetchall())
    assert stored == {name: seq for name, seq in expected.items() if seq}
