"""The only file that speaks to the OpenAI SDK: it makes clients, posts bodies, and translates what is raised."""

from collections.abc import Callable
from typing import cast, final

import attrs

from par._json import JsonObject
from par.errors import ConnectionFailed, MissingExtra, MissingKey, ModelError
from par.providers._failures import failure_of_status
from par.providers._per_loop import PerLoop
from par.providers._wired import encode_body

try:
    import httpx2
    import openai
    from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient
except ModuleNotFoundError as error:
    raise MissingExtra(extra="openai", module="openai") from error

from par.providers._direct import NO_ANSWER, Direct, failed_to_connect, with_body

__all__ = ["AsyncOpenAI", "Endpoint", "from_environment"]

_REQUEST_ID = "x-request-id"
_OWN_WAYS = ("_api_key_provider", "_provider_runtime", "_workload_identity_auth")
"""What makes the SDK's client ask somebody before each request; all ``None`` where a key is all there is."""


def from_environment(provider: str, base_url: str | None, api_key: str | None) -> AsyncOpenAI:
    """Make a client that does not retry. What is ``None`` comes from the environment, read by the SDK.

    Raises:
        MissingKey: if there is no key.
    """
    try:
        # the SDK's own default starts a task from __del__, in whatever event loop runs by then
        return AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=DefaultAsyncHttpxClient())
    except openai.OpenAIError as error:
        raise MissingKey(provider=provider, variable="OPENAI_API_KEY") from error


@attrs.frozen(eq=False)
class _Line:
    """A client, whether it is told the text of a body or the body, and the short way to its server if it has one."""

    client: AsyncOpenAI
    takes_text: bool
    direct: Direct | None


def _line(client: AsyncOpenAI) -> _Line:
    if type(client) is not AsyncOpenAI:
        return _Line(client, takes_text=False, direct=None)  # those for other clouds look into the body
    inside = vars(client)
    http = inside.get("_client")
    if not isinstance(http, httpx2.AsyncClient) or any(inside.get(name, ...) is not None for name in _OWN_WAYS):
        return _Line(client, takes_text=True, direct=None)
    return _Line(client, takes_text=True, direct=Direct(client, http))


@final
class Endpoint:
    """A server of the OpenAI API: a client of the user's, or one of our own for each event loop."""

    __slots__ = ("_given", "_own", "_provider")

    def __init__(self, provider: str, given: AsyncOpenAI | None, make: Callable[[], AsyncOpenAI]) -> None:
        self._provider = provider
        self._given = None if given is None else _line(given)
        self._own = PerLoop(lambda: _line(make()))

    @property
    def host(self) -> str:
        """The server's host name."""
        return self._client().base_url.host

    async def post(self, path: str, body: JsonObject, *, stream: bool) -> httpx2.Response:
        """Post ``body`` and return the answer, with its body unread if ``stream`` is true.

        Raises:
            ModelError: the one that fits, if there is no answer or its status is not 2xx.
            MissingKey: if there is no client and no key to make one.
            UsageError: if the body has something in it that JSON does not have.
        """
        line = self._get()
        content = encode_body(body) if line.takes_text else None
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
            raise failed_to_connect(error, self._provider) from error
        if answer.is_success:
            return answer
        raise self._failure(await with_body(answer, self._provider))

    async def _post(
        self, client: AsyncOpenAI, path: str, body: JsonObject, content: bytes | None, *, stream: bool
    ) -> httpx2.Response:
        try:
            answer = await client.post(
                path,
                cast_to=httpx2.Response,
                body=body if content is None else None,
                content=content,
                options={"max_retries": 0},
                stream=stream,
                stream_cls=AsyncStream[object],
            )
        except openai.APIStatusError as error:
            raise self._failure(error.response) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__
            detail = str(error) if cause is None else f"{error} {type(cause).__name__}: {cause}"
            raise ConnectionFailed(detail, provider=self._provider) from error
        except openai.OpenAIError as error:
            raise ModelError(str(error), provider=self._provider) from error
        # the SDK hands out the response itself where cast_to is a response class, streamed or not
        return cast("httpx2.Response", answer)

    def _failure(self, answer: httpx2.Response) -> ModelError:
        headers = answer.headers
        return failure_of_status(
            self._provider, answer.status_code, headers, answer.content, request_id=headers.get(_REQUEST_ID)
        )

    async def aclose(self) -> None:
        """Close the client of this event loop, unless it is the user's."""
        own = self._own.take()
        if own is not None:
            await own.client.close()

    def _get(self) -> _Line:
        return self._given if self._given is not None else self._own.get()

    def _client(self) -> AsyncOpenAI:
        return self._get().client
