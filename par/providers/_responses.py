"""OpenAI's responses API, and every server that speaks it."""

from typing import final

from par.calls import ModelCall, ModelReply
from par.errors import UsageError
from par.providers._answers import is_stream, read_body, read_stream, show_whole
from par.providers._counting import for_counting, read_count
from par.providers._failures import facts_of_headers
from par.providers._openai_client import Endpoint
from par.providers._openai_drops import tell
from par.providers._openai_profile import Profile, profile_of
from par.providers._reading import parse_body
from par.providers._responses_reply import Source, read_response
from par.providers._responses_request import API, ResponseRequests
from par.providers._responses_stream import ResponseStream

__all__ = ["ResponsesModel"]

_PATH = "/responses"
_COUNT = "/responses/input_tokens"
_COUNTED = frozenset({
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
})
"""Source: https://platform.openai.com/docs/api-reference/responses/input-tokens"""
_OPENAI = "openai"


@final
class ResponsesModel:
    """One model at one server, spoken to by the responses API.

    Nothing is stored: requests say ``store: false``, ask models that think for their encrypted thoughts, and send
    these back in their places. So a conversation lies with the caller alone, can be changed by layers, cut, resumed
    elsewhere and taken to another provider, and the model still has its thoughts. Whoever would rather have the API
    keep it says so in ``Settings.extra``: with ``previous_response_id`` (or ``conversation``, or ``store``) nothing is
    said of storing, and of a history that holds the response of that id only what follows it is sent. The id of a
    response is ``reply.details["id"]``.
    """

    __slots__ = ("_endpoint", "_model", "_profile", "_provider", "_requests")

    def __init__(self, provider: str, model: str, endpoint: Endpoint, profile: Profile | None = None) -> None:
        if not model.strip():
            raise UsageError("model must not be empty")
        self._profile = profile
        self._provider = provider
        self._model = model
        self._endpoint = endpoint
        self._requests: ResponseRequests | None = None

    @property
    def name(self) -> str:
        """The provider and the model, as in a model string."""
        return f"{self._provider}:{self._model}"

    async def answer(self, call: ModelCall) -> ModelReply:
        """Make the call.

        Raises:
            UsageError: for a setting that the API does not have.
            ModelError: the one that fits.
        """
        requests = self._requests
        if requests is None:
            requests = self._requests = self._begin()
        body = requests.body(call)
        await tell(call, self._provider, requests.dropped(call))
        answer = await self._endpoint.post(_PATH, body, stream=call.stream)
        request_id, limits = facts_of_headers(answer.headers.raw, b"x-request-id")
        source = Source(provider=self._provider, tag=requests.tag, request_id=request_id, headers=limits)
        if not call.stream:
            return read_response(parse_body(answer.content, self._provider), source)
        if is_stream(answer):
            return await read_stream(answer, ResponseStream(source), call.emit, self._provider)
        raw = await read_body(answer, self._provider)
        reply = read_response(parse_body(raw, self._provider), source)
        await show_whole(reply, call.emit)
        return reply

    async def count_tokens(self, call: ModelCall) -> int:
        """Return how many tokens the call would have the model read, counted by the API.

        Raises:
            ModelError: the one that fits.
        """
        requests = self._requests
        if requests is None:
            requests = self._requests = self._begin()
        answer = await self._endpoint.post(_COUNT, for_counting(requests.body(call), _COUNTED), stream=False)
        return read_count(answer.content, self._provider)

    async def aclose(self) -> None:
        """Close the connections of this event loop, unless the client is the user's."""
        await self._endpoint.aclose()

    def _begin(self) -> ResponseRequests:
        host = self._endpoint.host
        if self._provider != _OPENAI:
            tag = f"{self._provider}-responses"  # a provider of another name is one server
        else:
            tag = API if host == "api.openai.com" else f"{API}@{host}"
        return ResponseRequests(self._model, tag=tag, profile=self._profile or profile_of(host, self._model))
