"""What an ended turn came to, from its record."""

from par._engine.plan import Plan
from par.calls import NoOutput, RunResult
from par.errors import TurnFailed
from par.messages import Assistant, Message
from par.sessions import TurnInfo

__all__ = ["result_of"]


def result_of(session: str, turn: TurnInfo, turns: tuple[TurnInfo, ...], plan: Plan) -> RunResult[object]:
    """Return the result of an ended turn, whose agent has this plan; ``turns`` are those of the session.

    Raises:
        TurnFailed: if it failed with an error.
        InvalidOutput: if the agent's output type is not that of the recorded answer.
    """
    if turn.stop_reason == "failed":
        error = turn.error
        raise TurnFailed(
            session,
            error_type="an error" if error is None else error.type,
            message=(turn.cause or "") if error is None else error.message,
        )
    return RunResult(
        value=_answer(turn, plan) if turn.stop_reason == "finished" else NoOutput(),
        messages=_until(turn, turns),
        usage=turn.usage,
        steps=turn.model_calls,
        stop_reason=turn.stop_reason or "cancelled",
        cause=turn.cause,
        run_id=turn.id,
        session_id=session,
    )


def _answer(turn: TurnInfo, plan: Plan) -> object:
    last = turn.messages[-1] if turn.messages else None
    if not isinstance(last, Assistant):
        return NoOutput()  # it was removed from the record
    return last.text if plan.output is None else plan.output.parse(last.text)


def _until(turn: TurnInfo, turns: tuple[TurnInfo, ...]) -> tuple[Message, ...]:
    return tuple([message for one in turns if one.number <= turn.number for message in one.messages])
