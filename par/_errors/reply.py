"""The model's answer breaks a rule."""

from par._errors.root import ParError

__all__ = ["EmptyReply", "InvalidOutput", "InvalidReply", "ReplyTruncated", "UnexpectedToolUse"]


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
