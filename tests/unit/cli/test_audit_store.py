"""Which store a command is about, and what is said when it cannot be opened."""

import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from unit.cli.audit_scene import Place, Writer, run, tool, whole_run

COMMANDS = [
    ["tail"],
    ["tail", "--follow"],
    ["show", "tea"],
    ["sessions"],
    ["stats"],
    ["verify"],
    ["heads"],
    ["export"],
    ["dead-letters"],
    ["redact", "tea", "--seq", "1", "--reason", "r", "--by", "b", "--yes"],
    ["expire", "--older-than", "90d", "--yes"],
]
SECRET = "hunter2"


def ids(words):
    return " ".join(words[:2])


def complaint(capsys, code, *words):
    found, lines, err = run(capsys, *words)
    assert (found, lines) == (code, [])
    assert err.startswith("par: ") and err.count("\n") == 1
    return err


@pytest.mark.parametrize("words", COMMANDS, ids=ids)
class TestEachCommand:
    def test_a_file_that_is_not_there_is_named_and_not_made(self, words, capsys, tmp_path):
        path = tmp_path / "none.db"

        assert "there is no such file" in complaint(capsys, 1, *words, "--store", path)
        assert not path.exists()

    def test_another_programs_file_is_named_and_kept(self, words, capsys, tmp_path):
        path = tmp_path / "notes.db"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE note (text)")
        before = path.read_bytes()

        assert "another program" in complaint(capsys, 1, *words, "--store", path)
        assert path.read_bytes() == before

    def test_a_newer_schema_is_named(self, words, capsys, tmp_path):
        place = Place(str(tmp_path / "audit.db")).fill(*whole_run())
        with closing(sqlite3.connect(place.name)) as connection:
            connection.execute("PRAGMA user_version = 999")

        assert "has schema 999" in complaint(capsys, 1, *words, "--store", place.name)

    def test_a_wrong_password_is_one_line_without_it(self, words, capsys, postgres_dsn):
        right = f":{urlsplit(postgres_dsn).password}@"
        err = complaint(capsys, 1, *words, "--store", postgres_dsn.replace(right, f":{SECRET}@"))

        assert "password authentication failed" in err
        assert SECRET not in err


def test_without_a_store_it_is_the_file_in_the_folder_for_state(capsys, tmp_path, monkeypatch):
    (tmp_path / "par").mkdir()
    Place(str(tmp_path / "par" / "audit.db")).fill(*whole_run())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert run(capsys, "verify")[1] == ["audit: 16 events in 1 session, chain verified"]


def test_a_scope_is_apart_in_a_file_and_in_postgres(capsys, tmp_path, postgres_dsn):
    for name in (str(tmp_path / "audit.db"), postgres_dsn):
        place = Place(name).fill(*Writer().all(*tool())).fill(*whole_run(), scope="shop 1")

        assert run(capsys, "verify", place.name)[1] == ["audit: 2 events in 1 session, chain verified"]
        assert run(capsys, "verify", place.name, "--scope", "shop 1")[1] == [
            "audit: 16 events in 1 session, chain verified"
        ]


@pytest.mark.parametrize(
    "words",
    [
        ["audit.db", "--store", "other.db"],
        ["--scope", ""],
        ["--store", ""],
        [":memory:"],
        ["mysql://user:hunter2@host/db"],
        ["postgresql://user:hunter2#x@host:1/db"],
    ],
)
def test_a_store_that_cannot_be_is_one_line_without_a_password(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert SECRET not in complaint(capsys, 2, "verify", *words)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_named_without_the_password(capsys, monkeypatch):
    monkeypatch.setattr("par.cli._audit_store._GIVE_UP_S", 0.2)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        err = complaint(capsys, 1, "verify", f"postgresql://ann:{SECRET}@127.0.0.1:{port}/audit")

    assert f"'postgresql://ann@127.0.0.1:{port}/audit' cannot be used" in err
    assert SECRET not in err


def test_without_the_driver_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncpg", None)

    assert 'pip install "par-sdk[postgres]"' in complaint(capsys, 2, "verify", "postgresql://ann@127.0.0.1/audit")


def test_a_password_in_the_environment_is_enough(capsys, postgres_dsn, monkeypatch):
    Place(postgres_dsn).fill(*whole_run())
    password = urlsplit(postgres_dsn).password
    monkeypatch.setenv("PGPASSWORD", password)

    assert run(capsys, "verify", postgres_dsn.replace(f":{password}@", "@"))[0] == 0


def test_a_file_is_read_without_loading_the_driver_of_postgres(tmp_path):
    place = Place(str(tmp_path / "audit.db")).fill(*whole_run())
    script = (
        "import sys; from par.cli import main; "
        f"assert main(['audit', 'verify', {place.name!r}]) == 0; assert 'asyncpg' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, cwd=tmp_path, timeout=50)


@pytest.mark.parametrize(
    "words", [[], ["show"], ["expire"], ["redact", "s"], ["dead-letters", "show"], ["tail", "-n", "0"]]
)
def test_wrong_use_exits_with_2_and_usage(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, *words)

    assert stopped.value.code == 2
    assert "usage: par audit" in capsys.readouterr().err
