"""Calls that a rule lets wait for a person: what they wait for, and what counts as the answer."""

import attrs
import pytest
from unit.middleware.driving import Port
from unit.middleware.test_permissions import Person, judged, named, refused

from par._context import RunContext
from par.approvals import Approved, Grant, Rejected
from par.middleware import Permissions, Rule
from par.outcomes import Done, NeedsApproval

pytestmark = pytest.mark.anyio

CONFIRM = Permissions(default="confirm")


class Durable(Port):
    """A run that can be gone on with."""

    can_suspend = True


def waiting(arguments=None, *, tool="pay", grant=None, session="session-1"):
    made = named(tool, effect="once", arguments={"euros": 5} if arguments is None else arguments)
    ctx = RunContext(None, Durable(session_id=session), call_id="u1", tool=tool, grant=grant)
    return attrs.evolve(made, ctx=ctx)


async def asked(call, permissions=CONFIRM):
    outcome, ran = await judged(permissions, call)
    assert isinstance(outcome, NeedsApproval)
    assert ran == 0
    return outcome


def decided(need, decision):
    return Grant(key=need.key, decision=decision)


async def test_the_outcome_says_what_the_decision_is_bound_to_and_for_how_long_it_waits():
    need = await asked(waiting(), Permissions(rules=[Rule("confirm", approvers=("cfo",))], expires_s=60))

    assert (need.key, need.arguments) == (need.details["key"], {"euros": 5})
    assert (need.roles, need.risk, need.expires_s) == (("cfo",), "high", 60)


async def test_a_call_waits_for_a_day_unless_said_otherwise():
    assert (await asked(waiting())).expires_s == 86_400
    assert (await asked(waiting(), Permissions(default="confirm", expires_s=None))).expires_s is None


@pytest.mark.parametrize("seconds", [0, -1, True, float("nan"), float("inf"), "60"])
def test_the_time_must_be_seconds_above_zero(seconds):
    with pytest.raises((TypeError, ValueError), match="expires_s"):
        Permissions(expires_s=seconds)


async def test_an_approved_call_runs():
    need = await asked(waiting())

    outcome, ran = await judged(CONFIRM, waiting(grant=decided(need, Approved("ann"))))

    assert (outcome, ran) == (Done("ran"), 1)


async def test_a_rejected_call_is_refused_with_who_and_why():
    need = await asked(waiting())

    outcome, ran = await judged(CONFIRM, waiting(grant=decided(need, Rejected("ann", "too much"))))

    assert refused(outcome, "it was not approved (too much)")
    assert (outcome.error.by, ran) == ("ann", 0)


@pytest.mark.parametrize(
    "other",
    [{"arguments": {"euros": 6}}, {"tool": "repay"}, {"session": "session-2"}],
    ids=["arguments", "tool", "session"],
)
async def test_the_approval_of_another_call_counts_for_nothing(other):
    need = await asked(waiting())

    again = await asked(waiting(grant=decided(need, Approved("ann")), **other))

    assert again.key != need.key


async def test_modified_arguments_run_with_the_approval_of_those():
    need = await asked(waiting({"euros": 4}))

    outcome, ran = await judged(CONFIRM, waiting({"euros": 4}, grant=decided(need, Approved("ann"))))

    assert (outcome, ran) == (Done("ran"), 1)


async def test_an_approver_is_asked_although_the_call_could_wait():
    person = Person()

    outcome, ran = await judged(Permissions(default="confirm", approver=person), waiting())

    assert (outcome, ran, len(person.asked)) == (Done("ran"), 1, 1)


async def test_an_approver_is_not_asked_about_what_was_decided_ahead():
    person = Person(Rejected())
    need = await asked(waiting())

    outcome, _ = await judged(
        Permissions(default="confirm", approver=person), waiting(grant=decided(need, Approved("ann")))
    )

    assert (outcome, person.asked) == (Done("ran"), [])


async def test_no_approval_helps_a_call_that_is_denied():
    need = await asked(waiting())

    outcome, ran = await judged(Permissions(), waiting(grant=decided(need, Approved("ann"))))

    assert refused(outcome, "it is not allowed")
    assert ran == 0
