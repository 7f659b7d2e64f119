"""The page on Postgres: its example, and the questions that auditors ask."""

import json
import re

import asyncpg
import pytest
from support.postgres_questions import PAGE, QUESTIONS, VALUES, scanned_whole
from unit.persistence.made import START, envelope

from par.events import BashInvoked, ModelAttempted, ToolCallEnded, ToolCallStarted
from par.persistence._postgres_open import open_postgres
from par.usage import Usage

pytestmark = pytest.mark.anyio

AT = START.replace(month=3, day=10)
EVENTS = (
    ToolCallStarted(call_id="call-7", name="weather", effect="read", arguments={"q": "é\x00 \ud83d"}),
    ToolCallEnded(call_id="call-7", name="weather", outcome="failed", content="x", duration_s=0.1),
    BashInvoked(call_id="call-8", op="grep", command={}, argv=("grep", "x"), risk="low", approved_by="ada"),
    ModelAttempted(
        call_id="m", attempt=1, model="model-a", outcome="answered", duration_s=1.0, usage=Usage(cost_micro=2_500_000)
    ),
)
EXPECTED = {
    "everything that happened in a session": (("s",), [1, 2, 3, 4]),
    "everything that happened in a run": (("r",), [1, 2, 3, 4]),
    "events of a kind in a span of time": (("tool_call_ended", AT, AT.replace(day=11)), [2]),
    "calls of a tool": (("weather", AT, AT.replace(day=11)), ["s"]),
    "what failed": ((AT, AT.replace(day=11)), ["tool_call_ended"]),
    "commands by what they do": (("grep", AT, AT.replace(day=11)), ["s"]),
    "cost per day and model": ((AT, AT.replace(day=11)), [2.5]),
    "who approved what": ((AT, AT.replace(day=11)), ["ada"]),
    "sessions by their last activity": ((), ["s"]),
    "where an id appears": (("call-7",), ["tool_call_started", "tool_call_ended"]),
}
COLUMNS = {
    "everything that happened in a run": "position",
    "calls of a tool": "session",
    "what failed": "kind",
    "commands by what they do": "session",
    "cost per day and model": "cost",
    "who approved what": "approved_by",
    "sessions by their last activity": "session",
    "where an id appears": "kind",
}


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": False})  # the questions are SQL; the store is tested on each elsewhere


@pytest.fixture
async def auditor(dsn, scope, anyio_backend):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append([envelope("s", seq, event=one, run="r", at=AT) for seq, one in enumerate(EVENTS, 1)])
    connection = await asyncpg.connect(dsn, server_settings={"par.scope": scope})
    yield connection
    await connection.close()


def test_the_page_has_the_ten_questions():
    assert set(QUESTIONS) == set(VALUES) == set(EXPECTED)
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("question", VALUES)
async def test_a_question_has_its_answer(auditor, question):
    values, expected = EXPECTED[question]

    rows = await auditor.fetch(QUESTIONS[question][0], *values)

    assert [row[COLUMNS.get(question, "seq")] for row in rows] == expected


@pytest.mark.parametrize("question", VALUES)
async def test_a_question_can_be_answered_by_an_index(auditor, question):
    # with so few rows reading all of them is cheaper; ``benchmarks.audit_postgres --questions`` asks of many
    await auditor.execute("SET enable_seqscan = off")

    plan = await auditor.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {QUESTIONS[question][0]}", *EXPECTED[question][0])

    assert scanned_whole(json.loads(plan)[0]["Plan"]) == []


async def test_reading_a_table_whole_is_noticed(auditor):
    plan = await auditor.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM par.audit WHERE step = 1")

    assert scanned_whole(json.loads(plan)[0]["Plan"]) == ["event_2025_03"]


async def test_what_jsonb_cannot_keep_is_readable_and_comes_back_as_it_was(auditor, dsn, scope):
    data = await auditor.fetchval("SELECT data #>> '{arguments,q}' FROM par.audit WHERE seq = 1 AND scope = $1", scope)
    async with open_postgres(dsn, scope=scope) as store:
        first = (await store.events("s"))[0]

    assert data == "é\ufffd \ufffd"
    assert first.event == EVENTS[0]


def test_the_example_runs(postgres_server, capsys, monkeypatch):
    (code,) = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    written = '"postgresql://par@localhost/audit"'
    assert written in code
    code = code.replace(written, repr(postgres_server.database()))
    monkeypatch.setattr("par.persistence.open_postgres", open_postgres, raising=False)

    exec(compile(code, str(PAGE), "exec"), {"__name__": "__main__"})

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" True")
    assert lines[1:] == ["1 RunStarted", *lines[2:-1], f"{lines[0].split()[0]} RunEnded"]
