"""What a tool call came to: exactly one of seven outcomes."""

from collections.abc import Sequence
from typing import Generic, Literal, TypeAlias, cast

import attrs
from typing_extensions import TypeVar

from par._json import Json, JsonObject
from par._to_json import to_json
from par.messages import Document, Image, OutcomeKind, ResultBlock

__all__ = [
    "Cancelled",
    "Done",
    "Failed",
    "FailureKind",
    "Handoff",
    "NeedsApproval",
    "OutcomeKind",
    "TimedOut",
    "ToolOutcome",
    "Unknown",
]

R_co = TypeVar("R_co", covariant=True, default=object)

FailureKind: TypeAlias = Literal[
    "failed",  # the tool said so
    "crashed",  # the tool raised something else
    "invalid_arguments",
    "invalid_result",
    "unknown_tool",
    "refused",  # a policy or a layer said no
]


def _shown(value: object) -> tuple[Image | Document, ...]:
    """Return the pictures and files in what a tool returned: one alone, or several among texts."""
    if isinstance(value, (Image, Document)):
        return (value,)
    if not isinstance(value, (list, tuple)):
        return ()
    items = cast("Sequence[object]", value)
    shown = tuple([item for item in items if isinstance(item, (Image, Document))])
    return shown if all(isinstance(item, (str, Image, Document)) for item in items) else ()


def _content(value: object) -> Json:
    if not _shown(value):
        return to_json(value)
    items = cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else ()
    return "\n".join([str(to_json(item)) for item in items if isinstance(item, str)])


@attrs.frozen
class Done(Generic[R_co]):
    """The tool answered.

    ``value`` is what the handler returned; ``content`` is its JSON form, and it is ``content`` that the model
    reads, that is masked and sanitised, stored and compared. ``blocks`` are what the model is shown after it: a tool
    that returns an ``Image`` or ``Document``, or several of them in a list or tuple with texts between them, has its
    texts in ``content`` and the others here.
    """

    value: R_co = attrs.field(eq=False)
    content: Json = attrs.field(default=attrs.Factory(lambda self: _content(self.value), takes_self=True))
    blocks: tuple[ResultBlock, ...] = attrs.field(
        default=attrs.Factory(lambda self: _shown(self.value), takes_self=True)
    )


@attrs.frozen(kw_only=True)
class Failed:
    """The tool did not do it. ``message`` is for the model; ``retryable`` says that nothing has happened yet."""

    kind: FailureKind
    message: str
    retryable: bool = False
    error_type: str | None = None
    error: Exception | None = attrs.field(default=None, eq=False, repr=False, metadata={"local": True})
    """What was raised, with its traceback; it stays in the process."""


@attrs.frozen(kw_only=True)
class TimedOut:
    """The call was ended after ``after_s`` seconds; its clean-up has run."""

    after_s: float
    message: str


@attrs.frozen(kw_only=True)
class Cancelled:
    """The call was cancelled before it started, or while it did something that may be repeated."""

    reason: str


@attrs.frozen(kw_only=True)
class Unknown:
    """The call was interrupted, and whether it had its effect cannot be told."""

    reason: str


@attrs.frozen(kw_only=True)
class Handoff:
    """The conversation goes to another agent; the run ends with ``handed_off``."""

    target: str
    task: str | None = None


@attrs.frozen(kw_only=True)
class NeedsApproval:
    """A person must decide first; the run ends with ``suspended``.

    In a durable session the decision is kept, and once it is made the call is made again with ``ctx.approval``. A tool
    that asks by itself returns this where ``ctx.approval`` is ``None``, and goes on where it is not.
    """

    prompt: str
    roles: tuple[str, ...] = ()
    """Who may decide; empty for anybody."""
    details: JsonObject = attrs.Factory(dict[str, Json])
    """More facts for the one who decides. What stands under ``"bind"`` is part of what the decision is bound to."""
    key: str = ""
    """What the decision is bound to; empty: to the tool, its arguments and ``details["bind"]``."""
    arguments: JsonObject | None = None
    """The arguments that the decision is about; ``None``: those of the call."""
    risk: str | None = None
    expires_s: float | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.gt(0)))
    """Seconds after which the call counts as rejected if nobody has decided; ``None``: never."""
    approval_id: str = ""
    """What ``rt.approve`` and its like are given; empty where the session is not durable."""


ToolOutcome: TypeAlias = Done[R_co] | Failed | TimedOut | Cancelled | Unknown | Handoff | NeedsApproval
