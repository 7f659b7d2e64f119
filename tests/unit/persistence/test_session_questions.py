"""Among many thousand sessions, nothing that is asked often looks at all of them."""

import contextlib
import json
import re

import anyio
import pytest

from par.persistence import _sessions_postgres_read as postgres
from par.persistence import _sessions_sqlite_jobs as jobs
from par.persistence import _sessions_sqlite_read as sqlite
from par.persistence import _sessions_sqlite_remove as remove
from par.persistence import _sessions_sqlite_write as write
from par.persistence import open_postgres
from par.persistence._sqlite_file import open_writer

MANY = 20_000


def statements(module):
    """Return the statements of a module that look for rows."""
    found = {name: text for name, text in vars(module).items() if isinstance(text, str) and " scope = " in text}
    return {f"{module.__name__.rpartition('.')[2]}{name}": text for name, text in found.items()}


SQLITE = {name: text for module in (sqlite, jobs, write, remove) for name, text in statements(module).items()}
ONCE_A_DAY = "_sessions_sqlite_remove_EMPTY"
"""Expiry alone looks at all sessions of its scope."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    with contextlib.closing(open_writer(tmp_path_factory.mktemp("x") / "x.db", "process", create=True)) as connection:
        yield connection


@pytest.mark.parametrize("name", sorted(set(SQLITE) - {ONCE_A_DAY}))
def test_no_question_to_a_file_reads_a_whole_table(file, name):
    statement = SQLITE[name]
    named = re.findall(r":(\w+)", statement)
    given = dict.fromkeys(named) if named else [None] * statement.count("?")

    plan = file.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()

    assert [row[3] for row in plan if row[3].startswith("SCAN") or row[3].endswith("PRIMARY KEY (scope=?)")] == []


QUESTIONS = {
    "one": (postgres.ONE, ["'t'", "'s77'"]),
    "list": (postgres._LIST, ["'t'", "'s5'", "20"]),
    "list by state": (postgres._LIST_STATES, ["'t'", "'s5'", "20", "ARRAY['failed', 'running']"]),
    "idle": (postgres._IDLE, ["'t'", "now()", "20"]),
    "owners": (postgres._OWNERS, ["'t'"]),
    "left": (postgres._LEFT, ["'t'", "ARRAY['o1']", "20"]),
    "turns": (postgres.TURNS, ["'t'", "'s77'"]),
    "message": (postgres.OF_MESSAGE, ["'t'", "'s77'", "'m77'"]),
    "steps": (postgres.STEPS, ["'t'", "'s77'", "1"]),
    "inbox": (postgres.INBOX, ["'t'", "'s77'"]),
    "stops": (postgres.STOPS, ["'t'", "ARRAY['s77', 's78']"]),
    "pending": (postgres.APPROVALS, ["'t'", "NULL", "true"]),
    "approvals of one": (postgres.APPROVALS, ["'t'", "'s77'", "false"]),
}
FILL = (
    f"""
    INSERT INTO session (scope, id, agent, state, open, owner, fence, lease_until, waits_until, turns, created_at, updated_at)
    SELECT 't', 's' || n, 'a', CASE WHEN n % 100 = 0 THEN 'running' WHEN n % 997 = 0 THEN 'failed' ELSE 'completed' END,
        n % 100 = 0, 'o' || n % 7, 1, CASE WHEN n % 500 = 0 THEN now() END,
        CASE WHEN n % 200 = 0 THEN 'infinity'::timestamptz ELSE '-infinity' END, 1, now(), now()
    FROM generate_series(1, {MANY}) AS n
    """,
    f"""
    INSERT INTO turn (scope, session, number, id, state, message_id, ended_at, first_seq, last_seq, facts)
    SELECT 't', 's' || n, 1, 't' || n, 'completed', 'm' || n, now(), 1, 2, '{{}}' FROM generate_series(1, {MANY}) AS n
    """,
    f"""
    INSERT INTO step (scope, session, turn, ord, kind, status, attempt, label)
    SELECT 't', 's' || n, 1, 0, 'tool', 'done', 1, '[]' FROM generate_series(1, {MANY}) AS n
    """,
    f"""
    INSERT INTO signal (scope, session, id, name, body, at, turn, ord)
    SELECT 't', 's' || n, 'i' || n, 'steer', '{{}}', now(), 1, 0 FROM generate_series(1, {MANY}) AS n
    """,
    f"""
    INSERT INTO approval (scope, session, id, turn, ord, status, asked_at, body)
    SELECT 't', 's' || n, 'i' || n, 1, 0, CASE WHEN n % 500 = 0 THEN 'pending' ELSE 'approved' END, now(), '{{}}'
    FROM generate_series(1, {MANY}) AS n
    """,
    "ANALYZE session, turn, step, signal, approval",
)


@pytest.fixture(scope="module")
def full(postgres_server):
    """A database with many sessions, a few of which run or wait."""
    dsn = postgres_server.database()

    async def make():
        async with open_postgres(dsn):
            pass

    anyio.run(make)
    postgres_server.execute("SET search_path = par", "SET session_replication_role = replica", *FILL, dsn=dsn)
    return lambda *statements: postgres_server.execute("SET search_path = par", *statements, dsn=dsn)


def scanned(plan):
    """Return the tables that a plan reads from end to end."""
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for part in plan.get("Plans", ()) for name in scanned(part)]


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_question_to_postgres_reads_a_whole_table(full, name):
    statement, values = QUESTIONS[name]
    for place in reversed(range(len(values))):
        statement = statement.replace(f"${place + 1}", values[place])

    (row,) = full(f"EXPLAIN (FORMAT JSON) {statement}")
    (plan,) = json.loads(row[0])

    assert scanned(plan["Plan"]) == []
