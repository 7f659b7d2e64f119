"""The checks themselves: each of them sees the fault that it is for, planted into a session that was never disturbed."""

from datetime import UTC, datetime

import attrs
import pytest
from durable import checks

from par.events import ApprovalDecided, ApprovalRequested, RunEnded, RunStarted, ToolCallEnded
from par.messages import Assistant, Text, ToolResults
from par.states import TaskState

evolve = attrs.evolve


def info(**changes):
    return lambda seen: evolve(seen, info=evolve(seen.info, **changes))


def counts(name):
    return lambda seen: evolve(seen, info=evolve(seen.info, **{name: getattr(seen.info, name) + 1}))


def first_turn(**changes):
    return lambda seen: evolve(seen, turns=(evolve(seen.turns[0], **changes), *seen.turns[1:]))


def messages(change):
    def planted(seen):
        return first_turn(messages=tuple(change(list(seen.turns[0].messages))))(seen)

    return planted


def unknown(tool):
    def change(said):
        for place, message in enumerate(said):
            if isinstance(message, ToolResults):
                results = [
                    evolve(one, outcome="unknown", content="?") if one.name == tool else one for one in message.results
                ]
                said[place] = evolve(message, results=tuple(results))
        return said

    return messages(change)


def steps(change):
    return lambda seen: evolve(seen, steps={**seen.steps, 1: tuple(change(list(seen.steps[1])))})


def ledger(change):
    return lambda seen: evolve(seen, ledger=tuple(change(list(seen.ledger))))


def effect_of(entries, tool, what="effect"):
    return next(entry for entry in entries if entry.tool == tool and entry.what == what)


def events(change):
    def planted(seen):
        changed = change(list(seen.events))
        return evolve(seen, events=tuple(evolve(one, seq=seq) for seq, one in enumerate(changed, 1)))

    return planted


def end_of(told):
    return next(one.event for one in told if isinstance(one.event, ToolCallEnded))


def again(kind):
    """Tell an event of this kind twice."""

    def change(told):
        place, event = next((place, one) for place, one in enumerate(told) if isinstance(one.event, kind))
        return [*told[: place + 1], evolve(event, id="01" * 13), *told[place + 1 :]]

    return events(change)


def approval(**changes):
    return lambda seen: evolve(seen, approvals=(evolve(seen.approvals[0], **changes),))


def acknowledged(**ack):
    return lambda seen: evolve(seen, acks=(*seen.acks, (ack,)))


PLANTED = {
    "a session that never ends": (info(state=TaskState.RUNNING), "the session is running"),
    "an owner": (info(owner="somebody"), "a lease is left"),
    "a lease": (info(lease_until=datetime.now(UTC)), "a lease is left"),
    "an open turn": (first_turn(state=TaskState.SUSPENDED, ended_at=None), "turn 1 is suspended"),
    "a turn that failed": (first_turn(stop_reason="failed"), "turn 1 is completed, failed"),
    "a second turn for a message": (lambda seen: evolve(seen, turns=(*seen.turns, seen.turns[1])), "the turns answer"),
    "turns that are not counted": (counts("turns"), "turns are counted"),
    "a message that is lost": (messages(lambda said: said[:-1]), "messages, not"),
    "a message that is another": (messages(lambda said: [*said[:-1], Assistant((Text("no"),))]), "message 9 is"),
    "an unknown result of a tool that may be repeated": (unknown("book"), "outcome='unknown'"),
    "an unknown result without any kill": (unknown("wire"), "1 results are unknown after 0 kills"),
    "a step that is there twice": (steps(lambda all_: [*all_, all_[-1]]), "has the steps"),
    "a step that is missing": (steps(lambda all_: all_[:-1]), "took the steps"),
    "a step in doubt": (steps(lambda all_: [evolve(all_[0], status="started"), *all_[1:]]), "step 1.1 is started"),
    "a step of another": (steps(lambda all_: [evolve(all_[0], key="k:1"), *all_[1:]]), "step 1.1 has the key k:1"),
    "a step too many in the counters": (counts("steps"), "21 steps are counted, and 20 are recorded"),
    "a token too many": (counts("tokens"), "and the turns add up to 396"),
    "a cent too many": (counts("cost_micro"), "and the events add up to 396 and 836"),
    "model calls that are not counted": (first_turn(model_calls=4), "turn 1 counts 4 model calls"),
    "an effect that happened twice": (
        ledger(lambda all_: [*all_, effect_of(all_, "pay")]),
        "may happen once and happened 2 times",
    ),
    "an effect that is lost": (
        ledger(lambda all_: [one for one in all_ if one != effect_of(all_, "book")]),
        "is told as done and never happened",
    ),
    "a tool that was called twice": (
        ledger(lambda all_: [*all_, effect_of(all_, "pay", "begin")]),
        "may happen once and was begun 2 times",
    ),
    "a key for two calls": (
        ledger(lambda all_: [*all_, evolve(effect_of(all_, "look"), argument=99)]),
        "was given to ('look', 1) and to ('look', 99)",
    ),
    "a key of no turn": (
        ledger(lambda all_: [*all_, evolve(effect_of(all_, "look"), key="x:1")]),
        "of no turn",
    ),
    "a key of no step": (
        ledger(lambda all_: [*all_, evolve(effect_of(all_, "look"), key=all_[0].key.split(":")[0] + ":99")]),
        "which is that of None",
    ),
    "a key of another tool": (
        ledger(lambda all_: [evolve(one, tool="book") if one.tool == "look" else one for one in all_]),
        ", which is that of look",
    ),
    "a chain that is broken": (lambda seen: evolve(seen, broken=("event 3 was changed",)), "the chain is broken"),
    "a gap in the numbers": (lambda seen: evolve(seen, events=seen.events[1:]), "the events are numbered"),
    "an id that is there twice": (
        events(lambda told: [*told[:-1], evolve(told[-1], id=told[0].id)]),
        "two events have one id",
    ),
    "a turn that began twice": (again(RunStarted), "began, and the turns are"),
    "a run that ended twice": (again(RunEnded), "a run ended twice"),
    "an end that is told twice": (again(ToolCallEnded), "an end is told more than once"),
    "an end without a step": (
        events(lambda told: [*told[:-1], evolve(told[-1], event=evolve(end_of(told), call_id="other"))]),
        "20 steps are counted, and the ends of 21 are told",
    ),
    "an end that is not told": (
        events(lambda told: [one for one in told if not isinstance(one.event, ToolCallEnded)]),
        "ends of 14 steps",
    ),
    "an approval that was forgotten": (approval(status="pending"), "is pending"),
    "a decision that was made twice": (again(ApprovalDecided), "decided 2 times"),
    "an approval that was asked for twice": (again(ApprovalRequested), "asked 2"),
    "a call that was asked about twice": (
        lambda seen: evolve(seen, approvals=(seen.approvals[0], evolve(seen.approvals[0], id="other"))),
        "a call was asked about twice",
    ),
    "an event that a client saw": (acknowledged(what="event", seq=2, id="another"), "the event 2 was told and"),
    "an approval that was acknowledged": (acknowledged(what="approved", approval="a1"), "the approval a1 was"),
    "a result that was returned": (
        acknowledged(what="result", turn=1, stop_reason="finished", messages=[{"text": "no"}]),
        "the result of turn 1 was returned",
    ),
    "an event that a stream showed": (acknowledged(what="saw", event="{}"), "a stream showed what is not stored"),
}


def test_a_session_that_nobody_disturbed_breaks_no_rule(wanted):
    assert checks.violations(wanted, wanted, kills=0) == []
    assert any(ack["what"] == "saw" for ack in wanted.acks[0])
    assert {ack["what"] for ack in wanted.acks[0]} == {"saw", "event", "approved", "result"}


@pytest.mark.parametrize(("plant", "sentence"), PLANTED.values(), ids=PLANTED)
def test_a_fault_is_seen(wanted, plant, sentence):
    found = checks.violations(plant(wanted), wanted, kills=0)

    assert any(sentence in one for one in found), found


def test_an_unknown_result_of_a_tool_that_must_not_be_repeated_is_declared(wanted):
    def nothing_happened(seen):
        return evolve(seen, ledger=tuple(one for one in seen.ledger if one.tool != "wire"), acks=())

    assert checks.violations(nothing_happened(unknown("wire")(wanted)), wanted, kills=1) == []
