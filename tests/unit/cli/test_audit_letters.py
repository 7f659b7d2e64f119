"""Dead letters from the command line: read, delivered again, deleted."""

import sys

import pytest
from unit.bus.made import envelope, letter
from unit.cli.audit_scene import Place, objects, run

from par.codec import encode
from par.events import ErrorInfo, ToolProgress

HANDLERS = """
import os

async def deliver(delivery):
    with open("delivered.txt", "a") as file:
        file.write(f"{delivery.event.message} {delivery.attempt}\\n")

def refuse(delivery):
    raise ValueError("no room")

class Office:
    @staticmethod
    def deliver(delivery):
        pass

NUMBER = 3
"""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path, monkeypatch):
    (tmp_path / "post_office.py").write_text(HANDLERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "post_office", raising=False)
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else str(tmp_path / "audit.db")
    place = Place(dsn)
    place.ask(lambda store: store.dead_letters().put(LETTERS))
    yield place
    sys.modules.pop("post_office", None)


LETTERS = [
    letter("L1", subscriber="mail", envelope=envelope(message="one", seq=1, session="a"), attempts=4, reason="failed",
           error=ErrorInfo(type="ValueError", message="")),
    letter("L2", subscriber="mail", envelope=envelope(message="two", seq=2, session="b"), reason="queue_full"),
    letter("L3", subscriber="log", envelope=envelope(message="three", seq=3, session="b"), reason="closed"),
]  # fmt: skip


def left(place):
    return [one.id for one in place.ask(lambda store: store.dead_letters().find())]


def letters(capsys, place, *words):
    return run(capsys, "dead-letters", *words, "--store", place.name)


def test_they_are_listed_the_oldest_first(place, capsys):
    code, lines, _ = letters(capsys, place, "list")
    _, bare, _ = run(capsys, "dead-letters", "--store", place.name)

    assert code == 0
    assert lines == bare
    assert lines == [
        "L1 2025-01-31 12:00:00 mail: failed after 4 attempts, a #1 tool_progress",
        "L2 2025-01-31 12:00:00 mail: queue_full after 0 attempts, b #2 tool_progress",
        "L3 2025-01-31 12:00:00 log: closed after 0 attempts, b #3 tool_progress",
    ]


@pytest.mark.parametrize(
    ("options", "ids"),
    [(["--subscriber", "mail"], ["L1", "L2"]), (["--session", "b"], ["L2", "L3"]), (["--scope", "other"], [])],
)
def test_those_of_a_subscriber_session_or_scope_are_listed_alone(place, capsys, options, ids):
    _, lines, _ = letters(capsys, place, "list", "--json", *options)

    assert [one["id"] for one in objects(lines)] == ids


def test_options_may_stand_before_the_next_word_and_after_it(place, capsys):
    _, before, _ = run(capsys, "dead-letters", "--store", place.name, "--scope", "other", "--json", "list")
    _, after, _ = run(capsys, "dead-letters", "--store", place.name, "list", "--json")

    assert before == []
    assert len(objects(after)) == 3


def test_one_is_shown_with_its_event(place, capsys):
    code, lines, _ = letters(capsys, place, "show", "L1")
    _, documents, _ = letters(capsys, place, "show", "L1", "--json")

    assert code == 0
    assert "error      ValueError: (see the log of the program)" in lines
    assert objects([lines[-1]]) == [encode(ToolProgress(call_id="c", name="n", message="one"))]
    assert objects(documents) == [
        {
            "id": "L1",
            "subscriber": "mail",
            "reason": "failed",
            "error": {"type": "ValueError", "message": ""},
            "attempts": 4,
            "at": "2025-01-31T12:00:00.000000Z",
            "replays": 0,
            "replayed_at": None,
            "redacted": False,
            "envelope": encode(LETTERS[0].envelope),
        }
    ]


def test_they_are_deleted_by_their_ids(place, capsys):
    code, lines, _ = letters(capsys, place, "delete", "L1", "L3", "L3", "--json")

    assert code == 0
    assert objects(lines) == [{"id": "L1", "outcome": "deleted"}, {"id": "L3", "outcome": "deleted"}]
    assert left(place) == ["L2"]


class TestReplay:
    def test_a_function_of_the_folder_gets_them_and_they_are_gone(self, place, capsys, tmp_path):
        code, lines, _ = letters(capsys, place, "replay", "L1", "L3", "--handler", "post_office:deliver", "--json")

        assert code == 0
        assert objects(lines) == [{"id": "L1", "outcome": "delivered"}, {"id": "L3", "outcome": "delivered"}]
        assert (tmp_path / "delivered.txt").read_text() == "one 5\nthree 1\n"
        assert left(place) == ["L2"]

    def test_one_that_fails_stays_and_tells_how(self, place, capsys):
        code, lines, _ = letters(capsys, place, "replay", "L1", "--handler", "post_office:refuse")
        _, shown, _ = letters(capsys, place, "show", "L1", "--json")

        assert (code, lines) == (1, ["L1 failed", "  failed: ValueError"])
        assert left(place) == ["L1", "L2", "L3"]
        assert (objects(shown)[0]["replays"], objects(shown)[0]["attempts"]) == (1, 5)

    def test_a_redacted_one_is_skipped_and_says_why(self, place, capsys):
        place.ask(lambda store: store.dead_letters().forget(["two"]))

        code, lines, _ = letters(capsys, place, "replay", "L2", "--handler", "post_office:deliver")

        assert (code, lines) == (1, ["L2 skipped", "  its event was redacted and cannot be delivered any more"])

    def test_a_function_inside_a_class_is_found(self, place, capsys):
        assert letters(capsys, place, "replay", "L1", "--handler", "post_office:Office.deliver")[0] == 0

    @pytest.mark.parametrize(
        "handler", ["post_office", "post_office:", ":deliver", "nowhere:f", "post_office:nothing", "post_office:NUMBER"]
    )
    def test_a_handler_that_is_none_is_one_line_and_delivers_nothing(self, place, capsys, handler):
        code, lines, err = letters(capsys, place, "replay", "L1", "--handler", handler)

        assert (code, lines) == (2, [])
        assert repr(handler) in err and err.count("\n") == 1
        assert left(place) == ["L1", "L2", "L3"]


@pytest.mark.parametrize(
    "words", [["show", "X"], ["delete", "L1", "X"], ["replay", "L1", "X", "--handler", "post_office:deliver"]]
)
def test_one_that_is_not_there_is_named_before_anything_is_done(place, capsys, words):
    code, lines, err = letters(capsys, place, *words)

    assert (code, lines, err) == (1, [], "par: there is no dead letter 'X'\n")
    assert left(place) == ["L1", "L2", "L3"]
