"""Every error that par raises, by what the caller can do about it.

::

    ParError
    ├── UsageError (also ValueError)      fix the program or its configuration, then try again
    │   ├── UnknownModel                  no provider of that name is registered
    │   ├── MissingKey                    the provider's key is not set
    │   ├── MissingExtra                  an optional dependency is not installed
    │   ├── DuplicateTool                 two tools of one name
    │   ├── ImpossibleOrder               the middleware list breaks a declared order
    │   ├── ToolDefinitionError           a function cannot be made into a tool
    │   ├── MissingDeps                   a tool needs deps and the run was given none
    │   └── WorkspaceNotFound             the folder is absent, or not a folder
    ├── ModelError                        a model call failed
    │   ├── TransientModelError           the same call may succeed later
    │   │   ├── RateLimited               the provider, or a RateLimit, says: not now
    │   │   ├── Overloaded                the provider is out of capacity or broken (5xx)
    │   │   ├── ConnectionFailed          the provider was not reached
    │   │   ├── StreamInterrupted         the answer stopped before its end
    │   │   └── ModelTimedOut             a Timeout ended the call
    │   ├── AuthenticationFailed          the key is wrong or may not do this
    │   ├── RequestRejected               the provider calls the request wrong
    │   │   └── ContextTooLong            the conversation does not fit the model
    │   └── UnreadableReply               the provider's answer is not what its API promises
    ├── InvalidReply                      the model's answer breaks a rule and repairs are used up
    │   ├── EmptyReply
    │   ├── UnexpectedToolUse             an unknown tool, or tools where there are none
    │   ├── ReplyTruncated                cut by the length limit with nothing usable in it
    │   └── InvalidOutput                 not of the type that the agent promises
    ├── ToolError                         raised by tools to tell the model something
    │   ├── ToolFailed                    the tool says why it could not do it
    │   └── InvalidArguments              the model's arguments do not fit
    ├── CommandRefused                    the bash tool will not run this
    ├── BudgetExhausted                   a Budget has no room for the next call; the run ends with "budget"
    ├── RunIncomplete                     .output was read of a run that has none
    ├── IllegalTransition                 the state machine has no such move
    ├── DecodeError                       JSON that is none of par's values
    └── StoreError                        the audit store
        ├── NotAnAuditFile                the file is something else
        ├── NewerSchema                   written by a newer par
        ├── StoreUnavailable              cannot be opened, read or written now
        └── ChainBroken                   a record was changed, removed, added or moved
"""

from collections.abc import Sequence
from typing import TypeVar

__all__ = [
    "AuthenticationFailed",
    "BudgetExhausted",
    "ChainBroken",
    "CommandRefused",
    "ConnectionFailed",
    "ContextTooLong",
    "DecodeError",
    "DuplicateTool",
    "EmptyReply",
    "IllegalTransition",
    "ImpossibleOrder",
    "InvalidArguments",
    "InvalidOutput",
    "InvalidReply",
    "MissingDeps",
    "MissingExtra",
    "MissingKey",
    "ModelError",
    "ModelTimedOut",
    "NewerSchema",
    "NotAnAuditFile",
    "Overloaded",
    "ParError",
    "RateLimited",
    "ReplyTruncated",
    "RequestRejected",
    "RunIncomplete",
    "StoreError",
    "StoreUnavailable",
    "StreamInterrupted",
    "ToolDefinitionError",
    "ToolError",
    "ToolFailed",
    "TransientModelError",
    "UnexpectedToolUse",
    "UnknownModel",
    "UnreadableReply",
    "UsageError",
    "WorkspaceNotFound",
]

_E = TypeVar("_E", bound="ParError")


class ParError(Exception):
    """The root of par's errors. Facts are attributes; ``str()`` is a sentence made of them."""

    def __reduce__(self) -> tuple[object, ...]:
        # facts are keyword arguments of the leaves, so rebuild from the state instead of calling __init__
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))


def _rebuild(cls: type[_E], args: tuple[object, ...], state: dict[str, object]) -> _E:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


# --- fix the program or its configuration -------------------------------------------------------------


class UsageError(ParError, ValueError):
    """The program asks for something that cannot be; the message says what to change."""


class UnknownModel(UsageError):
    """No provider of that name is registered."""

    def __init__(self, model: str, known: Sequence[str]) -> None:
        self.model = model
        self.known = tuple(known)
        super().__init__(
            f'unknown model {model!r}: write "provider:name", with one of the providers {", ".join(known)}; '
            "or pass a model object"
        )


class MissingKey(UsageError):
    """The provider's key is not set."""

    def __init__(self, provider: str, variable: str) -> None:
        self.provider = provider
        self.variable = variable
        super().__init__(
            f"no key for {provider}: set the environment variable {variable}, or pass a client that has one"
        )


class MissingExtra(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        self.module = module
        super().__init__(f'{module} is not installed: run  pip install "par-sdk[{extra}]"')


class DuplicateTool(UsageError):
    """Two tools of one agent have the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"two tools are called {name!r}: rename one with @tool(name=...)")


class ImpossibleOrder(UsageError):
    """The middleware list breaks an order that one of its members declares."""

    def __init__(self, outer: str, inner: str, declared_by: str) -> None:
        self.outer = outer
        self.inner = inner
        self.declared_by = declared_by
        super().__init__(
            f"{outer} must stand before {inner} in the middleware list (outermost first): {declared_by} says so"
        )


class ToolDefinitionError(UsageError):
    """A function cannot be made into a tool."""

    def __init__(self, tool: str, problem: str) -> None:
        self.tool = tool
        self.problem = problem
        super().__init__(f"{tool} cannot be a tool: {problem}")


class MissingDeps(UsageError):
    """A tool declares the type of its deps, and the run was given none."""

    def __init__(self, tool: str, needs: str) -> None:
        self.tool = tool
        self.needs = needs
        super().__init__(f"the tool {tool} needs deps of type {needs}: pass deps=... to run")


class WorkspaceNotFound(UsageError):
    """The folder that tools shall work in is absent, or not a folder."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"the workspace {path!r} {problem}: name an existing folder")


# --- a model call failed --------------------------------------------------------------------------------


class ModelError(ParError):
    """A model call failed.

    ``attempts`` is how many times the call was made before the error was let through.
    """

    what = "the model call failed"

    def __init__(
        self,
        detail: str = "",
        *,
        provider: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.detail = detail
        self.provider = provider
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.attempts = 1
        super().__init__(detail)

    def __str__(self) -> str:
        facts = [
            self.provider,
            None if self.status is None else f"status {self.status}",
            None if self.request_id is None else f"request {self.request_id}",
            None if self.retry_after_s is None else f"retry after {self.retry_after_s:g} s",
            None if self.attempts == 1 else f"{self.attempts} attempts",
        ]
        known = ", ".join(fact for fact in facts if fact is not None)
        return self.what + (f" ({known})" if known else "") + (f": {self.detail}" if self.detail else "")


class TransientModelError(ModelError):
    """The same call may succeed later; ``retry_after_s`` is what the provider asked for, if it did."""


class RateLimited(TransientModelError):
    """The provider, or a ``RateLimit`` of one's own, has no room for the call now."""

    what = "the rate limit is reached"


class Overloaded(TransientModelError):
    """The provider is out of capacity or answered with a server error."""

    what = "the provider is overloaded or failing"


class ConnectionFailed(TransientModelError):
    """The provider was not reached, or hung up before it answered."""

    what = "the provider could not be reached"


class StreamInterrupted(TransientModelError):
    """The answer stopped before its end. What had arrived is not an answer."""

    what = "the answer broke off before its end"


class ModelTimedOut(TransientModelError):
    """A ``Timeout`` ended the call; ``limit`` says which one and ``after_s`` its seconds."""

    what = "the model call timed out"

    def __init__(self, *, limit: str, after_s: float) -> None:
        self.limit = limit
        self.after_s = after_s
        super().__init__(f"{limit} limit of {after_s:g} s")


class AuthenticationFailed(ModelError):
    """The provider does not accept the key, or the key may not do this."""

    what = "the provider refuses the key"


class RequestRejected(ModelError):
    """The provider calls the request wrong; repeating it unchanged is useless."""

    what = "the provider rejects the request"


class ContextTooLong(RequestRejected):
    """The conversation does not fit the model's context window."""

    what = "the conversation is too long for the model"


class UnreadableReply(ModelError):
    """The provider's answer is not what its API promises."""

    what = "the provider's answer cannot be read"


# --- the model's answer breaks a rule -------------------------------------------------------------------


class InvalidReply(ParError):
    """The model's answer breaks a rule, and no repair is left; ``repairs`` counts those tried."""

    def __init__(self, problem: str, *, repairs: int = 0) -> None:
        self.problem = problem
        self.repairs = repairs
        tried = f" (after {repairs} repair{'s' if repairs != 1 else ''})" if repairs else ""
        super().__init__(f"{problem}{tried}")


class EmptyReply(InvalidReply):
    """The model said nothing and asked for no tool."""


class UnexpectedToolUse(InvalidReply):
    """The model asked for a tool that there is not."""


class ReplyTruncated(InvalidReply):
    """The length limit cut the answer before anything usable."""


class InvalidOutput(InvalidReply):
    """The answer is not of the type that the agent promises."""


# --- tools ----------------------------------------------------------------------------------------------


class ToolError(ParError):
    """Raised inside a tool: the message goes to the model as the call's failure."""


class ToolFailed(ToolError):
    """Raise it in a tool to tell the model why the call failed.

    ``retryable=True`` says that the same call may succeed later and has had no effect.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        self.retryable = retryable
        super().__init__(message)


class InvalidArguments(ToolError):
    """The model's arguments do not fit the tool; ``problems`` teach it, one sentence each."""

    def __init__(self, tool: str, problems: Sequence[str]) -> None:
        self.tool = tool
        self.problems = tuple(problems)
        super().__init__(f"{tool} was not called. " + " ".join(self.problems))


class CommandRefused(ParError):
    """The bash tool will not run this; nothing was started and nothing written.

    ``code`` is stable (``unknown_op``, ``path_outside``, ``denied_by_policy``...), ``field`` says where.
    """

    def __init__(self, code: str, problem: str, *, field: str = "command", remedy: str = "") -> None:
        self.code = code
        self.problem = problem
        self.field = field
        self.remedy = remedy
        super().__init__(f"[bash:{code}] at {field}: {problem}" + (f" {remedy}" if remedy else ""))


# --- runs and values ------------------------------------------------------------------------------------


class BudgetExhausted(ParError):
    """A ``Budget`` has no room for the next call, which was not made; the run ends with ``stop_reason="budget"``.

    ``kind`` is what ran out (``tokens``, ``cost``, ``steps``), with the limit and what was spent and reserved.
    """

    def __init__(self, *, kind: str, limit: int, used: int, needed: int) -> None:
        self.kind = kind
        self.limit = limit
        self.used = used
        self.needed = needed
        super().__init__(
            f"the budget of {limit} {kind} has no room: {used} are used or reserved, {needed} more are needed"
        )


class RunIncomplete(ParError):
    """``.output`` was read of a run that ended without one; ``stop_reason`` says how it ended."""

    def __init__(self, stop_reason: str, cause: str | None = None) -> None:
        self.stop_reason = stop_reason
        self.cause = cause
        because = f" ({cause})" if cause else ""
        super().__init__(f"the run has no output: it stopped with {stop_reason!r}{because}")


class IllegalTransition(ParError):
    """The state machine has no such move; ``why`` is ``self``, ``terminal`` or ``invalid``."""

    def __init__(self, *, current: str, target: str, why: str) -> None:
        self.current = current
        self.target = target
        self.why = why
        super().__init__(f"a task cannot go from {current} to {target} ({why})")


class DecodeError(ParError):
    """A JSON document is none of par's values."""

    def __init__(self, expected: str, problem: str) -> None:
        self.expected = expected
        self.problem = problem
        super().__init__(f"this is not the JSON of {expected}: {problem}")


# --- the audit store ------------------------------------------------------------------------------------


class StoreError(ParError):
    """Something about the audit store."""


class NotAnAuditFile(StoreError):
    """The file exists and is something else; it was not changed."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path!r} is not an audit file of par: {problem}. Name another file")


class NewerSchema(StoreError):
    """A newer par wrote the store; this one would misread it."""

    def __init__(self, path: str, found: int, known: int) -> None:
        self.path = path
        self.found = found
        self.known = known
        super().__init__(
            f"{path!r} has schema {found}, and this par knows schemas up to {known}: update par-sdk to open it"
        )


class StoreUnavailable(StoreError):
    """The store cannot be opened, read or written now; what was acknowledged before is safe."""

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"the store {where!r} cannot be used: {problem}")


class ChainBroken(StoreError):
    """The audit chain of a session is not what was written; ``seq`` is the first wrong place."""

    def __init__(self, session: str, seq: int, problem: str) -> None:
        self.session = session
        self.seq = seq
        self.problem = problem
        super().__init__(f"the audit of session {session!r} is broken at event {seq}: {problem}")
