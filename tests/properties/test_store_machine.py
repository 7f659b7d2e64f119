"""Several writers of one file that crash, repeat themselves and have clocks of their own: what was acknowledged stays.

The machine works on the functions that run in the threads of the connections. It is also run on stores into which a bug
was planted, to show that it would find one.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from unit.persistence.made import START, envelope

from par._clock import Clock
from par.codec import time_text
from par.events import ToolProgress
from par.persistence import _sqlite_remove, _sqlite_write
from par.persistence._chain import AUDIT_SESSION, Linker, record_of
from par.persistence._own_records import Scribe
from par.persistence._sqlite_file import open_reader, open_writer
from par.persistence._sqlite_read import last_seq, read_heads_of
from par.persistence._sqlite_remove import find_old, remove_contents, remove_fronts
from par.persistence._sqlite_verify import advance, check
from par.persistence._sqlite_write import Plan, write_batch

SESSIONS = ["a", "b"]
NAMES = st.sampled_from(SESSIONS)
WRITERS = st.integers(0, 2)
SCOPES = st.sampled_from(["default", "tenant"])


class Crash(BaseException):
    """The process ends here."""


class StoreMachine(RuleBasedStateMachine):
    """Three processes, each with a connection; a model of what they were told is stored."""

    sent = Bundle("sent")

    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "x.db"
        self.linkers = {"default": Linker(), "tenant": Linker(b"a key of 16 bytes or more")}
        self.connections = [open_writer(self.file, "process", create=True) for _ in range(3)]
        self.clocks = [START, START, START]
        self.acknowledged = {}
        self.posted = set()
        self.expired = {}
        self.redacted = set()
        self.heads = {}
        self.ids = 0

    def teardown(self):
        for connection in self.connections:
            connection.close()
        shutil.rmtree(self.folder)

    def _write(self, writer, scope, items):
        return write_batch(self.connections[writer], self.linkers[scope], items)

    def _acknowledge(self, scope, envelopes):
        for one in envelopes:
            self.acknowledged.setdefault((scope, one.session, one.seq), one.id)

    def _made(self, writer, session, seq):
        self.ids += 1
        return envelope(session, seq, id=f"id-{self.ids}", at=self.clocks[writer], content=f"content {self.ids}")

    @rule(
        target=sent,
        writer=WRITERS,
        scope=SCOPES,
        session=NAMES,
        number=st.integers(1, 3),
        ahead=st.sampled_from([0, 0, 0, 1]),
    )
    def append(self, writer, scope, session, number, ahead):
        seq = last_seq(self.connections[writer], scope, session) + 1 + ahead
        envelopes = [self._made(writer, session, seq + offset) for offset in range(number)]
        (result,) = self._write(writer, scope, [tuple(record_of(one, scope) for one in envelopes)])
        assert (result is None) is (ahead == 0)
        if result is None:
            self._acknowledge(scope, envelopes)
        return scope, envelopes

    @rule(sent=sent, writer=WRITERS)
    def send_again(self, sent, writer):
        scope, envelopes = sent
        (result,) = self._write(writer, scope, [tuple(record_of(one, scope) for one in envelopes)])
        stored = all(self.acknowledged.get((scope, one.session, one.seq)) == one.id for one in envelopes)
        gone = any(one.seq <= self.expired.get((scope, one.session), 0) for one in envelopes)
        if result is None:
            self._acknowledge(scope, envelopes)
        else:
            assert gone or not stored

    @rule(target=sent, writer=WRITERS, scope=SCOPES, session=NAMES, stale=st.integers(1, 3))
    def append_with_a_stale_number(self, writer, scope, session, stale):
        seq = max(1, last_seq(self.connections[writer], scope, session) + 1 - stale)
        one = self._made(writer, session, seq)
        (result,) = self._write(writer, scope, [(record_of(one, scope),)])
        if result is None:
            assert (scope, session, seq) not in self.acknowledged
            self._acknowledge(scope, [one])
        return scope, [one]

    @rule(writer=WRITERS, scope=SCOPES, session=NAMES, times=st.integers(1, 2))
    def post(self, writer, scope, session, times):
        scribe = Scribe(scope, Clock(now=lambda: self.clocks[writer]))
        record = scribe.record(ToolProgress(call_id="c", name="n", message="m"), session, "")
        before = last_seq(self.connections[writer], scope, session)
        for _ in range(times):  # who does not know whether it was stored tries again
            assert self._write(writer, scope, [(record,)]) == [None]
        assert last_seq(self.connections[writer], scope, session) == before + 1
        self.acknowledged[scope, session, before + 1] = record.id

    @rule(target=sent, writer=WRITERS, scope=SCOPES, session=NAMES, statement=st.integers(1, 8))
    def crash_in_a_commit(self, writer, scope, session, statement):
        seq = last_seq(self.connections[writer], scope, session) + 1
        envelopes = [self._made(writer, session, seq), self._made(writer, session, seq + 1)]
        self.connections[writer].close()

        class Dying(sqlite3.Connection):
            left = statement

            def _step(self):
                Dying.left -= 1
                if Dying.left == 0:
                    raise Crash

            def execute(self, *arguments):
                self._step()
                return super().execute(*arguments)

            def executemany(self, *arguments):
                self._step()
                return super().executemany(*arguments)

        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None, factory=Dying)) as connection:
            try:
                items = [tuple(record_of(one, scope) for one in envelopes)]
                write_batch(connection, self.linkers[scope], items)
            except Crash:
                pass
            else:
                self._acknowledge(scope, envelopes)
        self.connections[writer] = open_writer(self.file, "process", create=False)
        return scope, envelopes

    @rule(writer=WRITERS, days=st.integers(-20, 20))
    def clock_jumps(self, writer, days):
        self.clocks[writer] += timedelta(days=days)

    def _tell(self, writer, scope):
        return Scribe(scope, Clock(now=lambda: self.clocks[writer])).tell

    @precondition(lambda self: self.acknowledged)
    @rule(writer=WRITERS, data=st.data())
    def redact(self, writer, data):
        here = [key for key in sorted(self.acknowledged) if key[2] > self.expired.get(key[:2], 0)]
        if not here:
            return
        scope, session, seq = data.draw(st.sampled_from(here))
        connection, linker = self.connections[writer], self.linkers[scope]
        remove_contents(connection, linker, self._tell(writer, scope), scope, session, [seq], "r", "x")
        self.redacted.add((scope, session, seq))

    @rule(writer=WRITERS, scope=SCOPES, days=st.integers(-5, 5))
    def expire(self, writer, scope, days):
        connection, before = self.connections[writer], time_text(START + timedelta(days=days))
        left = tuple(name.decode() if isinstance(name, bytes) else name for name in self._old(scope, before))
        while left:
            left = remove_fronts(connection, self.linkers[scope], self._tell(writer, scope), scope, before, left).left
        for session in SESSIONS:
            where = "SELECT min(seq) FROM event WHERE scope = ? AND session = ?"
            (first,) = connection.execute(where, (scope, session)).fetchone()
            gone = last_seq(connection, scope, session) if first is None else first - 1
            assert gone >= self.expired.get((scope, session), 0)
            self.expired[scope, session] = gone

    def _old(self, scope, before):
        with contextlib.closing(open_reader(self.file)) as reader:
            return find_old(reader, scope, before, None)

    @rule(scope=SCOPES)
    def export_heads(self, scope):
        with contextlib.closing(open_reader(self.file)) as reader:
            self.heads[scope] = (*self.heads.get(scope, ()), *read_heads_of(reader, scope))[-20:]

    @invariant()
    def nothing_acknowledged_is_missing_and_nothing_is_there_twice(self):
        rows = self.connections[0].execute("SELECT scope, session, seq, id, body IS NULL FROM event").fetchall()
        stored = {row[:3]: row[3] for row in rows if row[1] != AUDIT_SESSION}
        wanted = {key: name for key, name in self.acknowledged.items() if key[2] > self.expired.get(key[:2], 0)}
        assert stored == wanted
        assert len({(row[0], row[3]) for row in rows}) == len(rows)
        bare = {row[:3] for row in rows if row[4]}
        assert bare == {key for key in self.redacted if key in wanted}

    @invariant()
    def every_chain_is_whole(self):
        with contextlib.closing(open_reader(self.file)) as reader:
            for scope, linker in self.linkers.items():
                job = check(reader, scope, linker, None, self.heads.get(scope, ()))
                while (verification := advance(reader, job)) is None:
                    pass
                assert verification.ok, verification.broken
                assert verification.unkeyed == ()


def run(examples, phases=tuple(Phase)):
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples,
            phases=phases,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=False,
        ),
    )


def test_no_sequence_of_writes_crashes_and_removals_breaks_a_chain():
    run(30)


def no_fence(self, item):
    """Continue the chain with whatever number the record has."""
    return REAL_ADD(self, tuple(one._replace(seq=0) for one in item))


def no_repeat(self, record, rows):
    """Store an event that nobody numbered however often it comes, under another id."""
    return False


def never_there(self, record, rows):
    """Refuse what is stored already."""
    return False


def always_there(self, record, rows):
    """Take a number that is stored for the same event."""
    return True


@contextlib.contextmanager
def no_transaction(connection):
    yield


def untold(connection, linker, records):
    return records


REAL_ADD = Plan.add
BUGS = {
    "no fence on numbers": (Plan, "add", no_fence),
    "posted twice": (Plan, "_has_id", no_repeat),
    "a repetition is refused": (Plan, "_is_there", never_there),
    "another event is taken for a repetition": (Plan, "_is_there", always_there),
    "no transaction": (_sqlite_write, "transaction", no_transaction),
    "no head is written": (Plan, "_new_heads", lambda self, first: []),
    "a removal that is not told": (_sqlite_remove, "_tell", untold),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(monkeypatch, bug):
    monkeypatch.setattr(*BUGS[bug])

    with pytest.raises((AssertionError, sqlite3.Error)):
        run(200, [Phase.generate])  # found is found: the shortest way there is not needed
