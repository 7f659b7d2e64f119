"""What the children of the nursery do."""

import tempfile
import threading
from functools import partial

import anyio
import attrs
from durable import many, points, script, stories
from durable.opening import WAITS, Acks, open_runtime, turns_of

from par import codec
from par.events import Event


async def play(*, place, scene, acks, at="", listing=""):
    """Bring the script to its end, from wherever it stands; return ``WAITS`` if it waits for another's approval."""
    scene = script.Scene(**scene)
    acks = Acks(acks)
    reached = points.Points(at, listing)
    agent = script.make_agent(scene, reached.reach)
    async with open_runtime(
        place, [agent], at=at, listing=listing, acks=acks, session=scene.session, lease_s=scene.lease_s, reached=reached
    ) as rt:
        return await _finish(rt, agent, scene, acks, reached.reach)


async def _finish(rt, agent, scene, acks, reach):
    for number, (message_id, prompt) in enumerate(script.MESSAGES, 1):
        while True:
            turns = await turns_of(rt, scene.session)
            if len(turns) >= number and not turns[number - 1].is_open:
                break
            if len(turns) < number:
                begin = partial(rt.run, agent, prompt, session=scene.session, message_id=message_id)
                watch = partial(rt.run_stream, agent, prompt, session=scene.session, message_id=message_id)
            else:
                if await rt.approvals(scene.session):
                    if not scene.approves:
                        return WAITS
                    await _approve(rt, scene.session, acks, reach)
                begin = partial(_resume, rt, agent, scene)
                watch = partial(rt.resume_stream, scene.session, agent)
            result = await (_watched(watch, acks) if scene.stream else begin())
            acks.say(
                "result", turn=number, stop_reason=result.stop_reason, messages=[*map(codec.encode, result.messages)]
            )
    return 0


async def _resume(rt, agent, scene):
    if scene.how == "resume":
        return await rt.resume(scene.session, agent)
    (recovered,) = [one for one in await rt.recover() if one.session == scene.session]
    if recovered.error is not None:
        raise recovered.error
    return recovered.result


async def _watched(watch, acks):
    async with watch() as stream:
        async for item in stream:
            if isinstance(item, Event):
                acks.say("saw", event=codec.dumps(item))
    return stream.result


async def _approve(rt, session, acks, reach):
    for approval in await rt.approvals(session):
        reach("before approval decided")
        await rt.approve(session, approval.id, by="ann", roles=("boss",))
        reach("after approval decided")
        acks.say("approved", approval=approval.id)


async def approve(*, place, scene, acks, at="", listing=""):
    """Approve what waits in a session, from a process that runs nothing."""
    scene = script.Scene(**scene)
    acks = Acks(acks)
    reached = points.Points(at, listing)
    async with open_runtime(place, [], at=at, listing=listing, acks=acks, session=scene.session, reached=reached) as rt:
        await _approve(rt, scene.session, acks, reached.reach)


WORKS = {"play": play, "approve": approve, **many.WORKS, **stories.WORKS}


def warm_up():
    """Play the script once, so that children find made what is made at its first use; leave no thread behind.

    On asyncio, because trio keeps its threads for a while, and a fork must not happen beside any.
    """
    with tempfile.TemporaryDirectory() as folder:
        scene = attrs.asdict(script.Scene(session="s", ledger=f"{folder}/ledger", stream=True, chain=True))
        anyio.run(partial(play, place=("sqlite", f"{folder}/s.db"), scene=scene, acks=f"{folder}/acks"))
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()


def work_in_child(work, backend, arguments):
    """Do a work in a process that was just forked, and return its exit code."""
    return anyio.run(partial(WORKS[work], **arguments), backend=backend) or 0
