"""What an agent is to the engine: its definition, checked and compiled once."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from par._context import RunContext
from par._pipeline.handler import ModelHandler, RunHandler, ToolHandler
from par.calls import OutputSpec, Settings, ToolPort, ToolSpec

__all__ = ["Instructions", "Plan"]

Instructions: TypeAlias = str | Callable[[RunContext[object]], str]


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """A compiled agent. Runs share it and nothing else."""

    name: str
    model: ModelHandler | str
    model_name: str
    instructions: Instructions
    tools: Mapping[str, ToolPort]
    specs: tuple[ToolSpec, ...]
    settings: Settings
    output: OutputSpec | None
    max_steps: int
    max_parallel_tools: int
    max_continuations: int
    layers: tuple[str, ...]
    """The names of the middleware, outermost first."""
    run_handler: RunHandler
    model_handler: ModelHandler
    tool_handler: ToolHandler
