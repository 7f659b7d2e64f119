"""A running session is followed live, whoever runs it, until its turn ends or waits."""

import json

import anyio
import pytest
from rich.console import Console
from unit.cli.audit_scene import Place
from unit.cli.test_audit_follow import Paper, target

from par import Agent, Runtime, tool
from par.cli._audit_print import Printer
from par.cli._sessions_look import Show, show
from par.outcomes import NeedsApproval
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    if request.param == "postgres":
        return Place(request.getfixturevalue("postgres_dsn"))
    return Place(str(tmp_path / "audit.db"))


class Gate:
    """An agent whose tool waits until it is let through, and then answers or asks a person."""

    def __init__(self, answer):
        self.there, self.open = anyio.Event(), anyio.Event()

        @tool(effect="read")
        async def wait() -> object:
            """Wait."""
            self.there.set()
            await self.open.wait()
            return answer

        self.agent = Agent(ScriptedModel([call("wait"), say("Good.")]), name="gate", tools=[wait])


def printer(paper):
    return Printer(Console(file=paper, soft_wrap=True))


async def followed(place, gate, *, as_json):
    """Return what is printed of a session that goes on once its beginning was printed."""
    paper = Paper()
    options = Show(session="s", full=False, follow=True, as_json=as_json)
    with anyio.fail_after(40):
        async with place.open() as store, Runtime(store=store) as rt, anyio.create_task_group() as tasks:

            async def turn():
                await rt.run(gate.agent, "Go.", session="s")

            tasks.start_soon(turn)
            await gate.there.wait()

            async def let_through():
                while not paper.getvalue():
                    await paper.more.wait()
                gate.open.set()

            tasks.start_soon(let_through)
            assert await show(target(place), options, printer(paper)) == 0
    return paper.getvalue()


async def test_the_rest_of_the_turn_is_told_until_it_ends(place):
    lines = (await followed(place, Gate("ok"), as_json=False)).splitlines()

    assert lines[0] == "session s: running, agent gate"
    assert any("wait done" in line for line in lines)
    assert "finished after 2 model calls" in lines[-1]


async def test_a_turn_that_comes_to_wait_ends_the_following_with_what_it_waits_for(place):
    text = await followed(place, Gate(NeedsApproval(prompt="May I?")), as_json=False)

    assert "run      suspended" in text
    assert "  asks       May I?" in text.splitlines()


async def test_as_json_it_is_the_session_and_then_an_event_a_line(place):
    first, *events = map(json.loads, (await followed(place, Gate("ok"), as_json=True)).splitlines())

    assert (first["session"], first["state"]) == ("s", "running")
    kinds = [event["event"]["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("tool_call_ended", "run_ended"), "what was there before is in the session"
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})


@pytest.mark.parametrize("script", [[say("Hello.")], [call("wait")]], ids=["ended", "suspended"])
async def test_a_session_at_which_nobody_works_is_shown_and_not_waited_for(place, script):
    @tool(effect="read")
    async def wait() -> object:
        """Wait."""
        return NeedsApproval(prompt="May I?")

    paper = Paper()
    with anyio.fail_after(40):
        async with place.open() as store, Runtime(store=store) as rt:
            await rt.run(Agent(ScriptedModel(script), tools=[wait]), "Go.", session="s")
        options = Show(session="s", full=False, follow=True, as_json=True)
        assert await show(target(place), options, printer(paper)) == 0

    assert len(paper.getvalue().splitlines()) == 1
    assert json.loads(paper.getvalue())["session"] == "s"
