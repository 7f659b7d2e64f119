"""What a turn has said so far, from its recorded steps alone: without the agent, and without running anything."""

from collections.abc import Iterable, Iterator
from typing import cast

from par._durable.log import StepRecord
from par._engine.pieces import Pieces, is_unfinished
from par._engine.render import outcome_kind, outcome_text
from par.calls import ModelReply
from par.messages import Message, ToolResult, ToolResults, ToolUse
from par.outcomes import Cancelled, NeedsApproval, ToolOutcome, Unknown
from par.sessions import TurnInfo
from par.usage import Usage

__all__ = ["folded", "spent"]

_NOT_MADE = "The turn was ended before this call was made; nothing happened."
_IN_DOUBT = "The turn was ended during this call. It may or may not have had its effect: verify before repeating it."


def folded(turn: TurnInfo, steps: Iterable[StepRecord]) -> tuple[Message, ...]:
    """Return the messages of an unfinished turn, fit to be sent to any provider: each tool use has its result."""
    if turn.messages:
        return turn.messages
    messages: list[Message] = [*turn.input]
    waiting = iter(sorted(steps, key=lambda step: step.ordinal))
    pieces = Pieces()
    step = next(waiting, None)
    while step is not None:
        reply = step.result
        if step.kind != "model" or step.status != "done" or not isinstance(reply, ModelReply):
            break  # a batch that no reply asked for, or a call that was not answered: nothing of it was said
        messages.extend(step.inbox)
        if is_unfinished(reply):
            pieces.add(reply)
            step = next(waiting, None)
            continue
        messages.append(pieces.finished(reply))
        pieces = Pieces()
        uses = reply.message.tool_uses
        results, step = _results(uses, step.ordinal + 1, waiting)
        if uses:
            messages.append(ToolResults(results))
    if pieces.count:
        messages.append(pieces.message)
    return tuple(messages)


def spent(steps: Iterable[StepRecord]) -> tuple[Usage, int]:
    """Return what the recorded model calls have cost, and how many they are."""
    usage, calls = Usage(), 0
    for step in steps:
        if isinstance(step.result, ModelReply):
            usage, calls = usage + step.result.usage, calls + 1
    return usage, calls


def _results(
    uses: tuple[ToolUse, ...], base: int, waiting: Iterator[StepRecord]
) -> tuple[tuple[ToolResult, ...], StepRecord | None]:
    """Return the results of a batch, and the step after it.

    Ordinals are drawn in the order of the calls, from ``base`` on. Calls that waited for a person are made again
    afterwards, with ordinals of their own. A step that is missing was not made.
    """
    outcomes: dict[int, ToolOutcome] = {}
    places = list(range(len(uses)))
    step = next(waiting, None)
    while places:
        end = base + len(places)
        while step is not None and step.ordinal < end:
            outcomes[places[step.ordinal - base]] = _outcome(step)
            step = next(waiting, None)
        places = [place for place in places if isinstance(outcomes.get(place), NeedsApproval)]
        base = end
        if step is None or step.kind != "tool":
            break
    return tuple([_result(use, outcomes.get(place)) for place, use in enumerate(uses)]), step


def _outcome(step: StepRecord) -> ToolOutcome:
    if step.status == "started":
        return Unknown(reason=_IN_DOUBT)
    return cast("ToolOutcome", step.result)  # the log decodes what a tool step came to


def _result(use: ToolUse, outcome: ToolOutcome | None) -> ToolResult:
    found = outcome or Cancelled(reason=_NOT_MADE)
    return ToolResult(tool_use_id=use.id, name=use.name, content=outcome_text(found), outcome=outcome_kind(found))
