"""Anthropic's messages API."""

from typing import final

from par.calls import ModelCall, ModelReply
from par.errors import UsageError
from par.providers._answers import is_stream, read_body, read_stream, show_whole
from par.providers._anthropic_client import AsyncAnthropic, Endpoint
from par.providers._anthropic_reply import Source, read_message
from par.providers._anthropic_request import PROVIDER, MessageRequests
from par.providers._anthropic_stream import MessageStream
from par.providers._failures import facts_of_headers
from par.providers._reading import parse_body

__all__ = ["Anthropic"]

_PATH = "/v1/messages"


@final
class Anthropic:
    """A Claude model, by the messages API. A ``Handler[ModelCall, ModelReply]``.

    ``client`` is an ``AsyncAnthropic``, or one of the SDK's variants for other clouds; it stays the caller's to
    close. Without one, a client is made at the first call on each event loop from what the SDK finds in the
    environment (``ANTHROPIC_API_KEY``). The SDK's retries are off: ``Retry`` is the layer for that.
    ``max_tokens`` (at least 1; the API wants a limit in every request) holds where ``Settings.max_tokens`` is
    not set.

    What is sent is this model, whatever ``ModelCall.model`` says. All instructions go into ``system``. Thinking
    goes back with its signature, word for word; thinking without one is another provider's and is left out.
    Blocks that par has no class for are kept as ``Opaque`` and go back as they came. An output type is asked for
    in words, as the last part of ``system``. ``reasoning_effort`` is sent as ``output_config.effort``
    (``minimal`` as ``low``); models that know only a thinking budget take it by ``Settings.extra``.

    Cancelling a call closes its connection.

    Raises:
        UsageError: for an empty model, and for a ``max_tokens`` below 1.
    """

    __slots__ = ("_endpoint", "_model", "_requests")

    def __init__(self, model: str, client: AsyncAnthropic | None = None, max_tokens: int = 4096) -> None:
        if not model.strip():
            raise UsageError("model must not be empty")
        if isinstance(max_tokens, bool) or max_tokens < 1:
            raise UsageError(f"max_tokens must be a whole number of at least 1, got {max_tokens!r}")
        self._model = model
        self._endpoint = Endpoint(client)
        self._requests = MessageRequests(model, max_tokens)

    @property
    def name(self) -> str:
        """The model string, such as ``anthropic:claude-sonnet-4-5``."""
        return f"{PROVIDER}:{self._model}"

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Answer the call; deltas are awaited on ``call.emit`` when ``call.stream`` is true.

        Raises:
            MissingKey: if there is no client and no key.
            ModelError: if the call failed; the class says what can be done.
            UsageError: for a setting that the API does not have.
        """
        answer = await self._endpoint.post(_PATH, self._requests.body(call), stream=call.stream)
        request_id, limits = facts_of_headers(answer.headers.raw, b"request-id")
        source = Source(request_id=request_id, headers=limits)
        if not call.stream:
            return read_message(parse_body(answer.content, PROVIDER), source)
        if is_stream(answer):
            return await read_stream(answer, MessageStream(source), call.emit, PROVIDER)
        reply = read_message(parse_body(await read_body(answer, PROVIDER), PROVIDER), source)
        await show_whole(reply, call.emit)
        return reply

    async def aclose(self) -> None:
        """Close the connections made on this event loop; a client of the caller's is left alone."""
        await self._endpoint.aclose()

    def __repr__(self) -> str:
        return f"Anthropic({self._model!r})"
