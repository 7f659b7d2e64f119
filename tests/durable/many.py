"""Works about many sessions, and about messages that are sent to running ones."""

import random
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
from durable import ledger
from durable.opening import Acks, open_runtime
from durable.script import line

from par import Agent, Assistant, Done, ModelReply, RunContext, ToolUse, User, tool
from par.errors import SessionBusy, SessionUnfinished
from par.states import is_terminal
from par.testing import ScriptedModel, call, reply

PROMPT = "carry the boxes"
_BOXES = (
    line(1, call("carry", n=1)),
    line(2, call("note_down", n=1), call("carry", n=2)),
    line(3, call("note_down", n=2)),
    line(4, call("carry", n=3)),
    line(5),
)
"""Ten steps."""
_AT_ONCE = 8


def box_agent(folder, pause_s):
    """Return an agent with a ledger for each session in the folder."""

    async def act(ctx, effect, n):
        write = partial(ledger.write, Path(folder) / ctx.session_id)
        write("begin", ctx, effect, n)
        await anyio.sleep(pause_s)
        write("effect", ctx, effect, n)
        await anyio.sleep(pause_s)

    @tool(effect="once")
    async def carry(ctx: RunContext[object], n: int) -> str:
        """Carry box n."""
        await act(ctx, "once", n)
        return f"box {n} is upstairs"

    @carry.probe
    async def find(ctx: RunContext[object], n: int) -> Done[str] | None:
        await anyio.lowlevel.checkpoint()
        mine = [entry for entry in ledger.read(Path(folder) / ctx.session_id) if entry.key == ctx.idempotency_key]
        return Done(f"box {n} is upstairs") if any(entry.what == "effect" for entry in mine) else None

    @tool(effect="idempotent")
    async def note_down(ctx: RunContext[object], n: int) -> str:
        """Note down box n."""
        await act(ctx, "idempotent", n)
        return f"box {n} is noted down"

    play = ScriptedModel(_BOXES)

    async def model(asked):
        await anyio.sleep(pause_s)
        return await play(asked)

    return Agent(model, name="carrier", tools=[carry, note_down])


async def host(*, place, folder, sessions, acks, seed, pause_s, lease_s=30.0):
    """Begin and recover sessions until all have ended."""
    acks = Acks(acks)
    agent = box_agent(folder, pause_s)
    names = random.Random(seed).sample(sessions, len(sessions))
    async with open_runtime(place, [agent], lease_s=lease_s) as rt:
        limit = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(_begin, rt, agent, name, limit)
        while True:
            for one in await rt.recover(limit=_AT_ONCE):
                if one.error is not None:
                    acks.say("error", session=one.session, type=type(one.error).__name__, text=str(one.error))
            ended = [info.id for info in await rt.sessions() if is_terminal(info.state)]
            if set(ended) >= set(sessions):
                return
            await anyio.sleep(0.02)


async def _begin(rt, agent, name, limit):
    async with limit:
        try:
            await rt.run(agent, PROMPT, session=name, message_id="in-1")
        except (SessionBusy, SessionUnfinished):
            return  # somebody is at it, or will recover it


# --- messages to a running session -----------------------------------------------------------------------------


def listening_agent(notes, pause_s):
    """Return an agent that works until it has read so many notes; what it says depends on what it was told alone."""

    @tool(effect="read")
    async def work(ctx: RunContext[object], n: int) -> str:
        """Work a little."""
        await anyio.sleep(pause_s)
        return f"worked {n} times"

    async def model(asked):
        await anyio.sleep(pause_s)
        texts = [one.text.split() for one in asked.messages if isinstance(one, User)]
        if len({number for word, number, *_ in texts if word == "note"}) >= notes:
            return reply("I have read it all")
        number = sum(type(one).__name__ == "Assistant" for one in asked.messages) + 1
        use = ToolUse(f"call_{number}", "work", {"n": number})
        return ModelReply(message=Assistant((use,)), finish="tool_uses")

    return Agent(model, name="listener", tools=[work], max_steps=100_000)


async def listen(*, place, session, notes, pause_s):
    """Run, or resume, a session that reads notes, to its end."""
    agent = listening_agent(notes, pause_s)
    async with open_runtime(place, [agent]) as rt:
        if not await rt.recover():
            await rt.run(agent, "read all notes", session=session, message_id="in-1")


async def send(*, place, session, sender, first, last, acks, pause_s):
    """Send notes to a session that another process runs."""
    acks = Acks(acks)
    async with open_runtime(place, []) as rt:
        for number in range(first, last + 1):
            note = f"note {number} from sender {sender}"
            await rt.steer(session, note)
            acks.say("sent", note=note)
            await anyio.sleep(pause_s)


WORKS = {"host": host, "listen": listen, "send": send}
