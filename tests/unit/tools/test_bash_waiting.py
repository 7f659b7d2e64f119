"""Commands that wait for a person in a durable session: what the decision is bound to, and what it lets run."""

import attrs
import pytest
from unit.tools.test_bash_hosted import coder, wall  # noqa: F401

from par._context import RunContext
from par._durable.deciding import bound_key
from par.approvals import Approved, Grant, Rejected
from par.calls import ToolCall
from par.errors import CommandRefused, UsageError
from par.events import BashInvoked
from par.outcomes import Done, Failed, NeedsApproval
from par.tools.bash import Bash, Policy, Remove

pytestmark = pytest.mark.anyio

REMOVE = {"op": "remove", "paths": ["old"], "recursive": True}
SCRIPT = {"op": "run_python", "script": "a.py"}


class Durable:
    """A run that can be gone on with, and that keeps its events."""

    run_id = root_run_id = session_id = agent_name = "test"
    step = 0

    def __init__(self, *, can_suspend=True):
        self.can_suspend = can_suspend
        self.events = []

    async def emit(self, event):
        self.events.append(event)


@pytest.fixture
def folder(ws):
    (ws / "old").mkdir()
    (ws / "old/a.txt").write_text("a")
    return ws


@pytest.fixture
def bash(folder):
    tool = Bash(folder, Policy.coder(), approve_expires_s=60)
    yield tool
    tool.workspace.close()


async def sent(bash, command, decision=None, need=None, run=None):
    """Send the command, with a decision about what the call before it waited for."""
    grant = None if need is None else Grant(key=need.key, decision=decision)
    ctx = RunContext(None, run or Durable(), call_id="c1", tool="bash", grant=grant)
    return await bash.invoke(ToolCall(id="c1", name="bash", arguments={"command": command}, ctx=ctx))


async def test_without_an_approver_the_command_waits(bash, folder):
    need = await sent(bash, REMOVE)

    assert isinstance(need, NeedsApproval)
    assert "remove" in need.prompt
    assert (need.arguments, need.risk, need.expires_s) == ({"command": REMOVE}, "high", 60)
    facts = folder.stat()
    assert need.details["bind"] == {"workspace": f"{facts.st_dev}:{facts.st_ino}", "script_sha256": None}
    assert (folder / "old").exists()


async def test_it_waits_for_a_day_unless_said_otherwise(folder):
    assert (await sent(Bash(folder, Policy.coder()), REMOVE)).expires_s == 86_400
    assert (await sent(Bash(folder, Policy.coder(), approve_expires_s=None), REMOVE)).expires_s is None


@pytest.mark.parametrize("seconds", [0, -1, True, float("nan"), float("inf")])
def test_the_time_must_be_seconds_above_zero(ws, seconds):
    with pytest.raises(UsageError, match="approve_expires_s"):
        Bash(ws, approve_expires_s=seconds)


async def test_what_was_approved_runs_and_the_record_names_the_person(bash, folder):
    need = await sent(bash, REMOVE)
    run = Durable()

    outcome = await sent(bash, REMOVE, Approved("ann"), need, run)

    assert isinstance(outcome, Done)
    assert not (folder / "old").exists()
    assert [event.approved_by for event in run.events if isinstance(event, BashInvoked)] == ["ann"]


async def test_what_was_rejected_is_refused_with_the_reason(bash, folder):
    need = await sent(bash, REMOVE)

    outcome = await sent(bash, REMOVE, Rejected("ann", "I need it"), need)

    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.error_type) == ("refused", "approval_denied")
    assert "was not approved: I need it" in outcome.message
    assert (folder / "old").exists()


async def test_the_approval_of_another_command_counts_for_nothing(bash, folder):
    need = await sent(bash, {**REMOVE, "paths": ["old/a.txt"]})

    again = await sent(bash, REMOVE, Approved("ann"), need)

    assert isinstance(again, NeedsApproval)
    assert again.key != need.key
    assert (folder / "old").exists()


async def test_the_approval_counts_in_the_same_workspace_alone(bash, folder, tmp_path):
    need = await sent(bash, REMOVE)
    other = tmp_path / "other"
    (other / "old").mkdir(parents=True)

    again = await sent(Bash(other, Policy.coder()), REMOVE, Approved("ann"), need)

    assert isinstance(again, NeedsApproval)
    assert (other / "old").exists()


async def test_a_script_that_was_changed_after_the_approval_is_asked_about_anew(ws, wall):  # noqa: F811
    (ws / "a.py").write_text("print('hello')\n")
    bash = Bash(ws, coder(), walls=[wall])
    need = await sent(bash, SCRIPT)
    (ws / "a.py").write_text("print('other')\n")

    again = await sent(bash, SCRIPT, Approved("ann"), need)
    assert isinstance(again, NeedsApproval)
    assert again.key != need.key

    (ws / "a.py").write_text("print('hello')\n")
    outcome = await sent(bash, SCRIPT, Approved("ann"), need)
    assert outcome.value.stdout == "hello\n"


@pytest.mark.parametrize("command", [REMOVE, {**REMOVE, "missing_ok": False}], ids=["short", "with what is usual"])
async def test_modified_arguments_run_with_the_approval_of_those(bash, folder, command):
    need = await sent(bash, {**REMOVE, "paths": ["other"]})
    as_modified = attrs.evolve(need, key=bound(command, need))

    outcome = await sent(bash, command, Approved("ann"), as_modified)

    assert isinstance(outcome, Done), outcome
    assert not (folder / "old").exists()


def bound(command, need):
    """Return what a decision about the call with these arguments is bound to, as a durable session makes it."""
    return bound_key("bash", {"command": command}, need.details)


async def test_an_approver_is_asked_although_the_command_could_wait(folder):
    async def yes(request):
        return Approved("bob")

    run = Durable()

    outcome = await sent(Bash(folder, Policy.coder(), approve=yes), REMOVE, run=run)

    assert isinstance(outcome, Done)
    assert run.events[0].approved_by == "bob"


async def test_where_the_session_is_not_durable_it_is_refused(bash, folder):
    outcome = await sent(bash, REMOVE, run=Durable(can_suspend=False))

    assert (outcome.kind, outcome.error_type) == ("refused", "approval_denied")
    assert "nobody to ask" in outcome.message
    assert (folder / "old").exists()


async def test_a_command_of_the_program_itself_does_not_wait(bash, folder):
    with pytest.raises(CommandRefused, match="nobody to ask"):
        await bash.run(Remove(paths=["old"], recursive=True), ctx=RunContext(None, Durable()))

    assert (folder / "old").exists()


async def test_no_approval_helps_a_command_that_the_policy_denies(bash, folder):
    need = await sent(bash, REMOVE)

    outcome = await sent(Bash(folder, Policy.read_only()), REMOVE, Approved("ann"), need)

    assert outcome.kind == "refused"
    assert (folder / "old").exists()
