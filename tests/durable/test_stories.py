"""Single stories of sessions that survive: a turn that kills everyone, a message that comes twice, a decision cut off."""

import attrs
import pytest
from durable import checks, ledger, points
from durable.lab import one_of_each, told

from par.states import TaskState

pytestmark = pytest.mark.timeout(240)


def look(trial):
    return trial.lab.observe([trial])[0]


def said(trial, what):
    """Return what the processes of a trial said, of one kind."""
    return [ack for file in trial.acks for ack in checks.read_acks(file) if ack["what"] == what]


def test_a_turn_that_kills_every_process_is_given_up_after_so_many_attempts(lab):
    trial = lab.trial()
    for _ in range(2):
        trial.attempt("play" if not trial.acks else "recover", at="before effect#1")
    run = lambda: lab.nursery.start(  # noqa: E731
        "recover", lab.backend, place=lab.place, scene=attrs.asdict(trial.scene), acks=trial.acks[0], max_attempts=2
    )

    run().succeed()

    assert said(trial, "recovered") == [{"what": "recovered", "session": "s1", "error": "TooManyAttempts"}]
    seen = look(trial)
    assert trial.kills == 2
    assert seen.info.state is TaskState.FAILED
    assert seen.turns[0].error.type == "TooManyAttempts"
    assert (seen.info.owner, seen.broken) == (None, ())
    run().succeed()
    assert len(said(trial, "recovered")) == 1  # it is not due any more


@pytest.mark.parametrize("at", ["before result of model#2", "after end of turn#1"])
def test_a_message_that_is_delivered_again_after_a_crash_makes_no_second_turn(lab, at):
    lab.undisturbed()
    trial = lab.trial(f"killed at {at}")
    trial.attempt(at=at)
    trial.attempt("deliver")
    trial.finish()
    trial.attempt("deliver")

    assert trial.kills == 1
    assert lab.judge() == []
    assert said(trial, "answered")[-1]["stop_reason"] == "finished"


def test_a_decision_that_is_cut_off_anywhere_is_made_once(lab):
    lab.undisturbed()
    trial = lab.trial("the points of the decision", approves=False)
    trial.attempt()
    listing = str(lab.folder / "points")
    trial.attempt("approve", listing=listing)
    trial.finish()
    instants = one_of_each(points.read(listing))

    for point in instants:
        cut = lab.trial(f"the decision is cut off at {point}", approves=False)
        cut.attempt()
        waiting = look(cut)
        assert (waiting.info.state, waiting.approvals[0].status) == (TaskState.SUSPENDED, "pending")
        cut.attempt("approve", at=point)
        cut.finish()

    assert checks_of(lab) == ""
    assert lab.kills == len(instants) > 2


def test_a_process_that_dies_while_a_session_waits_changes_nothing(lab):
    lab.undisturbed()
    trial = lab.trial("killed after the suspension", approves=False)
    trial.attempt(at="after suspension#1")
    assert trial.kills == 1
    waiting = look(trial)
    assert (waiting.info.state, waiting.info.owner) == (TaskState.SUSPENDED, None)
    assert [approval.status for approval in waiting.approvals] == ["pending"]

    trial.attempt("recover")  # nobody has decided, so there is nothing to do
    assert said(trial, "recovered") == []
    trial.finish()

    assert checks_of(lab) == ""
    assert len(look(trial).approvals) == 1


@pytest.mark.parametrize(("at", "happened"), [("before effect#3", False), ("after effect#3", True)])
def test_a_tool_that_fails_in_doubt_ends_the_turn_and_is_not_called_again(lab, at, happened):
    trial = lab.trial(fails=True)
    trial.attempt(at=at)
    assert trial.kills == 1
    trial.attempt("recover")

    assert [ack["error"] for ack in said(trial, "recovered")] == ["UnknownEffect"]
    seen = look(trial)
    assert seen.info.state is TaskState.FAILED
    assert seen.turns[0].error.type == "UnknownEffect"
    paid = [entry for entry in ledger.read(trial.scene.ledger) if entry.tool == "pay" and entry.what == "effect"]
    assert len(paid) <= 1


def checks_of(lab):
    return told(lab.judge())
