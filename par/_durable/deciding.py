"""From a call that waits for a person to what that person has decided."""

from datetime import datetime, timedelta
from typing import cast, get_args

import attrs

from par._engine.steps import Asked, Decision
from par._json import JsonObject
from par.approvals import ApprovalRequest, Approved, Rejected, Risk
from par.outcomes import NeedsApproval
from par.sessions import Approval

__all__ = ["answer_of", "approval_of", "bound_key", "need_of"]


def approval_of(call: Asked, *, id_: str, session: str, turn: int, now: datetime) -> Approval:
    """Return what is kept of a call that waits."""
    need = call.need
    arguments = call.arguments if need.arguments is None else need.arguments
    risk = cast("Risk | None", need.risk if need.risk in get_args(Risk) else None)  # as checked
    return Approval(
        id=id_,
        session=session,
        turn=turn,
        ordinal=call.ordinal,
        call_id=call.call_id,
        tool=call.tool,
        arguments=arguments,
        key=need.key or bound_key(call.tool, arguments, need.details),
        prompt=need.prompt,
        roles=need.roles,
        risk=risk,
        details=need.details,
        asked_at=now,
        expires_at=None if need.expires_s is None else now + timedelta(seconds=need.expires_s),
    )


def bound_key(tool: str, arguments: JsonObject, details: JsonObject) -> str:
    """Return what a decision about such a call is bound to."""
    request = ApprovalRequest(tool=tool, call_id="", arguments=arguments, prompt="", risk="high", details=details)
    return request.key


def need_of(need: NeedsApproval, approval: Approval) -> NeedsApproval:
    """Return what the call needs, with the id under which it is decided."""
    return attrs.evolve(need, approval_id=approval.id, key=approval.key, arguments=approval.arguments)


def answer_of(approval: Approval) -> Decision:
    """Return the decision about a call that nobody waits for any more."""
    if approval.status == "approved":
        changed = approval.modified
        key = approval.key if changed is None else bound_key(approval.tool, changed, approval.details)
        return Decision(key=key, answer=Approved(approval.decided_by, approval.note), arguments=changed)
    if approval.status == "expired":
        return Decision(key=approval.key, answer=Rejected(reason="nobody decided in time"))
    return Decision(key=approval.key, answer=Rejected(approval.decided_by, approval.note))
