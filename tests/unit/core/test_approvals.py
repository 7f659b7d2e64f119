"""Asking a person: only a clear approval in time counts, it is bound to the call, and texts show what is there."""

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par.approvals import ApprovalRequest, Approved, Rejected, ask, remembering, shown

pytestmark = pytest.mark.anyio


def request(**facts):
    facts = {"tool": "pay", "call_id": "u1", "arguments": {"euros": 5}, "prompt": "Pay?", "risk": "high", **facts}
    return ApprovalRequest(**facts)


def answering(answer):
    async def approver(request):
        return answer

    return approver


def is_rejected(answer, reason):
    return type(answer) is Rejected and reason in answer.reason


# --- what counts as an approval -----------------------------------------------------------------------------


async def test_an_approval_is_an_approval():
    assert await ask(answering(Approved("ann", "fine")), request(), timeout_s=None) == Approved("ann", "fine")


async def test_a_rejection_keeps_its_reason():
    answer = await ask(answering(Rejected("ann", "too dear")), request(), timeout_s=5)

    assert answer == Rejected("ann", "too dear")


async def test_the_approver_gets_the_request():
    asked = []

    async def approver(request):
        asked.append(request)
        return Approved()

    await ask(approver, request(), timeout_s=5)

    assert asked == [request()]


async def test_without_an_approver_nothing_is_approved():
    assert is_rejected(await ask(None, request(), timeout_s=5), "no approver is set")


class Nearly(Approved):
    pass


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (None, "it returned None"),
        (True, "it returned True"),
        (1, "type int"),
        ("yes", "type str"),
        (Approved, "type type"),
        (Nearly(), "type Nearly"),
    ],
    ids=repr,
)
async def test_anything_but_an_approval_is_a_rejection_that_says_what_it_was(answer, named):
    assert is_rejected(await ask(answering(answer), request(), timeout_s=5), named)


async def test_a_coroutine_that_nobody_awaited_is_no_approval():
    async def approver(request):
        return answering(Approved())(request)

    assert is_rejected(await ask(approver, request(), timeout_s=5), "a coroutine that nobody awaited")


async def test_an_approver_that_is_no_async_function_approves_nothing():
    answer = await ask(lambda request: Approved(), request(), timeout_s=5)

    assert is_rejected(answer, "no async function: it returned an object of type Approved")


async def test_an_approver_that_fails_has_not_approved():
    async def approver(request):
        raise OSError("/home/ann/.secret")

    answer = await ask(approver, request(), timeout_s=5)

    assert is_rejected(answer, "failed with OSError")
    assert "secret" not in answer.reason


async def test_an_approver_that_fails_at_once_has_not_approved():
    def approver(request):
        raise OSError

    assert is_rejected(await ask(approver, request(), timeout_s=5), "failed with OSError")


async def test_an_answer_after_the_time_is_a_rejection():
    async def approver(request):
        await anyio.sleep(6)
        return Approved()

    since = anyio.current_time()

    assert is_rejected(await ask(approver, request(), timeout_s=5), "nobody answered within 5 s")
    assert round(anyio.current_time() - since, 6) == 5


async def test_an_answer_that_comes_late_because_the_approver_was_shielded_is_a_rejection():
    async def approver(request):
        with anyio.CancelScope(shield=True):
            await anyio.sleep(6)
        return Approved()

    assert is_rejected(await ask(approver, request(), timeout_s=5), "nobody answered within 5 s")


async def test_an_approver_may_take_as_long_as_it_likes_if_there_is_no_time():
    async def approver(request):
        await anyio.sleep(80_000)
        return Approved()

    assert await ask(approver, request(), timeout_s=None) == Approved()


async def test_a_cancellation_goes_through():
    answers = []

    with anyio.move_on_after(1) as scope:
        answers.append(await ask(lambda request: anyio.sleep_forever(), request(), timeout_s=5))

    assert scope.cancelled_caught
    assert answers == []


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), True])
async def test_a_time_that_is_none_is_refused_by_name(timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        await ask(answering(Approved()), request(), timeout_s=timeout_s)


# --- what an approval is bound to ---------------------------------------------------------------------------


def test_the_key_is_the_same_for_the_same_call_whatever_it_is_called_and_described():
    one = request(arguments={"a": 1, "b": {"c": 2, "d": 3}}, call_id="u1", prompt="Pay?", risk="low")
    two = request(arguments={"b": {"d": 3, "c": 2}, "a": 1}, call_id="u2", prompt="Now?", details={"note": "x"})

    assert one.key == two.key
    assert len(one.key) == 64


def test_the_key_stays_the_same_from_release_to_release():
    assert request().key == "9ab63adea68a0e6628d67a9a5541be6675663d105c70433327bd9d43640d1718"


@pytest.mark.parametrize(
    "facts",
    [
        {"tool": "refund"},
        {"arguments": {"euros": 6}},
        {"arguments": {"euros": 5.0}},
        {"arguments": {"euros": "5"}},
        {"arguments": {"euros": 5, "now": None}},
        {"arguments": {}},
        {"details": {"bind": "main"}},
        {"details": {"bind": None}},
    ],
    ids=str,
)
def test_another_call_has_another_key(facts):
    assert request(**facts).key != request().key


def test_what_is_bound_is_part_of_the_key():
    assert request(details={"bind": "a"}).key != request(details={"bind": "b"}).key


def test_a_request_holds_a_copy_of_the_arguments():
    arguments = {"to": ["ann"]}
    made = request(arguments=arguments)
    key = made.key

    arguments["to"].append("eve")

    assert (made.arguments, made.key) == ({"to": ["ann"]}, key)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"tool": ""}, "tool"),
        ({"tool": 3}, "tool"),
        ({"call_id": None}, "call_id"),
        ({"prompt": None}, "prompt"),
        ({"risk": "huge"}, "risk"),
        ({"effects": ["once"]}, "effects"),
        ({"effects": (1,)}, "effects"),
        ({"roles": "admin"}, "roles"),
        ({"arguments": {"x": float("nan")}}, "arguments"),
        ({"arguments": {1: "a", "1": "b"}}, "arguments"),
        ({"arguments": {"x": (1, 2)}}, "arguments"),
        ({"arguments": [1]}, "arguments"),
        ({"details": {"x": b"no JSON"}}, "details"),
    ],
    ids=str,
)
def test_a_request_that_is_none_is_refused_by_name(facts, named):
    with pytest.raises((TypeError, ValueError), match=named):
        request(**facts)


@pytest.mark.parametrize("build", [lambda: Approved(True), lambda: Approved(note=1), lambda: Rejected(reason=None)])
def test_an_answer_has_texts(build):
    with pytest.raises(TypeError):
        build()


# --- remembering --------------------------------------------------------------------------------------------


class Counting:
    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request.arguments)
        return self.answer


async def test_an_approval_is_remembered_for_the_same_call_alone():
    counting = Counting(Approved("ann"))
    approver = remembering(counting, limit=8)

    answers = [await approver(request(call_id=str(turn))) for turn in range(3)]
    await approver(request(arguments={"euros": 6}))

    assert answers == [Approved("ann")] * 3
    assert counting.asked == [{"euros": 5}, {"euros": 6}]


@pytest.mark.parametrize("answer", [Rejected("ann"), Nearly(), True, None], ids=repr)
async def test_nothing_but_an_approval_is_remembered(answer):
    counting = Counting(answer)
    approver = remembering(counting, limit=8)

    assert await approver(request()) is answer
    assert await approver(request()) is answer
    assert len(counting.asked) == 2


async def test_the_approval_that_was_used_longest_ago_is_forgotten_first():
    counting = Counting(Approved())
    approver = remembering(counting, limit=2)

    for euros in (1, 2, 1, 3, 1, 2):
        await approver(request(arguments={"euros": euros}))

    assert [asked["euros"] for asked in counting.asked] == [1, 2, 3, 2]


async def test_two_that_remember_do_not_share_what_they_know():
    counting = Counting(Approved())

    await remembering(counting, limit=2)(request())
    await remembering(counting, limit=2)(request())

    assert len(counting.asked) == 2


@pytest.mark.parametrize("limit", [0, -1, True, 1.5])
def test_a_memory_without_room_is_refused(limit):
    with pytest.raises(ValueError, match="limit"):
        remembering(answering(Approved()), limit=limit)


# --- what a person is shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rm -r build", "rm -r build"),
        ("Größe 5 €, 日本", "Größe 5 €, 日本"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u2066b\u200bc", "a\\u2066b\\u200bc"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("x\u3164y\ufe0f", "x\\u3164y\\ufe0f"),
        ("\\x1b", "\\\\x1b"),
    ],
    ids=ascii,
)
def test_a_person_sees_what_is_really_there(text, expected):
    assert shown(text, 100) == expected


def test_what_does_not_fit_is_counted():
    assert shown("a" * 100, 40) == "a" * 17 + "… (83 more characters)"


def test_what_just_fits_is_shown_whole():
    assert shown("a" * 40, 40) == "a" * 40


@given(st.text(st.characters()), st.integers(40, 60))
def test_what_is_shown_is_one_line_within_its_limit(text, limit):
    line = shown(text, limit)

    assert len(line) <= limit
    assert line.isprintable()


@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=40))
def test_two_texts_that_are_shown_whole_look_different(one, other):
    assert (shown(one, 1000) == shown(other, 1000)) == (one == other)


def test_a_limit_without_room_is_refused():
    with pytest.raises(ValueError, match="limit"):
        shown("x", 39)
