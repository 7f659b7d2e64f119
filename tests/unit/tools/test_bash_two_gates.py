"""A command that a rule and the policy of the tool both ask about: each finds the decision that was made for it."""

import pytest
from unit.tools.test_bash_durable import REMOVE, decided, folder, resumed, store, waits  # noqa: F401

from par import Agent, Runtime
from par.middleware import Permissions, Rule
from par.testing import ScriptedModel, call, say
from par.tools.bash import Bash, Policy

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("modified", [False, True])
async def test_a_command_that_a_rule_and_the_policy_ask_about_is_asked_about_twice_and_runs(store, folder, modified):  # noqa: F811
    def agent():
        return Agent(
            ScriptedModel([call("bash", command=REMOVE), say("Done.")]),
            tools=[Bash(folder, Policy.coder())],
            middleware=[Permissions(rules=[Rule("confirm", "bash")])],
        )

    first = await waits(store, agent())
    if modified:
        await decided(store, "modify", first, {"command": {**REMOVE, "paths": ["other"]}})
    else:
        await decided(store, "approve", first)
    result, _ = await resumed(store, agent())
    assert result.stop_reason == "suspended"
    async with Runtime(store=store) as rt:
        (second,) = await rt.approvals("s")
    assert "workspace" in second.details["bind"]

    await decided(store, "approve", second)
    result, _ = await resumed(store, agent())

    assert result.stop_reason == "finished"
    assert [(folder / name).exists() for name in ("old", "other")] == ([True, False] if modified else [False, True])
