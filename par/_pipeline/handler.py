"""The one primitive: a handler answers a call, a layer answers it with the help of the next handler."""

from typing import Protocol, TypeAlias

from typing_extensions import TypeVar

from par.calls import ModelCall, ModelReply, RunCall, RunResult, ToolCall
from par.outcomes import ToolOutcome

__all__ = ["Handler", "Layer", "ModelHandler", "ModelLayer", "RunHandler", "RunLayer", "ToolHandler", "ToolLayer"]

Req_contra = TypeVar("Req_contra", contravariant=True)
Resp_co = TypeVar("Resp_co", covariant=True)
Req = TypeVar("Req")
Resp = TypeVar("Resp")


class Handler(Protocol[Req_contra, Resp_co]):
    """Answers a call."""

    async def __call__(self, call: Req_contra, /) -> Resp_co: ...


class Layer(Protocol[Req, Resp]):
    """Answers a call, usually by passing it, or another like it, to ``call_next``.

    It may answer without calling on, call on several times, or change the request or the answer.
    """

    async def __call__(self, call: Req, call_next: Handler[Req, Resp], /) -> Resp: ...


RunHandler: TypeAlias = Handler[RunCall, RunResult[object]]
ModelHandler: TypeAlias = Handler[ModelCall, ModelReply]
ToolHandler: TypeAlias = Handler[ToolCall, ToolOutcome]
RunLayer: TypeAlias = Layer[RunCall, RunResult[object]]
ModelLayer: TypeAlias = Layer[ModelCall, ModelReply]
ToolLayer: TypeAlias = Layer[ToolCall, ToolOutcome]
