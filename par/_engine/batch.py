"""The tools of one reply: run side by side, each with its outcome, whatever happens."""

from typing import cast, final

from par._context import RunContext
from par._engine.render import outcome_blocks, outcome_kind, outcome_text
from par._engine.run import Run
from par._engine.steps import Step
from par.calls import ToolCall, no_tool
from par.errors import ParError, StoreError
from par.events import ToolCallEnded, ToolCallStarted
from par.messages import ToolResult, ToolResults, ToolUse
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, ToolOutcome, Unknown

__all__ = ["run_tools"]

_OUTCOMES = (Done, Failed, TimedOut, Cancelled, Unknown, Handoff, NeedsApproval)


async def run_tools(run: Run, uses: tuple[ToolUse, ...]) -> list[ToolOutcome]:
    """Run the tools that a reply asks for and add their results to the transcript, in call order.

    When this is cancelled, or a layer breaks, every call without an outcome gets one before the exception
    goes on: the transcript is always one that a provider accepts.
    """
    calls = [_Call(run, use) for use in uses]
    try:
        outcomes = await run.steps.steps([call.step for call in calls], limit=run.plan.max_parallel_tools)
        for call, outcome in zip(calls, outcomes, strict=True):
            call.outcome = outcome
        return outcomes
    finally:
        run.transcript.append(ToolResults(tuple([call.result() for call in calls])))


def _checked(outcome: object) -> ToolOutcome:
    if not isinstance(outcome, _OUTCOMES):
        raise TypeError(f"a tool layer returns an outcome, one returned {type(outcome).__name__}")
    return cast("ToolOutcome", outcome)  # checked in the line above


@final
class _Call:
    """One tool call on its way to an outcome."""

    __slots__ = ("call", "outcome", "run", "started_s", "step", "told")

    def __init__(self, run: Run, use: ToolUse) -> None:
        ordinal = run.next_ordinal()
        key = f"{run.run_id}:{ordinal}"
        self.run = run
        self.call = ToolCall(
            id=use.id,
            name=use.name,
            arguments=use.arguments,
            malformed=use.malformed,
            tool=run.plan.tools.get(use.name) or no_tool(use.name, tuple(run.plan.tools)),
            ctx=RunContext(run.deps, run, call_id=use.id, tool=use.name, idempotency_key=key),
        )
        self.step = Step(
            ordinal=ordinal,
            key=key,
            kind="tool",
            name=use.name,
            effect=self.call.tool.spec.effect,
            body=self.perform,
        )
        self.outcome: ToolOutcome | None = None
        self.started_s: float | None = None
        self.told = False

    async def perform(self) -> ToolOutcome:
        """Pass the call through the onion, with an event before it and one after it."""
        run, call = self.run, self.call
        if run.listening:
            await run.emit(
                ToolCallStarted(call_id=call.id, name=call.name, effect=call.tool.spec.effect, arguments=call.arguments)
            )
        self.started_s = run.clock.steady_s()
        self.outcome = await self._outcome()
        if run.listening:
            self._tell(self.outcome)
            await run.flush()
        return self.outcome

    async def _outcome(self) -> ToolOutcome:
        try:
            outcome = await self.run.plan.tool_handler(self.call)
        except StoreError:
            raise  # without its audit the run does not go on
        except ParError as error:  # a layer's refusal is an answer; any other exception of a layer is a bug
            message = str(error)
            return Failed(kind="refused", message=message, error_type=type(error).__name__, error=error)
        return _checked(outcome)

    def result(self) -> ToolResult:
        """Return what the model reads; a call that was cut short gets its outcome here."""
        outcome = self.outcome
        if outcome is None:
            outcome = self.outcome = self._interrupted()
        if not self.told and self.run.listening:
            self._tell(outcome)
        return ToolResult(
            tool_use_id=self.call.id,
            name=self.call.name,
            content=outcome_text(outcome),
            outcome=outcome_kind(outcome),
            blocks=outcome_blocks(outcome),
        )

    def _interrupted(self) -> ToolOutcome:
        if self.started_s is None:
            return Cancelled(reason="The run was cancelled before this call started; nothing happened.")
        spec = self.call.tool.spec
        if spec.abandons:
            return Unknown(reason="The run was cancelled and left this call behind; it may still have its effect.")
        if spec.effect == "once":
            return Unknown(
                reason="The run was cancelled during this call. It may or may not have had its effect: "
                "verify before repeating it."
            )
        return Cancelled(reason="The run was cancelled during this call; it may be repeated.")

    def _tell(self, outcome: ToolOutcome) -> None:
        self.told = True
        started = self.started_s
        self.run.tell(
            ToolCallEnded(
                call_id=self.call.id,
                name=self.call.name,
                outcome=outcome_kind(outcome),
                content=outcome_text(outcome),
                duration_s=0.0 if started is None else self.run.clock.steady_s() - started,
            )
        )
