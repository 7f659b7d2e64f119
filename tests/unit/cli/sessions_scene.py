"""A shop whose payments a person must approve, in a module that the command line can import, and its sessions."""

import sys
from textwrap import dedent

import anyio

from par import Runtime
from par.cli import main

SHOP = '''
"""A shop. What was paid is written down beside this file."""

from pathlib import Path

import anyio

from par import Agent, NeedsApproval, tool
from par.middleware import Permissions, Rule
from par.testing import ScriptedModel, call, say

HERE = Path(__file__).parent
RULES = [Rule("confirm", "pay", approvers=("manager",), reason={reason!r})]


@tool(effect="once")
async def pay(euros: int) -> str:
    """Pay."""
    with (HERE / "paid.txt").open("a") as file:
        file.write(f"{{euros}}\\n")
    return f"paid {{euros}}"


@tool(effect="read")
async def look() -> str:
    """Look for a long time, unless somebody says that it is there."""
    if not (HERE / "there").exists():
        (HERE / "looking").touch()
        await anyio.sleep_forever()
    return "there"


@tool(effect="read")
async def ask() -> object:
    """Ask a person by itself."""
    return NeedsApproval(prompt={shout!r})


def agent_of(*script, name="shop", instructions=""):
    return Agent(
        ScriptedModel(list(script)),
        name=name,
        instructions=instructions,
        tools=[pay, look, ask],
        middleware=[Permissions(rules=RULES, default="allow")],
    )


paying = agent_of(call("pay", euros=5), say("Thank you."))
twice = agent_of([call("pay", euros=5), call("pay", euros=6)], say("Thank you twice."))
saying = agent_of(say("Hello."), say("Hello again."))
looking = agent_of(call("look"), say("I see."))
other = agent_of(say("Other."), name="other")
changed = agent_of(call("pay", euros=5), say("Changed."), instructions="Be brief.")
shouting = agent_of(say({shout!r}), name="shout\\u202e")
asking = agent_of(call("ask"), say("I see."))
a_number = 5
'''


class Shop:
    """The module, and a store with sessions of its agents."""

    def __init__(self, folder, place, monkeypatch, *, reason="", shout="Hello!", module="shop_of_test"):
        self.folder, self.place, self.name = folder, place, module
        (folder / f"{module}.py").write_text(dedent(SHOP).format(reason=reason, shout=shout))
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        monkeypatch.delitem(sys.modules, module, raising=False)

    def agent(self, name):
        """Return an agent of the module, which is imported anew: its model is at the beginning of its script."""
        sys.modules.pop(self.name, None)
        return getattr(__import__(self.name), name)

    def run(self, session, agent="paying", prompt="Go.", **options):
        """Let a process take a turn of a session, and end."""

        async def work():
            async with self.place.open(**options) as store, Runtime(store=store) as rt:
                return await rt.run(self.agent(agent), prompt, session=session)

        return anyio.run(work)

    def leave(self, session, agent="looking"):
        """Let a process begin a turn, and end while a tool is at work."""

        async def work():
            # the runtime is left while its run goes on
            async with self.place.open() as store, anyio.create_task_group() as tasks, Runtime(store=store) as rt:

                async def turn():
                    await rt.run(self.agent(agent), "Go.", session=session)

                tasks.start_soon(turn)
                while not (self.folder / "looking").exists():
                    await anyio.sleep(0.001)

        anyio.run(work)

    def ask(self, function):
        """Return what the async function returns for a runtime on the store."""

        async def work():
            async with self.place.open() as store, Runtime(store=store) as rt:
                return await function(rt)

        return anyio.run(work)

    def pending(self, session):
        return self.ask(lambda rt: rt.approvals(session))

    def state(self, session):
        return self.ask(lambda rt: rt.session(session)).state.value

    @property
    def paid(self):
        """What was paid, in order."""
        file = self.folder / "paid.txt"
        return file.read_text().split() if file.exists() else []

    def named(self, agent):
        sys.modules.pop(self.name, None)
        return f"{self.name}:{agent}"


def run(capsys, *argv):
    """Return the exit code, the lines of standard output, and standard error."""
    code = main(["sessions", *map(str, argv)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out.split("\n")[:-1], err
