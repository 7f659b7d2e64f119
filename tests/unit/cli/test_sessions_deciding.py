"""What people decide about calls that wait, and what is said to running sessions, from the command line."""

import io
import json

import pytest
from unit.cli.sessions_scene import run

from par.codec import decode
from par.events import ApprovalDecided, MessagesReceived
from par.sessions import Approval

ANN = ["--by", "ann", "--role", "manager"]


def decide(capsys, shop, *words):
    return run(capsys, *words, "--store", shop.place.name)


def resumed(capsys, shop, session, agent="paying"):
    code, lines, _ = run(capsys, "resume", session, "--store", shop.place.name, "--agent", shop.named(agent))
    return code, lines


def test_an_approved_call_is_made_when_the_session_is_resumed(any_shop, capsys):
    any_shop.run("s")
    (waiting,) = any_shop.pending("s")

    code, lines, err = decide(capsys, any_shop, "approve", "s", *ANN, "--note", "fine")

    assert (code, err) == (0, "")
    assert lines[0] == f'approved {waiting.id} by ann: pay {{"euros":5}}'
    assert any_shop.paid == []
    assert resumed(capsys, any_shop, "s") == (0, ["Thank you."])
    assert any_shop.paid == ["5"]


def test_the_decision_is_recorded_with_who_and_why(shop, capsys):
    shop.run("s")
    decide(capsys, shop, "approve", "s", *ANN, "--note", "fine")

    (told,) = [one.event for one in shop.place.events("s") if isinstance(one.event, ApprovalDecided)]
    assert (told.decision, told.by, told.note) == ("approved", "ann", "fine")


def test_without_a_name_it_is_the_user_who_decides(shop, capsys, monkeypatch):
    monkeypatch.setenv("LOGNAME", "bob")
    shop.run("s")

    assert " by bob: " in decide(capsys, shop, "approve", "s", "--role", "manager")[1][0]


def test_a_rejected_call_is_told_to_the_model_with_the_reason(any_shop, capsys):
    any_shop.run("s")
    assert decide(capsys, any_shop, "reject", "s", *ANN, "--note", "too much")[0] == 0

    assert resumed(capsys, any_shop, "s") == (0, ["Thank you."])
    assert any_shop.paid == []
    assert "too much" in "\n".join(decide(capsys, any_shop, "show", "s")[1])


@pytest.mark.parametrize("given", ["argument", "standard input"])
def test_a_modified_call_is_made_with_the_other_arguments(given, shop, capsys, monkeypatch):
    shop.run("s")
    monkeypatch.setattr("sys.stdin", io.StringIO('{"euros": 3}'))
    words = ["--arguments", '{"euros": 3}' if given == "argument" else "-"]

    code, lines, _ = decide(capsys, shop, "modify", "s", *words, *ANN)

    assert (code, lines[0].endswith('by ann: pay {"euros":3}')) == (0, True)
    assert resumed(capsys, shop, "s")[0] == 0
    assert shop.paid == ["3"]


@pytest.mark.parametrize("text", ["{", "[5]", "5", '{"a": NaN}'])
def test_arguments_that_are_no_object_are_refused(text, shop, capsys):
    shop.run("s")

    code, _, err = decide(capsys, shop, "modify", "s", "--arguments", text, *ANN)

    assert code == 2
    assert "the arguments are" in err
    assert len(shop.pending("s")) == 1


def test_an_escalated_call_waits_for_others(shop, capsys):
    shop.run("s")
    (before,) = shop.pending("s")

    code, lines, _ = decide(capsys, shop, "escalate", "s", "--to", "director", "--to", "owner", "--expires", "7d", *ANN)

    (after,) = shop.pending("s")
    assert (code, lines[-1]) == (0, "may decide now: director, owner")
    assert (after.id, after.roles) == (before.id, ("director", "owner"))
    assert (after.expires_at - before.expires_at).days == 6
    assert decide(capsys, shop, "approve", "s", *ANN)[0] == 1
    assert decide(capsys, shop, "approve", "s", "--by", "eve", "--role", "owner")[0] == 0


def test_a_decision_without_the_role_is_refused(shop, capsys):
    shop.run("s")

    code, lines, err = decide(capsys, shop, "approve", "s", "--by", "bob", "--role", "clerk")

    assert (code, lines) == (1, [])
    assert "only manager may decide" in err
    assert len(shop.pending("s")) == 1


def test_of_several_calls_that_wait_one_must_be_named(any_shop, capsys):
    any_shop.run("s", "twice")
    first, second = any_shop.pending("s")

    code, _, err = decide(capsys, any_shop, "approve", "s", *ANN)
    assert code == 2
    assert f"waits for 2 decisions, name one: {first.id}, {second.id}" in err

    assert decide(capsys, any_shop, "approve", "s", second.id, *ANN)[0] == 0
    assert decide(capsys, any_shop, "reject", "s", *ANN)[0] == 0, "one is left"
    assert resumed(capsys, any_shop, "s", "twice") == (0, ["Thank you twice."])
    assert any_shop.paid == ["6"]


def test_what_waits_for_nothing_and_what_was_decided_cannot_be_decided(shop, capsys):
    shop.run("done", "saying")
    shop.run("s")
    (waiting,) = shop.pending("s")

    assert decide(capsys, shop, "approve", "done", *ANN)[2] == "par: session 'done': it waits for no decision\n"
    assert decide(capsys, shop, "approve", "s", "01UNKNOWN", *ANN)[0] == 1
    assert decide(capsys, shop, "approve", "s", *ANN)[0] == 0
    code, _, err = decide(capsys, shop, "reject", "s", waiting.id, *ANN)
    assert code == 1
    assert "it is approved already" in err


def test_a_decision_as_json_can_be_read_again(shop, capsys):
    shop.run("s")

    _, lines, _ = decide(capsys, shop, "approve", "s", *ANN, "--json")

    (document,) = map(json.loads, lines)
    assert decode(Approval, document).decided_by == "ann"


def test_a_store_that_is_kept_with_a_key_is_written_with_it(shop, capsys):
    key = b"k" * 32
    (shop.folder / "key").write_bytes(key)
    shop.run("s", key=key)

    assert decide(capsys, shop, "approve", "s", *ANN, "--key-file", shop.folder / "key")[0] == 0
    assert shop.place.ask(lambda store: store.verify(), key=key).unkeyed == ()


# --- what is said to sessions ---------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "when"), [([], "at its next model call"), (["--follow-up"], "once it has answered")])
def test_a_session_sees_what_it_is_told(words, when, any_shop, capsys):
    any_shop.run("s")
    decide(capsys, any_shop, "approve", "s", *ANN)

    code, lines, _ = decide(capsys, any_shop, "steer", "s", "Be\nquick.", *words)

    assert (code, lines) == (0, [f"sent: session s sees it {when}"])
    resumed(capsys, any_shop, "s")
    seen = [one.event.messages for one in any_shop.place.events("s") if isinstance(one.event, MessagesReceived)]
    assert [message.text for messages in seen for message in messages] == ["Be\nquick."]


def test_an_empty_text_is_refused(shop, capsys):
    shop.run("s", "saying")

    code, _, err = decide(capsys, shop, "steer", "s", " ")

    assert (code, err) == (2, "par: the text is empty\n")


def test_a_turn_that_waits_is_cancelled_with_the_cause(any_shop, capsys):
    any_shop.run("s")

    code, lines, _ = decide(capsys, any_shop, "cancel", "s", "--cause", "not needed")

    assert (code, lines) == (0, ["the turn of session s is cancelled"])
    assert any_shop.pending("s") == ()
    assert "turn 1  cancelled: cancelled (not needed)" in decide(capsys, any_shop, "show", "s")[1]


def test_a_turn_that_has_ended_cannot_be_cancelled(shop, capsys):
    shop.run("s", "saying")

    code, _, err = decide(capsys, shop, "cancel", "s")

    assert code == 1
    assert "nothing to resume" in err


def test_a_gentle_cancel_ends_the_turn_before_its_next_step(shop, capsys):
    shop.run("s")
    decide(capsys, shop, "approve", "s", *ANN)

    code, lines, _ = decide(capsys, shop, "cancel", "s", "--gently", "--cause", "late")

    assert (code, lines) == (0, ["session s was told to end its turn before its next step"])
    assert shop.state("s") == "suspended"
    assert resumed(capsys, shop, "s")[0] == 1
    assert shop.state("s") == "cancelled"
