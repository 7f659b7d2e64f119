"""The ReAct loop: ask the model, run the tools it asks for, ask again, until it has answered."""

import attrs

from par._engine.batch import run_tools
from par._engine.model_step import ask_model
from par._engine.pieces import Pieces, is_unfinished
from par._engine.run import Run
from par._engine.steps import TurnBegun
from par.calls import ModelReply, RunCall, RunResult
from par.errors import BudgetExhausted, EmptyReply, InvalidReply, ReplyTruncated
from par.events import ReplyContinued, RunStarted
from par.messages import Text, User
from par.outcomes import Handoff, NeedsApproval, ToolOutcome

__all__ = ["react"]

_GO_ON = User((Text("Your answer was cut off by the length limit. Go on exactly where you stopped; repeat nothing."),))


async def react(call: RunCall) -> RunResult[object]:
    """Run one turn: the innermost handler of a run.

    Raises:
        InvalidReply: if the model's last word is no answer.
        ModelError: if a model call failed for good.
    """
    run = Run.of(call.ctx)
    plan = run.plan
    run.transcript[:] = [*call.history, *call.input]
    started = RunStarted(agent=plan.name, model=plan.model_name, input=call.input)
    await run.steps.commit(TurnBegun(event=started, history=call.history, input=call.input))
    while run.step < plan.max_steps:
        interrupted = await run.steps.stopped()
        if interrupted is not None:
            return run.result("cancelled", cause=interrupted)
        try:
            reply = await _whole_reply(run, call)
        except BudgetExhausted as error:
            return run.result("budget", cause=str(error))
        run.transcript.append(reply.message)
        uses = reply.message.tool_uses
        if not uses and reply.finish == "paused":
            break
        if not uses:
            if run.step < plan.max_steps and await run.steps.has_mail(run.ordinal + 1):
                continue
            return run.result("finished", value=_answer(run, reply))
        stop = _stop(run, await run_tools(run, uses))
        if stop is not None:
            return stop
    return run.result("max_steps", cause=f"the limit of {plan.max_steps} steps")


def _stop(run: Run, outcomes: list[ToolOutcome]) -> RunResult[object] | None:
    approvals = tuple(outcome for outcome in outcomes if isinstance(outcome, NeedsApproval))
    if approvals:
        return run.result("suspended", cause="a tool call needs approval", approvals=approvals)
    handoff = next((outcome for outcome in outcomes if isinstance(outcome, Handoff)), None)
    if handoff is not None:
        return run.result("handed_off", cause=f"handed off to {handoff.target}", handoff=handoff)
    return None


async def _whole_reply(run: Run, call: RunCall) -> ModelReply:
    """Ask the model until its answer is whole, and join the pieces.

    A paused answer goes on when it is sent back as it is; one that the length limit cut is asked to go on.
    """
    reply = await ask_model(run, call)
    pieces = Pieces()
    cuts = 0
    while is_unfinished(reply):
        paused = reply.finish == "paused"
        if paused and run.step == run.plan.max_steps:
            break
        if not paused:
            _may_go_on(run, reply, cuts)
            cuts += 1
        pieces.add(reply)
        if run.listening and not run.steps.knows(run.ordinal + 1):
            run.tell(ReplyContinued(call_id=f"model-{run.step}", chunk=pieces.count))
        reply = await ask_model(run, call, (pieces.message, *(() if paused else (_GO_ON,))))
    return attrs.evolve(reply, message=pieces.finished(reply)) if pieces.count else reply


def _may_go_on(run: Run, reply: ModelReply, cuts: int) -> None:
    if not reply.message.text:
        raise ReplyTruncated("the length limit cut the answer before any text: raise max_tokens")
    if cuts == run.plan.max_continuations or run.step == run.plan.max_steps:
        raise ReplyTruncated(f"the answer was still cut off after {cuts} continuations: raise max_tokens")


def _answer(run: Run, reply: ModelReply) -> object:
    text = reply.message.text
    if reply.finish == "content_filter":
        raise InvalidReply("the provider's content filter stopped the answer")
    if not text:
        raise EmptyReply("the model said nothing and asked for no tool")
    return text if run.plan.output is None else run.plan.output.parse(text)
