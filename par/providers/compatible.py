"""Well-known servers of OpenAI's chat completions, by name: ``"groq:llama-3.3-70b-versatile"``. Needs the extra ``openai``.

A server that is not here is ``OpenAI(model, base_url=..., api_key=..., provider="its name")``.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import attrs

from par.errors import MissingKey, UsageError
from par.providers._openai import OpenAI

__all__ = ["SERVERS", "Server", "connect"]


@attrs.frozen(kw_only=True)
class Server:
    """Where a server is, and which environment variable has its key."""

    base_url: str
    key: str
    source: str
    """The page that says so."""


SERVERS: Final[Mapping[str, Server]] = MappingProxyType({
    "cerebras": Server(
        base_url="https://api.cerebras.ai/v1",
        key="CEREBRAS_API_KEY",
        source="https://inference-docs.cerebras.ai/resources/openai",
    ),
    "deepseek": Server(
        base_url="https://api.deepseek.com/v1", key="DEEPSEEK_API_KEY", source="https://api-docs.deepseek.com"
    ),
    "fireworks": Server(
        base_url="https://api.fireworks.ai/inference/v1",
        key="FIREWORKS_API_KEY",
        source="https://docs.fireworks.ai/tools-sdks/openai-compatibility",
    ),
    "gemini": Server(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key="GEMINI_API_KEY",
        source="https://ai.google.dev/gemini-api/docs/openai",
    ),
    "groq": Server(
        base_url="https://api.groq.com/openai/v1", key="GROQ_API_KEY", source="https://console.groq.com/docs/openai"
    ),
    "mistral": Server(
        base_url="https://api.mistral.ai/v1", key="MISTRAL_API_KEY", source="https://docs.mistral.ai/api"
    ),
    "moonshot": Server(
        base_url="https://api.moonshot.ai/v1",
        key="MOONSHOT_API_KEY",
        source="https://platform.moonshot.ai/docs/guide/migrating-from-openai-to-kimi",
    ),
    "openrouter": Server(
        base_url="https://openrouter.ai/api/v1",
        key="OPENROUTER_API_KEY",
        source="https://openrouter.ai/docs/quickstart",
    ),
    "together": Server(
        base_url="https://api.together.xyz/v1",
        key="TOGETHER_API_KEY",
        source="https://docs.together.ai/docs/openai-api-compatibility",
    ),
    "xai": Server(base_url="https://api.x.ai/v1", key="XAI_API_KEY", source="https://docs.x.ai/docs/api-reference"),
})
"""The servers by the name that stands before the colon of a model string. No live server was asked."""


def connect(server: str, model: str) -> OpenAI:
    """Return a model of one of the servers, with the key of its environment variable.

    Raises:
        UsageError: for a name that is not in ``SERVERS``, and for an empty model.
        MissingKey: if the variable is not set.
    """
    known = SERVERS.get(server)
    if known is None:
        raise UsageError(f"{server!r} is none of the servers {', '.join(SERVERS)}")
    # an adapter reads the environment, when a model is made
    key = os.environ.get(known.key)  # noqa: TID251
    if not key:
        raise MissingKey(provider=server, variable=known.key)
    return OpenAI(model, base_url=known.base_url, api_key=key, provider=server)


def _factory(server: str) -> Callable[[str], OpenAI]:
    return partial(connect, server)


cerebras = _factory("cerebras")
deepseek = _factory("deepseek")
fireworks = _factory("fireworks")
gemini = _factory("gemini")
groq = _factory("groq")
mistral = _factory("mistral")
moonshot = _factory("moonshot")
openrouter = _factory("openrouter")
together = _factory("together")
xai = _factory("xai")
