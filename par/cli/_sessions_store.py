"""Opening a store with a runtime, for what is done to its durable sessions."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Never

from par import Agent, Runtime
from par.cli._audit_store import OpenStore, Target, open_store, read_key

__all__ = ["open_sessions"]


@asynccontextmanager
async def open_sessions(
    target: Target,
    *,
    key_file: Path | None = None,
    agents: Sequence[Agent[Never, object]] = (),
    give_up_s: float | None = None,
) -> AsyncGenerator[tuple[OpenStore, Runtime]]:
    """Open the store and a runtime on it; raises as ``open_store`` and ``read_key`` do."""
    key = await read_key(key_file)
    async with open_store(target, key=key, give_up_s=give_up_s) as store, Runtime(store=store, agents=agents) as rt:
        yield store, rt
