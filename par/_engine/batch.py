"""The tools of one reply: run side by side, each with its outcome, whatever happens."""

from typing import cast, final

from par._context import RunContext
from par._engine.render import outcome_blocks, outcome_kind, outcome_text
from par._engine.run import Run
from par._engine.steps import Asked, Decision, Step
from par.approvals import Grant, Rejected
from par.calls import ToolCall, no_tool
from par.errors import ParError, PermissionDenied, StoreError, UnknownEffect
from par.events import ToolCallEnded, ToolCallStarted
from par.messages import ToolResult, ToolResults, ToolUse
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, ToolOutcome, Unknown

__all__ = ["run_tools"]

_DOUBT = (
    "The process died during this call. It may or may not have had its effect: verify that before repeating it, "
    "and tell the user if it cannot be verified."
)

_OUTCOMES = (Done, Failed, TimedOut, Cancelled, Unknown, Handoff, NeedsApproval)


async def run_tools(run: Run, uses: tuple[ToolUse, ...]) -> list[ToolOutcome]:
    """Run the tools that a reply asks for and add their results to the transcript, in call order.

    Calls that wait for a person are made again once that person has decided. When this is cancelled, or a layer
    breaks, every call without an outcome gets one before the exception goes on: the transcript is always one that a
    provider accepts.
    """
    calls = [_Call(run, use) for use in uses]
    try:
        if not any(call.begun for call in calls) and await run.steps.stopped() is not None:
            return []
        await _run_all(run, calls)
        while waiting := {place: call for place, call in enumerate(calls) if isinstance(call.outcome, NeedsApproval)}:
            if await run.steps.stopped() is not None:  # then nobody is asked any more, and nothing allowed is done
                for call in waiting.values():
                    call.outcome = Cancelled(
                        reason="The run was interrupted before this call was made; nothing happened."
                    )
                break
            answers = await run.steps.wait([call.asked() for call in waiting.values()])
            decisions = [answer for answer in answers if isinstance(answer, Decision)]
            if len(decisions) < len(waiting):
                for call, answer in zip(waiting.values(), answers, strict=True):
                    if isinstance(answer, NeedsApproval):
                        call.outcome = answer  # with the id under which it is decided
                break
            again = [
                _Call(run, calls[place].use, answer, calls[place])
                for place, answer in zip(waiting, decisions, strict=True)
            ]
            for place, call in zip(waiting, again, strict=True):
                calls[place] = call
            await _run_all(run, again)
        return [call.outcome for call in calls if call.outcome is not None]
    finally:
        run.transcript.append(ToolResults(tuple([call.result() for call in calls])))


async def _run_all(run: Run, calls: list["_Call"]) -> None:
    outcomes = await run.steps.steps([call.step for call in calls], limit=run.plan.max_parallel_tools)
    for call, outcome in zip(calls, outcomes, strict=True):
        call.outcome = outcome


def _checked(outcome: object) -> ToolOutcome:
    if not isinstance(outcome, _OUTCOMES):
        raise TypeError(f"a tool layer returns an outcome, one returned {type(outcome).__name__}")
    return cast("ToolOutcome", outcome)  # checked in the line above


@final
class _Call:
    """One tool call on its way to an outcome."""

    __slots__ = ("call", "decision", "outcome", "run", "started_s", "step", "told", "use")

    def __init__(self, run: Run, use: ToolUse, decision: Decision | None = None, before: "_Call | None" = None) -> None:
        ordinal = run.next_ordinal()
        key = run.key_of(ordinal)
        self.run = run
        self.use = use
        self.decision = decision
        arguments, malformed = use.arguments, use.malformed
        if before is not None:
            arguments, malformed = before.call.arguments, before.call.malformed
        if decision is not None and decision.arguments is not None:
            arguments, malformed = decision.arguments, None
        grant = None if decision is None or before is None else before.granted(decision)
        self.call: ToolCall = ToolCall(
            id=use.id,
            name=use.name,
            arguments=arguments,
            malformed=malformed,
            tool=run.plan.tools.get(use.name) or no_tool(use.name, tuple(run.plan.tools)),
            ctx=RunContext(run.deps, run, call_id=use.id, tool=use.name, idempotency_key=key, grant=grant),
        )
        self.step = Step(
            ordinal=ordinal,
            key=key,
            kind="tool",
            name=use.name,
            effect=self.call.tool.spec.effect,
            body=self.perform,
            flush=run.flush if run.listening else None,
            doubtful=self.settle_doubt,
        )
        recorded = run.steps.recorded(ordinal, use.name)  # it counts, also if this is cancelled before it is its turn
        self.outcome: ToolOutcome | None = None if recorded is None else _checked(recorded)
        self.started_s: float | None = None
        self.told = run.steps.knows(ordinal)  # then the process that made the call has told its end

    def granted(self, decision: Decision) -> Grant:
        """Return what is decided about the call that is made in the place of this one, which has waited.

        What was decided earlier still counts: a layer and the tool may each have asked about the same call.
        """
        need, earlier = self.outcome, self.call.ctx.grant
        if earlier is not None and decision.arguments is not None:
            earlier = earlier.for_changed_arguments()
        by_key = isinstance(need, NeedsApproval) and bool(need.key) and need.details.get("key") == need.key
        return Grant(key=decision.key, decision=decision.answer, by_key=by_key, earlier=earlier)

    @property
    def begun(self) -> bool:
        """Whether a process has begun the call, or ended it."""
        steps, ordinal = self.run.steps, self.step.ordinal
        return steps.knows(ordinal) or steps.left(ordinal)

    def asked(self) -> Asked:
        """Return what this call waits for.

        Raises:
            TypeError: if it does not wait.
        """
        if not isinstance(self.outcome, NeedsApproval):
            raise TypeError("this call waits for nobody")
        return Asked(
            ordinal=self.step.ordinal,
            call_id=self.call.id,
            tool=self.call.name,
            arguments=self.call.arguments,
            need=self.outcome,
        )

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
        return self.outcome

    def settle_doubt(self, rival: bool) -> ToolOutcome | None:
        """Say what came of this call, which was at work when its process died; ``None``: it is to be made, or looked for.

        ``rival`` says that the process may be alive after all.

        Raises:
            UnknownEffect: if the tool says that the turn shall fail then.
        """
        run, call = self.run, self.call
        on_unknown = call.tool.spec.on_unknown if call.name in run.plan.tools else "surface"
        if on_unknown == "fail":
            raise UnknownEffect(run.session_id, tool=call.name, key=self.step.key)
        if on_unknown != "surface":
            call.ctx.in_doubt, call.ctx.rival = True, rival
            return None
        self.outcome = Unknown(reason=_DOUBT)
        if run.listening:
            self._tell(self.outcome)
        return self.outcome

    async def _outcome(self) -> ToolOutcome:
        answer = None if self.decision is None else self.decision.answer
        if isinstance(answer, Rejected):
            denied = PermissionDenied(
                self.call.name, f"it was not approved ({answer.reason or 'no reason was given'}).", by=answer.by
            )
            return Failed(kind="refused", message=str(denied), error_type=type(denied).__name__, error=denied)
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
        left = self.run.steps.left(self.step.ordinal)
        if self.started_s is None and not left:
            return Cancelled(reason="The run was cancelled before this call started; nothing happened.")
        spec = self.call.tool.spec
        if spec.abandons:
            return Unknown(reason="The run was cancelled and left this call behind; it may still have its effect.")
        if left or spec.effect == "once":
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
