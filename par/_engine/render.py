"""What the model reads of an outcome."""

from par._json import dump_json
from par.messages import OutcomeKind, ResultBlock
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, ToolOutcome, Unknown

__all__ = ["outcome_blocks", "outcome_kind", "outcome_text"]


def outcome_kind(outcome: ToolOutcome) -> OutcomeKind:
    """Return the outcome's name in messages and events."""
    match outcome:
        case Done():
            return "done"
        case Failed():
            return "failed"
        case TimedOut():
            return "timed_out"
        case Cancelled():
            return "cancelled"
        case Unknown():
            return "unknown"
        case Handoff():
            return "handoff"
        case NeedsApproval():
            return "needs_approval"


def outcome_blocks(outcome: ToolOutcome) -> tuple[ResultBlock, ...]:
    """Return what the model is shown after the text."""
    return outcome.blocks if isinstance(outcome, Done) else ()


def outcome_text(outcome: ToolOutcome) -> str:
    """Return the outcome's text for the model: results as they are if text, else as JSON."""
    match outcome:
        case Done(content=content):
            return content if isinstance(content, str) else dump_json(content)
        case Failed(message=message) | TimedOut(message=message):
            return message
        case Cancelled(reason=reason) | Unknown(reason=reason):
            return reason
        case Handoff(target=target):
            return f"The conversation goes to {target}."
        case NeedsApproval(prompt=prompt):
            return f"This call waits for approval: {prompt}"
