"""The arithmetic of a shared window, against a model that knows every grant and looks at each window as a whole.

The machine works on the jobs that run in SQLite. It is also run on arithmetic into which an error was planted, to show
that it would find one. The functions in Postgres, whose clock the test holds as well, must say the same as the jobs.
"""

import random
import shutil
import sqlite3
import tempfile
from itertools import count
from pathlib import Path

import anyio
import asyncpg
import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.shared_limits import add_tables, open_postgres_limits

from par.limits import Limit
from par.persistence import _limiter_window as window
from par.persistence._limiter import Ticket
from par.persistence._limiter_window import Place
from par.persistence._processes import Machine

US = 1_000_000
PER_S = 10.0
TRANSIT_S = 1.0
LIMIT = Limit(requests=3, tokens=100, per_s=PER_S, transit_s=TRANSIT_S)
LEASE_US = 30 * US


@attrs.define
class World:
    """A machine whose clock the test holds, and which of its processes live."""

    steady: int = 5_000 * US
    wall: int = 1_000_000 * US
    boot: str = "first"
    dead: set = attrs.Factory(set)

    def seen_by(self, process):
        return Machine(
            boot=self.boot,
            me=process,
            steady_us=lambda: self.steady,
            wall_us=lambda: self.wall,
            is_alive=lambda owner: owner not in self.dead,
        )


@attrs.define
class Call:
    """What the model knows of a call."""

    number: int
    owner: str
    tokens: int
    requests: int = 1
    granted: int | None = None
    counts_from: int | None = None
    settled: bool = False


class WindowMachine(RuleBasedStateMachine):
    """Two processes, a clock, deaths and restarts of the machine."""

    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp())
        self.connection = sqlite3.connect(self.folder / "x.db", isolation_level=None)
        add_tables(self.connection)
        self.world = World()
        self.numbers = count(1)
        self.line = []
        self.calls = {}
        self.names = count(1)
        self.processes = ["p1", "p2"]

    def teardown(self):
        self.connection.close()
        shutil.rmtree(self.folder)

    def place(self, owner):
        return Place("s", "k", self.world.seen_by(owner), LEASE_US)

    def counting(self):
        horizon = self.world.steady - round(PER_S * US)
        return [call for call in self.calls.values() if call.granted is not None and call.counts_from > horizon]

    def has_room(self, call):
        counting = self.counting()
        requests = sum(one.requests for one in counting) + 1
        tokens = sum(one.tokens for one in counting) + call.tokens
        # settled calls may have used more than was reserved; then nothing is granted until the window is empty
        return not counting or (requests <= LIMIT.requests and tokens <= LIMIT.tokens)

    def expected(self, owner, asked):
        """Whom the model grants, and in which order, when the process asks for its calls."""
        granted = [call for call in asked if call.granted is not None]
        self.line += [call for call in asked if call.granted is None and call not in self.line]
        self.line = [call for call in self.line if call in asked or call.owner not in self.world.dead]
        while self.line and self.line[0] in asked and self.has_room(self.line[0]):
            call = self.line.pop(0)
            self._grant(call)
            granted.append(call)
        for call in granted:
            call.counts_from = self.world.steady + round(TRANSIT_S * US)
        return [call.number for call in granted]

    def _grant(self, call):
        call.granted = self.world.steady
        call.counts_from = self.world.steady + round(TRANSIT_S * US)

    @rule(who=st.integers(0, 1), new=st.lists(st.integers(0, 120), max_size=3))
    def ask(self, who, new):
        owner = self.processes[who]
        for tokens in new:
            call = Call(next(self.numbers), owner, min(tokens, LIMIT.tokens))
            self.calls[call.number] = call
            self.line.append(call)
        asked = [call for call in self.line if call.owner == owner]
        tickets = tuple(Ticket(call.number, call.tokens) for call in asked)

        turn = window.advance(self.connection, self.place(owner), LIMIT, tickets)

        assert list(turn.granted) == self.expected(owner, asked)
        own = [place for place, call in enumerate(self.line) if call in asked]
        if own:
            assert turn.ahead == own[0]
            assert turn.early_s <= turn.sure_s or turn.sure_s == 0

    @precondition(lambda self: any(call.granted is not None and not call.settled for call in self.calls.values()))
    @rule(data=st.data(), requests=st.integers(1, 2), tokens=st.integers(0, 130))
    def settle(self, data, requests, tokens):
        open_calls = [call for call in self.calls.values() if call.granted is not None and not call.settled]
        call = data.draw(st.sampled_from(open_calls))

        window.settle(self.connection, self.place(call.owner), call.number, requests, tokens)

        if call in self.counting():
            call.requests, call.tokens = requests, tokens
            call.counts_from = min(call.counts_from, self.world.steady)
        call.settled = True

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def withdraw(self, data):
        call = data.draw(st.sampled_from(self.line))

        window.withdraw(self.connection, self.place(call.owner), LIMIT, Ticket(call.number, call.tokens))

        self.line.remove(call)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 9.0, 10.0]))
    def time_passes(self, seconds):
        self.world.steady += round(seconds * US)
        self.world.wall += round(seconds * US)
        # everybody gives signs of life
        for owner in self.processes:
            asked = [call for call in self.line if call.owner == owner]
            tickets = tuple(Ticket(call.number, call.tokens) for call in asked)
            turn = window.advance(self.connection, self.place(owner), LIMIT, tickets)
            assert list(turn.granted) == self.expected(owner, asked)

    @rule(who=st.integers(0, 1))
    def a_process_dies(self, who):
        self.world.dead.add(self.processes[who])
        self.processes[who] = f"q{next(self.names)}"

    @rule(hours=st.sampled_from([-5, 5]))
    def the_time_of_day_is_changed(self, hours):
        self.world.wall += hours * 3600 * US

    @rule(steady=st.integers(0, 20_000), off=st.sampled_from([0, 1, 4, 600]))
    def the_machine_is_started_anew(self, steady, off):
        """Its processes are dead; its steady clock begins anew; the time of day goes on."""
        self.world.dead.update(self.processes)
        self.processes = [f"q{next(self.names)}" for _ in range(2)]
        self.world.wall += off * US
        # the last look at the clocks was at the last job, so the model goes by a look of its own
        before = self.connection.execute("SELECT latest, wall FROM limiter").fetchone()
        if before is not None:
            shift = before[0] - steady * US + max(0, self.world.wall - before[1])
            for call in self.calls.values():
                if call.counts_from is not None:
                    call.counts_from -= shift
        self.world.steady = steady * US
        self.world.boot += "+"
        window.heed(self.connection, self.place(self.processes[0]), None, None, 0.0)

    @invariant()
    def sums_are_those_of_the_places(self):
        if not hasattr(self, "connection"):
            return
        row = self.connection.execute("SELECT requests, tokens FROM limiter").fetchone()
        places = "SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0) FROM limiter_place WHERE at IS NOT NULL"
        if row is not None:
            assert row == self.connection.execute(places).fetchone()


MANY = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_the_window_grants_what_a_simple_model_grants():
    run_state_machine_as_test(WindowMachine, settings=MANY)


def _expire_early(self, limit):
    self.now += US
    REAL["expire"](self, limit)
    self.now -= US


def _forget(self, limit):
    requests = self.requests
    REAL["expire"](self, limit)
    self.requests = max(self.requests, min(requests, 1))


REAL = {"expire": window._Window.expire}


PLANTED = {
    "the window is a second short": ("expire", _expire_early),
    "the totals forget what left": ("expire", _forget),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_machine_finds_a_planted_error(name, monkeypatch):
    method, wrong = PLANTED[name]
    monkeypatch.setattr(window._Window, method, wrong)

    with pytest.raises((AssertionError, sqlite3.Error)):
        run_state_machine_as_test(WindowMachine, settings=settings(MANY, phases=[Phase.generate], max_examples=200))


CLOCK = """
    CREATE OR REPLACE FUNCTION limiter_clock() RETURNS bigint LANGUAGE sql VOLATILE
    RETURN current_setting('par.clock')::bigint
"""


class Both:
    """The same steps, in SQLite and in Postgres; their answers are compared."""

    def __init__(self, chance, connection, postgres, scope):
        self.chance = chance
        self.connection = connection
        self.postgres = postgres
        self.world = World()
        self.place = Place(scope, "k", attrs.evolve(self.world.seen_by("me"), is_alive=lambda owner: None), LEASE_US)
        self.waiting = []
        self.granted = []
        self.numbers = count(1)

    async def ask(self):
        for _ in range(self.chance.randint(0, 3)):
            wait = self.chance.choice([None, None, 0.5, 9.0])
            self.waiting.append(Ticket(next(self.numbers), self.chance.randint(0, 120), wait))
        asked = self.chance.sample(self.waiting, self.chance.randint(0, len(self.waiting)))

        turn = window.advance(self.connection, self.place, LIMIT, tuple(asked))
        row = await self.postgres.fetchrow(
            "SELECT * FROM rate_advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", "k", LIMIT.requests, LIMIT.tokens,
            round(PER_S * US), round(TRANSIT_S * US), "me", LEASE_US, [one.number for one in asked],
            [one.tokens for one in asked], [one.max_wait_s and round(one.max_wait_s * US) for one in asked],
        )  # fmt: skip

        refused = {number: delay / US for number, delay in zip(row["refused"], row["delays"], strict=True)}
        assert (tuple(row["granted"]), refused) == (turn.granted, turn.refused)
        assert (row["ahead"] or 0, (row["sure_us"] or 0) / US) == (turn.ahead, turn.sure_s)
        assert (row["learned_requests"], row["learned_tokens"]) == turn.told
        self.granted += turn.granted
        self.waiting = [one for one in self.waiting if one.number not in (*turn.granted, *turn.refused)]

    async def settle(self):
        number = self.chance.choice(self.granted or [0])
        requests, tokens = self.chance.randint(1, 2), self.chance.randint(0, 130)
        window.settle(self.connection, self.place, number, requests, tokens)
        await self.postgres.fetchval("SELECT rate_settle('k', $1, $2, $3)", number, requests, tokens)

    async def withdraw(self):
        if not self.waiting:
            return
        ticket = self.waiting.pop(self.chance.randrange(len(self.waiting)))
        late = window.withdraw(self.connection, self.place, LIMIT, ticket)
        values = ("k", ticket.number, LIMIT.requests, LIMIT.tokens, round(PER_S * US), ticket.tokens)
        assert await self.postgres.fetchval("SELECT rate_withdraw($1, $2, $3, $4, $5, $6)", *values) / US == late

    async def heed(self):
        told = [self.chance.choice([None, 1, 2, 5]), self.chance.choice([None, 50, 1000])]
        hold_s = self.chance.choice([0.0, 0.0, 3.0])
        window.heed(self.connection, self.place, *told, hold_s)
        await self.postgres.fetchval("SELECT rate_heed('k', $1, $2, $3)", *told, round(hold_s * US))

    async def time_passes(self):
        self.world.steady += round(self.chance.choice([0.1, 1, 5, 9, 10, 40, -3]) * US)
        await self.postgres.execute(f"SET par.clock = {self.world.steady}")


async def same_answers(dsn, folder, seed):
    chance = random.Random(seed)
    connection = sqlite3.connect(folder / f"{seed}.db", isolation_level=None)
    add_tables(connection)
    postgres = await asyncpg.connect(dsn, server_settings={"search_path": "par", "par.scope": f"s{seed}"})
    try:
        await postgres.execute(CLOCK)
        both = Both(chance, connection, postgres, f"s{seed}")
        await postgres.execute(f"SET par.clock = {both.world.steady}")
        for _ in range(150):
            step = chance.choices([both.ask, both.settle, both.withdraw, both.heed, both.time_passes], [5, 4, 1, 1, 4])[
                0
            ]
            await step()
        assert both.granted
    finally:
        await postgres.close()
        connection.close()


async def make_tables(dsn):
    async with open_postgres_limits(dsn):
        pass


def test_postgres_says_the_same_as_sqlite(postgres_dsn, tmp_path):
    anyio.run(make_tables, postgres_dsn)

    for seed in range(8):
        anyio.run(same_answers, postgres_dsn, tmp_path, seed)
