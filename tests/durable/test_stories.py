"""Single stories of sessions that survive: a turn that kills everyone, a message that comes twice, a decision cut off."""

import time

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


def test_a_turn_that_kills_every_process_is_given_up_after_so_many_attempts(either_lab):
    trial = either_lab.trial()
    for _ in range(2):
        trial.attempt("play" if not trial.acks else "recover", at="before read effect#1")
    run = lambda: either_lab.nursery.start(  # noqa: E731
        "recover",
        either_lab.backend,
        place=either_lab.place,
        scene=attrs.asdict(trial.scene),
        acks=trial.acks[0],
        max_attempts=2,
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
def test_a_message_that_is_delivered_again_after_a_crash_makes_no_second_turn(either_lab, at):
    trial = either_lab.trial(f"killed at {at}")
    trial.attempt(at=at)
    trial.attempt("deliver")
    trial.finish()
    trial.attempt("deliver")

    assert trial.kills == 1
    assert either_lab.judge() == []
    assert said(trial, "answered")[-1]["stop_reason"] == "finished"


def test_a_decision_that_is_cut_off_anywhere_is_made_once(either_lab):
    trial = either_lab.trial("the points of the decision", approves=False)
    trial.attempt()
    listing = str(either_lab.folder / "points")
    trial.attempt("approve", listing=listing)
    trial.finish()
    instants = one_of_each(points.read(listing))[::2]

    for point in instants:
        cut = either_lab.trial(f"the decision is cut off at {point}", approves=False)
        cut.attempt()
        waiting = look(cut)
        assert (waiting.info.state, waiting.approvals[0].status) == (TaskState.SUSPENDED, "pending")
        cut.attempt("approve", at=point)
        cut.finish()

    assert checks_of(either_lab) == ""
    assert either_lab.kills == len(instants) > 2


def test_a_process_that_dies_while_a_session_waits_changes_nothing(either_lab):
    trial = either_lab.trial("killed after the suspension", approves=False)
    trial.attempt(at="after suspension#1")
    assert trial.kills == 1
    waiting = look(trial)
    assert (waiting.info.state, waiting.info.owner) == (TaskState.SUSPENDED, None)
    assert [approval.status for approval in waiting.approvals] == ["pending"]

    trial.attempt("recover")  # nobody has decided, so there is nothing to do
    assert said(trial, "recovered") == []
    trial.finish()

    assert checks_of(either_lab) == ""
    assert len(look(trial).approvals) == 1


@pytest.mark.parametrize(("at", "times"), [("before once effect#1", 0), ("after once effect#1", 1)])
def test_a_tool_that_fails_in_doubt_ends_the_turn_and_is_not_called_again(either_lab, at, times):
    trial = either_lab.trial(fails=True)
    trial.attempt(at=at)
    assert trial.kills == 1
    trial.attempt("recover")

    assert [ack["error"] for ack in said(trial, "recovered")] == ["UnknownEffect"]
    seen = look(trial)
    assert seen.info.state is TaskState.FAILED
    assert seen.turns[0].error.type == "UnknownEffect"
    paid = [entry for entry in ledger.read(trial.scene.ledger) if entry.tool == "pay" and entry.what == "effect"]
    assert len(paid) == times


@pytest.mark.parametrize("at", ["before model#2", "before once effect#1", "after model#3"])
def test_a_process_that_is_told_to_end_leaves_its_sessions_to_others(either_lab, at):
    trial = either_lab.trial(f"closed at {at}")
    trial.attempt("close", at=at)
    left = look(trial)
    assert (left.info.state, left.info.owner) == (TaskState.SUSPENDED, None)
    assert said(trial, "answered")[0]["stop_reason"] == "suspended"
    trial.finish(how="recover")

    trial.kills = 1  # what was at work may be unknown
    assert checks_of(either_lab) == ""


def test_a_session_is_cancelled_from_another_process_while_its_owner_is_at_work(either_lab):
    trial = either_lab.trial(pause_s=0.2)
    owner = trial.start("deliver")
    while not ledger.read(trial.scene.ledger):
        time.sleep(0.005)
    trial.attempt("cancel")
    owner.succeed()

    assert said(trial, "cancelled") == [{"what": "cancelled", "state": "cancelled"}]
    assert [ack["stop_reason"] for ack in said(trial, "answered")] == ["cancelled"]
    seen = look(trial)
    assert (seen.turns[0].state, seen.turns[0].cause) == (TaskState.CANCELLED, "it is enough")
    assert (trial.problems, seen.info.owner, checks.always(seen)) == ([], None, [])


def test_a_session_whose_process_is_dead_is_cancelled_by_whoever_wants_that(either_lab):
    trial = either_lab.trial()
    trial.attempt(at="after once effect#1")
    assert trial.kills == 1
    trial.attempt("cancel")

    assert said(trial, "cancelled") == [{"what": "cancelled", "state": "cancelled"}]
    seen = look(trial)
    assert (seen.turns[0].state, seen.info.owner, checks.always(seen)) == (TaskState.CANCELLED, None, [])


def checks_of(lab):
    return told(lab.judge())
