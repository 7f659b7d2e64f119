"""OpenAI's chat completions, and every server that speaks them."""

from typing import Literal, final

from par.calls import ModelCall, ModelReply
from par.errors import UsageError
from par.providers._answers import is_stream, read_body, read_stream, show_whole
from par.providers._failures import facts_of_headers
from par.providers._openai_client import AsyncOpenAI, Endpoint, from_environment
from par.providers._openai_reply import Source, read_completion
from par.providers._openai_request import ChatRequests
from par.providers._openai_stream import ChatStream
from par.providers._reading import parse_body
from par.providers._responses import ResponsesModel

__all__ = ["ChatModel", "OpenAI"]

_PATH = "/chat/completions"
_OFFICIAL = (".openai.com", ".azure.com")


@final
class ChatModel:
    """One model at one server, spoken to by chat completions; what the public classes share."""

    __slots__ = ("_endpoint", "_model", "_provider", "_requests")

    def __init__(self, provider: str, model: str, endpoint: Endpoint) -> None:
        if not model.strip():
            raise UsageError("model must not be empty")
        self._provider = provider
        self._model = model
        self._endpoint = endpoint
        self._requests: ChatRequests | None = None

    @property
    def name(self) -> str:
        """The provider and the model, as in a model string."""
        return f"{self._provider}:{self._model}"

    async def answer(self, call: ModelCall) -> ModelReply:
        """Make the call.

        Raises:
            ModelError: the one that fits.
        """
        requests = self._requests
        if requests is None:
            requests = self._requests = self._begin()
        answer = await self._endpoint.post(_PATH, requests.body(call), stream=call.stream)
        request_id, limits = facts_of_headers(answer.headers.raw, b"x-request-id")
        source = Source(provider=self._provider, tag=requests.tag, request_id=request_id, headers=limits)
        if not call.stream:
            return read_completion(parse_body(answer.content, self._provider), source)
        if is_stream(answer):
            return await read_stream(answer, ChatStream(source), call.emit, self._provider)
        body = await read_body(answer, self._provider)
        reply = read_completion(parse_body(body, self._provider), source)
        await show_whole(reply, call.emit)
        return reply

    async def aclose(self) -> None:
        """Close the connections of this event loop, unless the client is the user's."""
        await self._endpoint.aclose()

    def _begin(self) -> ChatRequests:
        host = self._endpoint.host
        official = host.endswith(_OFFICIAL)
        tag = self._provider if host == "api.openai.com" else f"{self._provider}@{host}"
        return ChatRequests(self._model, tag=tag, official=official)


@final
class OpenAI:
    """A model of OpenAI, or of any server that speaks its API. A ``Handler[ModelCall, ModelReply]``.

    ``client`` is an ``AsyncOpenAI``, or one of the SDK's variants for other clouds; it stays the caller's to
    close. Without one, a client is made at the first call on each event loop, with the key of
    ``OPENAI_API_KEY`` and the address ``base_url`` (default: ``OPENAI_BASE_URL``, else OpenAI's). The SDK's
    retries are off, for a client of one's own as well: ``Retry`` is the layer for that. ``api`` is ``"chat"`` for
    chat completions, which most servers speak, or ``"responses"`` for OpenAI's own way, which keeps what a model has
    thought between the steps of a run.

    What is sent is this model, whatever ``ModelCall.model`` says. In chat completions reasoning is not sent back:
    servers differ in whether they accept it. The responses API gets it back, encrypted, and is told to store nothing
    unless ``Settings.extra`` names something that it has in store (``previous_response_id``); the objects
    ``reasoning`` and ``text`` of ``extra`` are joined with what par writes there. Fields of an answer that par has no
    place for are kept in an ``Opaque`` block and go back to the same server.

    Cancelling a call closes its connection.

    Raises:
        UsageError: for an empty model, for another ``api``, and for ``base_url`` together with ``client``.
    """

    __slots__ = ("_model",)

    def __init__(
        self,
        model: str,
        client: AsyncOpenAI | None = None,
        api: Literal["chat", "responses"] = "chat",
        base_url: str | None = None,
    ) -> None:
        if api not in ("chat", "responses"):
            raise UsageError(f'api is "chat" or "responses", not {api!r}')
        if client is not None and base_url is not None:
            raise UsageError("base_url belongs to the client when there is one: give it to AsyncOpenAI(base_url=...)")
        endpoint = Endpoint("openai", client, lambda: from_environment("openai", base_url, None))
        self._model = (ResponsesModel if api == "responses" else ChatModel)("openai", model, endpoint)

    @property
    def name(self) -> str:
        """The model string, such as ``openai:gpt-4o``."""
        return self._model.name

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Answer the call; deltas are awaited on ``call.emit`` when ``call.stream`` is true.

        Raises:
            MissingKey: if there is no client and no key.
            ModelError: if the call failed; the class says what can be done.
        """
        return await self._model.answer(call)

    async def aclose(self) -> None:
        """Close the connections made on this event loop; a client of the caller's is left alone."""
        await self._model.aclose()

    def __repr__(self) -> str:
        return f"OpenAI({self.name.partition(':')[2]!r})"
