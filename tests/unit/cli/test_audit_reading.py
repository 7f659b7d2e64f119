"""What people and programs read of an audit: tail, show, sessions, stats."""

import re
from datetime import timedelta

import anyio
import pytest
from unit.cli.audit_scene import LONG, START, Place, Writer, ended, failed_run, objects, run, started, tool, whole_run

from par import Agent, RunContext, Runtime
from par import tool as as_tool
from par.codec import encode
from par.events import ToolProgress
from par.persistence import open_sqlite
from par.testing import ScriptedModel, call, say


@pytest.fixture
def file(tmp_path):
    return Place(str(tmp_path / "audit.db"))


class TestTail:
    def test_the_last_events_of_all_sessions_come_in_the_order_of_storage(self, file, capsys):
        a, b = Writer("a").all(*tool(), *tool()), Writer("b").all(*tool())
        file.fill(*a[:3], *b, a[3])

        code, lines, _ = run(capsys, "tail", file.name, "-n", 3, "--json")

        assert code == 0
        assert objects(lines) == [encode(one) for one in (*b, a[3])]

    def test_the_last_events_of_a_session_are_its_own(self, file, capsys):
        a, b = Writer("a").all(*tool(), *tool()), Writer("b").all(*tool())
        file.fill(*a, *b)

        _, lines, _ = run(capsys, "tail", file.name, "-n", 3, "--session", "a", "--json")

        assert objects(lines) == [encode(one) for one in a[1:]]

    def test_another_scope_of_the_file_is_between_and_not_shown(self, file, capsys):
        mine, others = Writer("mine").all(*tool(), *tool()), Writer("theirs").all(*(tool() * 50))
        file.fill(*mine[:2]).fill(*others, scope="other").fill(*mine[2:])

        _, lines, _ = run(capsys, "tail", file.name, "-n", 4, "--json")
        _, theirs, _ = run(capsys, "tail", file.name, "-n", 1, "--scope", "other", "--json")

        assert objects(lines) == [encode(one) for one in mine]
        assert objects(theirs) == [encode(others[-1])]

    @pytest.mark.parametrize("message", ["\x1b[31mred\x9b2J\x85\u2028.", "\x9b\u2028 half a pair: \ud800"])
    def test_what_an_event_holds_cannot_steer_the_terminal_nor_end_the_line(self, file, capsys, message):
        file.fill(Writer().all(ToolProgress(call_id="c", name="n", message=message))[0])

        _, plain, _ = run(capsys, "tail", file.name)
        code, lines, _ = run(capsys, "tail", file.name, "--json")

        assert code == 0
        assert not re.search(r"[\x1b\x9b]", plain[0])
        assert len("".join(lines).splitlines()) == 1
        assert not re.search(r"[\x7f-\x9f]", lines[0])
        assert objects(lines)[0]["event"]["message"] == message


class TestShow:
    def test_a_run_is_told_with_times_calls_waits_tokens_cost_and_the_answer(self, file, capsys):
        file.fill(*whole_run())

        code, lines, _ = run(capsys, "show", "tea", file.name)

        text = "\n".join(lines)
        assert code == 0
        assert lines[0].startswith("session tea: 16 events, 2025-01-31 12:00:00 to")
        assert "run run-1  agent brewer, model kettle:1" in text
        assert "began 2025-01-31 12:00:00.000000 UTC" in text
        assert "Make tea." in text
        assert "+0.200 s           waited 1.5 s for the rate limit" in text
        assert "attempt 1 with kettle:1 failed: Overloaded" in text
        assert "retried after Overloaded, in 0.5 s" in text
        assert "asks for 1 tool (300 ms), 617 tokens, cost 0.002800" in text
        assert "command  ls: ls -l (risk low, wall none, approved by ann)" in text
        assert "ls exit code 2, 1,234 bytes out, 5 bytes err (20 ms)" in text
        assert "bash done: two cups (50 ms)" in text
        assert "stove failed: it is off" in text
        assert "run      finished after 2 model calls, 1,234 tokens, cost 0.005600, 1.25 s" in text
        assert lines[-3:] == ["answer", "  Here is", "  your tea."]

    def test_long_arguments_are_cut_unless_all_is_wanted(self, file, capsys):
        file.fill(*whole_run())

        _, short, _ = run(capsys, "show", "tea", file.name)
        _, full, _ = run(capsys, "show", "tea", file.name, "--full")

        assert not any(LONG in line for line in short)
        assert sum(LONG in line for line in full) == 1

    def test_a_long_answer_is_cut_unless_all_is_wanted(self, file, capsys):
        file.fill(*whole_run(answer="\n".join(f"line {number}" for number in range(50))))

        _, short, _ = run(capsys, "show", "tea", file.name)
        _, full, _ = run(capsys, "show", "tea", file.name, "--full")

        assert "  ... 30 more lines: --full shows all" in short
        assert any(line.strip() == "line 49" for line in full)

    def test_a_run_that_failed_says_why(self, file, capsys):
        file.fill(*failed_run(Writer()))

        _, lines, _ = run(capsys, "show", "tea", file.name)

        assert "run      failed: Overloaded no steam after 2 model calls" in "\n".join(lines)

    def test_times_begin_anew_with_each_run_of_a_session(self, file, capsys):
        writer = Writer()
        first = failed_run(writer)
        writer.run = "run-2"
        file.fill(*first, *failed_run(writer))

        _, lines, _ = run(capsys, "show", "tea", file.name, "--json")

        assert [(one["run"], one["offset_s"]) for one in objects(lines)] == [
            ("run-1", 0.0), ("run-1", 0.1), ("run-2", 0.0), ("run-2", 0.1)
        ]  # fmt: skip

    def test_runs_that_a_run_started_stand_inside_it_and_other_sessions_do_not(self, file, capsys):
        outer = Writer("tea").all(started(), *tool(), ended())
        inside = START + timedelta(seconds=0.15)
        inner = Writer("inner", "run-2", parent="run-1", start=inside).all(started("helper"))
        deeper = Writer("deeper", "run-3", parent="run-2", start=inside).all(started("scout"))
        stranger = Writer("stranger", "run-9", start=inside).all(started("stranger"))
        file.fill(*outer, *inner, *deeper, *stranger)

        _, lines, _ = run(capsys, "show", "tea", file.name, "--json")
        _, plain, _ = run(capsys, "show", "tea", file.name)

        assert [(one["session"], one["depth"]) for one in objects(lines)] == [
            ("tea", 0), ("tea", 0), ("inner", 1), ("deeper", 2), ("tea", 0), ("tea", 0)
        ]  # fmt: skip
        assert "    run run-2  agent helper, model kettle:1" in plain
        assert "        run run-3  agent scout, model kettle:1" in plain

    def test_an_agent_that_another_one_asks_is_shown_inside_it(self, file, capsys):
        helper = Agent(ScriptedModel([say("green")]), name="helper")

        @as_tool
        async def ask(ctx: RunContext) -> str:
            """Ask the helper."""
            return (await helper.run("which tea?", parent=ctx)).output

        async def record():
            async with open_sqlite(file.name) as store, Runtime(store=store) as runtime:
                outer = Agent(ScriptedModel([call("ask"), say("green tea")]), name="outer", tools=[ask])
                await runtime.run(outer, "tea?", session="tea")

        anyio.run(record)

        _, lines, _ = run(capsys, "show", "tea", file.name)

        text = "\n".join(lines)
        assert text.index("agent outer") < text.index("    run ") < text.index("agent helper") < text.index("ask done")

    def test_a_redacted_event_keeps_its_place_and_its_kind(self, file, capsys):
        file.fill(*whole_run())
        file.ask(lambda store: store.redact("tea", seqs=[8], reason="r", by="b"))

        code, lines, _ = run(capsys, "show", "tea", file.name)

        assert code == 0
        assert "+0.700 s  redacted tool_call_started" in "\n".join(lines)

    def test_a_session_whose_front_has_expired_is_told_from_where_it_is(self, file, capsys):
        file.fill(*whole_run())
        file.ask(lambda store: store.expire(before=START + timedelta(seconds=0.75)))

        code, lines, _ = run(capsys, "show", "tea", file.name)

        assert code == 0
        assert "finished after 2 model calls" in "\n".join(lines)

    def test_a_session_that_is_not_there_is_named(self, file, capsys):
        file.fill(*whole_run())

        code, _, err = run(capsys, "show", "nobody", file.name)

        assert code == 1
        assert err == f"par: there is no session 'nobody' in the scope 'default' of {file.name!r}\n"

    def test_colours_are_for_terminals_alone(self, file, capsys, monkeypatch):
        file.fill(*whole_run())

        _, plain, _ = run(capsys, "show", "tea", file.name)
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        _, coloured, _ = run(capsys, "show", "tea", file.name)

        assert "\x1b[" not in "\n".join(plain)
        assert "\x1b[" in "\n".join(coloured)


def test_sessions_are_listed_with_their_times(file, capsys):
    file.fill(*Writer("late", start=START + timedelta(days=1)).all(*tool()), *Writer("early").all(*tool(), *tool()))

    _, lines, _ = run(capsys, "sessions", file.name)
    _, documents, _ = run(capsys, "sessions", file.name, "--json")

    assert lines == ["2025-01-31 12:00:00        4 early", "2025-02-01 12:00:00        2 late"]
    assert objects(documents)[0] == {
        "session": "early",
        "events": 4,
        "first_at": "2025-01-31T12:00:00.000000Z",
        "last_at": "2025-01-31T12:00:00.300000Z",
    }


class TestStats:
    @pytest.fixture(params=["sqlite", "postgres"])
    def place(self, request, tmp_path):
        if request.param == "postgres":
            return Place(request.getfixturevalue("postgres_dsn"))
        return Place(str(tmp_path / "audit.db"))

    def test_kinds_runs_tokens_cost_tools_and_time_are_counted(self, place, capsys):
        place.fill(*whole_run(), *failed_run(Writer("other", "run-2")))

        code, lines, _ = run(capsys, "stats", place.name, "--json")

        (found,) = objects(lines)
        assert code == 0
        assert (found["events"], found["sessions"], found["redacted"]) == (18, 2, 0)
        assert (found["first_at"], found["last_at"]) == ("2025-01-31T12:00:00.000000Z", "2025-01-31T12:00:01.500000Z")
        assert found["kinds"]["model_attempted"] == 3
        assert found["runs"] == {"started": 2, "ended": {"finished": 1, "failed": 1}}
        used = {"input_tokens": 1200, "output_tokens": 34, "total_tokens": 1234, "cost_micro": 5600}
        assert found["usage"] == used
        assert found["models"] == {"kettle:1": {"requests": 3, "failed": 1, **used}}
        assert found["tools"] == {"bash": {"calls": 1, "failed": 0}, "stove": {"calls": 1, "failed": 1}}

    def test_people_read_the_same_numbers(self, file, capsys):
        file.fill(*whole_run())

        _, lines, _ = run(capsys, "stats", file.name)

        assert "events    16 in 1 session" in lines
        assert "tokens    1,234, cost 0.005600" in lines
        assert "           1  stove, 1 failed" in lines
        assert "           3  requests to kettle:1, 1 failed: 1,200 in, 34 out, cost 0.005600" in lines

    def test_one_session_can_be_counted_alone(self, file, capsys):
        file.fill(*whole_run(), *failed_run(Writer("other")))

        _, lines, _ = run(capsys, "stats", file.name, "--session", "other", "--json")

        assert objects(lines)[0]["kinds"] == {"run_started": 1, "run_ended": 1}

    def test_a_redacted_event_counts_as_what_it_was(self, file, capsys):
        file.fill(*whole_run())
        file.ask(lambda store: store.redact("tea", seqs=[1], reason="r", by="b"))

        _, lines, _ = run(capsys, "stats", file.name, "--session", "tea", "--json")

        assert objects(lines)[0]["kinds"]["run_started"] == 1
        assert objects(lines)[0]["redacted"] == 1

    def test_an_empty_store_has_zeros_and_every_key(self, file, capsys):
        file.fill()

        _, lines, _ = run(capsys, "stats", file.name, "--json")

        found = objects(lines)[0]
        assert (found["events"], found["first_at"], found["models"], found["tools"]) == (0, None, {}, {})
