"""Every error that par raises, by what the caller can do about it.

::

    ParError
    ├── UsageError (also ValueError)      fix the program or its configuration, then try again
    │   ├── UnknownModel                  no provider of that name is registered
    │   ├── UnknownPrice                  a cost is asked for, and the model has no price
    │   ├── MissingKey                    the provider's key is not set
    │   ├── MissingExtra                  an optional dependency is not installed
    │   ├── DuplicateProvider             a provider of that name is there
    │   ├── DuplicateTool                 two tools of one name
    │   ├── ImpossibleOrder               the middleware list breaks a declared order
    │   ├── ToolDefinitionError           a function cannot be made into a tool
    │   ├── MissingDeps                   a tool needs deps and the run was given none
    │   ├── ApprovalRefused               a decision came too late, twice, or from the wrong person
    │   └── WorkspaceNotFound             the folder is absent, or not a folder
    ├── ModelError                        a model call failed
    │   ├── TransientModelError           the same call may succeed later
    │   │   ├── RateLimited               the provider, or a RateLimit, says: not now
    │   │   ├── Overloaded                the provider is out of capacity (503, 529)
    │   │   ├── ServerFailed              the provider's server broke (other 5xx)
    │   │   ├── ConnectionFailed          the provider was not reached
    │   │   ├── StreamInterrupted         the answer stopped before its end
    │   │   └── ModelTimedOut             a Timeout ended the call
    │   ├── AuthenticationFailed          the key is wrong (401)
    │   │   └── AccessDenied              the key may not do this (403), or its account is empty (402)
    │   ├── RequestRejected               the provider calls the request wrong (400, 422)
    │   │   ├── ModelNotFound             it has no such model (404)
    │   │   ├── RequestTooLarge           more than it takes at once (413)
    │   │   ├── ContextTooLong            the conversation does not fit the model
    │   │   └── ContentFiltered           it refuses the content
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
    ├── PermissionDenied                  a rule of Permissions, or a person, says no to a tool call
    ├── BudgetExhausted                   a Budget has no room for the next call; the run ends with "budget"
    ├── RunIncomplete                     .output was read of a run that has none
    ├── IllegalTransition                 the state machine has no such move
    ├── DecodeError                       JSON that is none of par's values
    ├── DeliveryFailed                    an event did not reach its receiver: the bus tries again
    │   └── DeliveryRefused               trying again is of no use: it becomes a dead letter at once
    ├── InvalidSignature                  a webhook does not come from a holder of the secret
    │   └── SignatureExpired              it does, but long ago
    ├── SessionError                      a durable session
    │   ├── NoSuchSession
    │   ├── NothingToResume               its last turn has ended
    │   ├── SessionBusy                   another process works at it: try again later
    │   ├── SessionUnfinished             resume or cancel its turn first
    │   ├── DefinitionChanged             another agent began the turn
    │   ├── MessageAnswered               the inbound message has a turn already
    │   ├── ReplayMismatch                the recorded steps are not the agent's
    │   ├── TooManyAttempts               given up after so many crashes
    │   ├── TurnFailed                    the turn that was asked for failed earlier
    │   └── UnknownEffect                 on_unknown="fail": an effect is in doubt
    └── StoreError                        the audit store
        ├── NotAnAuditFile                the file is something else
        ├── NewerSchema                   written by a newer par
        ├── LeaseLost                     another process owns the session now
        ├── StoreUnavailable              cannot be opened, read or written now
        ├── WrongKey                      the events are kept with another key
        └── ChainBroken                   a record was changed, removed, added or moved
"""

from par._errors.delivery import DeliveryFailed, DeliveryRefused, InvalidSignature, SignatureExpired
from par._errors.model import (
    AccessDenied,
    AuthenticationFailed,
    ConnectionFailed,
    ContentFiltered,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    ModelTimedOut,
    Overloaded,
    RateLimited,
    RequestRejected,
    RequestTooLarge,
    ServerFailed,
    StreamInterrupted,
    TransientModelError,
    UnreadableReply,
)
from par._errors.reply import EmptyReply, InvalidOutput, InvalidReply, ReplyTruncated, UnexpectedToolUse
from par._errors.root import ParError
from par._errors.run import BudgetExhausted, DecodeError, IllegalTransition, RunIncomplete
from par._errors.session import (
    ApprovalRefused,
    DefinitionChanged,
    MessageAnswered,
    NoSuchSession,
    NothingToResume,
    ReplayMismatch,
    SessionBusy,
    SessionError,
    SessionUnfinished,
    TooManyAttempts,
    TurnFailed,
    UnknownEffect,
)
from par._errors.store import (
    ChainBroken,
    LeaseLost,
    NewerSchema,
    NotAnAuditFile,
    StoreError,
    StoreUnavailable,
    WrongKey,
)
from par._errors.tool import CommandRefused, InvalidArguments, PermissionDenied, ToolError, ToolFailed
from par._errors.usage import (
    DuplicateProvider,
    DuplicateTool,
    ImpossibleOrder,
    MissingDeps,
    MissingExtra,
    MissingKey,
    ToolDefinitionError,
    UnknownModel,
    UnknownPrice,
    UsageError,
    WorkspaceNotFound,
)

__all__ = [
    "AccessDenied",
    "ApprovalRefused",
    "AuthenticationFailed",
    "BudgetExhausted",
    "ChainBroken",
    "CommandRefused",
    "ConnectionFailed",
    "ContentFiltered",
    "ContextTooLong",
    "DecodeError",
    "DefinitionChanged",
    "DeliveryFailed",
    "DeliveryRefused",
    "DuplicateProvider",
    "DuplicateTool",
    "EmptyReply",
    "IllegalTransition",
    "ImpossibleOrder",
    "InvalidArguments",
    "InvalidOutput",
    "InvalidReply",
    "InvalidSignature",
    "LeaseLost",
    "MessageAnswered",
    "MissingDeps",
    "MissingExtra",
    "MissingKey",
    "ModelError",
    "ModelNotFound",
    "ModelTimedOut",
    "NewerSchema",
    "NoSuchSession",
    "NotAnAuditFile",
    "NothingToResume",
    "Overloaded",
    "ParError",
    "PermissionDenied",
    "RateLimited",
    "ReplayMismatch",
    "ReplyTruncated",
    "RequestRejected",
    "RequestTooLarge",
    "RunIncomplete",
    "ServerFailed",
    "SessionBusy",
    "SessionError",
    "SessionUnfinished",
    "SignatureExpired",
    "StoreError",
    "StoreUnavailable",
    "StreamInterrupted",
    "TooManyAttempts",
    "ToolDefinitionError",
    "ToolError",
    "ToolFailed",
    "TransientModelError",
    "TurnFailed",
    "UnexpectedToolUse",
    "UnknownEffect",
    "UnknownModel",
    "UnknownPrice",
    "UnreadableReply",
    "UsageError",
    "WorkspaceNotFound",
    "WrongKey",
]
