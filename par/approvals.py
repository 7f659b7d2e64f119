"""Asking a person before something is done: the request, the two answers, and what counts as one."""

import hashlib
import inspect
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from math import inf, isfinite
from typing import Literal, Protocol, TypeAlias, cast, get_args

import anyio
import anyio.lowlevel
import attrs
from attrs import validators

from par._json import Json, JsonObject
from par.outcomes import NeedsApproval

__all__ = [
    "ApprovalRequest",
    "Approved",
    "Approver",
    "Grant",
    "MayWait",
    "Rejected",
    "Risk",
    "ask",
    "decide",
    "needs_approval",
    "remembering",
    "shown",
]

Risk: TypeAlias = Literal["low", "medium", "high", "critical"]

_text = validators.instance_of(str)
_texts = validators.deep_iterable(_text, validators.instance_of(tuple))


def _copied(value: JsonObject) -> JsonObject:
    """Return a copy that nobody else holds: what was approved must not change afterwards."""
    try:
        copy = cast("JsonObject", json.loads(json.dumps(value, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"arguments and details must be JSON objects: {error}") from None
    # the writer takes more than JSON: a number as a key becomes text, which another key may be already
    if not isinstance(cast("object", copy), dict) or copy != value:
        raise ValueError(f"arguments and details must be JSON objects with text as keys, got {value!r}")
    return copy


def _filled(_instance: object, field: "attrs.Attribute[str]", value: str) -> None:
    _text(_instance, field, value)
    if not value:
        raise ValueError(f"{field.name} must not be empty")


@attrs.frozen(kw_only=True)
class ApprovalRequest:
    """One call that a person is asked about.

    Its texts come from a model: whoever shows them to a person does so through ``shown``.
    """

    tool: str = attrs.field(validator=_filled)
    call_id: str = attrs.field(validator=_text)
    arguments: JsonObject = attrs.field(converter=_copied)
    """The arguments of the call, as a copy."""
    prompt: str = attrs.field(validator=_text)
    """What is asked, in a sentence."""
    risk: Risk = attrs.field(validator=validators.in_(get_args(Risk)))
    effects: tuple[str, ...] = attrs.field(default=(), validator=_texts)
    """What the call would do, such as ``once`` or ``network``."""
    roles: tuple[str, ...] = attrs.field(default=(), validator=_texts)
    """Who may answer; empty for anybody."""
    details: JsonObject = attrs.field(factory=dict[str, Json], converter=_copied)
    """More facts for the one who decides. What stands under ``"bind"`` is part of ``key``."""

    @property
    def key(self) -> str:
        """What an approval is bound to: a SHA-256, in hexadecimal, of the tool, the arguments and ``details["bind"]``.

        Calls with the same key are the same call: each argument is equal, whatever the order of the keys. The
        call's id and the texts are no part of it.
        """
        bound: JsonObject = {"tool": self.tool, "arguments": self.arguments}
        if "bind" in self.details:
            bound["bind"] = self.details["bind"]
        canonical = json.dumps(bound, sort_keys=True, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()


@attrs.frozen
class Approved:
    """The call may be made, once and as it was shown."""

    by: str = attrs.field(default="", validator=_text)
    """Who approved."""
    note: str = attrs.field(default="", validator=_text)


@attrs.frozen
class Rejected:
    """The call must not be made."""

    by: str = attrs.field(default="", validator=_text)
    """Who rejected; empty where nobody did and the answer is missing."""
    reason: str = attrs.field(default="", validator=_text)


@attrs.frozen(kw_only=True)
class Grant:
    """What was decided about one call, ahead of it, and what that decision is bound to."""

    key: str = attrs.field(validator=_filled)
    """The ``ApprovalRequest.key`` of the call: a call with another key has no decision."""
    decision: Approved | Rejected = attrs.field(validator=validators.instance_of((Approved, Rejected)))
    by_key: bool = False
    """Whether only who looks for this key may take it: it was asked for by ``decide`` or ``needs_approval``, or the call's
    arguments are others by now."""
    earlier: "Grant | None" = attrs.field(default=None)
    """What was decided about the same call before: where several ask about one call, each finds its own."""

    @property
    def plain(self) -> Approved | Rejected | None:
        """The latest decision that was asked for without a key, about this call as it is; ``None`` if there is none."""
        grant: Grant | None = self
        while grant is not None and grant.by_key:
            grant = grant.earlier
        return None if grant is None else grant.decision

    def for_changed_arguments(self) -> "Grant":
        """Return what still counts when the call is made with other arguments."""
        earlier = None if self.earlier is None else self.earlier.for_changed_arguments()
        return attrs.evolve(self, by_key=True, earlier=earlier)

    def of(self, key: str) -> Approved | Rejected | None:
        """Return the latest decision that is bound to this key, ``None`` if there is none."""
        grant: Grant | None = self
        while grant is not None and grant.key != key:
            grant = grant.earlier
        return None if grant is None else grant.decision


class MayWait(Protocol):
    """What is known of a call that may have to wait; a ``RunContext`` is one."""

    @property
    def grant(self) -> Grant | None: ...
    @property
    def can_suspend(self) -> bool: ...


Approver: TypeAlias = Callable[[ApprovalRequest], Awaitable[Approved | Rejected]]
"""An async function that asks a person, or a rule in a person's place."""


async def ask(approver: Approver | None, request: ApprovalRequest, *, timeout_s: float | None) -> Approved | Rejected:
    """Return the approver's answer; whatever is no clear approval in time is a rejection that says why.

    Only an ``Approved`` object counts. ``None``, ``True``, an object of a subclass, an exception, an answer
    after ``timeout_s`` seconds and the absence of an approver are rejections. A cancellation goes through.

    Args:
        approver: whom to ask; ``None`` if there is nobody.
        request: what to ask.
        timeout_s: seconds to wait for the answer; ``None`` for as long as it takes.

    Raises:
        ValueError: for a time that is not above zero.
    """
    _check_time(timeout_s)
    if approver is None:
        await anyio.lowlevel.checkpoint()
        return Rejected(reason="there is nobody to ask: no approver is set")
    answer: object = None
    limit_s = inf if timeout_s is None else timeout_s
    deadline = anyio.current_time() + limit_s
    with anyio.move_on_after(limit_s) as scope:
        try:
            asked: object = approver(request)
            if not inspect.isawaitable(asked):
                return Rejected(reason=f"the approver is no async function: it returned {_named(asked)}")
            answer = await cast("Awaitable[object]", asked)
        except Exception as error:  # noqa: BLE001 # the boundary: an approver that fails has not approved
            return Rejected(reason=f"the approver failed with {type(error).__name__}")
    if scope.cancelled_caught or anyio.current_time() >= deadline:
        return Rejected(reason=f"nobody answered within {limit_s:g} s")
    if type(answer) is Approved or type(answer) is Rejected:
        return answer
    return Rejected(reason=f"the approver gave no answer: it returned {_named(answer)}")


async def decide(
    ctx: MayWait,
    request: ApprovalRequest,
    *,
    approver: Approver | None = None,
    timeout_s: float | None = 300.0,
    expires_s: float | None = 86_400.0,
    waits: bool | None = None,
) -> Approved | Rejected | NeedsApproval:
    """Return what is said of a call: the one way in which tools and layers ask.

    A decision that was made ahead about exactly this call counts first. Else the approver is asked, as by ``ask``.
    Without an approver the call waits for a person while nothing runs, if the session is durable: the answer is a
    ``NeedsApproval``, which the caller returns as the outcome, and the call is made again once it is decided. Where it
    cannot wait either it is rejected. A cancellation goes through.

    Args:
        ctx: the context of the call.
        request: what to ask. Its ``key`` must be the same when the call is made again.
        approver: whom to ask now; ``None`` if there is nobody.
        timeout_s: seconds that the approver has; ``None`` for as long as it takes.
        expires_s: seconds after which a waiting call counts as rejected; ``None`` for never.
        waits: whether the call may wait; by default ``ctx.can_suspend``. Where a session is not durable, a call that
            waits ends its run, and nobody makes it again.

    Raises:
        ValueError: for a time that is not above zero.
    """
    _check_time(timeout_s)
    _check_time(expires_s, "expires_s")
    known = None if ctx.grant is None else ctx.grant.of(request.key)
    if known is not None:
        await anyio.lowlevel.checkpoint()
        return known
    if approver is None and (ctx.can_suspend if waits is None else waits):
        await anyio.lowlevel.checkpoint()
        return needs_approval(request, expires_s=expires_s)
    return await ask(approver, request, timeout_s=timeout_s)


def needs_approval(request: ApprovalRequest, *, expires_s: float | None) -> NeedsApproval:
    """Return the outcome of a call that waits for the answer to this request, with all that the request says.

    When the call is made again the answer is ``ctx.grant.of(request.key)``, for which ``decide`` looks.
    """
    effects: list[Json] = [*request.effects]
    details: JsonObject = {
        **request.details,
        "tool": request.tool,
        "call_id": request.call_id,
        "arguments": request.arguments,
        "risk": request.risk,
        "effects": effects,
        "key": request.key,
    }
    return NeedsApproval(
        prompt=request.prompt,
        roles=request.roles,
        details=details,
        key=request.key,
        arguments=request.arguments,
        risk=request.risk,
        expires_s=expires_s,
    )


def _check_time(time_s: float | None, name: str = "timeout_s") -> None:
    if time_s is None:
        return
    if isinstance(time_s, bool) or not isfinite(time_s) or time_s <= 0:
        raise ValueError(f"{name} must be a finite number of seconds above 0, got {time_s!r}")


def _named(answer: object) -> str:
    if inspect.iscoroutine(answer):
        if inspect.getcoroutinestate(answer) == inspect.CORO_CREATED:
            answer.close()  # nobody will await it
        return "a coroutine that nobody awaited"
    if answer is None or isinstance(answer, bool):
        return str(answer)
    return f"an object of type {shown(type(answer).__name__, 80)}"


def remembering(approver: Approver, *, limit: int) -> Approver:
    """Return an approver that asks about the same call once: it remembers what was approved, by ``request.key``.

    Rejections are not remembered. The approvals belong to the returned function, over everything that uses it;
    of more than ``limit`` the one that was used longest ago is forgotten. Repeating a call that was approved then
    needs nobody, so do not remember approvals of calls that must happen once.

    Raises:
        ValueError: for a ``limit`` that is no whole number of at least 1.
    """
    if type(limit) is not int or limit < 1:
        raise ValueError(f"limit must be a whole number, at least 1, got {limit!r}")
    approvals: OrderedDict[str, Approved] = OrderedDict()

    async def remembered(request: ApprovalRequest) -> Approved | Rejected:
        key = request.key
        known = approvals.get(key)
        if known is not None:
            approvals.move_to_end(key)
            await anyio.lowlevel.checkpoint()
            return known
        answer = await approver(request)
        if type(answer) is Approved:
            approvals[key] = answer
            while len(approvals) > limit:
                approvals.popitem(last=False)
        return answer

    return remembered


_INVISIBLE = frozenset(
    chr(code)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for code in range(first, last + 1)
)
"""Characters that count as printable and that nobody sees."""
_SHORT = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_CUT = "… ({} more characters)"


def shown(text: str, limit: int) -> str:
    r"""Return ``text`` as one line of at most ``limit`` characters that shows a person what is really there.

    Control characters, line breaks, characters that turn the direction of writing and those that nobody sees are
    written as ``\n``, ``\x1b``, ``\u202e``, and a backslash as two. What does not fit is cut off at the end, and
    the number of characters that are missing is told.

    Raises:
        ValueError: for a ``limit`` below 40, which leaves no room to say what is missing.
    """
    if limit < 40:
        raise ValueError(f"limit must be at least 40, got {limit!r}")
    pieces = [_visible(char) for char in text[: limit + 1]]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    room = limit - len(_CUT.format(len(text)))
    used = kept = 0
    while used + len(pieces[kept]) <= room:
        used += len(pieces[kept])
        kept += 1
    return "".join(pieces[:kept]) + _CUT.format(len(text) - kept)


def _visible(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable() and char not in _INVISIBLE:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
