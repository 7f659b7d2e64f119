"""The only file that speaks to the Anthropic SDK: it makes clients, posts bodies, and translates what is raised."""

from typing import TypeAlias, cast, final

import attrs

from par._json import JsonObject
from par.errors import ConnectionFailed, MissingExtra, MissingKey, ModelError
from par.providers._failures import failure_of_status
from par.providers._per_loop import PerLoop
from par.providers._reading import obj, string
from par.providers._wired import encode_body

try:
    import anthropic
    import httpx2
    from anthropic import AsyncAnthropic, AsyncStream, DefaultAsyncHttpxClient, RequestOptions
    from anthropic.lib.bedrock import AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle
    from anthropic.lib.vertex import AsyncAnthropicVertex
except ModuleNotFoundError as error:
    raise MissingExtra(extra="anthropic", module="anthropic") from error

from par.providers._direct import NO_ANSWER, Direct, failed_to_connect, with_body

__all__ = ["AsyncAnthropic", "Client", "Endpoint"]

Client: TypeAlias = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicBedrockMantle | AsyncAnthropicVertex
"""The SDK's clients: those for other clouds that are not here are of the class ``AsyncAnthropic`` too."""

_PROVIDER = "anthropic"
_REQUEST_ID = "request-id"
_AMAZONS_ID = "x-amzn-requestid"
_BETAS = "anthropic-beta"


def _from_environment() -> AsyncAnthropic:
    try:
        # the SDK's own default starts a task from __del__, in whatever event loop runs by then
        client = AsyncAnthropic(max_retries=0, http_client=DefaultAsyncHttpxClient())
    except anthropic.AnthropicError as error:  # a profile that cannot be read
        raise MissingKey(provider=_PROVIDER, variable="ANTHROPIC_API_KEY") from error
    if client.api_key is None and client.auth_token is None and client.credentials is None:
        raise MissingKey(provider=_PROVIDER, variable="ANTHROPIC_API_KEY")
    return client


@attrs.frozen(eq=False)
class _Line:
    """A client, whether it is told the text of a body or the body, and the short way to its server if it has one."""

    client: Client
    takes_text: bool
    direct: Direct | None


def _line(client: Client) -> _Line:
    inside = vars(client)
    if type(client) is not AsyncAnthropic or inside.get("_middleware") != ():
        return _Line(client, takes_text=False, direct=None)  # other clouds, and middleware, look into the body
    http = inside.get("_client")
    if not isinstance(http, httpx2.AsyncClient) or client.custom_auth is not None:
        return _Line(client, takes_text=True, direct=None)
    return _Line(client, takes_text=True, direct=Direct(client, http))


@final
class Endpoint:
    """A server of the Anthropic API: a client of the user's, or one of our own for each event loop."""

    __slots__ = ("_given", "_own")

    def __init__(self, given: Client | None) -> None:
        self._given = None if given is None else _line(given)
        self._own = PerLoop(lambda: _line(_from_environment()))

    @property
    def id_header(self) -> bytes:
        """The name of the header that has the request's id."""
        amazons = self._given is not None and isinstance(self._given.client, AsyncAnthropicBedrock)
        return (_AMAZONS_ID if amazons else _REQUEST_ID).encode()

    async def post(self, path: str, body: JsonObject, *, stream: bool, betas: tuple[str, ...] = ()) -> httpx2.Response:
        """Post ``body`` and return the answer, with its body unread if ``stream`` is true.

        ``betas`` are named in a header, after those that the client names in all its requests.

        Raises:
            ModelError: the one that fits, if there is no answer or its status is not 2xx.
            MissingKey: if there is no client and no key to make one.
            UsageError: if the body has something in it that JSON does not have.
        """
        line = self._given if self._given is not None else self._own.get()
        content = encode_body(body) if line.takes_text else None
        if betas:  # a request of its own kind: not the one that the others are like
            return await self._post(line.client, path, body, content, stream=stream, betas=betas)
        if content is not None and line.direct is not None:
            request = line.direct.request(path, content)
            if request is not None:
                return await self._send(line.direct, request, stream=stream)
        answer = await self._post(line.client, path, body, content, stream=stream)
        if line.direct is not None:
            line.direct.learn(path, answer)
        return answer

    async def _send(self, direct: Direct, request: httpx2.Request, *, stream: bool) -> httpx2.Response:
        try:
            answer = await direct.send(request, stream=stream)
        except NO_ANSWER as error:
            raise failed_to_connect(error, _PROVIDER) from error
        if answer.is_success:
            return answer
        raise _failure(await with_body(answer, _PROVIDER))

    async def _post(
        self,
        client: Client,
        path: str,
        body: JsonObject,
        content: bytes | None,
        *,
        stream: bool,
        betas: tuple[str, ...] = (),
    ) -> httpx2.Response:
        options: RequestOptions = {"max_retries": 0}
        if betas:
            before = client.default_headers.get(_BETAS)
            named = [*(before.split(",") if isinstance(before, str) else ()), *betas]
            options["headers"] = {_BETAS: ",".join(dict.fromkeys(beta.strip() for beta in named))}
        try:
            answer = await client.post(
                path,
                cast_to=httpx2.Response,
                body=body if content is None else None,
                content=content,
                options=options,
                stream=stream,
                stream_cls=AsyncStream[object],
            )
        except anthropic.APIStatusError as error:
            raise _failure(error.response) from error
        except anthropic.APIConnectionError as error:
            cause = error.__cause__
            detail = str(error) if cause is None else f"{type(cause).__name__}: {cause}"
            raise ConnectionFailed(detail, provider=_PROVIDER) from error
        except anthropic.AnthropicError as error:
            raise ModelError(str(error), provider=_PROVIDER) from error
        # the SDK hands out the response itself where cast_to is a response class, streamed or not
        return cast("httpx2.Response", answer)

    async def aclose(self) -> None:
        """Close the client of this event loop, unless it is the user's."""
        own = self._own.take()
        if own is not None:
            await own.client.close()


def _failure(answer: httpx2.Response) -> ModelError:
    headers = answer.headers
    request_id = headers.get(_REQUEST_ID, headers.get(_AMAZONS_ID))
    error = failure_of_status(_PROVIDER, answer.status_code, headers, answer.content, request_id=request_id)
    if error.request_id is None:
        error.request_id = string(obj(error.body).get("request_id")) or None
    return error
