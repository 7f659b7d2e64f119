"""Every way that leads through a chain: an agent is run on each of them, and what could be seen is kept."""

import json
from contextvars import ContextVar
from functools import partial

import anyio
import anyio.to_thread
import attrs

from par import Agent, ModelReply, ParError, RunContext, Runtime, tool
from par._json import dump_json
from par.deltas import ReasoningDelta, TextDelta, ToolUseDelta
from par.messages import Assistant, Reasoning, Text, ToolResults, ToolUse
from par.testing import ScriptedModel, call, say
from par.usage import Usage

PATHS = ("plain run", "stream", "structured output", "continuation", "tool batch", "sub-agent", "run_sync")


def model_calls(path):
    """How many model calls a run on this path makes when nothing goes wrong."""
    return 3 if path == "continuation" else 2


def tool_calls(path):
    return 3 if path == "tool batch" else 1


_INNER = ContextVar("inner", default=False)


@attrs.frozen
class Answer:
    text: str


@attrs.define
class Seen:
    """What came of the runs on one path."""

    path: str
    results: list = attrs.Factory(list)
    deltas: list = attrs.Factory(list)
    asked: list = attrs.Factory(list)
    tools_run: int = 0
    models_at_once: int = 0
    tools_at_once: int = 0

    @property
    def last(self):
        return self.results[-1]

    @property
    def text(self):
        value = self.last.output if not isinstance(self.last, Exception) else ""
        return value.text if isinstance(value, Answer) else value

    @property
    def tool_results(self):
        if isinstance(self.last, Exception):
            return []
        return [r for m in self.last.messages if isinstance(m, ToolResults) for r in m.results]


@attrs.define
class SceneModel:
    """Asks for tools, then answers; ``hurdle`` comes once in each run, before its last words."""

    seen: Seen
    text: str
    prefix: str
    arguments: dict
    hurdle: object = None
    name: str = "scene"
    _passed: set = attrs.Factory(set)
    _busy: int = 0

    async def __call__(self, call):
        self.seen.asked.append(call)
        self._busy += 1
        self.seen.models_at_once = max(self.seen.models_at_once, self._busy)
        try:
            await anyio.sleep(0.001)
            return await self._answer(call)
        finally:
            self._busy -= 1

    async def _answer(self, call):
        path = self.seen.path
        if not any(isinstance(message, ToolResults) for message in call.messages):
            uses = [ToolUse(f"u{n}", "lookup", dict(self.arguments)) for n in range(tool_calls(path))]
            return await speak(call, *uses)
        if path == "continuation" and isinstance(call.messages[-1], ToolResults):
            return await speak(call, Text("Well: "), finish="length")
        if self.hurdle is not None and call.ctx.run_id not in self._passed:
            self._passed.add(call.ctx.run_id)
            stumbled = await self.hurdle(call)
            if stumbled is not None:
                return stumbled
        text = json.dumps({"text": self.text}) if path == "structured output" else self.text
        return await speak(call, Text(self.prefix + text))


async def speak(call, *blocks, finish=None):
    """Answer with the blocks, and stream them in small pieces where somebody listens."""
    if call.stream:
        for block in blocks:
            if isinstance(block, ToolUse):
                await call.emit(ToolUseDelta(id=block.id, name=block.name, arguments=dump_json(block.arguments)))
                continue
            kind = ReasoningDelta if isinstance(block, Reasoning) else TextDelta
            for at in range(0, len(block.text), 3):
                await call.emit(kind(block.text[at : at + 3]))
    used = any(isinstance(block, ToolUse) for block in blocks)
    return ModelReply(
        message=Assistant(blocks),
        finish=finish or ("tool_uses" if used else "stop"),
        usage=Usage(input_tokens=10, output_tokens=5, requests=1),
        model="scene",
    )


async def play(path, chain, *, text="fine", prefix="", hurdle=None, arguments=None, tool_body=None, runs=1, fan_out=0):
    """Run an agent with this chain on one path, so many times, and return what was seen.

    With ``fan_out`` each tool call starts so many inner runs of the same agent, whose tools do the work.
    """
    seen = Seen(path)
    model = SceneModel(seen, text, prefix, {"q": "x"} if arguments is None else arguments, hurdle)
    busy = 0

    @tool(effect="read")
    async def lookup(ctx: RunContext, q: str) -> str:
        """Look it up."""
        nonlocal busy
        seen.tools_run += 1
        if fan_out and not _INNER.get():
            _INNER.set(True)
            async with anyio.create_task_group() as group:
                for _ in range(fan_out):
                    group.start_soon(partial(agent.run, "go", parent=ctx))
            return "asked"
        busy += 1
        seen.tools_at_once = max(seen.tools_at_once, busy)
        try:
            await anyio.sleep(0.001)
            return "found" if tool_body is None else await tool_body(ctx, q)
        finally:
            busy -= 1

    facts = {"output": Answer} if path == "structured output" else {}
    agent = Agent(model, tools=[lookup], middleware=chain, **facts)
    for _ in range(runs):
        await _one(seen, agent, text)
    return seen


async def _one(seen, agent, text):
    try:
        seen.results.append(await _WAYS.get(seen.path, _plain)(seen, agent, f"go: {text}"))
    except ParError as error:
        seen.results.append(error)


async def _plain(seen, agent, prompt):
    async with Runtime() as runtime:
        return await runtime.run(agent, prompt)


async def _stream(seen, agent, prompt):
    async with agent.run_stream(prompt) as stream:
        seen.deltas += [item async for item in stream if isinstance(item, (TextDelta, ReasoningDelta, ToolUseDelta))]
    return stream.result


async def _sub_agent(seen, agent, prompt):
    inner = []

    @tool(effect="read")
    async def ask(ctx: RunContext) -> str:
        """Ask the expert."""
        try:
            inner.append(await agent.run(prompt, parent=ctx))
        except ParError as error:
            inner.append(error)
        return "asked"

    await Agent(ScriptedModel([call("ask"), say("done")]), tools=[ask], name="outer").run("go")
    if isinstance(inner[0], Exception):
        raise inner[0]
    return inner[0]


async def _run_sync(seen, agent, prompt):
    return await anyio.to_thread.run_sync(partial(agent.run_sync, prompt))


_WAYS = {"stream": _stream, "sub-agent": _sub_agent, "run_sync": _run_sync}
