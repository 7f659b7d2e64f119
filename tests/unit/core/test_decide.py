"""One way to ask: what was decided ahead counts, then a person who is there, then the call waits if it can."""

import anyio
import attrs
import pytest

from par.approvals import ApprovalRequest, Approved, Grant, Rejected, decide, needs_approval
from par.outcomes import NeedsApproval

pytestmark = pytest.mark.anyio

REQUEST = ApprovalRequest(
    tool="pay",
    call_id="c1",
    arguments={"euros": 5},
    prompt="May it pay?",
    risk="high",
    effects=("once",),
    roles=("manager",),
    details={"bind": {"session": "s"}, "why": "because"},
)
OTHER = attrs.evolve(REQUEST, arguments={"euros": 6})
YES, NO = Approved("ann", "fine"), Rejected("bob", "too much")


@attrs.frozen
class Call:
    grant: Grant | None = None
    can_suspend: bool = True


class Person:
    def __init__(self, answer=YES):
        self.answer = answer
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request)
        return self.answer


def granted(decision, request=REQUEST, earlier=None):
    return Grant(key=request.key, decision=decision, earlier=earlier)


@pytest.mark.parametrize("decision", [YES, NO], ids=["approved", "rejected"])
async def test_a_decision_about_this_call_counts(decision):
    assert await decide(Call(granted(decision)), REQUEST) is decision


async def test_a_decision_about_this_call_counts_before_the_approver_is_asked():
    person = Person(NO)

    assert await decide(Call(granted(YES)), REQUEST, approver=person) is YES
    assert person.asked == []


async def test_a_decision_about_another_call_counts_for_nothing():
    assert isinstance(await decide(Call(granted(YES, OTHER)), REQUEST), NeedsApproval)


async def test_where_two_ask_about_one_call_each_finds_its_own_decision():
    both = granted(YES, OTHER, earlier=granted(NO))

    assert await decide(Call(both), REQUEST) is NO
    assert await decide(Call(both), OTHER) is YES


async def test_of_two_decisions_about_the_same_the_later_counts():
    assert await decide(Call(granted(NO, earlier=granted(YES))), REQUEST) is NO


@pytest.mark.parametrize("answer", [YES, NO], ids=["approved", "rejected"])
async def test_an_approver_is_asked_although_the_call_could_wait(answer):
    person = Person(answer)

    assert await decide(Call(), REQUEST, approver=person) is answer
    assert person.asked == [REQUEST]


async def test_an_approver_has_his_time():
    async def slow(request):
        await anyio.sleep_forever()

    answer = await decide(Call(), REQUEST, approver=slow, timeout_s=0.01)

    assert answer == Rejected(reason="nobody answered within 0.01 s")


async def test_without_an_approver_the_call_waits_with_all_that_the_request_says():
    need = await decide(Call(), REQUEST, expires_s=60)

    assert need == needs_approval(REQUEST, expires_s=60)
    assert (need.prompt, need.roles, need.risk, need.expires_s) == ("May it pay?", ("manager",), "high", 60)
    assert (need.key, need.arguments) == (REQUEST.key, {"euros": 5})
    assert {key: need.details[key] for key in ("bind", "why", "effects", "tool", "call_id")} == {
        "bind": {"session": "s"},
        "why": "because",
        "effects": ["once"],
        "tool": "pay",
        "call_id": "c1",
    }


async def test_a_call_waits_for_a_day_unless_said_otherwise():
    assert (await decide(Call(), REQUEST)).expires_s == 86_400
    assert (await decide(Call(), REQUEST, expires_s=None)).expires_s is None


async def test_where_the_call_cannot_wait_it_is_rejected():
    answer = await decide(Call(can_suspend=False), REQUEST)

    assert answer == Rejected(reason="there is nobody to ask: no approver is set")


@pytest.mark.parametrize(("waits", "kind"), [(True, NeedsApproval), (False, Rejected)])
@pytest.mark.parametrize("can_suspend", [True, False])
async def test_the_caller_may_say_whether_it_waits(waits, kind, can_suspend):
    assert isinstance(await decide(Call(can_suspend=can_suspend), REQUEST, waits=waits), kind)


@pytest.mark.parametrize("name", ["timeout_s", "expires_s"])
@pytest.mark.parametrize("seconds", [0, -1, True, float("nan"), float("inf")])
async def test_times_must_be_seconds_above_zero(name, seconds):
    with pytest.raises(ValueError, match=name):
        await decide(Call(granted(YES)), REQUEST, **{name: seconds})


@pytest.mark.parametrize("wrong", [{"key": "", "decision": YES}, {"key": "k", "decision": True}])
def test_a_grant_is_a_key_and_a_decision(wrong):
    with pytest.raises((TypeError, ValueError)):
        Grant(**wrong)
