"""The name that each class has in JSON: written down, so that renaming a class changes no stored byte."""

from collections.abc import Mapping
from types import MappingProxyType, UnionType
from typing import Final, Union, get_args, get_origin

import par.calls as calls
import par.deltas as deltas
import par.events as events
import par.messages as messages
import par.outcomes as outcomes

__all__ = ["CLASS_OF", "TAGS", "member_tags"]

TAGS: Final[Mapping[type, str]] = MappingProxyType({
    # blocks
    messages.Text: "text",
    messages.Image: "image",
    messages.Document: "document",
    messages.Reasoning: "reasoning",
    messages.ToolUse: "tool_use",
    messages.Opaque: "opaque",
    messages.ToolResult: "tool_result",
    # messages
    messages.System: "system",
    messages.User: "user",
    messages.Assistant: "assistant",
    messages.ToolResults: "tool_results",
    # calls and replies
    calls.RunCall: "run_call",
    calls.ModelCall: "model_call",
    calls.ToolCall: "tool_call",
    calls.ModelReply: "model_reply",
    calls.RunResult: "run_result",
    # outcomes
    outcomes.Done: "done",
    outcomes.Failed: "failed",
    outcomes.TimedOut: "timed_out",
    outcomes.Cancelled: "cancelled",
    outcomes.Unknown: "unknown",
    outcomes.Handoff: "handoff",
    outcomes.NeedsApproval: "needs_approval",
    # deltas
    deltas.TextDelta: "text_delta",
    deltas.ReasoningDelta: "reasoning_delta",
    deltas.ToolUseDelta: "tool_use_delta",
    deltas.StreamRestarted: "stream_restarted",
    # events
    events.RunStarted: "run_started",
    events.RunEnded: "run_ended",
    events.ModelCallStarted: "model_call_started",
    events.ModelAttempted: "model_attempted",
    events.ModelCallEnded: "model_call_ended",
    events.ToolCallStarted: "tool_call_started",
    events.ToolCallEnded: "tool_call_ended",
    events.ToolProgress: "tool_progress",
    events.Retried: "retried",
    events.RateLimitWaited: "rate_limit_waited",
    events.SettingDropped: "setting_dropped",
    events.ReplyRepaired: "reply_repaired",
    events.ReplyContinued: "reply_continued",
    events.PiiMasked: "pii_masked",
    events.OutputSanitized: "output_sanitized",
    events.RunResumed: "run_resumed",
    events.MessagesReceived: "messages_received",
    events.ApprovalRequested: "approval_requested",
    events.ApprovalDecided: "approval_decided",
    events.BashInvoked: "bash_invoked",
    events.BashCompleted: "bash_completed",
    events.RecordsRedacted: "records_redacted",
    events.RecordsExpired: "records_expired",
    events.Redacted: "redacted",
})
"""Class to tag. A tag is never changed and never used again for another class: files of years hold it."""

CLASS_OF: Final[Mapping[str, type]] = MappingProxyType({tag: kind for kind, tag in TAGS.items()})


def member_tags(expected: object) -> frozenset[str] | None:
    """Return the tags of a union whose members all have one (``None`` may be among them), else ``None``."""
    if get_origin(expected) not in (UnionType, Union):
        return None
    members = [get_origin(member) or member for member in get_args(expected) if member is not type(None)]
    tags = [TAGS.get(member) for member in members]
    return frozenset(tag for tag in tags if tag is not None) if all(tags) and len(tags) > 1 else None
