"""The two baselines. *bare*: dicts and direct awaits. *typed*: what a careful small library cannot avoid,
that is frozen messages, validated arguments, a task group per step and a list of events."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
from pydantic import TypeAdapter, create_model

from benchmarks.script import Script

Tool = Callable[[int], Awaitable[str]]


def wrapped(call, layers):
    """Put ``layers`` nested no-op closures around ``call``."""
    for _ in range(layers):

        def make(call_next):
            async def layer(request):
                return await call_next(request)

            return layer

        call = make(call)
    return call


class Bare:
    """A loop on dicts."""

    def __init__(self, script: Script, tool: Tool, layers: int = 0) -> None:
        async def model(messages):
            calls = script.turn(sum(message["role"] == "tool" for message in messages))
            if calls is None:
                return {"role": "assistant", "content": script.final}
            made = [{"id": i, "function": {"name": name, "arguments": text}} for i, name, text in calls]
            return {"role": "assistant", "content": None, "tool_calls": made}

        async def call_tool(call):
            content = await tool(**json.loads(call["function"]["arguments"]))
            return {"role": "tool", "tool_call_id": call["id"], "content": content}

        self._model = wrapped(model, layers)
        self._tool = wrapped(call_tool, layers)

    async def run(self, text: str) -> str:
        messages = [{"role": "user", "content": text}]
        while True:
            reply = await self._model(messages)
            messages.append(reply)
            calls = reply.get("tool_calls")
            if not calls:
                return reply["content"]
            if len(calls) == 1:
                messages.append(await self._tool(calls[0]))
            else:
                messages.extend(await asyncio.gather(*[self._tool(call) for call in calls]))


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str | None = None
    calls: tuple[Call, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    kind: str
    data: object = None


class Typed:
    """The same loop on frozen values."""

    def __init__(self, script: Script, tool: Tool, layers: int = 0) -> None:
        parameters = inspect.signature(tool).parameters
        adapter = TypeAdapter(create_model("t0", **{n: (p.annotation, ...) for n, p in parameters.items()}))

        async def model(messages):
            calls = script.turn(sum(message.role == "tool" for message in messages))
            if calls is None:
                return Message("assistant", script.final)
            return Message("assistant", None, tuple(Call(*call) for call in calls))

        async def call_tool(call):
            return Message("tool", await tool(**adapter.validate_json(call.arguments).__dict__), (), call.id)

        self._model = wrapped(model, layers)
        self._tool = wrapped(call_tool, layers)

    async def _batch(self, calls):
        results = [None] * len(calls)

        async def one(place, call):
            results[place] = await self._tool(call)

        async with anyio.create_task_group() as group:
            for place, call in enumerate(calls):
                group.start_soon(one, place, call)
        return results

    async def run(self, text: str) -> str:
        messages, events = [Message("user", text)], [Event(0, "run_start")]
        while True:
            events.append(Event(len(events), "model_start"))
            reply = await self._model(messages)
            events.append(Event(len(events), "model_end", reply))
            messages.append(reply)
            if not reply.calls:
                return reply.content
            events.extend(Event(len(events) + n, "tool_start", call) for n, call in enumerate(reply.calls))
            results = await self._batch(reply.calls)
            events.extend(Event(len(events) + n, "tool_end", result) for n, result in enumerate(results))
            messages.extend(results)
