"""Laws of the hash chain: whatever single thing is changed in a file, verification finds it."""

import contextlib
import hmac
import shutil
import sqlite3
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from unit.persistence.made import START, envelope
from unit.persistence.old_file import make_old_file

from par._clock import Clock
from par.codec import time_text
from par.errors import StoreError
from par.persistence._chain import AUDIT_SESSION, GENESIS, Linker, link_old, numbered, record_of, seal, seal_old
from par.persistence._own_records import Scribe
from par.persistence._sqlite_file import open_reader, open_writer
from par.persistence._sqlite_remove import remove_contents, remove_fronts
from par.persistence._sqlite_verify import advance, check
from par.persistence._sqlite_write import write_batch

SESSIONS = {"a": 4, "b": 3, "c": 1}
KEY = b"a key of 16 bytes or more"
COLUMNS = (
    "session seq format scope id at run parent step kind body salt body_hash previous hash".split()  # noqa: SIM905 # a table's
)
TRIGGERS = ["event_is_never_changed", "event_is_never_deleted", "head_is_never_deleted", "head_only_grows"]
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.binary(max_size=33),
)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def id_of(session, seq):
    """Ids that one flipped bit does not turn into one another."""
    return f"{session}{session}-{seq}{seq}"


def all_envelopes():
    for name, number in SESSIONS.items():
        for seq in range(1, number + 1):
            at = START + timedelta(seconds=seq)
            yield envelope(name, seq, id=id_of(name, seq), parent="p" if seq == 2 else None, at=at)


def make(file, key, *, old=0, removed=False):
    """Make a file whose first ``old`` records are of the first schema, and whose contents were partly removed."""
    stored = list(all_envelopes())
    if old:
        make_old_file(file, stored[:old])
    linker = Linker(key)
    scribe = Scribe("default", Clock(now=lambda: START))
    with contextlib.closing(open_writer(file, "process", create=True)) as connection:
        for one in stored[old:]:
            assert write_batch(connection, linker, [(record_of(one, "default"),)]) == [None]
        if removed:
            tell = scribe.tell
            before = time_text(START + timedelta(seconds=3))
            for session, seqs in (("a", [1, 4]), ("b", [2])):
                remove_contents(connection, linker, tell, "default", session, seqs, "r", "x")
            remove_fronts(connection, linker, tell, "default", before, ("a", "c"))
            remove_contents(connection, linker, tell, "default", "b", [3], "r", "x")


KINDS = {
    "plain": {"key": None},
    "keyed": {"key": KEY},
    "old": {"key": None, "old": 8},
    "mixed": {"key": KEY, "old": 6},
    "removed": {"key": None, "removed": True},
    "removed keyed": {"key": KEY, "removed": True},
    "removed mixed": {"key": KEY, "old": 6, "removed": True},
}


@pytest.fixture(scope="module", params=KINDS)
def template(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("chain") / "x.db"
    make(file, **KINDS[request.param])
    return file, Linker(KINDS[request.param]["key"])


class Forged:
    """A copy of the file in which nothing is forbidden any more."""

    def __init__(self, connection, file, linker):
        self.file = file
        self.linker = linker
        self.execute = connection.execute
        self.places = connection.execute("SELECT session, seq FROM event ORDER BY session, seq").fetchall()

    def broken(self):
        with contextlib.closing(open_reader(self.file)) as reader:
            job = check(reader, "default", self.linker, None, ())
            while (result := advance(reader, job)) is None:
                pass
            return {one.session: one.seq for one in result.broken}

    def only(self, found, place):
        """Tell whether one place was found: and, where it is a declaration, what can no more be relied upon."""
        return found.get(place[0]) == place[1] and (place[0] == AUDIT_SESSION or len(found) == 1)


@pytest.fixture
def forged(template):
    @contextlib.contextmanager
    def copy():
        file = template[0].with_name("copy.db")
        shutil.copy(template[0], file)
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for trigger in TRIGGERS:
                connection.execute(f"DROP TRIGGER {trigger}")
            yield Forged(connection, file, template[1])

    return copy


def test_the_file_is_whole_before_anything_is_changed(forged):
    with forged() as file:
        assert file.broken() == {}


@few
@given(column=st.sampled_from(COLUMNS), value=VALUES, data=st.data())
def test_any_other_value_in_any_column_is_found(forged, column, value, data):
    with forged() as file:
        place = data.draw(st.sampled_from(file.places))
        where = "rowid = (SELECT rowid FROM event WHERE session = ? AND seq = ?)"
        (rowid, before) = file.execute(f"SELECT rowid, {column} FROM event WHERE {where}", place).fetchone()
        try:
            file.execute(f"UPDATE event SET {column} = ? WHERE rowid = ?", (value, rowid))
        except sqlite3.IntegrityError:
            assume(False)  # a key that is taken, or no value where one must be: it cannot be in a file
        after = file.execute(f"SELECT {column} FROM event WHERE rowid = ?", (rowid,)).fetchone()
        assume(after != (before,))
        assume(not isinstance(value, bytes) or value != getattr(before, "encode", bytes)())  # the same bytes as text

        found = file.broken()
        # a record that took another number may stand before the place that it left
        assert found.get(place[0]) == place[1] or (column == "seq" and place[0] in found)


@few
@given(column=st.sampled_from(COLUMNS[2:]), data=st.data())
def test_any_flipped_bit_of_any_field_is_found(forged, column, data):
    with forged() as file:
        place = data.draw(st.sampled_from(file.places))
        (rowid,) = file.execute("SELECT rowid FROM event WHERE session = ? AND seq = ?", place).fetchone()
        where = f"SELECT typeof({column}), CAST({column} AS BLOB) FROM event WHERE rowid = ?"
        kind, content = file.execute(where, (rowid,)).fetchone()
        assume(content)
        position = data.draw(st.integers(0, len(content) - 1))
        flipped = bytearray(content)
        flipped[position] ^= 1 << data.draw(st.integers(0, 7))
        typed = {"text": "CAST(? AS TEXT)", "blob": "?", "integer": "CAST(CAST(? AS TEXT) AS INTEGER)"}[kind]
        file.execute(f"UPDATE event SET {column} = {typed} WHERE rowid = ?", (bytes(flipped), rowid))
        assume(file.execute(where, (rowid,)).fetchone() != (kind, content))

        assert file.only(file.broken(), place)


@few
@given(data=st.data())
def test_any_missing_record_is_found(forged, data):
    with forged() as file:
        place = data.draw(st.sampled_from(file.places))
        file.execute("DELETE FROM event WHERE session = ? AND seq = ?", place)

        assert file.only(file.broken(), place)


@few
@given(data=st.data())
def test_any_content_that_is_removed_without_telling_is_found(forged, data):
    with forged() as file:
        full = file.execute("SELECT session, seq FROM event WHERE body IS NOT NULL ORDER BY session, seq").fetchall()
        place = data.draw(st.sampled_from(full))
        file.execute("UPDATE event SET body = NULL, salt = NULL WHERE session = ? AND seq = ?", place)

        assert file.only(file.broken(), place)


@few
@given(data=st.data())
def test_any_two_records_that_changed_places_are_found(forged, data):
    with forged() as file:
        one, two = (data.draw(st.sampled_from(file.places)) for _ in range(2))
        assume(one != two)
        swap = "UPDATE event SET session = ?, seq = ? WHERE session = ? AND seq = ?"
        for target, source in ((("z", 99), one), (one, two), (two, ("z", 99))):
            file.execute(swap, (*target, *source))
        found = file.broken()

    first = {}
    for session, seq in sorted([one, two]):
        first.setdefault(session, seq)
    if AUDIT_SESSION in first:  # then nothing that it declares can be relied upon any more
        assert found[AUDIT_SESSION] == first[AUDIT_SESSION]
        assert set(first) <= set(found)
    else:
        assert found == first


@few
@given(seq=st.integers(1, 9), digest=st.binary(min_size=32, max_size=32), data=st.data())
def test_any_other_head_is_found(forged, seq, digest, data):
    with forged() as file:
        heads = file.execute("SELECT session FROM head ORDER BY session").fetchall()
        (session,) = data.draw(st.sampled_from(heads))
        file.execute("UPDATE head SET seq = ?, hash = ? WHERE session = ?", (seq, digest, session))

        assert set(file.broken()) == {session}


def test_a_session_that_is_removed_with_its_head_is_found_where_something_of_it_was_declared(forged):
    with forged() as file:
        declared = file.execute("SELECT 1 FROM head WHERE session = ?", (AUDIT_SESSION,)).fetchone()
        for table in ("event", "head"):
            file.execute(f"DELETE FROM {table} WHERE session = 'b'")

        assert ("b" in file.broken()) is (declared is not None)


OLD_FIELDS = st.lists(st.none() | st.binary(max_size=4), min_size=9, max_size=9)
TEXT = st.binary(max_size=4)
NUMBER = st.integers(0, 2**63 - 1)
FIELDS = st.tuples(
    NUMBER,
    NUMBER,
    st.binary(min_size=32, max_size=32),
    st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT, st.none() | TEXT, TEXT),
)


@given(OLD_FIELDS, OLD_FIELDS)
def test_different_fields_are_never_sealed_to_the_same_bytes_in_the_first_format(one, two):
    assert (seal_old(one) == seal_old(two)) is (one == two)


@given(FIELDS, FIELDS)
def test_different_fields_are_never_sealed_to_the_same_bytes(one, two):
    assert (seal(*one) == seal(*two)) is (one == two)


@given(FIELDS, st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=80))
def test_a_link_depends_on_what_came_before_and_on_the_key(fields, previous, key):
    assume(previous != GENESIS)
    links = [
        linker.link(before, seal(*fields))
        for linker in (Linker(), Linker(key), Linker(key + b"!"))
        for before in (GENESIS, previous)
    ]

    assert len(set(links)) == 6


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.none() | st.text("aé", max_size=3))
def test_a_record_is_sealed_as_its_fields_are(session, parent):
    record = record_of(envelope(session, 7, parent=parent), "tenant")
    texts = (record.scope, record.session, record.id, record.at, record.run, record.parent, record.kind)

    encoded = [None if text is None else text.encode() for text in texts]
    assert record.sealed == seal(7, record.step, record.body_hash, encoded)
    assert numbered(record, 8).sealed == seal(8, record.step, record.body_hash, encoded)


def test_the_hash_of_a_record_is_these_exact_bytes():
    """A file of years ago is verified by whatever runs then: this must never change."""
    record = record_of(envelope("s", 1, id="01J", at=START), "default")
    linked = {key: Linker(key).link(GENESIS, record.sealed) for key in (None, KEY)}
    sealed = (
        (1).to_bytes(8, "big")
        + (1).to_bytes(8, "big")
        + sha256(record.salt + record.body.encode()).digest()
        + b"".join(len(x).to_bytes(4, "big") for x in (b"default", b"s", b"01J", b"2025-01-31T12:00:00.123456Z", b"r1"))
        + b"\xff" * 4
        + (15).to_bytes(4, "big")
        + b"defaults01J2025-01-31T12:00:00.123456Zr1tool_call_ended"
    )

    assert record.sealed == sealed
    assert linked[None] == sha256(b"par record 2\n" + bytes(32) + sealed).digest()
    assert linked[KEY] == hmac.new(KEY, b"par record 3\n" + bytes(32) + sealed, "sha256").digest()


def test_the_hash_of_a_record_of_the_first_format_is_these_exact_bytes():
    fields = [b"s", b"1", b"01J", b"2025-01-31T12:00:00.123456Z", b"r1", None, b"1", b"tool_call_ended", b"{}"]

    sealed = seal_old(fields)

    assert sealed == (
        b"".join((-1 if x is None else len(x)).to_bytes(8, "big", signed=True) for x in fields)
        + b"s101J2025-01-31T12:00:00.123456Zr11tool_call_ended{}"
    )
    assert link_old(GENESIS, sealed) == sha256(bytes(32) + sealed).digest()


@few
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4)), max_size=12))
def test_whatever_is_appended_in_whatever_order_the_chains_stay_whole(tmp_path, appends):
    file = tmp_path / "x.db"
    file.unlink(missing_ok=True)
    expected = {"a": 0, "b": 0}
    with contextlib.closing(open_writer(file, "process", create=True)) as connection:
        items = [(record_of(envelope(name, seq, id=f"{name}{seq}"), "default"),) for name, seq in appends]
        results = write_batch(connection, Linker(), items)
        for (name, seq), result in zip(appends, results, strict=True):
            fits = seq <= expected[name] + 1
            expected[name] = max(expected[name], seq) if fits else expected[name]
            assert (result is None) is fits
            assert result is None or isinstance(result, StoreError)
        connection.text_factory = bytes
        job = check(connection, "default", Linker(), None, ())
        while (verification := advance(connection, job)) is None:
            pass
        assert verification.ok
        stored = dict(connection.execute("SELECT session, max(seq) FROM event GROUP BY session").fetchall())
    assert stored == {name.encode(): seq for name, seq in expected.items() if seq}
