"""OpenAI's chat completions, and every server that speaks them; the responses API beside them."""

from typing import Literal, final

from par.calls import ModelCall, ModelReply
from par.errors import UsageError
from par.providers._answers import is_stream, read_body, read_stream, show_whole
from par.providers._failures import facts_of_headers
from par.providers._openai_client import AsyncOpenAI, Endpoint, from_environment
from par.providers._openai_drops import tell
from par.providers._openai_profile import Profile, profile_of
from par.providers._openai_reply import Source, read_completion
from par.providers._openai_request import ChatRequests
from par.providers._openai_stream import ChatStream
from par.providers._reading import parse_body
from par.providers._responses import ResponsesModel

__all__ = ["ChatModel", "OpenAI"]

_PATH = "/chat/completions"
_PROVIDER = "openai"
_OWN_HOST = "api.openai.com"


@final
class ChatModel:
    """One model at one server, spoken to by chat completions; what the public classes share."""

    __slots__ = ("_endpoint", "_model", "_profile", "_provider", "_requests")

    def __init__(self, provider: str, model: str, endpoint: Endpoint, profile: Profile | None = None) -> None:
        if not model.strip():
            raise UsageError("model must not be empty")
        self._provider = provider
        self._model = model
        self._endpoint = endpoint
        self._profile = profile
        self._requests: ChatRequests | None = None

    @property
    def name(self) -> str:
        """The provider and the model, as in a model string."""
        return f"{self._provider}:{self._model}"

    async def answer(self, call: ModelCall) -> ModelReply:
        """Make the call.

        Raises:
            UsageError: for what the server has no form for.
            ModelError: the one that fits.
        """
        requests = self._requests
        if requests is None:
            requests = self._requests = self._begin()
        body = requests.body(call)
        await tell(call, self._provider, requests.dropped(call))
        answer = await self._endpoint.post(_PATH, body, stream=call.stream)
        request_id, limits = facts_of_headers(answer.headers.raw, b"x-request-id")
        source = Source(
            provider=self._provider,
            tag=requests.tag,
            request_id=request_id,
            headers=limits,
            answer_tool=requests.answer_tool(call),
        )
        if not call.stream:
            return read_completion(parse_body(answer.content, self._provider), source)
        if is_stream(answer):
            return await read_stream(answer, ChatStream(source), call.emit, self._provider)
        reply = read_completion(parse_body(await read_body(answer, self._provider), self._provider), source)
        await show_whole(reply, call.emit)
        return reply

    async def aclose(self) -> None:
        """Close the connections of this event loop, unless the client is the user's."""
        await self._endpoint.aclose()

    def _begin(self) -> ChatRequests:
        host = self._endpoint.host
        profile = profile_of(host, self._model) if self._profile is None else self._profile
        # a provider of another name is one server, whose tag is its name
        own = host == _OWN_HOST or self._provider not in (_PROVIDER, "ollama")
        tag = self._provider if own else f"{self._provider}@{host}"
        return ChatRequests(self._model, tag=tag, profile=profile, provider=self._provider)


@final
class OpenAI:
    """A model of OpenAI, or of any server that speaks its API. A ``Handler[ModelCall, ModelReply]``.

    ``client`` is an ``AsyncOpenAI``, or one of the SDK's variants for other clouds (``AsyncAzureOpenAI``); it stays
    the caller's to close. Without one, a client is made at the first call on each event loop, with ``api_key``
    (default: ``OPENAI_API_KEY``) and the address ``base_url`` (default: ``OPENAI_BASE_URL``, else OpenAI's). The SDK's
    retries are off, for a client of one's own as well: ``Retry`` is the layer for that.

    ``api`` is ``"chat"`` for chat completions, which many servers have, or ``"responses"`` for the responses API.
    ``provider`` names a server of its own: in the model string, in errors, and as the tag of opaque blocks and
    provider tools, which is ``"openai"`` or ``"openai@<host>"`` without it (``"openai-responses"`` for the responses
    API). ``profile`` says what the model takes and refuses; by default it is known from the host and the model's
    name.

    What is sent is this model, whatever ``ModelCall.model`` says. In chat completions reasoning goes back only where
    the profile says so. The responses API gets it back, encrypted, and is told to store nothing unless
    ``Settings.extra`` names something that it has in store (``previous_response_id``); the objects ``reasoning`` and
    ``text`` of ``extra`` are joined with what par writes there. Fields of an answer that par has no place for are kept
    in an ``Opaque`` block and go back to the same server where it takes them.

    Cancelling a call closes its connection.

    Raises:
        UsageError: for an empty model or provider, for another ``api``, and for ``base_url`` or ``api_key`` together
            with ``client``.
    """

    __slots__ = ("_model",)

    def __init__(
        self,
        model: str,
        client: AsyncOpenAI | None = None,
        api: Literal["chat", "responses"] = "chat",
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        provider: str = _PROVIDER,
        profile: Profile | None = None,
    ) -> None:
        if api not in ("chat", "responses"):
            raise UsageError(f'api is "chat" or "responses", not {api!r}')
        if not provider.strip():
            raise UsageError("provider must not be empty")
        if client is not None and (base_url is not None or api_key is not None):
            raise UsageError(
                "base_url and api_key belong to the client when there is one: give them to AsyncOpenAI(...)"
            )
        endpoint = Endpoint(provider, client, lambda: from_environment(provider, base_url, api_key))
        self._model = (ResponsesModel if api == "responses" else ChatModel)(provider, model, endpoint, profile)

    @property
    def name(self) -> str:
        """The model string, such as ``openai:gpt-4o``."""
        return self._model.name

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Answer the call; deltas are awaited on ``call.emit`` when ``call.stream`` is true.

        Raises:
            MissingKey: if there is no client and no key.
            UsageError: for a setting or a block that the API has no form for.
            ModelError: if the call failed; the class says what can be done.
        """
        return await self._model.answer(call)

    async def count_tokens(self, call: ModelCall, /) -> int:
        """Return how many tokens the call would have the model read, counted by the responses API.

        Nothing is generated. Servers of chat completions have no endpoint for it: ``estimate_tokens`` of
        ``par.middleware`` guesses.

        Raises:
            UsageError: if ``api`` is ``"chat"``, and as for the call itself.
            MissingKey: if there is no client and no key.
            ModelError: if the tokens could not be counted; the class says what can be done.
        """
        if isinstance(self._model, ResponsesModel):
            return await self._model.count_tokens(call)
        raise UsageError(
            'chat completions have no endpoint that counts tokens: use api="responses" where the server has it, '
            "or guess with par.middleware.estimate_tokens"
        )

    async def aclose(self) -> None:
        """Close the connections made on this event loop; a client of the caller's is left alone."""
        await self._model.aclose()

    def __repr__(self) -> str:
        return f"OpenAI({self.name.partition(':')[2]!r})"
