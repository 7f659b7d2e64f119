"""The tools that remember."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

from par import AgentTool, Param, RunContext, tool
from par.errors import StoreError, StoreUnavailable, ToolFailed
from par.memory import History, Memory, MemoryBackend, MemoryStore

__all__ = ["MemoryScope", "memory_tools"]

MemoryScope: TypeAlias = str | Callable[[RunContext[object]], str] | None

_TIMEOUT_S = 10.0
_Query: TypeAlias = Annotated[str, Param(description="words to look for; any of them", min_length=1, max_length=1_000)]
_Category: TypeAlias = Annotated[str, Param(min_length=1, max_length=100)]


def memory_tools(backend: MemoryBackend, *, scope: MemoryScope) -> tuple[AgentTool[object], ...]:
    """Return ``recall_memory``, ``remember_memory`` and ``search_history``, confined to a scope.

    ``backend`` is a store, such as the one of ``open_sqlite``. ``scope`` says whose memory it is: a fixed text, or a
    function that returns it for each call, such as ``lambda ctx: ctx.session_id`` or one that reads ``ctx.deps``. The
    model has no say in it. ``None`` gives every run all that the store holds.

    ``search_history`` looks through the sessions whose name is the scope, or begins with it and a slash.

    Raises:
        TypeError: if the scope is something else.
        ValueError: if it is an empty text, or one that cannot be stored.
    """
    if not (scope is None or isinstance(scope, str) or callable(scope)):
        raise TypeError(f"scope must be a text, a function of the context, or None, got {scope!r}")
    fixed = backend.memory(scope) if scope is None or isinstance(scope, str) else None

    def memory_of(ctx: RunContext[object]) -> MemoryStore:
        if fixed is not None:
            return fixed
        named = scope(ctx) if callable(scope) else scope
        if not isinstance(named, str):  # a function that found nobody must not open everything
            raise TypeError(f"the function of a memory's scope returned {type(named).__name__}, not a text")
        return backend.memory(named)

    # No effect is "read": a Cache answers reads from memory, to other sessions too, and what is remembered changes.

    @tool(effect="idempotent", timeout=_TIMEOUT_S)
    async def recall_memory(
        ctx: RunContext[object],
        query: _Query,
        limit: Annotated[int, Param(description="how many at most", ge=1, le=50)] = 5,
    ) -> tuple[Memory, ...]:
        """Look up what was remembered in this or earlier conversations, best match first."""
        memory = memory_of(ctx)
        try:
            return await memory.recall(query, limit=limit)
        except StoreError as error:
            raise _failed(error) from error

    @tool(effect="idempotent", timeout=_TIMEOUT_S)
    async def remember_memory(
        ctx: RunContext[object],
        content: Annotated[str, Param(description="one fact, in full sentences", min_length=1, max_length=10_000)],
        summary: Annotated[str, Param(description="the fact in a few words", max_length=500)] = "",
        categories: Annotated[tuple[_Category, ...], Param(description="what it is about", max_length=20)] = (),
    ) -> Memory:
        """Remember a fact for later conversations. Remembering it again is harmless."""
        memory = memory_of(ctx)
        try:
            return await memory.remember(content, summary=summary, categories=categories, source=ctx.session_id[:500])
        except ValueError as error:
            raise ToolFailed(f"It was not remembered: {error}.") from error
        except StoreError as error:
            raise _failed(error) from error

    @tool(effect="idempotent", timeout=_TIMEOUT_S)
    async def search_history(
        ctx: RunContext[object],
        query: _Query,
        limit: Annotated[int, Param(description="how many conversations at most", ge=1, le=50)] = 10,
        include_current: Annotated[bool, Param(description="whether to look through this conversation too")] = False,
    ) -> History:
        """Search what was said in earlier conversations: the best place of each, up to 500 characters."""
        memory = memory_of(ctx)
        try:
            return await memory.search_history(
                query, limit=limit, without_session=None if include_current else ctx.session_id
            )
        except StoreError as error:
            raise _failed(error) from error

    return (recall_memory, remember_memory, search_history)


def _failed(error: StoreError) -> ToolFailed:
    if isinstance(error, StoreUnavailable):  # its text names a file
        return ToolFailed("The memory cannot be reached now.", retryable=True)
    return ToolFailed(f"The memory said no: {error}.")
