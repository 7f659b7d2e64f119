"""The only file that speaks to the OpenAI SDK: it makes clients, posts bodies, and translates what is raised."""

from collections.abc import Callable
from typing import cast, final

from par._json import JsonObject
from par.errors import ConnectionFailed, MissingExtra, MissingKey, ModelError
from par.providers._failures import failure_of_status
from par.providers._per_loop import PerLoop

try:
    import httpx2
    import openai
    from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient
except ModuleNotFoundError as error:
    raise MissingExtra(extra="openai", module="openai") from error

__all__ = ["AsyncOpenAI", "Endpoint", "from_environment"]


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


@final
class Endpoint:
    """A server of the OpenAI API: a client of the user's, or one of our own for each event loop."""

    __slots__ = ("_given", "_own", "_provider")

    def __init__(self, provider: str, given: AsyncOpenAI | None, make: Callable[[], AsyncOpenAI]) -> None:
        self._provider = provider
        self._given = given
        self._own = PerLoop(make)

    @property
    def host(self) -> str:
        """The server's host name."""
        return self._client().base_url.host

    async def post(self, path: str, body: JsonObject, *, stream: bool) -> httpx2.Response:
        """Post ``body`` and return the answer, with its body unread if ``stream`` is true.

        Raises:
            ModelError: the one that fits, if there is no answer or its status is not 2xx.
            MissingKey: if there is no client and no key to make one.
        """
        client = self._client()
        try:
            answer = await client.post(
                path,
                cast_to=httpx2.Response,
                body=body,
                options={"max_retries": 0},
                stream=stream,
                stream_cls=AsyncStream[object],
            )
        except openai.APIStatusError as error:
            response = error.response
            raise failure_of_status(
                self._provider,
                response.status_code,
                response.headers,
                response.content,
                request_id=response.headers.get("x-request-id"),
            ) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__
            detail = str(error) if cause is None else f"{error} {type(cause).__name__}: {cause}"
            raise ConnectionFailed(detail, provider=self._provider) from error
        except openai.OpenAIError as error:
            raise ModelError(str(error), provider=self._provider) from error
        # the SDK hands out the response itself where cast_to is a response class, streamed or not
        return cast("httpx2.Response", answer)

    async def aclose(self) -> None:
        """Close the client of this event loop, unless it is the user's."""
        own = self._own.take()
        if own is not None:
            await own.close()

    def _client(self) -> AsyncOpenAI:
        return self._given if self._given is not None else self._own.get()
