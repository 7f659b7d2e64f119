"""Hold model and tools to their promises: repair what can be repaired, and say what cannot."""

from typing import ClassVar

import attrs

from par._json import Json
from par._pipeline.handler import ModelHandler, ToolHandler
from par._pipeline.middleware import Order
from par._to_json import to_json
from par.calls import ModelCall, ModelReply, ToolCall
from par.deltas import StreamRestarted, discard
from par.errors import EmptyReply, InvalidOutput, InvalidReply, UnexpectedToolUse
from par.events import ReplyRepaired
from par.messages import Assistant, Message, Opaque, Text, ToolResult, ToolResults, ToolUse, User
from par.middleware._checks import flag, whole
from par.middleware._pii_mask import PiiMask
from par.outcomes import Done, Failed, ToolOutcome

__all__ = ["Validation"]


@attrs.frozen
class _Fault:
    """What is wrong with a reply: the error to raise in the end (None lets the reply pass), and how to answer it."""

    error: type[InvalidReply] | None
    problem: str
    feedback: tuple[Message, ...]


@attrs.frozen(kw_only=True, eq=False)
class Validation:
    """Checks what the model says and what goes into tools and comes out of them.

    Replies that are empty, that use tools which there are not, whose arguments are no JSON, or that are not of the
    promised output type are answered with a sentence on what is wrong, at most ``repairs`` times; the reply that
    leaves carries the usage of all attempts. A reply with at least one usable tool use passes as it is: its other
    tool uses are answered one by one as failed tool results, so that nothing usable is lost. Truncated and filtered
    replies pass too: asking again would not help them.

    Tool arguments are checked before the tool runs; what does not fit comes back to the model as a failure that
    says how to do it right.
    """

    order: ClassVar[Order] = Order(outside_of=(PiiMask,))

    repairs: int = attrs.field(default=2, validator=whole)
    """How often a reply is asked for again; 0 raises at once."""
    strict: bool = attrs.field(default=True, validator=flag)
    """Take arguments as they are. ``False`` first mends what is plainly meant (such as ``"3"`` for 3)."""
    results: bool = attrs.field(default=True, validator=flag)
    """Check results against the type that the tool declares."""

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        """Answer the call with a reply that keeps the rules.

        Raises:
            EmptyReply: if the model still says nothing after all repairs.
            UnexpectedToolUse: if it still uses tools that there are not.
            InvalidOutput: if its answer is still not of the promised type.
        """
        reply = await call_next(call)
        fault = _fault(call, reply)
        if fault is None:
            return reply
        usage = reply.usage
        tried = 0
        while fault is not None:
            if tried == self.repairs:
                if fault.error is None:
                    break
                raise fault.error(fault.problem, repairs=tried)
            tried += 1
            event = ReplyRepaired(call_id=call.ctx.call_id, attempt=tried, problem=fault.problem)
            await call.ctx.emit(event)
            if call.emit is not discard:
                await call.emit(StreamRestarted(reason=fault.problem))
            call = attrs.evolve(call, messages=(*call.messages, *fault.feedback))
            reply = await call_next(call)
            usage += reply.usage
            fault = _fault(call, reply)
        return attrs.evolve(reply, usage=usage)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Let the call through if its arguments fit, and its result out if it is of its type."""
        if call.malformed is not None:
            return Failed(
                kind="invalid_arguments",
                message=f"{call.name} was not called: its arguments are not a JSON object. Send one JSON object.",
            )
        if not self.strict:
            relaxed = call.tool.relaxed(call.arguments)
            if relaxed is not call.arguments:
                call = attrs.evolve(call, arguments=relaxed)
        problems = call.tool.problems(call.arguments)
        if problems:
            return Failed(kind="invalid_arguments", message=f"{call.name} was not called. " + " ".join(problems))
        outcome = await call_next(call)
        if self.results and isinstance(outcome, Done):
            problem = call.tool.result_problem(outcome.value)
            if problem is not None:
                return _wrong_result(call.name, problem, outcome)
        return outcome


def _wrong_result(name: str, problem: str, outcome: Done[object]) -> Failed:
    # the sentence may quote the result, which masks further in have cleaned only in its content
    detail = problem if _plain(outcome.value) == (outcome.content,) else "The details are withheld."
    return Failed(
        kind="invalid_result",
        message=f"{name} ran, but its result is not of the type that it promises. {detail}",
        error_type="InvalidResult",
    )


def _plain(value: object) -> tuple[Json, ...]:
    try:
        return (to_json(value),)
    except TypeError:
        return ()


def _fault(call: ModelCall, reply: ModelReply) -> _Fault | None:
    if reply.finish in ("length", "content_filter", "paused"):
        return None
    uses = reply.message.tool_uses
    if uses:
        return _fault_of_uses(call, reply.message, uses)
    if not reply.message.text.strip():
        problem = "The answer was empty."
        how = "Answer in text, or use one of the tools." if call.tools else "Answer in text."
        return _Fault(EmptyReply, problem, (_say(f"{problem} {how}"),))
    if call.output is None:
        return None
    try:
        call.output.parse(reply.message.text)
    except InvalidOutput as error:
        ask = (
            f"The answer does not fit the form {call.output.name!r}. {error.problem} Answer again, with the JSON only."
        )
        return _Fault(InvalidOutput, error.problem, (reply.message, _say(ask)))
    return None


def _fault_of_uses(call: ModelCall, message: Assistant, uses: tuple[ToolUse, ...]) -> _Fault | None:
    known = {spec.name for spec in call.tools}
    if any(use.name in known and use.malformed is None for use in uses):
        return None
    if not known:
        problem = "A tool was asked for, and there are no tools."
        # without its tool uses, for a provider refuses tool blocks where no tools are declared
        said = tuple(block for block in message.content if isinstance(block, (Text, Opaque)))
        kept = (Assistant(said),) if any(isinstance(block, Text) and block.text for block in said) else ()
        return _Fault(UnexpectedToolUse, problem, (*kept, _say(f"{problem} Answer in text.")))
    results = tuple(
        ToolResult(tool_use_id=use.id, name=use.name, content=_why_not(use, known), outcome="failed") for use in uses
    )
    unknown = sorted({use.name for use in uses if use.name not in known})
    if unknown:
        problem = f"There is no tool {', '.join(map(repr, unknown))}."
        return _Fault(UnexpectedToolUse, problem, (message, ToolResults(results)))
    # a malformed use of a known tool passes in the end: its failed result tells the model once more
    problem = "The arguments of " + ", ".join(use.name for use in uses) + " are not a JSON object."
    return _Fault(None, problem, (message, ToolResults(results)))


def _why_not(use: ToolUse, known: set[str]) -> str:
    if use.name not in known:
        return f"There is no tool {use.name!r}. The tools are: {', '.join(sorted(known))}."
    return f"{use.name} was not called: its arguments are not a JSON object. Send one JSON object."


def _say(text: str) -> User:
    return User((Text(text),))
