"""A turn that is cancelled in any phase: it ends, what happened is recorded, and the session can go on."""

import anyio
import attrs
import pytest
from durable import checks, script
from durable.lab import one_of_each
from durable.points import KillingStore, Points, read

from par import Runtime
from par.messages import Assistant, ToolResults
from par.persistence import open_sqlite
from par.states import TaskState, is_terminal

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


async def turn(store, scene, points):
    """Run the first turn, up to where it waits for an approval."""
    agent = script.make_agent(scene, points.reach)
    async with Runtime(store=KillingStore(store, points), agents=[agent]) as rt:
        message_id, prompt = script.MESSAGES[0]
        return await rt.run(agent, prompt, session=scene.session, message_id=message_id)


async def test_a_turn_that_is_cancelled_in_any_phase_leaves_a_session_that_is_whole(tmp_path):
    async with open_sqlite(tmp_path / "a.db", durability="process") as store:
        scene = script.Scene(session="dry", ledger=str(tmp_path / "dry"))
        await turn(store, scene, Points(listing=str(tmp_path / "points")))
        instants = one_of_each(read(tmp_path / "points"))
        found = {}
        for number, at in enumerate(instants):
            scene = script.Scene(session=f"s{number}", ledger=str(tmp_path / f"s{number}"))
            with anyio.CancelScope() as scope:
                await turn(store, scene, Points(at=at, act=scope.cancel))
            assert scope.cancel_called, at
            seen = await checks.observe(store, scene.session, ledger_file=scene.ledger)
            if problems := [*broken(seen), *(await goes_on(store, scene, seen))]:
                found[at] = problems

    assert found == {}
    assert len(instants) > 12


def broken(seen):
    if seen.info is None:  # cancelled before the turn began
        return
    yield from checks.always(seen)
    if seen.info.owner is not None:
        yield "an owner is left"
    for one in seen.turns:
        if one.state not in (TaskState.CANCELLED, TaskState.SUSPENDED):
            yield f"the turn is {one.state}"
        if one.state is TaskState.CANCELLED:
            yield from untrue(one, seen)


def untrue(turn, seen):
    """Say what the conversation of a cancelled turn tells that is not so."""
    happened = {entry.key for entry in seen.ledger if entry.what == "effect"}
    uses, results = [], []
    ordinal = 0
    for message in turn.messages:
        if isinstance(message, Assistant):
            ordinal += 1
            uses += [(use.id, f"{turn.id}:{ordinal + place}") for place, use in enumerate(message.tool_uses, 1)]
            ordinal += len(message.tool_uses)
        if isinstance(message, ToolResults):
            results += message.results
    if [use for use, _ in uses] != [result.tool_use_id for result in results]:
        yield f"the calls {uses} have the results {results}"
    for (_, key), result in zip(uses, results, strict=False):
        if result.outcome == "done" and key not in happened:
            yield f"{result.name} is told as done and never happened"
        if result.outcome == "cancelled" and key in happened and script.EFFECTS[result.name] == "once":
            yield f"{result.name} is told as not done and happened"
    for step in seen.steps[turn.number]:
        told = {key: result.outcome for (_, key), result in zip(uses, results, strict=False)}
        if step.status == "started" and told.get(step.key) != "unknown":
            yield f"{step.name} is in doubt, and told as {told.get(step.key)}"


async def goes_on(store, scene, seen):
    """Say what is wrong with the next turn of a session whose first one was cancelled."""
    if seen.info is None or not is_terminal(seen.info.state):
        return []
    points = Points()
    agent = script.make_agent(attrs.evolve(scene, pause_s=0), points.reach)
    async with Runtime(store=store, agents=[agent]) as rt:
        message_id, prompt = script.MESSAGES[1]
        result = await rt.run(agent, prompt, session=scene.session, message_id=message_id)
        info = await rt.session(scene.session)
    return (
        [] if (result.stop_reason, info.state) == ("finished", TaskState.COMPLETED) else [f"it does not go on: {info}"]
    )
