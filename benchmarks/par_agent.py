"""par as it is measured: an agent on a fake model, with and without middleware."""

import json
from collections.abc import Sequence

from benchmarks.script import Script
from par import Agent, Assistant, Middleware, ModelCall, ModelReply, Text, ToolResults, ToolUse, tool


class FakeModel:
    """Plays a script by counting the tool results."""

    name = "fake"

    def __init__(self, script: Script) -> None:
        self._script = script

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        results = sum(len(message.results) for message in call.messages if isinstance(message, ToolResults))
        calls = self._script.turn(results)
        if calls is None:
            return ModelReply(message=Assistant((Text(self._script.final),)))
        uses = tuple(ToolUse(i, name, json.loads(text)) for i, name, text in calls)
        return ModelReply(message=Assistant(uses), finish="tool_uses")


def no_ops(count: int) -> list[Middleware]:
    """Return ``count`` middleware that only pass calls on."""

    class Pass:
        async def wrap_model(self, call, call_next, /):
            return await call_next(call)

        async def wrap_tool(self, call, call_next, /):
            return await call_next(call)

    return [Pass() for _ in range(count)]


class Par:
    """An agent with the interface of the baselines."""

    def __init__(self, script: Script, function, middleware: Sequence[Middleware] = ()) -> None:
        self.agent = Agent(
            FakeModel(script),
            tools=[tool(function)],
            middleware=middleware,
            max_steps=100_000,
            max_parallel_tools=1000,
        )

    async def run(self, text: str) -> str:
        return (await self.agent.run(text)).output
