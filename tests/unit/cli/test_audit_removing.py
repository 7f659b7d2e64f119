"""Removing contents and old events from the command line: asked for, on the record, and for good."""

import os
import pty
import sys

import anyio
import anyio.lowlevel
import pytest
from unit.cli.audit_scene import Place, Writer, objects, run, started, tool

from par.cli import _audit_remove
from par.cli._audit_ask import confirmed
from par.events import RecordsExpired, RecordsRedacted, Redacted
from par.persistence import AUDIT_SESSION


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ann")
    return Place(str(tmp_path / "audit.db")).fill(
        *Writer("a").all(started(said="For Jane Doe."), *tool(content="Jane Doe's cup"), *tool()),
        *Writer("b").all(*tool(content="a cup of JANE DOE")),
    )


def redacted(file, session):
    return [one.seq for one in file.events(session) if isinstance(one.event, Redacted)]


class TestRedact:
    def test_numbers_lists_and_ranges_name_events(self, file, capsys):
        code, lines, _ = run(
            capsys, "redact", "a", "--store", file.name, "--seq", "5", "--seq", "1,3-4", "--reason", "r", "--yes"
        )

        assert (code, lines) == (0, ["a: 4 events redacted: #1, #3, #4, #5"])
        assert redacted(file, "a") == [1, 3, 4, 5]
        assert run(capsys, "verify", file.name)[0] == 0

    def test_the_reason_and_who_are_recorded(self, file, capsys):
        run(capsys, "redact", "a", "--store", file.name, "--seq", "1", "--reason", "her wish", "--yes")
        run(capsys, "redact", "a", "--store", file.name, "--seq", "2", "--reason", "r", "--by", "bob", "--yes")

        told = [one.event for one in file.events(AUDIT_SESSION)]
        assert [(type(one), one.reason, one.by) for one in told] == [
            (RecordsRedacted, "her wish", "ann"), (RecordsRedacted, "r", "bob")
        ]  # fmt: skip

    def test_a_text_is_looked_for_in_one_session(self, file, capsys):
        _, lines, _ = run(
            capsys, "redact", "a", "--store", file.name, "--text", "jane doe", "--reason", "r", "--yes", "--json"
        )

        assert objects(lines) == [{"session": "a", "seqs": [1, 3], "redacted": 2}]
        assert redacted(file, "b") == []

    def test_a_text_is_looked_for_in_every_session_on_demand(self, file, capsys):
        _, lines, _ = run(
            capsys, "redact", "--all-sessions", "--store", file.name, "--text", "Jane Doe", "--reason", "r", "--yes"
        )

        assert lines == ["a: 2 events redacted: #1, #3", "b: 1 event redacted: #2"]

    def test_a_text_that_is_nowhere_is_said(self, file, capsys):
        _, lines, _ = run(
            capsys, "redact", "--all-sessions", "--store", file.name, "--text", "Bob", "--reason", "r", "--yes"
        )

        assert lines == ["no event holds the text"]

    @pytest.mark.parametrize(
        ("options", "code", "problem"),
        [
            (["--seq", "1", "--reason", "r", "--yes"], 2, "name a session"),
            (["a", "--all-sessions", "--text", "t", "--reason", "r", "--yes"], 2, "name a session"),
            (["--all-sessions", "--seq", "1", "--reason", "r", "--yes"], 2, "--text"),
            (["a", "--text", " ", "--reason", "r", "--yes"], 2, "must not be empty"),
            (["a", "--seq", "1", "--reason", " ", "--yes"], 2, "must not be empty"),
            (["a", "--seq", "99", "--reason", "r", "--yes"], 1, "99"),
            (["nobody", "--seq", "1", "--reason", "r", "--yes"], 1, "there is no session 'nobody'"),
            (["a", "--seq", "1", "--reason", "r"], 2, "no terminal to ask at: --yes"),
        ],
    )
    def test_what_cannot_be_is_one_line_and_removes_nothing(self, file, capsys, options, code, problem):
        found, lines, err = run(capsys, "redact", *options, "--store", file.name)

        assert (found, lines) == (code, [])
        assert problem in err and err.count("\n") == 1
        assert redacted(file, None) == []

    def test_nobody_redacts_anonymously(self, file, capsys, monkeypatch):
        for name in ("LOGNAME", "USER", "USERNAME"):
            monkeypatch.delenv(name, raising=False)

        code, _, err = run(capsys, "redact", "a", "--store", file.name, "--seq", "1", "--reason", "r", "--yes")

        assert (code, err) == (2, "par: who does it is recorded: say it with --by\n")

    @pytest.mark.parametrize("numbers", ["0", "x", "3-1", "1-", "1-9999999", ""])
    def test_numbers_that_are_none_are_refused(self, file, capsys, numbers):
        with pytest.raises(SystemExit) as stopped:
            run(capsys, "redact", "a", "--store", file.name, "--seq", numbers, "--reason", "r", "--yes")

        assert stopped.value.code == 2


class TestExpire:
    def test_what_is_older_is_removed_and_told(self, file, capsys):
        code, lines, _ = run(capsys, "expire", file.name, "--older-than", "90d", "--yes")

        assert (code, lines) == (0, ["7 events of 2 sessions removed"])
        assert [type(one.event) for one in file.events()] == [RecordsExpired, RecordsExpired]
        assert run(capsys, "verify", file.name)[0] == 0

    def test_one_session_is_expired_alone(self, file, capsys):
        _, lines, _ = run(capsys, "expire", file.name, "--older-than", "1h", "--session", "b", "--yes", "--json")

        assert objects(lines) == [{"sessions": 1, "events": 2}]
        assert len(file.events("a")) == 5

    def test_what_is_young_enough_stays(self, file, capsys):
        _, lines, _ = run(capsys, "expire", file.name, "--older-than", "5000w", "--yes")

        assert lines == ["0 events of 0 sessions removed"]

    def test_without_a_terminal_it_must_be_said(self, file, capsys):
        code, _, err = run(capsys, "expire", file.name, "--older-than", "90d")

        assert (code, err) == (2, "par: there is no terminal to ask at: --yes does it without asking\n")
        assert len(file.events()) == 7

    @pytest.mark.parametrize("command", ["expire", "redact"])
    def test_a_person_who_says_no_keeps_it(self, file, capsys, monkeypatch, command):
        asked = []

        async def no(question, *, yes):
            asked.append((question, yes))
            return False

        monkeypatch.setattr(_audit_remove, "confirmed", no)
        what = {
            "expire": [file.name, "--older-than", "90d"],
            "redact": ["a", "--seq=1,2", "--reason=r", "--store", file.name],
        }

        code, lines, _ = run(capsys, command, *what[command])

        assert (code, lines) == (1, [])
        assert "for good?" in asked[0][0] and asked[0][1] is False
        assert (len(file.events()), redacted(file, None)) == (7, [])


@pytest.mark.parametrize(
    ("before", "typed", "answer"),
    [("", "y\n", True), ("", "YES\n", True), ("", "\n", False), ("", "no\n", False), ("y\n", "n\n", False)],
)
def test_the_person_at_the_terminal_is_asked(before, typed, answer, monkeypatch, capsys):
    person, terminal = pty.openpty()
    os.write(person, before.encode())
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

        async def ask():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(type_when_asked)
                return await confirmed("Remove \x1b[2J?", yes=False)

        async def type_when_asked():
            while "[y/N]" not in (text := capsys.readouterr().err):
                await anyio.lowlevel.checkpoint()
            assert "\x1b" not in text
            os.write(person, typed.encode())

        assert anyio.run(ask) is answer
    os.close(person)
