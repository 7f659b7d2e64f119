"""What each server of chat completions, and each family of models behind one, takes and refuses: data to replace.

Sources: https://platform.openai.com/docs/guides/reasoning, /structured-outputs, /latest-model (parameter
compatibility), https://api-docs.deepseek.com/guides/thinking_mode, https://docs.mistral.ai/api,
https://inference-docs.cerebras.ai/capabilities/reasoning, https://console.groq.com/docs/structured-outputs,
https://openrouter.ai/docs/use-cases/reasoning-tokens, https://docs.x.ai/docs/guides/reasoning,
https://ai.google.dev/gemini-api/docs/openai. Written without asking live
servers: a row that has become wrong is replaced with ``profile=``.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, TypeAlias, get_args

import attrs

from par.errors import UsageError

__all__ = ["Droppable", "Profile", "profile_of"]

Droppable: TypeAlias = Literal[
    "parallel_tool_uses", "prompt_cache", "reasoning_effort", "seed", "stop", "strict", "temperature", "top_p"
]
"""A setting that some model refuses. ``strict`` is the one of a tool."""


def _droppable(value: "frozenset[Droppable]") -> "frozenset[Droppable]":
    names = frozenset(value)
    unknown = sorted(names - set(get_args(Droppable)))
    if unknown:
        raise UsageError(f"{', '.join(unknown)} cannot be dropped; these can: {', '.join(get_args(Droppable))}")
    return names


@attrs.frozen(kw_only=True)
class Profile:
    """How one server, or one family of models, wants its chat completions. The defaults are what most servers take.

    Raises:
        UsageError: for a setting in ``drops`` that cannot be dropped.
    """

    instructions: Literal["system", "developer", "user"] = "system"
    """The role of ``System`` messages."""
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the limit of an answer is called."""
    seed: Literal["seed", "random_seed"] = "seed"
    """What the seed is called."""
    reasoning_effort: Literal["reasoning_effort", "reasoning"] = "reasoning_effort"
    """Where the effort stands: in a field of that name, or in the object ``reasoning`` as its ``effort``."""
    drops: frozenset[Droppable] = attrs.field(default=frozenset[Droppable](), converter=_droppable)
    """The settings that the model refuses. They are left out, and ``SettingDropped`` is told."""
    drops_thinking: frozenset[Droppable] = attrs.field(default=frozenset[Droppable](), converter=_droppable)
    """What it refuses as well while it thinks: where ``reasoning_effort`` is set, and not to ``"none"``."""
    output: Literal["native", "tool", "json", "words"] = "native"
    """How an output type is asked for: by the API's format for schemas; by a tool that the model gives its answer
    to; in words, with a format that holds it to JSON; in words alone."""
    reasoning: Literal["reasoning", "reasoning_content", "parts", "think_tags"] | None = None
    """Where the model's own reasoning stands when it goes back: in a field of that name, among the parts of the
    content, in the text between ``<think>`` tags, or nowhere. Reasoning that another provider has signed stays out."""
    returns: frozenset[str] | None = None
    """The fields of an answer that par has no place for and that the server takes back, by their names; ``None``: all
    of them."""
    verbatim_arguments: bool = False
    """Whether the server takes arguments back that are no JSON. Others get them within a JSON object."""
    tool_ids: Literal["any", "up_to_40", "nine"] = "any"
    """Which ids of tool calls the server takes: any, those of at most 40 characters, or those of nine letters and
    digits. Ids that another provider gave and that do not fit are sent as others, always the same for the same."""
    allowed_tools: bool = False
    """Whether a choice of several tools can be sent. Others are sent the chosen tools alone."""
    stream_usage: bool = True
    """Whether a stream has to be asked for its usage, with ``stream_options``."""
    document_urls: bool = True
    """Whether the server fetches documents."""


_Names: TypeAlias = frozenset[Droppable]

_CACHE: Final[_Names] = frozenset({"prompt_cache"})
_EFFORT: Final[_Names] = frozenset({"reasoning_effort"})
_PARALLEL: Final[_Names] = frozenset({"parallel_tool_uses"})
_SEED: Final[_Names] = frozenset({"seed"})
_STOP: Final[_Names] = frozenset({"stop"})
_SAMPLING: Final[_Names] = frozenset({"temperature", "top_p", "stop"})
"""What models that think refuse."""

_OPENAI = Profile(
    max_tokens="max_completion_tokens",
    # a sound of its own goes back by its id; nothing else of an answer has a place in a request
    returns=frozenset({"audio"}),
    verbatim_arguments=True,
    tool_ids="up_to_40",
    allowed_tools=True,
    document_urls=False,
)
_COMPATIBLE = Profile(drops=_CACHE)


def _openai(model: str) -> Profile:
    name = model.lower().removeprefix("ft:")
    if name.startswith(("o1-mini", "o1-preview")):
        drops = _SAMPLING | _PARALLEL | _EFFORT | _SEED
        return attrs.evolve(_OPENAI, instructions="user", output="words", drops=drops)
    if name.startswith(("o1", "o3", "o4")):
        return attrs.evolve(_OPENAI, drops=_SAMPLING | _PARALLEL)
    if name.startswith("gpt-5") and "chat" not in name:
        # from 5.1 on a model thinks only when it is told to, and takes them otherwise
        newer = name.startswith("gpt-5.")
        return attrs.evolve(_OPENAI, drops=_STOP if newer else _SAMPLING, drops_thinking=_SAMPLING)
    if "search-preview" in name:
        return attrs.evolve(_OPENAI, drops=_SAMPLING | _EFFORT | _PARALLEL | _SEED)
    if name.startswith(("gpt-3.5", "gpt-4-", "gpt-4o-2024-05-13")) or name == "gpt-4":
        return attrs.evolve(_OPENAI, output="tool", drops=_EFFORT)
    if name.startswith(("gpt-4", "chatgpt-4o", "gpt-5")):
        return attrs.evolve(_OPENAI, drops=_EFFORT)
    return _OPENAI  # a model newer than this table, or a deployment of Azure's, whose name says nothing


def _openrouter(model: str) -> Profile:
    del model
    back = frozenset({"reasoning_details", "annotations"})
    return attrs.evolve(_COMPATIBLE, reasoning_effort="reasoning", returns=back)


def _groq(model: str) -> Profile:
    native = model.startswith(("openai/gpt-oss", "meta-llama/llama-4", "moonshotai/kimi-k2"))
    return attrs.evolve(_COMPATIBLE, returns=frozenset[str](), output="native" if native else "tool")


def _cerebras(model: str) -> Profile:
    place: Literal["think_tags", "reasoning"] = "reasoning" if model.startswith("gpt-oss") else "think_tags"
    return attrs.evolve(_COMPATIBLE, returns=frozenset[str](), reasoning=place)


def _mistral(model: str) -> Profile:
    del model
    return attrs.evolve(
        _COMPATIBLE,
        seed="random_seed",
        stream_usage=False,
        reasoning="parts",
        returns=frozenset({"content_parts"}),
        tool_ids="nine",
    )


def _xai(model: str) -> Profile:
    if model.startswith("grok-3-mini"):
        return attrs.evolve(_COMPATIBLE, drops=_CACHE | _STOP)
    thinks = model.startswith(("grok-4", "grok-code")) and "non-reasoning" not in model
    return attrs.evolve(_COMPATIBLE, drops=_CACHE | _EFFORT | _STOP if thinks else _CACHE | _EFFORT)


def _always(profile: Profile, _model: str) -> Profile:
    return profile


_DEEPSEEK = attrs.evolve(_COMPATIBLE, reasoning="reasoning_content", returns=frozenset[str](), output="json")
_GOOGLE = attrs.evolve(_COMPATIBLE, returns=frozenset({"extra_content"}))
_KEEPS_THOUGHTS = attrs.evolve(_COMPATIBLE, reasoning="reasoning_content")
_OLLAMA = attrs.evolve(_COMPATIBLE, reasoning="reasoning")

_OF_HOST: Final[tuple[tuple[str, Callable[[str], Profile]], ...]] = (
    ("api.openai.com", _openai),
    (".openai.com", _openai),
    (".azure.com", _openai),
    ("openrouter.ai", _openrouter),
    ("api.groq.com", _groq),
    ("api.cerebras.ai", _cerebras),
    ("api.deepseek.com", partial(_always, _DEEPSEEK)),
    ("api.mistral.ai", _mistral),
    ("api.x.ai", _xai),
    ("generativelanguage.googleapis.com", partial(_always, _GOOGLE)),
    ("api.moonshot.ai", partial(_always, _KEEPS_THOUGHTS)),
    ("api.moonshot.cn", partial(_always, _KEEPS_THOUGHTS)),
    ("api.z.ai", partial(_always, _KEEPS_THOUGHTS)),
    ("ollama.com", partial(_always, _OLLAMA)),
)
"""The end of a host's name, and what is known of its models."""


def profile_of(host: str, model: str) -> Profile:
    """Return what is known of a model at a server, by the names of both.

    A model of OpenAI that is newer than the table is taken for one that refuses nothing; a server that is not in it
    for one that has no prompt cache to ask for, and takes everything else.
    """
    return next((of(model) for end, of in _OF_HOST if host.endswith(end)), _COMPATIBLE)


OLLAMA: Final = _OLLAMA
"""Ollama's own, wherever it stands."""
