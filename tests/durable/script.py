"""The script that is killed everywhere: two turns, nineteen steps, a parallel batch, every kind of tool, an approval."""

from functools import partial

import anyio
import attrs
from durable import ledger

from par import Agent, Done, NeedsApproval, RunContext, Usage, tool
from par.middleware import default_chain
from par.testing import ScriptedModel, call, say

AGENT = "clerk"
MESSAGES = (("in-1", "first: pay the bills"), ("in-2", "second: pay the last one"))
"""The inbound messages, with their ids."""
ANSWERS = ("All bills of today are paid.", "And so is the last one, thank you.")
PAUSE_S = 0.001
"""How long tools and models take, before and after what they do."""


def line(number, *calls):
    """Return a line of a script: what the model says in its ``number``-th reply, with the tools it asks for."""
    usage = Usage(input_tokens=10 * number, output_tokens=number, cost_micro=100 + number, requests=1)
    return [say(f"step {number} of the plan", usage=usage), *calls]


def _answer(number, text):
    return say(text, usage=Usage(input_tokens=10 * number, output_tokens=number, cost_micro=100 + number, requests=1))


FIRST = (
    line(1, call("look", n=1)),
    line(2, call("book", n=1), call("pay", n=1), call("look", n=2), call("wire", n=1)),
    line(3, call("sign", n=1), call("book", n=2)),
    line(4, call("pay", n=2)),
    _answer(5, ANSWERS[0]),
)
SECOND = (
    line(6, call("pay", n=3)),
    line(7, call("look", n=3), call("book", n=3)),
    _answer(8, ANSWERS[1]),
)
EFFECTS = {
    "look": "read",
    "book": "idempotent",
    "pay": "once",
    "wire": "once",
    "sign": "once",
    "carry": "once",
    "note_down": "idempotent",
}
"""What the tools of this script, and of those for many sessions, do to the world."""
PROBED = {"wire", "carry"}
"""Those that can find out whether they did it."""


@attrs.frozen(kw_only=True)
class Scene:
    """What the processes of one session share: its name, its ledger, and in which variant they play."""

    session: str
    ledger: str
    chain: bool = False
    """Whether the default middleware chain is around everything."""
    fails: bool = False
    """Whether ``pay`` ends the turn where its effect is in doubt, in the place of telling the model."""
    stream: bool = False
    how: str = "resume"
    """How a process goes on with what another has left: by ``rt.resume``, or by ``rt.recover``."""
    approves: bool = True
    """Whether the process approves what waits, or leaves that to another."""
    pause_s: float = PAUSE_S
    """How long tools and models take."""
    lease_s: float = 30.0


class Model:
    """Plays one script in the first turn and one in the second; both by the number of the model call."""

    name = "scripted"

    def __init__(self, reach, pause_s):
        self._reach = reach
        self._pause_s = pause_s
        self._plays = [ScriptedModel(FIRST), ScriptedModel(SECOND)]

    async def __call__(self, call, /):
        self._reach("before model")
        said = [message.text for message in call.messages if type(message).__name__ == "User"]
        turn = max(number for number, (_, prompt) in enumerate(MESSAGES) if prompt in said)
        await anyio.sleep(self._pause_s)
        if call.stream:
            call = attrs.evolve(call, emit=partial(self._emit, call.emit))
        reply = await self._plays[turn](call)
        self._reach("after model")
        return reply

    async def _emit(self, emit, delta):
        await emit(delta)
        self._reach("delta")


def make_agent(scene, reach):
    """Return the agent of a scene, which says to ``reach`` where it is."""
    return Agent(
        Model(reach, scene.pause_s),
        name=AGENT,
        instructions="You pay bills.",
        tools=make_tools(scene, reach),
        middleware=default_chain() if scene.chain else (),
    )


def make_tools(scene, reach):
    """Return the tools, one of each kind."""
    write = partial(ledger.write, scene.ledger)

    async def act(ctx, effect, n):
        kind = "probed" if ctx.tool in PROBED else effect
        write("begin", ctx, effect, n)
        reach(f"before {kind} effect")
        await anyio.sleep(scene.pause_s)
        write("effect", ctx, effect, n)
        reach(f"after {kind} effect")
        await anyio.sleep(scene.pause_s)
        write("end", ctx, effect, n)

    @tool(effect="read")
    async def look(ctx: RunContext[object], n: int) -> str:
        """Look at bill n."""
        await act(ctx, "read", n)
        return f"bill {n} is due"

    @tool(effect="idempotent")
    async def book(ctx: RunContext[object], n: int) -> str:
        """Book bill n."""
        await act(ctx, "idempotent", n)
        return f"bill {n} is booked"

    @tool(effect="once", on_unknown="fail" if scene.fails else "surface")
    async def pay(ctx: RunContext[object], n: int) -> str:
        """Pay bill n."""
        await act(ctx, "once", n)
        return f"bill {n} is paid"

    @tool(effect="once")
    async def wire(ctx: RunContext[object], n: int) -> str:
        """Wire bill n."""
        await act(ctx, "once", n)
        return f"bill {n} is wired"

    @wire.probe
    async def find(ctx: RunContext[object], n: int) -> Done[str] | None:
        reach("probe")
        await anyio.sleep(scene.pause_s)
        mine = [entry for entry in ledger.read(scene.ledger) if entry.key == ctx.idempotency_key]
        return Done(f"bill {n} is wired") if any(entry.what == "effect" for entry in mine) else None

    @tool(effect="once")
    async def sign(ctx: RunContext[object], n: int) -> str | NeedsApproval:
        """Sign bill n."""
        if ctx.approval is None:
            return NeedsApproval(prompt=f"May bill {n} be signed?", roles=("boss",))
        await act(ctx, "once", n)
        return f"bill {n} is signed, as {ctx.approval.by} allowed"

    return [look, book, pay, wire, sign]
