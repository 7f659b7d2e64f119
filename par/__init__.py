"""par: LLM agents for serious async services.

A typed middleware pipeline on structured concurrency, with a ReAct engine at its centre.
"""

from par._agent import Agent
from par._clock import Clock
from par._context import RunContext
from par._durable.sessions import Recovered
from par._engine.stream import RunStream, StreamItem
from par._json import Json, JsonObject
from par._pipeline.handler import Handler, Layer, ModelHandler, RunHandler, ToolHandler
from par._pipeline.middleware import Middleware, Order, wrap_model, wrap_run, wrap_tool
from par._runtime import Runtime
from par._shape.read import Param
from par._store import Store, Verification
from par._tool.decorator import tool
from par._tool.tool import AgentTool, Tool
from par.calls import (
    ModelCall,
    ModelReply,
    OutputSpec,
    PromptCache,
    RunCall,
    RunResult,
    Settings,
    ToolCall,
    ToolNames,
    ToolSpec,
)
from par.deltas import Delta, ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.errors import CommandRefused, ModelError, ParError, RunIncomplete, StoreError, ToolFailed, UsageError
from par.events import Envelope, Event
from par.messages import Assistant, Document, Image, Message, System, Text, ToolResult, ToolResults, ToolUse, User
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, ToolOutcome, Unknown
from par.states import TaskState
from par.usage import Usage

__all__ = [
    "Agent",
    "AgentTool",
    "Assistant",
    "Cancelled",
    "Clock",
    "CommandRefused",
    "Delta",
    "Document",
    "Done",
    "Envelope",
    "Event",
    "Failed",
    "Handler",
    "Handoff",
    "Image",
    "Json",
    "JsonObject",
    "Layer",
    "Message",
    "Middleware",
    "ModelCall",
    "ModelError",
    "ModelHandler",
    "ModelReply",
    "NeedsApproval",
    "Order",
    "OutputSpec",
    "ParError",
    "Param",
    "PromptCache",
    "ReasoningDelta",
    "Recovered",
    "RunCall",
    "RunContext",
    "RunHandler",
    "RunIncomplete",
    "RunResult",
    "RunStream",
    "Runtime",
    "Settings",
    "Store",
    "StoreError",
    "StreamItem",
    "StreamRestarted",
    "System",
    "TaskState",
    "Text",
    "TextDelta",
    "TimedOut",
    "Tool",
    "ToolCall",
    "ToolFailed",
    "ToolHandler",
    "ToolNames",
    "ToolOutcome",
    "ToolResult",
    "ToolResults",
    "ToolSpec",
    "ToolUse",
    "ToolUseDelta",
    "Unknown",
    "Usage",
    "UsageError",
    "User",
    "Verification",
    "tool",
    "wrap_model",
    "wrap_run",
    "wrap_tool",
]
