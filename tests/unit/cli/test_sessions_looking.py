"""What is told of durable sessions: the list, one of them, and what waits for a person."""

import json
import re
import shlex

import pytest
from unit.cli.audit_scene import Place
from unit.cli.sessions_scene import Shop, run

from par.cli._arguments import parser
from par.codec import decode
from par.sessions import Approval, TurnInfo

COMMANDS = ["list", "show", "approvals", "resume", "approve", "reject", "modify", "escalate", "steer", "cancel"]
ULID = "[0-9A-Z]{26}"


def test_the_sessions_are_listed_with_their_counts(any_shop, capsys):
    any_shop.run("a", "saying", "Hello?")
    any_shop.run("b")

    code, lines, err = run(capsys, "list", any_shop.place.name)

    assert (code, err) == (0, "")
    rows = [re.split(r" {2,}", line) for line in lines]
    assert rows[0] == ["SESSION", "STATE", "AGENT", "TURNS", "STEPS", "TOKENS", "COST", "CHANGED", "WAITS", "OWNER"]
    assert [row[:7] + row[8:] for row in rows[1:]] == [
        ["a", "completed", "shop", "1", "1", "0", "0.000000", "-", "-"],
        ["b", "suspended", "shop", "1", "2", "0", "0.000000", "1", "-"],
    ]


def test_the_list_as_json_has_a_session_a_line(shop, capsys):
    shop.run("a", "saying")
    shop.run("b")

    _, lines, _ = run(capsys, "list", shop.place.name, "--json")

    first, second = map(json.loads, lines)
    assert [*first] == [
        "session", "agent", "state", "status", "turns", "steps", "tokens", "cost_micro", "waits",
        "created_at", "updated_at", "owner", "lease_until",
    ]  # fmt: skip
    assert [(one["session"], one["status"], one["waits"]) for one in (first, second)] == [
        ("a", "completed", 0),
        ("b", "running", 1),
    ]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--status", "running"], ["b", "c"]),
        (["--status", "completed"], ["a"]),
        (["--status", "failed"], []),
        (["--limit", "2"], ["a", "b"]),
    ],
)
def test_the_list_can_be_narrowed(words, names, shop, capsys):
    shop.run("a", "saying")
    shop.run("b")
    shop.run("c")

    _, lines, _ = run(capsys, "list", shop.place.name, *words)

    assert [line.split()[0] for line in lines[1:]] == names


def test_a_scope_has_its_own_sessions(shop, capsys):
    shop.run("a", "saying", scope="tea")
    shop.run("b", "saying")

    assert run(capsys, "list", shop.place.name, "--scope", "tea")[1][1].startswith("a ")
    assert run(capsys, "show", "b", shop.place.name, "--scope", "tea")[0] == 1


def test_a_session_is_told_with_its_turns_steps_and_words(any_shop, capsys):
    any_shop.run("s", "saying", "Hello?")
    any_shop.run("s", "paying", "Pay five.")

    code, lines, _ = run(capsys, "show", "s", any_shop.place.name)

    text = "\n".join(lines)
    assert code == 0
    assert "session s: suspended, agent shop" in text
    assert "2 turns, 3 steps, 0 tokens, cost 0.000000" in text
    assert "turn 1  completed: finished\n  step   1  model  scripted\n  user       Hello?\n  assistant  Hello." in text
    assert "turn 2  suspended: suspended" in text
    assert '  user       Pay five.\n  calls      pay {"euros":5}' in text
    assert re.search(rf'{ULID}  pending  s  pay\n  asks       May shop call pay with {{"euros":5}}\?', text)


def test_a_session_as_json_is_one_object_that_can_be_read_again(shop, capsys):
    shop.run("s", "saying", "Hello?")
    shop.run("s")

    _, lines, _ = run(capsys, "show", "s", shop.place.name, "--json")

    (found,) = map(json.loads, lines)
    first, second = found["turns"]
    steps = first.pop("steps")
    assert [(step["ordinal"], step["kind"], step["status"]) for step in steps] == [(1, "model", "done")]
    assert decode(TurnInfo, first).messages[0].text == "Hello?"
    assert [message["type"] for message in second["messages"]] == ["user", "assistant", "tool_results"]
    assert decode(Approval, found["approvals"][0]).tool == "pay"
    assert (found["session"], found["turns"][1]["state"], found["waits"]) == ("s", "suspended", 1)


def test_long_words_are_cut_unless_all_is_asked_for(shop, capsys):
    shop.run("s", "saying", "word " * 100 + "\nend")

    short = run(capsys, "show", "s", shop.place.name)[1]
    full = run(capsys, "show", "s", shop.place.name, "--full")[1]

    assert any(line.endswith("...") for line in short)
    assert "             end" in full


def test_what_models_and_names_say_does_not_steer_the_terminal(tmp_path, monkeypatch, capsys):
    evil = "\x1b[2J\u202eevil\x07\nsecond"
    shop = Shop(tmp_path, Place(str(tmp_path / "audit.db")), monkeypatch, reason=evil, shout=evil)
    shop.run("s\u202e", "shouting", evil)
    shop.run("t", "paying", evil)
    shop.run("u", "asking")

    printed = []
    for words in (["list"], ["show", "s\u202e"], ["show", "t", "--full"], ["approvals"]):
        code, lines, _ = run(capsys, *words, "--store", shop.place.name)
        assert code == 0
        printed += lines

    assert not [line for line in printed if "\x1b" in line or "\x07" in line]
    names = [line for line in printed if line.startswith(("session", "s", "  asks"))]
    assert any("\\u202eevil" in line for line in names)
    assert not [line for line in names if "\u202e" in line]


def test_what_waits_is_listed_with_what_one_has_to_know(any_shop, capsys):
    any_shop.run("a")
    any_shop.run("b", "twice")

    _, lines, _ = run(capsys, "approvals", "--store", any_shop.place.name)
    _, one, _ = run(capsys, "approvals", "a", "--store", any_shop.place.name)

    assert len([line for line in lines if "pending" in line]) == 3
    assert re.fullmatch(rf"{ULID}  pending  a  pay", one[0])
    assert one[1:3] == ['  asks       May shop call pay with {"euros":5}?', '  arguments  {"euros":5}']
    assert re.fullmatch(r"  risk high, asked \d+s ago, manager may decide, until [\d :-]+ UTC", one[3])


def test_what_was_decided_is_listed_when_asked_for(shop, capsys):
    shop.run("a")
    (waiting,) = shop.pending("a")
    run(capsys, "reject", "a", "--store", shop.place.name, "--by", "ann", "--role", "manager", "--note", "too much")

    assert run(capsys, "approvals", "--store", shop.place.name)[1] == []
    _, lines, _ = run(capsys, "approvals", "a", "--all", "--store", shop.place.name)
    assert lines[0] == f"{waiting.id}  rejected  a  pay"
    assert lines[-1] == "  decided by ann: too much"
    _, lines, _ = run(capsys, "approvals", "--all", "--json", "--store", shop.place.name)
    assert decode(Approval, json.loads(lines[0])).note == "too much"


@pytest.mark.parametrize(
    "words",
    [
        ["show", "none"],
        ["approvals", "none"],
        ["approve", "none", "--by", "ann"],
        ["steer", "none", "hello"],
        ["cancel", "none"],
        ["resume", "none", "--agent", "shop_of_test:paying"],
    ],
    ids=lambda words: words[0],
)
def test_a_session_that_is_not_there_is_named(words, shop, capsys):
    shop.run("a", "saying")

    code, lines, err = run(capsys, *words, "--store", shop.place.name)

    assert (code, lines) == (1, [])
    assert err == "par: session 'none': there is no such session\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_not_there_is_named_and_not_made(command, shop, capsys):
    path = shop.folder / "none.db"
    words = [shop.named("paying") if word == "shop:agent" else word for word in example_of(command)]

    code, lines, err = run(capsys, *words, "--store", path)

    assert (code, lines) == (1, [])
    assert "there is no such file" in err
    assert not path.exists()


def example_of(command):
    """Return the words of the example in the help of a command, behind ``par sessions``."""
    sessions = parser()._subparsers._group_actions[0].choices["sessions"]
    text = sessions._subparsers._group_actions[0].choices[command].epilog
    return shlex.split(text.splitlines()[1])[2:]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_example_that_can_be_typed(command):
    words = example_of(command)

    assert words[0] == command
    assert parser().parse_args(["sessions", *words]).sessions_command == command


@pytest.mark.parametrize("words", [[], ["show"], ["resume", "--agent", "a:b"], ["resume", "s"], ["steer", "s"]])
def test_wrong_use_exits_with_2_and_usage(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        run(capsys, *words)

    assert stopped.value.code == 2
    assert "usage: par sessions" in capsys.readouterr().err
