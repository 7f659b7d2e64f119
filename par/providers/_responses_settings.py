"""The settings of a request to the responses API.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from par._json import JsonObject
from par.calls import PromptCache, Settings
from par.errors import UsageError
from par.providers._openai_drops import refused
from par.providers._openai_profile import Profile
from par.providers._reading import obj

__all__ = ["add_extra", "settle"]

_JOINED = ("reasoning", "text")
"""The objects in which par's settings stand beside those that only ``extra`` has."""


def settle(settings: Settings, profile: Profile, body: JsonObject) -> None:
    """Write the settings into ``body``, but for those that the profile drops.

    Raises:
        UsageError: for a setting that the API does not have, unless the profile drops it.
    """
    left_out = refused(profile, settings)
    if settings.stop and "stop" not in left_out:
        raise UsageError('the responses API has no stop sequences: leave stop empty, use api="chat", or drop it')
    if settings.seed is not None and "seed" not in left_out:
        raise UsageError('the responses API has no seed: leave it unset, use api="chat", or drop it in the profile')
    if settings.temperature is not None and "temperature" not in left_out:
        body["temperature"] = settings.temperature
    if settings.top_p is not None and "top_p" not in left_out:
        body["top_p"] = settings.top_p
    if settings.max_tokens is not None:
        body["max_output_tokens"] = settings.max_tokens
    if settings.reasoning_effort is not None and "reasoning_effort" not in left_out:
        body["reasoning"] = {"effort": settings.reasoning_effort}
    if settings.prompt_cache is not None and "prompt_cache" not in left_out:
        _cache(settings.prompt_cache, body)


def _cache(cache: PromptCache, body: JsonObject) -> None:
    if cache.key is not None:
        body["prompt_cache_key"] = cache.key
    if cache.ttl == "24h":
        # the API keeps what it has for about as long as the shorter times by itself, and newer models refuse the rest
        body["prompt_cache_retention"] = "24h"


def add_extra(extra: JsonObject, body: JsonObject) -> None:
    """Write the extras over the body; an object that holds settings of par's too keeps what they say nothing of."""
    for name, value in extra.items():
        body[name] = {**obj(body.get(name)), **obj(value)} if name in _JOINED and value else value
