"""Works of single stories: a turn that kills everyone, a frozen owner, a message that comes twice."""

import os
import signal
from pathlib import Path

import anyio
from durable import points, script
from durable.opening import Acks, open_runtime

from par.errors import LeaseLost, SessionError


async def recover(*, place, scene, acks, at="", listing="", max_attempts=20):
    """Recover what is due once; say what came of it."""
    scene = script.Scene(**scene)
    acks = Acks(acks)
    reached = points.Points(at, listing)
    agent = script.make_agent(scene, reached.reach)
    async with open_runtime(place, [agent], at=at, listing=listing, lease_s=scene.lease_s, reached=reached) as rt:
        for one in await rt.recover(max_attempts=max_attempts):
            acks.say("recovered", session=one.session, error=type(one.error).__name__ if one.error else None)


async def deliver(*, place, scene, acks, at="", listing=""):
    """Deliver the first message, as a web hook does that knows nothing of what became of earlier deliveries."""
    scene = script.Scene(**scene)
    acks = Acks(acks)
    reached = points.Points(at, listing)
    agent = script.make_agent(scene, reached.reach)
    message_id, prompt = script.MESSAGES[0]
    async with open_runtime(place, [agent], at=at, listing=listing, reached=reached) as rt:
        try:
            result = await rt.run(agent, prompt, session=scene.session, message_id=message_id)
        except SessionError as error:
            acks.say("refused", error=type(error).__name__)
        else:
            acks.say("answered", stop_reason=result.stop_reason, messages=len(result.messages))


async def freeze(*, place, scene, acks, at="", listing="", frozen=""):
    """Play until a point at which the process says so in a file, and is frozen until somebody thaws it."""
    scene = script.Scene(**scene)
    acks = Acks(acks)

    def reach(name):
        count[name] = count.get(name, 0) + 1
        if f"{name}#{count[name]}" == at:
            Path(frozen).touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    count = {}
    agent = script.make_agent(scene, reach)
    async with open_runtime(place, [agent], acks=acks, session=scene.session, lease_s=scene.lease_s) as rt:
        message_id, prompt = script.MESSAGES[0]
        try:
            result = await rt.run(agent, prompt, session=scene.session, message_id=message_id)
        except LeaseLost:
            acks.say("refused", error="LeaseLost")
        else:
            acks.say("not refused", stop_reason=result.stop_reason, cause=result.cause)
        await anyio.lowlevel.checkpoint()


async def close(*, place, scene, acks, at="", listing=""):
    """Play until a point, and leave the runtime's block there, as a process does that is told to end."""
    scene = script.Scene(**scene)
    acks = Acks(acks)
    there = anyio.Event()
    reached = points.Points(at, listing, act=there.set)
    agent = script.make_agent(scene, reached.reach)

    async def run():
        message_id, prompt = script.MESSAGES[0]
        result = await rt.run(agent, prompt, session=scene.session, message_id=message_id)
        acks.say("answered", stop_reason=result.stop_reason, messages=len(result.messages))

    async with (
        anyio.create_task_group() as group,
        open_runtime(place, [agent], acks=acks, session=scene.session) as rt,
    ):
        group.start_soon(run)
        await there.wait()


async def cancel(*, place, scene, acks, at="", listing=""):
    """Cancel the session, in whichever process it is."""
    scene = script.Scene(**scene)
    acks = Acks(acks)
    async with open_runtime(place, [], at=at, listing=listing) as rt:
        await rt.cancel(scene.session, "it is enough", wait_s=30)
        acks.say("cancelled", state=(await rt.session(scene.session)).state)


WORKS = {
    "close": close,
    "cancel": cancel,
    "recover": recover,
    "deliver": deliver,
    "freeze": freeze,
}
