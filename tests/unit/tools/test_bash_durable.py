"""Commands that wait in a durable session, decided about by a person and run by whoever resumes it."""

import pytest
from unit.tools.test_bash_hosted import coder, wall  # noqa: F401

from par import Agent, Runtime
from par.errors import ApprovalRefused
from par.events import BashInvoked
from par.messages import ToolResults
from par.persistence import open_sqlite
from par.testing import ScriptedModel, call, say
from par.tools.bash import Bash, Policy

pytestmark = pytest.mark.anyio

REMOVE = {"op": "remove", "paths": ["old"], "recursive": True}
SCRIPT = {"op": "run_python", "script": "a.py"}


@pytest.fixture
async def store(tmp_path):
    async with open_sqlite(tmp_path / "audit.db") as store:
        yield store


@pytest.fixture
def folder(ws):
    for name in ("old", "other"):
        (ws / name).mkdir()
    return ws


def agent_of(folder, command=REMOVE, policy=None, **options):
    bash = Bash(folder, policy or Policy.coder(), **options)
    return Agent(ScriptedModel([call("bash", command=command), say("Done.")]), tools=[bash])


async def waits(store, agent):
    """Run the agent, and return the one approval that its session waits for."""
    async with Runtime(store=store) as rt:
        result = await rt.run(agent, "Tidy.", session="s")
        assert result.stop_reason == "suspended"
        (waiting,) = await rt.approvals("s")
    return waiting


async def resumed(store, agent):
    """Go on in another runtime, and return the result and what the tool answered last."""
    async with Runtime(store=store) as rt:
        result = await rt.resume("s", agent)
        said = [message for message in await rt.messages("s") if isinstance(message, ToolResults)]
    return result, said[-1].results[0].content


async def decided(store, verb, waiting, *more, **how):
    async with Runtime(store=store) as rt:
        await getattr(rt, verb)("s", waiting.id, *more, by="ann", **how)


async def invoked(store):
    return [one.event for one in await store.events("s") if isinstance(one.event, BashInvoked)]


async def test_an_approved_command_runs_once_and_the_audit_names_the_person(store, folder):
    waiting = await waits(store, agent_of(folder))
    assert (waiting.tool, waiting.arguments, waiting.risk) == ("bash", {"command": REMOVE}, "high")
    assert (waiting.expires_at - waiting.asked_at).total_seconds() == 86_400
    assert (folder / "old").exists()

    await decided(store, "approve", waiting)
    result, _ = await resumed(store, agent_of(folder))

    assert (result.output, (folder / "old").exists()) == ("Done.", False)
    assert [(event.op, event.approved_by) for event in await invoked(store)] == [("remove", "ann")]


async def test_a_rejected_command_is_told_to_the_model_with_the_reason(store, folder):
    waiting = await waits(store, agent_of(folder))

    await decided(store, "reject", waiting, note="I need it")
    result, answer = await resumed(store, agent_of(folder))

    assert (result.output, (folder / "old").exists()) == ("Done.", True)
    assert "I need it" in answer
    assert await invoked(store) == []


async def test_a_modified_command_runs_as_modified(store, folder):
    waiting = await waits(store, agent_of(folder))

    await decided(store, "modify", waiting, {"command": {**REMOVE, "paths": ["other"], "missing_ok": False}})
    await resumed(store, agent_of(folder))

    assert [(folder / name).exists() for name in ("old", "other")] == [True, False]


async def test_a_script_that_was_changed_after_its_approval_is_asked_about_again(store, ws, wall):  # noqa: F811
    (ws / "a.py").write_text("print('hello')\n")
    agent = {"command": SCRIPT, "policy": coder(), "walls": [wall]}
    first = await waits(store, agent_of(ws, **agent))
    await decided(store, "approve", first)
    (ws / "a.py").write_text("print('other')\n")

    result, _ = await resumed(store, agent_of(ws, **agent))
    assert (result.stop_reason, await invoked(store)) == ("suspended", [])

    async with Runtime(store=store) as rt:
        (second,) = await rt.approvals("s")
    assert second.key != first.key
    with pytest.raises(ApprovalRefused):
        await decided(store, "approve", first)
    await decided(store, "approve", second)
    result, answer = await resumed(store, agent_of(ws, **agent))
    assert result.stop_reason == "finished"
    assert "other" in answer
