"""``par bash``: checking, running and listing commands, as a user meets it."""

import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
import threading

import pytest

from par.cli import main
from par.tools.bash import Linter, Policy, PythonHost, Task, TestRunner, parse_command, planned_argv, schema_of_op
from par.tools.bash._commands.table import COMMANDS
from par.tools.bash._run.hosted_verify import verify_hosted
from par.tools.bash._run.verify import verify

PYTHON = sys.executable


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home, and no colours."""
    for name in ("XDG_STATE_HOME", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small git repository to stand in."""
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "tea.txt").write_text("oolong\nsencha\n")
    git = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-C", str(folder)]
    env = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Open the house"]):
        subprocess.run([*git, *command], check=True, env=env, stdout=subprocess.DEVNULL)
    monkeypatch.chdir(folder)
    return folder


def bash(capsys, *argv):
    """Run ``par bash`` and return its exit code, standard output and standard error."""
    code = main(["bash", *argv])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def events(path):
    with sqlite3.connect(path) as connection:
        (table,) = connection.execute(
            "select name from sqlite_master where type = 'table' and sql like '%body%' and name like '%event%'"
        ).fetchone()
        found = [json.loads(body) for (body,) in connection.execute(f"select body from {table} order by rowid")]
    connection.close()
    return found


class TestCheck:
    def test_a_command_that_is_allowed_is_told_with_its_argv(self, folder, capsys):
        code, out, _ = bash(capsys, "check", '{"op": "git_log", "rev": "main", "max_count": 3}')

        lines = dict(line.split(":", 1) for line in out.splitlines())
        assert code == 0
        assert lines["decision"].strip() == "allowed"
        assert lines["risk"].strip() == "low"
        assert lines["effects"].strip() == "read"
        assert lines["wall"].strip() == "not needed"
        assert json.loads(lines["command"]) == {"op": "git_log", "rev": "main", "max_count": 3}
        argv = json.loads(lines["argv"])
        assert argv[0].endswith("/git")
        assert "<commit of main>" in argv
        assert "--max-count=3" in argv

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ('{"op": "rm"}', "unknown_op"),
            ('{"op": "read_file", "path": "../x"}', "path_parent"),
            ('{"op": "read_file", "path": ".env"}', "read_denied"),
            ('{"op": "make_dir", "path": "x"}', "denied_by_policy"),
            ("ls -la", "bad_json"),
        ],
    )
    def test_a_refusal_is_told_and_exits_with_1(self, folder, capsys, text, code):
        exit_code, out, _ = bash(capsys, "check", text)

        assert exit_code == 1
        assert out.startswith("decision: refused\n")
        assert f"[bash:{code}]" in out

    def test_what_needs_an_approval_and_a_wall_says_so(self, folder, capsys):
        code, out, _ = bash(capsys, "check", "--policy", "execute", '{"op": "run_python", "script": "a.py"}')

        assert code == 0
        assert "decision: needs an approval: run_python has high risk." in out
        assert "wall:     needed" in out
        assert "<file a.py>" in out

    def test_it_runs_nothing(self, folder, capsys):
        bash(capsys, "check", "--policy", "coder", '{"op": "make_dir", "path": "made"}')

        assert not (folder / "made").exists()
        assert not (folder.parent / ".local").exists()

    def test_it_reads_the_command_from_standard_input(self, folder, capsys, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.StringIO('{"op": "list_dir"}'))

        code, out, _ = bash(capsys, "check", "-")

        assert code == 0
        assert "<native list_dir>" in out

    def test_what_is_no_text_is_wrong_use(self, folder, capsys, monkeypatch):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))

        code, _, err = bash(capsys, "check", "-")

        assert code == 2
        assert "no text" in err

    def test_controls_in_a_command_do_not_reach_the_terminal(self, folder, capsys):
        _, out, _ = bash(capsys, "check", '{"op": "rm\\u001b[2J"}')

        assert "\x1b" not in out


class TestRun:
    def test_the_output_goes_to_standard_output_and_is_recorded(self, folder, capsys, tmp_path):
        audit = tmp_path / "deep" / "audit.db"

        code, out, _ = bash(capsys, "run", '{"op": "read_file", "path": "tea.txt"}', "--audit", str(audit))

        assert code == 0
        assert out == "oolong\nsencha\n"
        assert main(["audit", "verify", str(audit)]) == 0
        invoked, completed = events(audit)
        assert "bash_invoked" in json.dumps(invoked)
        assert "bash_completed" in json.dumps(completed)

    def test_two_runs_are_two_sessions_of_the_default_file(self, folder, capsys, home):
        for _ in range(2):
            bash(capsys, "run", '{"op": "list_dir"}')

        assert main(["audit", "verify"]) == 0
        assert "4 events in 2 sessions" in capsys.readouterr().out

    def test_a_command_that_fails_exits_with_1_and_says_its_code(self, folder, capsys):
        code, out, err = bash(capsys, "run", '{"op": "grep", "pattern": "coffee"}')

        assert (code, out) == (1, "")
        assert "exit code 1" in err
        assert "Nothing was found" in err

    def test_a_refusal_goes_to_standard_error(self, folder, capsys):
        code, out, err = bash(capsys, "run", '{"op": "read_file", "path": "absent"}')

        assert (code, out) == (1, "")
        assert err.startswith("par: [bash:path_not_found]")

    def test_the_whole_result_is_one_json_object(self, folder, capsys):
        code, out, _ = bash(capsys, "run", "--json", '{"op": "git_status"}')

        result = json.loads(out)
        assert code == 0
        assert result["op"] == "git_status"
        assert result["exit_code"] == 0
        assert result["argv"][0][0].endswith("/git")

    def test_the_workspace_is_the_folder_that_is_named(self, folder, capsys, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        (other / "only-here").touch()

        _, out, _ = bash(capsys, "run", '{"op": "list_dir"}', "--workspace", str(other))

        assert out == "only-here\n"

    def test_the_policy_decides(self, folder, capsys):
        make = '{"op": "make_dir", "path": "made"}'

        assert bash(capsys, "run", make)[0] == 1
        assert not (folder / "made").exists()
        assert bash(capsys, "run", make, "--policy", "coder")[0] == 0
        assert (folder / "made").is_dir()

    def test_yes_approves_and_is_recorded(self, folder, capsys, tmp_path):
        (folder / "d").mkdir()
        remove = '{"op": "remove", "paths": ["d"], "recursive": true}'

        code, _, _ = bash(capsys, "run", remove, "--policy", "coder", "--yes", "--audit", str(tmp_path / "a.db"))

        assert code == 0
        assert not (folder / "d").exists()
        assert '"--yes"' in json.dumps(events(tmp_path / "a.db")[0])

    @pytest.mark.parametrize("said", ["y\n", "yes\n"])
    def test_a_pipe_cannot_approve(self, folder, capsys, monkeypatch, said):
        (folder / "d").mkdir()
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))

        code, _, err = bash(capsys, "run", '{"op": "remove", "paths": ["d"], "recursive": true}', "--policy", "coder")

        assert code == 1
        assert "no terminal" in err
        assert (folder / "d").exists()


class TestAsking:
    """At a real terminal: a pseudo-terminal whose other end is the test."""

    REMOVE = '{"op": "remove", "paths": ["d"], "recursive": true}'

    def asked(self, folder, *before, answer):
        """Run the program at a terminal, type ``before`` at once and ``answer`` after the question."""
        (folder / "d").mkdir()
        ours, theirs = pty.openpty()
        for text in before:
            os.write(ours, text)
        argv = [PYTHON, "-m", "par.cli", "bash", "run", "--policy", "coder", self.REMOVE]
        env = {**os.environ, "NO_COLOR": "1"}
        with subprocess.Popen(
            argv, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=env, cwd=folder
        ) as process:
            os.close(theirs)
            guard = threading.Timer(30, process.kill)
            guard.start()
            seen = b""
            while b"[y/N]" not in seen:
                seen += os.read(ours, 4096)
            os.write(ours, answer)
            process.stdout.read()
            code = process.wait()
            guard.cancel()
        os.close(ours)
        return code, seen.decode()

    def test_a_yes_lets_it_run_and_the_question_shows_the_command(self, folder):
        code, seen = self.asked(folder, answer=b"y\n")

        assert code == 0
        assert not (folder / "d").exists()
        assert '"recursive":true' in seen
        assert "risk high" in seen

    @pytest.mark.parametrize("answer", [b"\n", b"n\n", b"yess\n", b"\x04"])
    def test_anything_else_does_not(self, folder, answer):
        code, _ = self.asked(folder, answer=answer)

        assert code == 1
        assert (folder / "d").exists()

    def test_what_was_typed_before_the_question_is_no_answer(self, folder):
        code, _ = self.asked(folder, b"y\ny\n", answer=b"n\n")

        assert code == 1
        assert (folder / "d").exists()


class TestCommands:
    def test_all_are_listed_with_an_example_that_can_be_checked(self, capsys):
        code, out, _ = bash(capsys, "commands")

        lines = out.splitlines()
        assert code == 0
        assert [line.split()[0] for line in lines[::2]] == list(COMMANDS)
        assert [type(parse_command(line)) for line in lines[1::2]]

    def test_a_policy_lists_its_own(self, capsys):
        _, out, _ = bash(capsys, "commands", "--policy", "read_only")

        assert "read_file" in out
        assert "make_dir" not in out

    def test_one_command_is_told_with_its_fields(self, capsys):
        code, out, _ = bash(capsys, "commands", "copy")

        assert code == 0
        assert "src            text of up to 4096 characters, required." in out
        assert "overwrite      true or false (default false)." in out
        assert 'Example: {"op":"copy","src":"a.py","dst":"b.py"}' in out

    def test_an_unknown_one_is_wrong_use(self, capsys):
        code, _, err = bash(capsys, "commands", "rm")

        assert code == 2
        assert "no command 'rm'" in err


@pytest.mark.parametrize("argv", [["bash"], ["bash", "check"], ["bash", "run"], ["bash", "run", "{}", "--policy", "x"]])
def test_wrong_use_exits_with_2(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)

    assert stopped.value.code == 2


class TestPlanned:
    """The plan of a command is what runs, but for what only the run knows."""

    POLICY = Policy.coder(
        execute=True,
        python=PythonHost(python=PYTHON),
        runners=[TestRunner.pytest(PYTHON)],
        linters=[Linter.ruff("/usr/bin/ruff")],
        tasks=[Task(name="build", argv=("/usr/bin/make", "all"))],
    )
    OIDS = iter(range(10**9))

    def filled(self, token):
        if token.startswith(("<commit of ", "<blob of ", "^<commit of ")):
            return ("^" if token[0] == "^" else "") + f"{next(self.OIDS):040x}"
        if token.startswith("--") and "=<commit of " in token:
            return token.partition("=")[0] + "=" + "a" * 40
        if token.startswith("<file"):
            return "/proc/self/fd/7" if not token.startswith("<files") else "/proc/self/fd/8"
        return token

    @pytest.mark.parametrize("op", COMMANDS)
    def test_the_plan_of_each_example_passes_the_second_look(self, op):
        command = parse_command(json.dumps(schema_of_op(op)["examples"][0]))

        for argv in planned_argv(command, self.POLICY):
            if len(argv) == 1:
                assert argv[0].startswith(("<native ", "<lookups "))
            elif op in {"run_tests", "run_linter", "run_task"}:
                hosts = {"run_tests": self.POLICY.runners, "run_linter": self.POLICY.linters}
                verify_hosted(argv, hosts.get(op, self.POLICY.tasks)[0])
            elif op != "run_python":
                tokens = [self.filled(token) for token in argv if not token.startswith("< ")]
                program = tokens[0].rsplit("/", 1)[-1]
                rules = "grep_filter" if program == "grep" and "--text" in tokens else program
                verify(tokens, program=tokens[0], rules=rules)

    @pytest.mark.parametrize(
        "text",
        [
            '{"op": "git_status"}',
            '{"op": "git_ls_files", "paths": ["tea.txt"]}',
            '{"op": "sort", "path": "tea.txt", "reverse": true}',
            '{"op": "system_info", "what": "git_version"}',
            '{"op": "git_commit", "message": "More tea", "allow_empty": true}',
        ],
    )
    def test_the_plan_is_what_runs(self, folder, capsys, text):
        planned = planned_argv(parse_command(text), self.POLICY)

        _, out, _ = bash(capsys, "run", "--json", "--policy", "coder", text)

        argvs = [[token for token in argv if not token.startswith("< ")] for argv in planned]
        assert json.loads(out)["argv"] == argvs
