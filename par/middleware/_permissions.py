"""Say which tools may be called, by whom, and when a person must agree."""

from collections.abc import Callable, Iterable
from typing import ClassVar, Final, Literal, TypeAlias, cast

import attrs
from attrs import validators

from par._context import RunContext
from par._json import dump_json
from par._pipeline.handler import ToolHandler
from par._pipeline.middleware import Order
from par.approvals import ApprovalRequest, Approved, Approver, Risk, decide, shown
from par.calls import ToolCall, no_tool
from par.errors import InvalidArguments, PermissionDenied
from par.middleware._cache import Cache
from par.middleware._checks import Field, choice, optional_seconds
from par.middleware._concurrency import Concurrency
from par.middleware._permission_rules import Action, Rule
from par.middleware._rate_limit import RateLimit
from par.middleware._retry import Retry
from par.middleware._timeout import Timeout
from par.outcomes import Failed, NeedsApproval, ToolOutcome

__all__ = ["Permissions"]

_STAND_IN: Final = type(no_tool("", ()))
_RISKS: Final[dict[str, Risk]] = {"read": "low", "idempotent": "medium", "once": "high"}
_NAME_CHARS: Final = 80
_REASON_CHARS: Final = 500
_PROMPT_CHARS: Final = 2_000

_optional_function = validators.optional(validators.is_callable())


def _rules(value: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(value)


def _all_rules(_instance: object, field: Field, value: tuple[object, ...]) -> None:
    for rule in value:
        if not isinstance(rule, Rule):
            raise TypeError(f"{field.name} must hold Rule objects, got {rule!r}")


_Said: TypeAlias = Literal["allow", "confirm", "unfit", "deny"]
_STRICTNESS: Final[tuple[_Said, ...]] = ("allow", "confirm", "unfit", "deny")


@attrs.frozen
class _Verdict:
    """What is said of a call, by which rule, and what went wrong in saying it.

    ``unfit``: the arguments do not fit the tool, so that there is nothing to judge and nothing to ask.
    """

    said: _Said
    rule: Rule | None = None
    fault: Exception | None = None


@attrs.frozen(kw_only=True, eq=False)
class Permissions:
    """Allows, denies, or asks a person about each tool call, by rules of which the first that matches counts.

    It holds for every name that the model sends: for tools of any kind, for tools that there are not, and for
    arguments that are no JSON. A denied call has the outcome ``Failed`` with the kind ``refused`` and an error of
    ``PermissionDenied``; neither the tool nor a cache is reached. Whatever keeps a rule from being judged (a
    function that raises, roles that cannot be read) denies the call.

    A call to be confirmed goes to ``approver``, which must answer ``Approved`` within ``timeout_s`` seconds. Without an
    approver the outcome is ``NeedsApproval``, and the run ends with ``stop_reason="suspended"``: in a durable session
    until somebody decides with ``rt.approve`` or ``rt.reject``, and for ``expires_s`` seconds at most. Nobody is asked
    about a call that cannot be made: of a tool that does not exist, or with arguments that do not fit. What is asked
    is bound to the session: ``remembering(approver)`` asks once for the same call in one session.

    It judges a call once, whatever is tried again further in, so layers that repeat, keep or delay calls must stand
    further in, which is checked. Arguments that a ``Validation`` mends are judged in both forms, and the stricter
    verdict counts. Stand inside ``PiiMask`` to judge real values instead of masked ones. An agent that a tool calls
    has a chain of its own: give it these permissions too.
    """

    order: ClassVar[Order] = Order(outside_of=(Cache, Concurrency, Retry, RateLimit, Timeout))

    rules: tuple[Rule, ...] = attrs.field(default=(), converter=_rules, validator=_all_rules)
    """From the most particular to the most general."""
    default: Action = attrs.field(default="deny", validator=choice("allow", "confirm", "deny"))
    """What happens to a call that no rule matches. ``"deny"``, so that what was forgotten is not allowed."""
    approver: Approver | None = attrs.field(default=None, validator=_optional_function)
    """Whom to ask."""
    timeout_s: float | None = attrs.field(default=300.0, validator=optional_seconds)
    """Seconds that the approver has; ``None`` for as long as it takes."""
    expires_s: float | None = attrs.field(default=86_400.0, validator=optional_seconds)
    """Seconds for which a call of a durable session waits for a decision, a day by default; then it counts as
    rejected. ``None`` for as long as it takes."""
    roles_of: Callable[[RunContext[object]], Iterable[str]] | None = attrs.field(
        default=None, validator=_optional_function
    )
    """Returns the roles of the one for whom the run works, mostly from ``ctx.deps``."""

    _reads_arguments: bool = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.roles_of is None and any(rule.roles for rule in self.rules):
            raise ValueError("roles_of must be set: a rule asks for the caller's roles")
        reads = self.default == "confirm" or any(rule.action == "confirm" or rule.when for rule in self.rules)
        object.__setattr__(self, "_reads_arguments", reads)

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        """Answer the call if it is allowed, and if a person has agreed where one must."""
        verdict = self._judge(call)
        if verdict.said == "allow":
            return await call_next(call)
        if verdict.said == "deny":
            return _denied(call, verdict)
        if type(call.tool) is _STAND_IN:
            return await call.tool.invoke(call)  # which says that there is no such tool
        if verdict.said == "unfit":
            return _unfit(call)
        return await self._confirmed(call, call_next, verdict.rule)

    async def _confirmed(self, call: ToolCall, call_next: ToolHandler, rule: Rule | None) -> ToolOutcome:
        try:
            request = _request(call, rule)
        except (TypeError, ValueError) as error:  # a layer further out has put something else than JSON into the call
            return _denied(call, _Verdict("deny", fault=error))
        answer = await decide(
            call.ctx,
            request,
            approver=self.approver,
            timeout_s=self.timeout_s,
            expires_s=self.expires_s,
            waits=True,  # where nobody goes on with the run, it still says what it has stopped at
        )
        if isinstance(answer, Approved):
            return await call_next(call)
        if isinstance(answer, NeedsApproval):
            return answer
        reason = shown(answer.reason, _REASON_CHARS) if answer.reason else "no reason was given"
        return _refused(PermissionDenied(request.tool, f"it was not approved ({reason}).", by=answer.by))

    def _judge(self, call: ToolCall) -> _Verdict:
        """Return what the first matching rule says; of two forms of the arguments the stricter word counts."""
        forms = _forms(call) if self._reads_arguments else (call,)
        if not forms:
            return self._first(call, fits=False)
        return max((self._first(form, fits=True) for form in forms), key=_strictness)

    def _first(self, call: ToolCall, *, fits: bool) -> _Verdict:
        try:
            rule = self._match(call, fits=fits)
        except Exception as error:  # noqa: BLE001 # the boundary: what cannot be judged is denied
            return _Verdict("deny", fault=error)
        action = self.default if rule is None else rule.action
        depends = action == "confirm" or (rule is not None and rule.when is not None)
        return _Verdict("unfit" if depends and not fits else action, rule)

    def _match(self, call: ToolCall, *, fits: bool) -> Rule | None:
        roles: frozenset[str] | None = None
        for rule in self.rules:
            if not rule.names(call):
                continue
            if rule.roles:
                roles = self._roles(call.ctx) if roles is None else roles
                if roles.isdisjoint(rule.roles):
                    continue
            if not fits or rule.holds(call):
                return rule
        return None

    def _roles(self, ctx: RunContext[object]) -> frozenset[str]:
        found = cast("object", () if self.roles_of is None else self.roles_of(ctx))
        if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
            raise TypeError(f"roles_of must return several texts, not {type(found).__name__}")
        roles = frozenset(cast("Iterable[object]", found))
        if not all(isinstance(role, str) for role in roles):
            raise TypeError("roles_of must return texts")
        return cast("frozenset[str]", roles)  # as the lines above say


def _strictness(verdict: _Verdict) -> int:
    return _STRICTNESS.index(verdict.said)


def _forms(call: ToolCall) -> tuple[ToolCall, ...]:
    """Return the call as it is and as a ``Validation`` would mend it: those of the two that can be made."""
    if call.malformed is not None:
        return ()
    forms = [call]
    relaxed = call.tool.relaxed(call.arguments)
    if relaxed is not call.arguments:
        forms.append(attrs.evolve(call, arguments=relaxed))
    return tuple([form for form in forms if not call.tool.problems(form.arguments)])


def _unfit(call: ToolCall) -> Failed:
    problems = call.tool.problems(call.tool.relaxed(call.arguments)) if call.malformed is None else ()
    error = InvalidArguments(call.name, problems or ("The arguments are not a JSON object: send one.",))
    return Failed(kind="invalid_arguments", message=str(error), error_type=type(error).__name__, error=error)


def _refused(error: PermissionDenied) -> Failed:
    return Failed(kind="refused", message=str(error), error_type=type(error).__name__, error=error)


def _denied(call: ToolCall, verdict: _Verdict) -> Failed:
    name = shown(call.name, _NAME_CHARS)
    if verdict.fault is not None:
        error = PermissionDenied(name, f"whether it is allowed could not be judged ({type(verdict.fault).__name__}).")
        error.__cause__ = verdict.fault
        return _refused(error)
    rule = verdict.rule
    if rule is not None and rule.reason:
        return _refused(PermissionDenied(name, rule.reason))
    what = "it is not allowed" if rule is None or rule.when is None else "it is not allowed with these arguments"
    return _refused(PermissionDenied(name, f"{what}."))


def _request(call: ToolCall, rule: Rule | None) -> ApprovalRequest:
    ctx = call.ctx
    effect = call.tool.spec.effect
    because = f" {rule.reason}" if rule is not None and rule.reason else ""
    prompt = f"May {ctx.agent} call {call.name} with {dump_json(call.arguments)}?{because}"
    return ApprovalRequest(
        tool=call.name,
        call_id=call.id,
        arguments=call.arguments,
        prompt=shown(prompt, _PROMPT_CHARS),
        risk=_RISKS[effect] if rule is None or rule.risk is None else rule.risk,
        effects=(effect,),
        roles=() if rule is None else rule.approvers,
        details={"bind": {"agent": ctx.agent, "session": ctx.session_id}, "run": ctx.run_id},
    )
