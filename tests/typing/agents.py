"""Agents, their tools and their output, as the type checkers see them; read, not run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_type

import attrs

from par import (
    Agent,
    AgentTool,
    Delta,
    Done,
    Event,
    Failed,
    ModelCall,
    ModelReply,
    RunContext,
    RunResult,
    RunStream,
    Runtime,
    Tool,
    ToolCall,
    User,
    tool,
)
from par.deltas import TextDelta
from par.events import ToolCallEnded


@attrs.frozen
class Deps:
    base: str


@attrs.frozen
class MoreDeps(Deps):
    more: str


@attrs.frozen
class OtherDeps:
    key: int


@dataclass
class Report:
    lines: list[str]


async def model(call: ModelCall) -> ModelReply:
    raise NotImplementedError


@tool
async def weather(city: str, days: int = 1) -> str:
    """No deps."""
    return city


@tool(effect="read", timeout=3.0)
async def read(ctx: RunContext[Deps], path: str) -> bytes | None:
    """Deps."""
    assert_type(ctx, RunContext[Deps])
    assert_type(ctx.deps, Deps)
    return None


@tool
def count(ctx: RunContext[MoreDeps], words: list[str]) -> int:
    """More deps."""
    assert_type(ctx.deps.more, str)
    return len(words)


@tool(sync="process")
def crunch(x: int) -> int:
    """No deps, sync."""
    return x


@tool
async def other(ctx: RunContext[OtherDeps]) -> None:
    """Other deps."""


# a tool has its deps, its parameters and its result
takes_deps: AgentTool[Deps] = read
takes_more: AgentTool[MoreDeps] = read
takes_nothing: AgentTool[object] = weather
takes_any: AgentTool[Deps] = weather
takes_other: AgentTool[OtherDeps] = read  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
takes_less: AgentTool[Deps] = count  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


async def text_without_deps() -> None:
    agent = Agent(model)
    assert_type(agent, Agent[object, str])
    result = await agent.run("hi")
    assert_type(result, RunResult[str])
    assert_type(result.output, str)
    assert_type(agent.run_sync([User(())]).output, str)
    await agent.run("hi", deps=3)


async def output_of_a_type() -> None:
    agent = Agent(model, output=Report)
    result = await agent.run("hi")
    assert_type(result.output, Report)
    wrong: str = result.output  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    del wrong


async def output_of_a_plain_type() -> None:
    result = await Agent(model, output=list[int]).run("hi")
    assert_type(result.output, list[int])


async def tools_with_deps() -> None:
    agent = Agent(model, tools=[read], output=Report)
    assert_type(agent, Agent[Deps, Report])
    result = await agent.run("hi", deps=Deps("x"))
    assert_type(result.output, Report)
    await agent.run("hi", deps=MoreDeps("x", "y"))
    await agent.run("hi", deps=OtherDeps(3))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    agent.run_sync("hi", deps="x")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def tools_without_deps() -> None:
    agent = Agent(model, tools=[weather, crunch], output=Report)
    assert_type(agent, Agent[object, Report])
    await agent.run("hi", deps=3)


async def tools_with_and_without_deps() -> None:
    agent = Agent(model, tools=(weather, read, crunch))
    assert_type(agent, Agent[Deps, str])
    result = await agent.run("hi", deps=Deps("x"))
    assert_type(result.output, str)
    await agent.run("hi", deps=OtherDeps(3))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def the_narrowest_deps_count() -> None:
    agent = Agent(model, tools=(weather, read, count))
    assert_type(agent, Agent[MoreDeps, str])
    await agent.run("hi", deps=MoreDeps("x", "y"))
    await agent.run("hi", deps=Deps("x"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def declared_deps() -> None:
    agent = Agent[Deps](model, tools=[weather, read])
    assert_type(agent, Agent[Deps, str])
    await agent.run("hi", deps=Deps("x"))
    await agent.run("hi", deps=OtherDeps(3))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(Agent[Deps, Report](model, tools=[weather, read], output=Report), Agent[Deps, Report])
    Agent[Deps](model, tools=[count])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]


async def a_mixed_list_without_a_declaration() -> None:
    # mypy takes the items of a list together before it looks at the parameter; a tuple or Agent[Deps] helps it
    Agent(model, tools=[weather, read])  # type: ignore[call-overload]


async def tools_in_a_variable() -> None:
    tools: Sequence[AgentTool[Deps]] = [weather, read]
    agent = Agent(model, tools=tools)
    assert_type(agent, Agent[Deps, str])


def instructions_of_deps(ctx: RunContext[Deps]) -> str:
    return ctx.deps.base


async def instructions_with_deps() -> None:
    agent = Agent(model, instructions=instructions_of_deps)
    assert_type(agent, Agent[Deps, str])
    declared = Agent[Deps](model, instructions=instructions_of_deps, tools=[weather, read])
    await declared.run("hi", deps=Deps("x"))
    await declared.run("hi", deps=OtherDeps(3))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def a_plain_function_is_no_tool() -> None:
    def plain(x: int) -> int:
        return x

    Agent(model, tools=[plain])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]


# --- streams ------------------------------------------------------------------------------------------


async def streamed() -> None:
    agent = Agent(model, output=Report)
    async with agent.run_stream("hi") as stream:
        assert_type(stream, RunStream[Report])
        async for item in stream:
            assert_type(item, Event | Delta)
            match item:
                case TextDelta(text=text):
                    assert_type(text, str)
                case ToolCallEnded(content=content):
                    assert_type(content, str)
                case _:
                    pass
        assert_type(stream.result.output, Report)


async def in_a_runtime() -> None:
    agent = Agent(model, tools=[read], output=Report)
    async with Runtime() as runtime:
        result = await runtime.run(agent, "hi", deps=Deps("x"))
        assert_type(result.output, Report)
        async with runtime.run_stream(agent, "hi", deps=Deps("x")) as stream:
            assert_type(stream.result.output, Report)
        await runtime.run(agent, "hi", deps=OtherDeps(3))  # type: ignore[misc] # pyright: ignore[reportArgumentType]


# --- the function behind a tool -------------------------------------------------------------------------


def tools_keep_their_types() -> None:
    named: Tool[object, [str], str] = tool(one)
    del named
    wrong: Tool[object, [int], str] = tool(one)  # type: ignore[arg-type] # pyright: ignore[reportAssignmentType]
    del wrong


async def one(city: str) -> str:
    """One."""
    return city


async def outcomes() -> None:
    @tool
    async def decide(x: int) -> Done[int] | Failed:
        return Done(x)

    outcome = await decide.invoke(ToolCall(id="1", name="decide", arguments={"x": 1}))
    if isinstance(outcome, Failed):
        assert_type(outcome.message, str)
