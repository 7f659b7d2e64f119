"""Copying events into a file from the command line."""

import csv
import io
import sys
from datetime import UTC, datetime, timedelta

import pytest
from unit.cli.audit_scene import START, Place, Writer, run, tool, whole_run

from par.cli._audit_arguments import _moment
from par.cli._audit_export import Progress
from par.codec import loads
from par.events import Envelope, ToolProgress


@pytest.fixture
def file(tmp_path):
    return Place(str(tmp_path / "audit.db"))


def kinds(path):
    return [type(loads(Envelope, line).event).__name__ for line in path.read_text().split("\n")[:-1]]


def test_every_event_goes_to_standard_output_by_default(file, capsys):
    stored = whole_run()
    file.fill(*stored)

    code, lines, err = run(capsys, "export", file.name)

    assert (code, err) == (0, "")
    assert [loads(Envelope, line) for line in lines] == stored


def test_a_postgres_is_exported_alike(postgres_dsn, capsys, tmp_path):
    stored = whole_run()
    Place(postgres_dsn).fill(*stored)

    code, lines, _ = run(capsys, "export", "--store", postgres_dsn)
    run(capsys, "export", postgres_dsn, "-o", tmp_path / "out.jsonl")

    assert code == 0
    assert [loads(Envelope, line) for line in lines] == stored
    assert (tmp_path / "out.jsonl").read_text() == "\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("name", "options", "magic"),
    [
        ("out.csv", [], b'"session","seq"'),
        ("out.parquet", [], b"PAR1"),
        ("OUT.CSV", [], b'"session","seq"'),
        ("out.jsonl", [], b'{"id":'),
        ("out", [], b'{"id":'),
        ("out.csv", ["--format", "jsonl"], b'{"id":'),
    ],
)
def test_the_format_is_as_the_name_ends_unless_it_is_said(file, capsys, tmp_path, name, options, magic):
    file.fill(*whole_run())

    code, lines, err = run(capsys, "export", file.name, "-o", tmp_path / name, *options)

    assert (code, lines) == (0, [])
    assert err == f"par: 16 events exported to {str(tmp_path / name)!r}\n"
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_csv_on_standard_output_can_be_read_by_a_pipe(file, capsys):
    file.fill(*whole_run())

    _, lines, _ = run(capsys, "export", file.name, "--format", "csv")

    rows = list(csv.DictReader(io.StringIO("\n".join(lines), newline="")))
    assert [row["kind"] for row in rows][:2] == ["run_started", "model_call_started"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--session", "a"], ["ToolCallStarted", "ToolCallEnded"]),
        (["--kind", "tool_progress"], ["ToolProgress"]),
        (["--kind", "tool_progress", "--kind", "tool_call_ended"], ["ToolCallEnded", "ToolProgress"]),
        (["--since", "2025-02-01"], ["ToolProgress"]),
        (["--until", "2025-02-01T00:00Z"], ["ToolCallStarted", "ToolCallEnded"]),
        (["--since", "2025-01-31T13:00:00+01:00", "--until", "2025-01-31T12:00:00.1"], ["ToolCallStarted"]),
    ],
)
def test_only_what_is_asked_for_is_exported(file, capsys, tmp_path, options, found):
    late = Writer("b", start=START + timedelta(days=1))
    file.fill(*Writer("a").all(*tool()), late(ToolProgress(call_id="c", name="n", message="m")))

    run(capsys, "export", file.name, "-o", tmp_path / "out", *options)

    assert kinds(tmp_path / "out") == found


@pytest.mark.parametrize(
    ("options", "code", "problem"),
    [
        (["--kind", "teapot"], 2, "'teapot'"),
        (["--format", "parquet"], 2, "name it with -o"),
        (["--session", "nobody"], 1, "there is no session 'nobody'"),
        (["-o", "nowhere/out"], 2, "its folder does not exist"),
        (["-o", "."], 2, "no plain file"),
        (["-o", "audit.db"], 2, "is the audit itself"),
        (["-o", "audit.db-wal"], 2, "is the audit itself"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_file(file, capsys, tmp_path, monkeypatch, options, code, problem):
    monkeypatch.chdir(tmp_path)
    file.fill(*whole_run())
    before = sorted(tmp_path.iterdir())

    found, lines, err = run(capsys, "export", "audit.db", *options)

    assert (found, lines) == (code, [])
    assert problem in err and err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    assert run(capsys, "verify", file.name)[0] == 0


def test_without_pyarrow_the_extra_is_named(file, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file.fill(*whole_run())

    code, _, err = run(capsys, "export", file.name, "-o", tmp_path / "out.parquet")

    assert (code, err) == (2, 'par: pyarrow is not installed: run  pip install "par-sdk[parquet]"\n')


@pytest.mark.parametrize(
    "text", ["tea", "2025-13-01", "0d", "-3d", "9999999999d", "0001-01-01T00:00+23:00", "999999999w"]
)
def test_a_time_that_is_none_is_refused(file, text, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, "export", file.name, f"--since={text}")

    assert stopped.value.code == 2
    assert "is no " in capsys.readouterr().err


def test_an_age_is_so_long_ago():
    assert abs(datetime.now(UTC) - timedelta(days=7) - _moment("7d")) < timedelta(minutes=1)


def test_progress_is_for_people_at_a_terminal_and_leaves_nothing_behind(capsys, monkeypatch):
    class Steady:
        now_s = 0.0

        def steady_s(self):
            self.now_s += 0.3
            return self.now_s

    for terminal, shown in ((True, "\r\x1b[K2 of 9\r\x1b[K4 of 9\r\x1b[K"), (False, "")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        progress = Progress(Steady())
        for number in range(1, 5):
            progress.tell(f"{number} of 9")
        progress.done()
        assert capsys.readouterr().err == shown


def test_what_goes_to_a_terminal_cannot_steer_it(file, capsys, monkeypatch):
    file.fill(Writer().all(ToolProgress(call_id="c", name="n", message="\x9b2J\x1b[31m"))[0])
    monkeypatch.setattr("rich.console.Console.is_terminal", True)

    _, lines, _ = run(capsys, "export", file.name)

    assert "\x9b" not in lines[0] and "\x1b" not in lines[0]
    assert loads(Envelope, lines[0]).event.message == "\x9b2J\x1b[31m"
