"""Whether an audit is as it was written: verify, and the heads that are kept elsewhere."""

import sqlite3
from contextlib import closing

import pytest
from unit.cli.audit_scene import Place, Writer, objects, run, tool

KEY, OTHER_KEY = b"the key of the store", b"the key of the heads"


@pytest.fixture
def file(tmp_path):
    return Place(str(tmp_path / "audit.db"))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    if request.param == "postgres":
        return Place(request.getfixturevalue("postgres_dsn"))
    return Place(str(tmp_path / "audit.db"))


@pytest.fixture
def damage(request, postgres_server_if_wanted):
    """Runs SQL with all that guards the tables out of the way."""

    def run_sql(place, sql):
        if place.name.startswith("postgresql:"):
            guards = "SET session_replication_role = replica"
            postgres_server_if_wanted.execute("SET search_path = par", guards, sql, dsn=place.name)
            return
        with closing(sqlite3.connect(place.name)) as connection, connection:
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                connection.execute(f'DROP TRIGGER "{name}"')
            connection.execute(sql)

    return run_sql


@pytest.fixture
def postgres_server_if_wanted(request):
    wanted = "postgres_dsn" in request.fixturenames or "postgres" in request.node.name
    return request.getfixturevalue("postgres_server") if wanted else None


@pytest.fixture
def keys(tmp_path):
    """Files that hold keys."""
    paths = tmp_path / "store.key", tmp_path / "heads.key"
    paths[0].write_bytes(KEY)
    paths[1].write_bytes(OTHER_KEY)
    return paths


def two_sessions():
    return [*Writer("a").all(*tool(), *tool()), *Writer("b").all(*tool())]


def test_a_whole_audit_is_counted(place, capsys):
    place.fill(*two_sessions())

    code, lines, _ = run(capsys, "verify", place.name)
    json_code, documents, _ = run(capsys, "verify", "--store", place.name, "--json")

    assert (code, lines) == (0, ["audit: 6 events in 2 sessions, chain verified"])
    assert json_code == 0
    assert objects(documents) == [
        {
            "kind": "verification",
            "scope": "default",
            "ok": True,
            "sessions": 2,
            "events": 6,
            "broken": 0,
            "redacted": 0,
            "expired": 0,
            "unkeyed": [],
        }
    ]


def test_the_first_break_of_each_session_is_named(place, capsys, damage):
    place.fill(*two_sessions())
    damage(place, "UPDATE event SET body = body || ' ' WHERE seq >= 2")

    code, lines, _ = run(capsys, "verify", place.name)
    json_code, documents, _ = run(capsys, "verify", place.name, "--json")

    assert code == json_code == 3
    assert [line.split(":")[0] for line in lines] == [
        "the audit of session 'a' is broken at event 2",
        "the audit of session 'b' is broken at event 2",
        "audit",
    ]
    assert [(one["kind"], one.get("session"), one.get("seq")) for one in objects(documents)] == [
        ("break", "a", 2), ("break", "b", 2), ("verification", None, None)
    ]  # fmt: skip
    assert objects(documents)[2]["broken"] == 2


def test_one_session_is_verified_alone(place, capsys, damage):
    place.fill(*two_sessions())
    damage(place, "UPDATE event SET body = body || ' ' WHERE session = 'a' AND seq = 2")

    assert run(capsys, "verify", place.name, "--session", "a")[0] == 3
    assert run(capsys, "verify", place.name, "--session", "b")[0] == 0


def test_a_session_that_is_not_there_is_not_verified(file, capsys):
    file.fill(*two_sessions())

    code, lines, err = run(capsys, "verify", file.name, "--session", "nobody")

    assert (code, lines) == (1, [])
    assert "there is no session 'nobody'" in err


def test_what_was_removed_on_the_record_is_counted(file, capsys):
    file.fill(*two_sessions())
    file.ask(lambda store: store.redact("a", seqs=[2, 3], reason="r", by="b"))

    _, lines, _ = run(capsys, "verify", file.name)

    assert lines == ["audit: 7 events in 3 sessions, chain verified, 2 redacted"]


class TestHeads:
    def test_a_tail_that_was_cut_off_is_found_by_heads_kept_elsewhere(self, place, capsys, damage, tmp_path):
        heads = tmp_path / "heads.jsonl"
        place.fill(*two_sessions())
        assert run(capsys, "heads", place.name, "-o", heads)[0] == 0
        damage(place, "DELETE FROM event WHERE session = 'b'")
        damage(place, "DELETE FROM head WHERE session = 'b'")

        without, _, _ = run(capsys, "verify", place.name)
        code, lines, _ = run(capsys, "verify", place.name, "--heads", heads)

        assert (without, code) == (0, 3)
        assert "session 'b' is broken at event 1" in lines[0]

    def test_heads_without_a_file_go_to_standard_output(self, file, capsys):
        file.fill(*two_sessions())

        _, lines, _ = run(capsys, "heads", file.name)

        assert [one.get("session") for one in objects(lines)] == ["a", "b", None]
        assert set(objects(lines)[2]) == {"heads", "sha256"}

    def test_signed_heads_are_read_with_their_key_alone(self, file, capsys, tmp_path, keys):
        heads = tmp_path / "heads.jsonl"
        file.fill(*two_sessions())
        run(capsys, "heads", file.name, "-o", heads, "--key-file", keys[1])

        right, _, _ = run(capsys, "verify", file.name, "--heads", heads, "--heads-key-file", keys[1])
        none, _, untrusted = run(capsys, "verify", file.name, "--heads", heads)
        wrong, _, changed = run(capsys, "verify", file.name, "--heads", heads, "--heads-key-file", keys[0])

        assert (right, none, wrong) == (0, 1, 1)
        assert "not sealed without a key" in untrusted
        assert "sealed with another key" in changed

    def test_heads_of_other_sessions_do_not_matter_to_one(self, file, capsys, tmp_path, damage):
        heads = tmp_path / "heads.jsonl"
        file.fill(*two_sessions())
        run(capsys, "heads", file.name, "-o", heads)
        damage(file, "DELETE FROM event WHERE session = 'b'")

        assert run(capsys, "verify", file.name, "--heads", heads, "--session", "a")[0] == 0
        assert run(capsys, "verify", file.name, "--heads", heads, "--session", "b")[0] == 3

    def test_heads_of_another_scope_name_it(self, file, capsys, tmp_path):
        heads = tmp_path / "heads.jsonl"
        file.fill(*two_sessions(), scope="other")
        run(capsys, "heads", file.name, "-o", heads, "--scope", "other")

        code, _, err = run(capsys, "verify", file.name, "--heads", heads)

        assert (code, err) == (2, "par: the heads are of the scope 'other': name it with --scope\n")

    @pytest.mark.parametrize(("content", "code"), [(None, 2), (b"\xff", 1), (b"tea", 1)])
    def test_heads_that_cannot_be_read_are_one_line(self, file, capsys, tmp_path, content, code):
        heads = tmp_path / "heads.jsonl"
        file.fill(*two_sessions())
        if content is not None:
            heads.write_bytes(content)

        found, _, err = run(capsys, "verify", file.name, "--heads", heads)

        assert found == code
        assert "the heads" in err and err.count("\n") == 1

    def test_a_key_of_heads_needs_heads(self, file, capsys, keys):
        file.fill(*two_sessions())

        assert run(capsys, "verify", file.name, "--heads-key-file", keys[1])[0] == 2


class TestKeys:
    def test_a_store_with_a_key_is_verified_with_it_alone(self, place, capsys, keys):
        place.fill(*two_sessions(), key=KEY)

        right, lines, _ = run(capsys, "verify", place.name, "--key-file", keys[0])
        none, _, missing = run(capsys, "verify", place.name)
        wrong, _, other = run(capsys, "verify", place.name, "--key-file", keys[1])

        assert (right, none, wrong) == (0, 1, 1)
        assert lines == ["audit: 6 events in 2 sessions, chain verified"]
        assert "kept with a key" in missing and "this is another one" in other

    def test_sessions_from_before_the_key_are_told(self, file, capsys, keys):
        file.fill(*Writer("old").all(*tool())).fill(*Writer("new").all(*tool()), key=KEY)

        _, lines, _ = run(capsys, "verify", file.name, "--key-file", keys[0])
        _, documents, _ = run(capsys, "verify", file.name, "--key-file", keys[0], "--json")

        assert lines == ["audit: 4 events in 2 sessions, chain verified, 1 session without the key"]
        assert objects(documents)[0]["unkeyed"] == ["old"]

    def test_verifying_with_a_key_never_gives_one_to_a_store_without(self, place, capsys, keys):
        place.fill(*two_sessions())

        code, _, err = run(capsys, "verify", place.name, "--key-file", keys[0])

        assert code == 1
        assert "is kept without a key: verify it without --key-file" in err
        assert run(capsys, "verify", place.name)[0] == 0

    @pytest.mark.parametrize(("content", "problem"), [(None, "cannot be read"), (b"short", "16 bytes")])
    def test_a_key_file_that_holds_none_is_one_line(self, file, capsys, tmp_path, content, problem):
        file.fill(*two_sessions())
        path = tmp_path / "key"
        if content is not None:
            path.write_bytes(content)

        code, _, err = run(capsys, "verify", file.name, "--key-file", path)

        assert code == 2
        assert problem in err and err.count("\n") == 1
