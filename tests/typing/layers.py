"""Middleware, and layers around one tool, as the type checkers see them; read, not run."""

from collections.abc import Awaitable, Callable, Mapping
from typing import assert_type

import attrs

from par import (
    Agent,
    Done,
    Middleware,
    ModelCall,
    ModelHandler,
    ModelReply,
    Order,
    RunCall,
    RunContext,
    RunHandler,
    RunResult,
    ToolCall,
    ToolHandler,
    ToolOutcome,
    tool,
    wrap_model,
    wrap_run,
    wrap_tool,
)


@attrs.frozen
class Deps:
    base: str


async def model(call: ModelCall) -> ModelReply:
    raise NotImplementedError


# --- functions ----------------------------------------------------------------------------------------


@wrap_run
async def around_run(call: RunCall, call_next: RunHandler) -> RunResult[object]:
    result = await call_next(call)
    assert_type(result, RunResult[object])
    return result


@wrap_model
async def around_model(call: ModelCall, call_next: ModelHandler) -> ModelReply:
    reply = await call_next(call)
    assert_type(reply, ModelReply)
    return attrs.evolve(reply, model="other")


@wrap_tool
async def around_tool(call: ToolCall, call_next: ToolHandler) -> ToolOutcome:
    outcome = await call_next(call)
    if isinstance(outcome, Done):
        assert_type(outcome.value, object)
    return outcome


@wrap_tool
async def around_tool_spelt_out(
    call: ToolCall[Mapping[str, object], object], call_next: ToolHandler
) -> ToolOutcome[object]:
    return await call_next(call)


async def wrong_call(call: ToolCall, call_next: ModelHandler) -> ModelReply:
    raise NotImplementedError


async def wrong_next(call: ModelCall, call_next: ToolHandler) -> ModelReply:
    raise NotImplementedError


async def wrong_reply(call: ModelCall, call_next: ModelHandler) -> str:
    raise NotImplementedError


def not_async(call: ModelCall, call_next: ModelHandler) -> ModelReply:
    raise NotImplementedError


async def too_few(call: ModelCall) -> ModelReply:
    raise NotImplementedError


async def tool_layer(call: ToolCall, call_next: ToolHandler) -> ToolOutcome:
    raise NotImplementedError


wrap_model(wrong_call)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_model(wrong_next)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_model(wrong_reply)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_model(not_async)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_model(too_few)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_model(tool_layer)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_run(around_model)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
wrap_tool(tool_layer)


# --- objects ------------------------------------------------------------------------------------------


class Cache:
    order = Order(outside_of=(int,))

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        return await call_next(call)


class Wrong:
    async def wrap_model(self, call: ToolCall, call_next: ModelHandler, /) -> ModelReply:
        raise NotImplementedError


class Hookless:
    pass


chain: list[Middleware] = [around_run, around_model, Cache(), around_tool]
Agent(model, middleware=chain)
Agent(model, middleware=[around_run, Cache()])
Agent(model, middleware=[Wrong()])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
Agent(model, middleware=[Hookless()])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
Agent(model, middleware=[Cache])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
Agent(model, middleware=[tool_layer])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]


# --- one tool alone -----------------------------------------------------------------------------------


@tool
async def weather(ctx: RunContext[Deps], city: str, days: int = 1) -> list[str]:
    """W."""
    return [city]


@weather.middleware
async def fine(
    ctx: RunContext[Deps], call_next: Callable[[str, int], Awaitable[list[str]]], city: str, days: int = 1
) -> list[str]:
    assert_type(ctx.deps, Deps)
    answer = await call_next(city.upper(), days)
    assert_type(answer, list[str])
    return answer


@weather.middleware  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def wrong_argument(
    ctx: RunContext[Deps], call_next: Callable[[str, int], Awaitable[list[str]]], city: int, days: int = 1
) -> list[str]:
    raise NotImplementedError


@weather.middleware  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def wrong_result(
    ctx: RunContext[Deps], call_next: Callable[[str, int], Awaitable[list[str]]], city: str, days: int = 1
) -> str:
    raise NotImplementedError


@weather.middleware  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def missing_argument(
    ctx: RunContext[Deps], call_next: Callable[[str, int], Awaitable[list[str]]], city: str
) -> list[str]:
    raise NotImplementedError


@weather.middleware  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async def wrong_next_result(
    ctx: RunContext[Deps], call_next: Callable[[str, int], Awaitable[int]], city: str, days: int = 1
) -> list[str]:
    raise NotImplementedError
