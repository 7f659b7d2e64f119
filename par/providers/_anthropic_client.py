"""The only file that speaks to the Anthropic SDK: it makes clients, posts bodies, and translates what is raised."""

from typing import cast, final

from par._json import JsonObject
from par.errors import ConnectionFailed, MissingExtra, MissingKey, ModelError
from par.providers._failures import failure_of_status
from par.providers._per_loop import PerLoop

try:
    import anthropic
    import httpx2
    from anthropic import AsyncAnthropic, AsyncStream, DefaultAsyncHttpxClient
except ModuleNotFoundError as error:
    raise MissingExtra(extra="anthropic", module="anthropic") from error

__all__ = ["AsyncAnthropic", "Endpoint"]

_PROVIDER = "anthropic"


def _from_environment() -> AsyncAnthropic:
    try:
        # the SDK's own default starts a task from __del__, in whatever event loop runs by then
        client = AsyncAnthropic(max_retries=0, http_client=DefaultAsyncHttpxClient())
    except anthropic.AnthropicError as error:  # a profile that cannot be read
        raise MissingKey(provider=_PROVIDER, variable="ANTHROPIC_API_KEY") from error
    if client.api_key is None and client.auth_token is None and client.credentials is None:
        raise MissingKey(provider=_PROVIDER, variable="ANTHROPIC_API_KEY")
    return client


@final
class Endpoint:
    """A server of the Anthropic API: a client of the user's, or one of our own for each event loop."""

    __slots__ = ("_given", "_own")

    def __init__(self, given: AsyncAnthropic | None) -> None:
        self._given = given
        self._own = PerLoop(_from_environment)

    async def post(self, path: str, body: JsonObject, *, stream: bool) -> httpx2.Response:
        """Post ``body`` and return the answer, with its body unread if ``stream`` is true.

        Raises:
            ModelError: the one that fits, if there is no answer or its status is not 2xx.
            MissingKey: if there is no client and no key to make one.
        """
        client = self._given if self._given is not None else self._own.get()
        try:
            answer = await client.post(
                path,
                cast_to=httpx2.Response,
                body=body,
                options={"max_retries": 0},
                stream=stream,
                stream_cls=AsyncStream[object],
            )
        except anthropic.APIStatusError as error:
            response = error.response
            raise failure_of_status(
                _PROVIDER,
                response.status_code,
                response.headers,
                response.content,
                request_id=response.headers.get("request-id"),
            ) from error
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
            await own.close()
