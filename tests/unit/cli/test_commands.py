"""The command line as a user meets it: what it prints, and its exit codes."""

import json
import os
import re
import sqlite3
import subprocess
import sys

import pytest

from par.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home, no keys, no colours."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "XDG_STATE_HOME", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A small git repository to stand in."""
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "README.md").write_text("# Tea house\n\nIt serves tea.\n")
    (folder / "tea.py").write_text("class TeaPot:\n    'Pours.'\n")
    (folder / ".env").write_text("SECRET=hunter2\n")
    git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-C", str(folder)]
    env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (["init", "-q", "-b", "main"], ["add", "README.md", "tea.py"], ["commit", "-qm", "Open the house"]):
        subprocess.run([*git, *command], check=True, env=env, stdout=subprocess.DEVNULL)
    monkeypatch.chdir(folder)
    return folder


def test_the_demo_answers_from_the_repository_it_stands_in(repository, capsys):
    code = main(["demo"])

    out, err = capsys.readouterr()
    assert code == 0
    assert "offline model" in err
    assert "Tea house" in out
    assert "Open the house" in out
    assert "read_denied" in err and "not allowed" in out
    assert "hunter2" not in out + err
    assert re.search(r"audit: \d+ events, chain verified", err)


def test_the_demo_shows_each_call_as_it_happens(repository, capsys):
    main(["demo"])

    err = capsys.readouterr().err
    assert err.index("model    asked") < err.index("tool     bash list_dir") < err.index("run      finished")


def test_run_answers_a_question_and_writes_only_the_answer_to_standard_output(repository, capsys, tmp_path):
    code = main(["run", "Where is the `TeaPot`?", "--audit", str(tmp_path / "a" / "audit.db"), "--session", "tea-1"])

    out, err = capsys.readouterr()
    assert code == 0
    assert "tea.py:1" in out
    assert "tool " not in out
    assert "session tea-1" in err


def test_a_run_without_git_still_answers(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "notes.txt").write_text("tea\n")
    monkeypatch.chdir(folder)

    code = main(["run", "What is here?", "--workspace", str(folder)])

    assert code == 0
    assert "notes.txt" in capsys.readouterr().out


def test_a_folder_below_the_repository_finds_its_root(repository, capsys, monkeypatch):
    (repository / "deep").mkdir()
    monkeypatch.chdir(repository / "deep")

    main(["demo"])

    assert f"workspace: {repository}\n" in capsys.readouterr().err


def complaint(capsys, code, *argv):
    assert main(list(argv)) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return err


def test_an_unknown_provider_is_one_line_that_names_the_known_ones(repository, capsys):
    err = complaint(capsys, 2, "run", "x", "--model", "opnai:gpt-5")

    assert "unknown model 'opnai:gpt-5'" in err
    assert "anthropic, " in err


def test_a_model_without_a_provider_is_refused(repository, capsys):
    assert "provider:name" in complaint(capsys, 2, "run", "x", "--model", "gpt-5")


@pytest.mark.parametrize(
    ("model", "variable"), [("openai:gpt-5", "OPENAI_API_KEY"), ("anthropic:claude-sonnet-4-5", "ANTHROPIC_API_KEY")]
)
def test_a_missing_key_names_its_variable(repository, capsys, model, variable):
    assert variable in complaint(capsys, 2, "run", "x", "--model", model)


@pytest.mark.parametrize("extra", ["openai", "anthropic"])
def test_a_missing_extra_is_named(repository, capsys, monkeypatch, extra):
    for name in [name for name in sys.modules if name.partition(".")[0] == extra or name.startswith("par.providers.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, extra, None)

    assert f'pip install "par-sdk[{extra}]"' in complaint(capsys, 2, "run", "x", "--model", f"{extra}:some-model")


def test_the_command_lines_own_extra_is_named(repository, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich" or name.startswith("par.cli._")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    from par.cli._main import main as fresh

    assert fresh(["demo"]) == 2
    assert 'pip install "par-sdk[cli]"' in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["absent", "file"])
def test_a_workspace_that_is_no_folder_is_named(repository, capsys, kind):
    path = repository / ("nowhere" if kind == "absent" else "tea.py")

    assert str(path) in complaint(capsys, 2, "run", "x", "--workspace", str(path))


def test_a_failing_provider_ends_with_one_line(repository, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")

    err = complaint(capsys, 1, "run", "x", "--timeout", "1")

    assert "openai:gpt-5-mini" in err


@pytest.mark.parametrize(
    "argv", [[], ["run"], ["audit"], ["nonsense"], ["audit", "tail", "-n", "0"], ["demo", "--timeout", "x"]]
)
def test_wrong_use_exits_with_2_and_usage(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)

    assert stopped.value.code == 2
    assert "usage: par" in capsys.readouterr().err


def test_help_names_the_exit_codes(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])

    assert "3  the audit chain is broken" in capsys.readouterr().out


def test_the_version_is_that_of_the_distribution(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])

    assert re.fullmatch(r"par \d+\.\d+\.\d+\n", capsys.readouterr().out)


class TestAudit:
    @pytest.fixture
    def audit(self, repository, tmp_path, capsys):
        path = tmp_path / "audit.db"
        assert main(["demo", "--audit", str(path)]) == 0
        capsys.readouterr()
        return path

    def test_verify_counts_the_events(self, audit, capsys):
        assert main(["audit", "verify", str(audit)]) == 0
        assert re.fullmatch(r"audit: \d+ events in 1 session, chain verified\n", capsys.readouterr().out)

    def test_the_default_file_is_the_one_that_runs_write(self, repository, capsys, home):
        main(["demo"])
        assert (home / ".local/state/par/audit.db").exists()
        capsys.readouterr()

        assert main(["audit", "verify"]) == 0

    def test_tail_prints_the_last_events_in_order(self, audit, capsys):
        assert main(["audit", "tail", str(audit), "-n", "3"]) == 0

        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 3
        assert "run      finished" in lines[-1]

    def test_tail_as_json_is_one_object_a_line(self, audit, capsys):
        assert main(["audit", "tail", str(audit), "-n", "1000", "--json"]) == 0

        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[0]["event"]["type"] == "run_started"

    def test_a_session_that_is_not_there_is_empty(self, audit, capsys):
        assert main(["audit", "tail", str(audit), "--session", "nobody"]) == 0
        assert capsys.readouterr().out == ""

    def test_a_changed_record_is_found_and_named(self, audit, capsys):
        with sqlite3.connect(audit) as connection:
            triggers = connection.execute("select name from sqlite_master where type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.execute(f'drop trigger "{name}"')
            (table,) = next(
                (
                    row
                    for row in connection.execute(
                        "select name from sqlite_master where type = 'table' and sql like '%hash%' and name like '%event%'"
                    )
                ),
            )
            connection.execute(
                f"update {table} set body = replace(body, 'README', 'README2') where seq = 1"
            )  # the question may not name it
            connection.execute(f"update {table} set body = body || ' ' where seq = 2")
        connection.close()

        assert main(["audit", "verify", str(audit)]) == 3
        assert "is broken at event" in capsys.readouterr().out

    def test_a_file_that_is_something_else_is_refused_and_kept(self, tmp_path, capsys):
        path = tmp_path / "notes.txt"
        path.write_text("tea")

        assert "not an audit file" in complaint(capsys, 1, "audit", "verify", str(path))
        assert path.read_text() == "tea"

    def test_an_absent_file_is_not_created(self, tmp_path, capsys):
        path = tmp_path / "none.db"

        complaint(capsys, 1, "audit", "tail", str(path))

        assert not path.exists()


def test_an_interrupt_ends_the_run_and_the_program(repository, home):
    script = (
        "import signal, os, threading\n"
        "from par.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a parent in the background ignores it
        "threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "raise SystemExit(main(['run', 'x', '--model', 'openai:gpt-5']))\n"
    )
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env = {**os.environ, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/v1"}
        done = subprocess.run(
            [sys.executable, "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False
        )

    assert "Traceback" not in done.stderr
    assert done.returncode == 130
    assert "interrupted" in done.stderr
