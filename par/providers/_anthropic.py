"""Anthropic's messages API."""

from typing import final

from par.calls import ModelCall, ModelReply
from par.errors import UsageError
from par.events import SettingDropped
from par.providers._answers import Answer, is_stream, read_body, read_stream, show_whole
from par.providers._anthropic_client import Client, Endpoint
from par.providers._anthropic_profile import Profile
from par.providers._anthropic_reply import Source, read_message
from par.providers._anthropic_request import PROVIDER, MessageRequests
from par.providers._anthropic_stream import MessageStream
from par.providers._aws_events import AwsEvents, is_aws_stream
from par.providers._counting import for_counting, read_count
from par.providers._failures import facts_of_headers
from par.providers._reading import parse_body

__all__ = ["Anthropic"]

_PATH = "/v1/messages"
_COUNT = "/v1/messages/count_tokens"
_COUNTED = frozenset({
    "cache_control",
    "context_management",
    "mcp_servers",
    "messages",
    "model",
    "output_config",
    "speed",
    "system",
    "thinking",
    "tool_choice",
    "tools",
})
"""Source: https://docs.anthropic.com/en/api/messages-count-tokens"""


@final
class Anthropic:
    """A Claude model, by the messages API. A ``Handler[ModelCall, ModelReply]``.

    ``client`` is an ``AsyncAnthropic``, or one of the SDK's variants for other clouds (``AsyncAnthropicBedrock``,
    ``AsyncAnthropicVertex``...); it stays the caller's to close. Without one, a client is made at the first call on
    each event loop from what the SDK finds in the environment (``ANTHROPIC_API_KEY``). The SDK's retries are off:
    ``Retry`` is the layer for that. ``max_tokens`` (at least 1; the API wants a limit in every request) holds where
    ``Settings.max_tokens`` is not set; a thinking budget is added to it then. ``profile`` says what the model
    accepts; without one, it is looked up by the model's name.

    What is sent is this model, whatever ``ModelCall.model`` says. All instructions go into ``system``. Thinking goes
    back with its signature, word for word; thinking without one is another provider's and is left out, and so are
    other providers' opaque blocks. Blocks that par has no class for (redacted thinking, tools of the server and their
    results) are kept as ``Opaque`` in their place and go back as they came; so do citations, which stand behind their
    text. The container of the server's tools is kept the same way, and named in the request that carries results of
    tools on; a new question starts without one.

    In ``Settings.extra``, ``output_config`` is merged with what par puts there, and ``betas`` becomes the header
    ``anthropic-beta``; everything else is a field of the body. ``PromptCache.key`` is not needed here: the API finds
    the beginning of a conversation by itself.

    Cancelling a call closes its connection.

    Raises:
        UsageError: for an empty model, and for a ``max_tokens`` below 1.
    """

    tag = PROVIDER

    __slots__ = ("_endpoint", "_model", "_requests")

    def __init__(
        self, model: str, client: Client | None = None, max_tokens: int = 4096, profile: Profile | None = None
    ) -> None:
        if not model.strip():
            raise UsageError("model must not be empty")
        if isinstance(max_tokens, bool) or max_tokens < 1:
            raise UsageError(f"max_tokens must be a whole number of at least 1, got {max_tokens!r}")
        self._model = model
        self._endpoint = Endpoint(client)
        self._requests = MessageRequests(model, max_tokens, profile)

    @property
    def name(self) -> str:
        """The model string, such as ``anthropic:claude-sonnet-4-5``."""
        return f"{PROVIDER}:{self._model}"

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Answer the call; deltas are awaited on ``call.emit`` when ``call.stream`` is true.

        Raises:
            MissingKey: if there is no client and no key.
            ModelError: if the call failed; the class says what can be done.
            UsageError: for what the API or the model does not accept, unless the profile drops it.
        """
        request = self._requests.prepare(call)
        for setting, reason in request.dropped:
            call_id = call.ctx.call_id
            await call.ctx.emit(SettingDropped(call_id=call_id, provider=PROVIDER, setting=setting, reason=reason))
        answer = await self._endpoint.post(_PATH, request.body, stream=call.stream, betas=request.betas)
        request_id, limits = facts_of_headers(answer.headers.raw, self._endpoint.id_header)
        source = Source(request_id=request_id, headers=limits, answer=request.answer)
        if not call.stream:
            return read_message(parse_body(answer.content, PROVIDER), source)
        if is_stream(answer):
            body: Answer = AwsEvents(answer, PROVIDER) if is_aws_stream(answer) else answer
            return await read_stream(body, MessageStream(source), call.emit, PROVIDER)
        reply = read_message(parse_body(await read_body(answer, PROVIDER), PROVIDER), source)
        await show_whole(reply, call.emit)
        return reply

    async def count_tokens(self, call: ModelCall, /) -> int:
        """Return how many tokens the call would have the model read, counted by the API; nothing is generated.

        Raises:
            MissingKey: if there is no client and no key.
            ModelError: if the tokens could not be counted; the class says what can be done.
            UsageError: as for the call itself.
        """
        request = self._requests.prepare(call)
        body = for_counting(request.body, _COUNTED)
        answer = await self._endpoint.post(_COUNT, body, stream=False, betas=request.betas)
        return read_count(answer.content, PROVIDER)

    async def aclose(self) -> None:
        """Close the connections made on this event loop; a client of the caller's is left alone."""
        await self._endpoint.aclose()

    def __repr__(self) -> str:
        return f"Anthropic({self._model!r})"
