"""Ollama, through the API that it shares with OpenAI."""

from typing import final

from par.calls import ModelCall, ModelReply
from par.providers._openai import ChatModel
from par.providers._openai_client import AsyncOpenAI, Endpoint, from_environment
from par.providers._openai_profile import OLLAMA, Profile

__all__ = ["Ollama"]


@final
class Ollama:
    """A model of an Ollama server; no key is needed, and none from the environment is sent to it.

    ``base_url`` is the address of its OpenAI-compatible API (default: Ollama's own default on this machine).
    ``client`` is for servers behind a proxy, and stays the caller's to close. ``profile`` says what the model takes
    and refuses.

    Raises:
        UsageError: for an empty model.
    """

    __slots__ = ("_chat",)

    def __init__(
        self,
        model: str,
        base_url: str = "http://localhost:11434/v1",
        *,
        client: AsyncOpenAI | None = None,
        profile: Profile = OLLAMA,
    ) -> None:
        endpoint = Endpoint("ollama", client, lambda: from_environment("ollama", base_url, "ollama"))
        self._chat = ChatModel("ollama", model, endpoint, profile)

    @property
    def name(self) -> str:
        """The model string, such as ``ollama:llama3.2``."""
        return self._chat.name

    async def __call__(self, call: ModelCall, /) -> ModelReply:
        """Answer the call; deltas are awaited on ``call.emit`` when ``call.stream`` is true.

        Raises:
            ModelError: if the call failed; the class says what can be done.
        """
        return await self._chat.answer(call)

    async def aclose(self) -> None:
        """Close the connections made on this event loop; a client of the caller's is left alone."""
        await self._chat.aclose()

    def __repr__(self) -> str:
        return f"Ollama({self.name.partition(':')[2]!r})"
