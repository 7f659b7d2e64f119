"""Why a request is refused, before it is put into the words of an API."""

from typing import Literal, TypeAlias

import attrs

__all__ = ["Misshapen", "Place", "Refused", "Wrong"]

Wrong: TypeAlias = Literal["unknown", "missing", "type", "value"]


@attrs.frozen
class Place:
    """Where in a request something is, as the names and numbers that lead to it."""

    path: tuple[str | int, ...] = ()

    def at(self, step: str | int) -> "Place":
        """Return the place one step further in."""
        return Place((*self.path, step))

    @property
    def dotted(self) -> str:
        """The place as Anthropic writes it: ``messages.0.content``."""
        return ".".join([str(step) for step in self.path])

    @property
    def bracketed(self) -> str:
        """The place as OpenAI writes it: ``messages[0].content``."""
        steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path]
        return "".join(steps).removeprefix(".")


class Misshapen(Exception):
    """Something in a request has the wrong form."""

    def __init__(self, place: Place, wrong: Wrong, detail: str) -> None:
        self.place = place
        self.wrong: Wrong = wrong
        self.detail = detail
        super().__init__(place, wrong, detail)


class Refused(Exception):
    """The API does not take the request; the rest is what its error says."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        self.message = message
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        super().__init__(message)
