"""Errors of tools, most of them told to the model."""

from collections.abc import Sequence

from par._errors.root import ParError

__all__ = ["CommandRefused", "InvalidArguments", "PermissionDenied", "ToolError", "ToolFailed"]


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


class PermissionDenied(ParError):
    """``Permissions``, or the person whom they asked, says no to a tool call, which was not made.

    ``by`` is the person, empty where it was a rule.
    """

    def __init__(self, tool: str, reason: str, *, by: str = "") -> None:
        self.tool = tool
        self.reason = reason
        self.by = by
        super().__init__(
            f"{tool} was not called: {reason} Do not call it again in this way; go on without it, or say what is missing."
        )
