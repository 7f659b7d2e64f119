"""One model call: from the transcript through the onion to a reply."""

from par._context import RunContext
from par._engine.run import Run
from par._engine.steps import Step
from par.calls import ModelCall, ModelReply, RunCall, checked_reply
from par.deltas import Emit
from par.events import ErrorInfo, ModelAttempted, ModelCallEnded, ModelCallStarted
from par.messages import Message, System, ToolResults

__all__ = ["ask_model", "attempt_model", "call_model"]


async def ask_model(run: Run, call: RunCall, extra: tuple[Message, ...] = ()) -> ModelReply:
    """Make the run's next model call as a step, and count what it cost.

    ``extra`` follows the transcript without becoming part of it.
    """
    run.step += 1
    ordinal = run.next_ordinal()
    if not extra:
        await _receive(run, call, ordinal)
    request = _request(run, call.emit, ordinal, extra)

    async def body() -> ModelReply:
        return await call_model(run, request)

    key = request.ctx.idempotency_key
    step = Step(
        ordinal=ordinal,
        key=key,
        kind="model",
        name=request.model,
        effect="read",
        body=body,
        flush=run.flush if run.listening else None,
    )
    reply = await run.steps.step(step)
    run.usage = run.usage + reply.usage
    return reply


async def _receive(run: Run, call: RunCall, ordinal: int) -> None:
    """Add to the transcript what was sent to the session: a follow-up only where the agent has nothing else to do."""
    idle = not (run.transcript and isinstance(run.transcript[-1], ToolResults))
    arrived = await run.steps.inbox(ordinal, call.receive, follow_ups=idle)
    if arrived:
        run.transcript.extend(arrived)


def _request(run: Run, emit: Emit, ordinal: int, extra: tuple[Message, ...]) -> ModelCall:
    plan = run.plan
    ctx: RunContext[object] = RunContext(run.deps, run, call_id=f"model-{ordinal}", idempotency_key=run.key_of(ordinal))
    instructions = plan.instructions if isinstance(plan.instructions, str) else _text(plan.instructions(ctx))
    head = (System(instructions),) if instructions else ()
    return ModelCall(
        model=plan.model_name,
        messages=(*head, *run.transcript, *extra),
        tools=plan.specs,
        settings=plan.settings,
        output=plan.output,
        stream=run.feed is not None,
        emit=emit,
        ctx=ctx,
    )


def _text(instructions: object) -> str:
    if not isinstance(instructions, str):
        raise TypeError(
            f"instructions are text, or a plain function that returns it; got {type(instructions).__name__}"
        )
    return instructions


async def call_model(run: Run, call: ModelCall) -> ModelReply:
    """Pass a call through the onion, with an event before it and one after it."""
    if not run.listening:
        return checked_reply(await run.plan.model_handler(call))
    call_id = call.ctx.call_id
    started = run.clock.steady_s()
    begun = False
    try:
        await run.emit(
            ModelCallStarted(call_id=call_id, model=call.model, messages=len(call.messages), tools=len(call.tools))
        )
        begun = True
        reply = checked_reply(await run.plan.model_handler(call))
    except BaseException as error:
        if begun or not isinstance(error, Exception):  # else the beginning was refused, and has no end
            duration_s = run.clock.steady_s() - started
            run.tell(ModelCallEnded(call_id=call_id, duration_s=duration_s, error=ErrorInfo.of(error)))
        raise
    run.tell(
        ModelCallEnded(
            call_id=call_id,
            duration_s=run.clock.steady_s() - started,
            message=reply.message,
            finish=reply.finish,
            usage=reply.usage,
        )
    )
    return reply


async def attempt_model(call: ModelCall) -> ModelReply:
    """Call the model itself: the innermost handler, once for each attempt."""
    run = Run.of(call.ctx)
    model = run.plan.model if not isinstance(run.plan.model, str) else run.models.resolve(run.plan.model)
    if not run.listening:
        return checked_reply(await model(call))
    started = run.clock.steady_s()
    try:
        reply = checked_reply(await model(call))
    except BaseException as error:
        run.tell(
            ModelAttempted(
                call_id=call.ctx.call_id,
                attempt=call.attempt,
                model=call.model,
                outcome="failed" if isinstance(error, Exception) else "cancelled",
                duration_s=run.clock.steady_s() - started,
                error_type=type(error).__name__,
            )
        )
        raise
    run.tell(
        ModelAttempted(
            call_id=call.ctx.call_id,
            attempt=call.attempt,
            model=reply.model or call.model,
            outcome="answered",
            duration_s=run.clock.steady_s() - started,
            usage=reply.usage,
            request_id=reply.request_id,
        )
    )
    return reply
