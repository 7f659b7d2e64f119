"""The settings of a request: how the model thinks, samples and stops.

Sources: https://platform.claude.com/docs/en/build-with-claude/extended-thinking, /adaptive-thinking, /effort
"""

from par._json import JsonObject
from par.calls import ModelCall, Settings
from par.errors import UsageError
from par.messages import Assistant, Message, Opaque, Reasoning, User
from par.providers._anthropic_blocks import PROVIDER
from par.providers._anthropic_profile import Profile
from par.providers._anthropic_refusals import Refusals
from par.providers._reading import obj

__all__ = ["settle"]

_LEAST_TOP_P_WHILE_THINKING = 0.95


def settle(call: ModelCall, limit: int, profile: Profile, refusals: Refusals) -> JsonObject:
    """Return the fields of the body that say how to answer. ``limit`` holds where ``max_tokens`` is not set.

    Raises:
        UsageError: for what the model refuses, unless the profile drops it.
    """
    settings = call.settings
    body: JsonObject = {"max_tokens": settings.max_tokens or limit}
    _add_thinking(call, limit, profile, refusals, body)
    _add_sampling(settings, profile, refusals, body)
    if settings.seed is not None:
        refusals.refuse("seed", "the API has no seed")
    if settings.stop:
        body["stop_sequences"] = list(settings.stop)
    return body


def _add_thinking(call: ModelCall, limit: int, profile: Profile, refusals: Refusals, body: JsonObject) -> None:
    settings = call.settings
    effort = settings.reasoning_effort
    own = "thinking" in settings.extra
    refusals.thinks = own and obj(settings.extra["thinking"]).get("type") != "disabled"
    if effort is None:
        return
    if effort == "none":
        if profile.thinking is not None and not own:
            body["thinking"] = {"type": "disabled"}
        return
    if effort in profile.efforts:
        body["output_config"] = {"effort": profile.efforts[effort]}
        if profile.thinking is not None and not own:
            body["thinking"] = profile.thinking
            refusals.thinks = True
    elif own:
        pass  # the budget in it is the caller's word on how long to think
    elif effort in profile.budgets:
        if _began_without_thinking(call.messages):
            # not the setting is wrong: another model may have begun the turn
            refusals.leave_out("reasoning_effort", "the turn began without thinking, and goes on without")
            return
        _add_budget(settings, limit, profile.budgets[effort], refusals, body)
    else:
        refusals.refuse("reasoning_effort", f"there is no {effort!r} for it")


def _add_budget(settings: Settings, limit: int, budget: int, refusals: Refusals, body: JsonObject) -> None:
    if settings.tool_choice not in ("auto", "none") and getattr(settings.tool_choice, "required", True):
        refusals.refuse("reasoning_effort", "a model that thinks by a budget cannot be forced to call a tool")
        return
    if settings.max_tokens is None:
        body["max_tokens"] = limit + budget
    elif settings.max_tokens <= budget:
        raise UsageError(
            f"max_tokens ({settings.max_tokens}) includes the thinking, for which "
            f"reasoning_effort={settings.reasoning_effort!r} stands for {budget} tokens: raise max_tokens above that"
        )
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    refusals.thinks = True


def _began_without_thinking(history: tuple[Message, ...]) -> bool:
    """Tell whether the model is in the middle of a turn whose first words are no thoughts of a Claude model."""
    first: Assistant | None = None
    for message in reversed(history):
        if isinstance(message, User):
            break
        if isinstance(message, Assistant):
            first = message
    if first is None:
        return False
    return not any(
        (isinstance(block, Reasoning) and block.signature is not None)
        or (isinstance(block, Opaque) and block.provider == PROVIDER and block.data.get("type") == "redacted_thinking")
        for block in first.content
    )


def _add_sampling(settings: Settings, profile: Profile, refusals: Refusals, body: JsonObject) -> None:
    temperature, top_p = settings.temperature, settings.top_p
    if temperature is not None:
        if profile.sampling == "none":
            refusals.refuse("temperature", "the model does its own sampling")
        elif temperature > 1:
            refusals.refuse("temperature", "the API's scale ends at 1")
        elif refusals.thinks and temperature != 1:
            refusals.refuse("temperature", "it must be 1 while the model thinks")
        else:
            body["temperature"] = temperature
    if top_p is not None:
        if profile.sampling == "none":
            refusals.refuse("top_p", "the model does its own sampling")
        elif profile.sampling == "one" and "temperature" in body:
            refusals.refuse("top_p", "the model takes temperature or top_p, not both")
        elif refusals.thinks and top_p < _LEAST_TOP_P_WHILE_THINKING:
            refusals.refuse("top_p", f"it must be {_LEAST_TOP_P_WHILE_THINKING} to 1 while the model thinks")
        else:
            body["top_p"] = top_p
