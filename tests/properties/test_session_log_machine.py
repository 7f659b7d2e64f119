"""Three owners of two sessions, of which any may freeze, die, wake again and repeat itself, while the clock jumps.

A model of what a session log promises runs beside it: at most one owner writes under each fence, fences grow, what was
acknowledged stays, and what is refused leaves nothing behind. The machine is also run on logs into which a bug was
planted, to show that it would find one.
"""

from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.from_thread
import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support.session_log import Hands, ended, signal, started, step, turn
from unit.persistence.made import envelopes

from par._durable.log import Change, Lease, Totals
from par.errors import (
    LeaseLost,
    NoSuchSession,
    NothingToResume,
    SessionBusy,
    SessionError,
    SessionUnfinished,
    StoreError,
)
from par.persistence import _sessions_sqlite_jobs, _sessions_sqlite_write, open_postgres, open_sqlite

LEASE_S = 30.0
ACTORS = st.integers(0, 2)
NAMES = st.sampled_from(["a", "b"])
USES = ["commit", "commit", "commit", "repeat", "end", "renew", "release"]
"""What only somebody does who has, or had, a lease."""
KINDS = [*USES, "acquire", "take over", "take over", "together", "pass", "die", "send"]


@attrs.define
class Known:
    """What the model knows of a session."""

    lease: Lease
    until: float
    held: bool = True
    turns: int = 0
    open: bool = False
    steps: dict = attrs.Factory(dict)
    """Status and attempt of the steps of the last turn, by ordinal."""
    events: int = 0
    total: int = 0
    waiting: list = attrs.Factory(list)


@attrs.define
class Actor:
    """A process: the leases that it believes to have, and what it did last under each."""

    leases: dict = attrs.Factory(dict)
    last: dict = attrs.Factory(dict)


class SessionLogMachine(RuleBasedStateMachine):
    """The log of a scope that no other example uses; ``bench`` has the database, and calls what is async."""

    bench = None
    count = 0

    @initialize()
    def start(self):
        self.names = {name: f"{name} {self.bench.examples}" for name in "ab"}
        self.bench.examples += 1
        self.hands = self.bench.hands
        self.hands.dead.clear()
        self.logs = [log.on(self.hands.machine, self.hands.clock) for log in self.bench.logs]
        self.known = {}
        self.fences = {}
        self.actors = [Actor(), Actor(), Actor()]
        self.time = 0.0

    def call(self, function, *args, **kwargs):
        return self.bench.call(function, *args, **kwargs)

    def _log(self, actor):
        return self.logs[actor % len(self.logs)]

    def _is_free(self, known):
        return not known.held or known.until <= self.time or known.lease.owner in self.hands.dead

    def _expected(self, known, wants):
        if known is None:
            return None if wants == "new" else NoSuchSession
        if not self._is_free(known):
            return SessionBusy
        if wants == "new" and known.open:
            return SessionUnfinished
        return NothingToResume if wants == "open" and not known.open else None

    def acquire(self, actor, name, wants):
        log, session, known = self._log(actor), self.names[name], self.known.get(name)
        expected = self._expected(known, wants)
        owner = self.call(log.identity)
        refused, found = None, None
        try:
            found = self.call(log.acquire, session, owner, lease_s=LEASE_S, wants=wants, agent="agent")
        except SessionError as error:
            refused = type(error)
        assert refused is expected
        if found is None:
            return
        assert found.lease.fence == (1 if known is None else known.lease.fence + 1)
        assert (found.lease.owner, found.lease.fence) not in self.fences.setdefault(name, set())
        self.fences[name].add((found.lease.owner, found.lease.fence))
        if known is None:
            known = self.known[name] = Known(lease=found.lease, until=0.0)
            known.events = found.seq
        known.lease, known.until, known.held = found.lease, self.time + LEASE_S, True
        assert (found.seq, found.info.turns, found.open is not None) == (known.events, known.turns, known.open)
        assert {one.ordinal: (one.status, one.attempt) for one in found.steps} == (known.steps if known.open else {})
        self.actors[actor].leases[name] = found.lease
        self.actors[actor].last.pop(name, None)

    def take_over(self, actor, name):
        """Whoever owns the session has frozen: it keeps its lease, and does not know that it is worth nothing."""
        self.let_pass(LEASE_S + 1)
        self.acquire(actor, name, "any" if name in self.known else "new")

    def _leases(self, actor):
        return self.actors[actor].leases

    def _commit(self, actor, name, change, events):
        """Commit what is new, whoever owns the session, and follow in the model."""
        known, log = self.known.get(name), self._log(actor)
        mine = known is not None and known.lease == change.lease
        self.actors[actor].last[name] = (change, events, mine)
        try:
            waits = self.call(log.commit, change, events)
        except LeaseLost:
            assert not mine
            return
        assert mine
        self._follow(known, change, events)
        assert waits is bool(known.waiting)

    def _follow(self, known, change, events):
        if change.turn is not None:
            if change.turn.number > known.turns:
                known.turns, known.steps = change.turn.number, {}
            known.open = change.turn.is_open
        for one in change.steps:
            if known.steps.get(one.ordinal, ("started",))[0] == "started":
                known.steps[one.ordinal] = (one.status, one.attempt)
        if change.totals is not None:
            known.total = change.totals.steps
        known.waiting = [one for one in known.waiting if one not in change.takes]
        known.events += len(events)
        known.held = known.held and not change.releases

    def _events(self, name, number):
        known = self.known.get(name)
        first = known.events + 1 if known else 1
        return envelopes(self.names[name], number, first=first)

    def commit(self, data, actor, name):
        lease, known = self._leases(actor)[name], self.known.get(name)
        fields = {}
        if known is None or not known.open:
            fields["turn"] = turn((known.turns if known else 0) + 1)
        number = fields["turn"].number if "turn" in fields else known.turns
        done, ordinal = data.draw(st.booleans()), data.draw(st.integers(0, 3))
        self.count += 1
        make = {"kind": "tool"} if done else {}
        fields["steps"] = ((step if done else started)(ordinal, turn=number, attempt=self.count, **make),)
        if known is not None and data.draw(st.booleans()):
            fields["takes"] = dict.fromkeys(known.waiting[:1], ordinal)
        releases = data.draw(st.integers(0, 7)) == 0
        change = Change(lease=lease, totals=Totals(steps=self.count), releases=releases, **fields)
        self._commit(actor, name, change, self._events(name, data.draw(st.integers(0, 2))))

    def end_the_turn(self, actor, name):
        lease, known = self._leases(actor)[name], self.known.get(name)
        if known is None or not known.open:
            return
        change = Change(lease=lease, turn=ended(turn(known.turns)), clears_results=True)
        self._commit(actor, name, change, self._events(name, 1))

    def repeat(self, actor, name):
        """Who was not told the outcome asks for the same once more, whoever owns the session meanwhile."""
        change, events, was_done = self.actors[actor].last.get(name, (None, (), False))
        known = self.known.get(name)
        if change is None or known is None:
            return
        mine = known.lease == change.lease
        if mine and not events:
            return  # without events it is only for the very next commit to be repeated
        refused = None
        try:
            self.call(self._log(actor).commit, change, events)
        except StoreError as error:
            refused = error
        if was_done and events:
            assert refused is None
        else:
            assert isinstance(refused, StoreError)
            assert isinstance(refused, LeaseLost) is not mine

    def all_at_once(self, name):
        """Of all that write at once, those with a former lease are refused, and nobody else."""
        known, results = self.known.get(name), {}
        writers = [one for one in range(3) if name in self._leases(one)]
        if known is None or not known.open or not writers:
            return
        changes = {}
        for one in writers:
            self.count += 1
            done = (step(one, turn=known.turns, kind="tool", attempt=self.count),)
            changes[one] = Change(lease=self._leases(one)[name], steps=done, totals=Totals(steps=self.count))

        async def attempt(one):
            try:
                results[one] = await self.logs[0].commit(changes[one], [])
            except LeaseLost:
                results[one] = None

        async def together():
            async with anyio.create_task_group() as tasks:
                for one in writers:
                    tasks.start_soon(attempt, one)

        self.call(together)
        for one in writers:
            mine = known.lease == changes[one].lease
            assert (results[one] is not None) is mine
            if mine:
                self._follow(known, changes[one], [])

    def renew(self, actor, seconds):
        leases = self._leases(actor)
        lost = self.call(self._log(actor).renew, list(leases.values()), lease_s=seconds)
        expected = {self.names[name] for name, lease in leases.items() if not self._is_owner(name, lease)}
        assert lost == expected
        for name, lease in leases.items():
            if self._is_owner(name, lease) and self.known[name].held:
                self.known[name].until = self.time + seconds

    def _is_owner(self, name, lease):
        return name in self.known and self.known[name].lease == lease

    def release(self, actor, name, forgets):
        """Who does not forget a lease that it gave up goes on with it."""
        lease = self._leases(actor)[name]
        if forgets:
            del self._leases(actor)[name]
        self.call(self._log(actor).release, lease)
        if self._is_owner(name, lease):
            self.known[name].held = False
            if not self.known[name].turns:
                del self.known[name]

    def let_pass(self, seconds):
        self.time += seconds
        self.bench.pass_s(seconds)

    def die(self, actor):
        """The process ends; another one begins in its place."""
        self.hands.dead.update(lease.owner for lease in self._leases(actor).values())
        self.actors[actor] = Actor()

    def send(self, name, kind):
        sent, known = signal(kind), self.known.get(name)
        if known is None:
            with pytest.raises(NoSuchSession):
                self.call(self.logs[0].send, self.names[name], sent)
            return
        self.call(self.logs[0].send, self.names[name], sent)
        known.waiting.append(sent.id)

    # one rule of many kinds, because each example leaves some of the rules out

    @rule(data=st.data(), actor=ACTORS, name=NAMES, kind=st.sampled_from(KINDS))
    def act(self, data, actor, name, kind):
        mine = sorted(self._leases(actor))
        if kind in USES and mine:
            name = data.draw(st.sampled_from(mine))
        elif kind in USES:
            kind = "acquire"
        match kind:
            case "acquire":
                self.acquire(actor, name, data.draw(st.sampled_from(["new", "open", "any"])))
            case "take over":
                self.take_over(actor, name)
            case "commit":
                self.commit(data, actor, name)
            case "repeat":
                self.repeat(actor, name)
            case "end":
                self.end_the_turn(actor, name)
            case "together":
                self.all_at_once(name)
            case "renew":
                self.renew(actor, data.draw(st.sampled_from([1.0, 30.0])))
            case "release":
                self.release(actor, name, data.draw(st.booleans()))
            case "pass":
                self.let_pass(data.draw(st.sampled_from([0.5, 10.0, 31.0, 1000.0])))
            case "die":
                self.die(actor)
            case _:
                self.send(name, data.draw(st.sampled_from(["steer", "cancel"])))

    @invariant()
    def all_that_was_acknowledged_is_there(self):
        log = self.logs[-1]
        due = {one.id for one in self.call(log.due)}
        for name, session in self.names.items():
            known, info = self.known.get(name), self.call(log.session, session)
            if known is None:
                assert info is None
                continue
            steps = self.call(log.steps, session, known.turns)
            assert {one.ordinal: (one.status, one.attempt) for one in steps} == known.steps
            assert (info.turns, info.steps) == (known.turns, known.total)
            assert (info.owner is None) is self._is_free(known)
            assert (session in due) is (known.open and self._is_free(known))
            assert self.call(self.bench.stores[0].last_seq, session) == known.events
            assert len(self.call(log.inbox, session)) + len(self.call(log.stops, [session])) <= len(known.waiting)


class Bench:
    """A database that several stores have open, and an event loop in a thread."""

    def __init__(self, portal, stores, hands, forward):
        self.portal = portal
        self.stores = stores
        self.logs = [store.session_log() for store in stores]
        self.hands = hands
        self.examples = 0
        self._forward = forward

    def call(self, function, *args, **kwargs):
        return self.portal.call(lambda: function(*args, **kwargs))

    def pass_s(self, seconds):
        self.hands.pass_s(seconds)
        self._forward(seconds)


def run(opened, steps, examples, forward=lambda _: None, phases=(Phase.generate,)):
    """Run the machine on two stores of one database."""

    @asynccontextmanager
    async def two():
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(opened()) for _ in range(2)]

    with anyio.from_thread.start_blocking_portal() as portal, portal.wrap_async_context_manager(two()) as stores:

        class Machine(SessionLogMachine):
            bench = Bench(portal, stores, Hands(), forward)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                phases=phases,
                suppress_health_check=list(HealthCheck),
                database=None,
                print_blob=False,
            ),
        )


def test_a_file_keeps_what_it_promises(tmp_path):
    run(lambda: open_sqlite(tmp_path / "x.db", durability="process"), steps=30, examples=30)


def test_postgres_keeps_what_it_promises(postgres_server):
    dsn = postgres_server.database()

    def forward(seconds):
        moved = f"UPDATE par.session SET lease_until = lease_until - interval '{seconds} s'"
        postgres_server.execute(moved, dsn=dsn)

    run(lambda: open_postgres(dsn), steps=20, examples=5, forward=forward)


FENCED = "AND owner = :owner AND fence = :fence"


@pytest.mark.parametrize(
    ("module", "statement", "right", "wrong"),
    [
        (_sessions_sqlite_write, ("_COUNT", "_CHANGE"), FENCED, ""),
        (_sessions_sqlite_jobs, ("_TAKE",), "fence = fence + 1", "fence = fence + 0"),
        (_sessions_sqlite_jobs, ("_RENEW",), "AND owner = ? AND fence = ?", "AND ? <> '' AND ? > 0"),
        (_sessions_sqlite_write, ("_STEP",), "WHERE status = 'started'", ""),
    ],
    ids=["no fence", "the same fence", "renew", "done"],
)
def test_a_bug_would_be_found(tmp_path, monkeypatch, module, statement, right, wrong):
    for name in statement:
        found = getattr(module, name)
        assert right in found
        monkeypatch.setattr(module, name, found.replace(right, wrong))

    with pytest.raises((AssertionError, StoreError, BaseExceptionGroup)):
        run(lambda: open_sqlite(tmp_path / "x.db", durability="process"), steps=30, examples=150)
