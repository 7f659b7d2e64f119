"""The settings that a model of the OpenAI API refuses: which of them a call has."""

from par.calls import ModelCall, Settings
from par.events import SettingDropped
from par.providers._openai_profile import Droppable, Profile

__all__ = ["dropped", "refused", "tell"]


def refused(profile: Profile, settings: Settings) -> frozenset[Droppable]:
    """Return the settings that a request must leave out."""
    if profile.drops_thinking and settings.reasoning_effort not in (None, "none"):
        return profile.drops | profile.drops_thinking
    return profile.drops


def dropped(profile: Profile, call: ModelCall) -> list[Droppable]:
    """Return the settings of ``call`` that its request leaves out, in the order of their names."""
    return [name for name in sorted(refused(profile, call.settings)) if _is_set(call, name)]


async def tell(call: ModelCall, provider: str, settings: list[Droppable]) -> None:
    """Tell the run of the settings that were left out."""
    for setting in settings:
        await call.ctx.emit(
            SettingDropped(
                call_id=call.ctx.call_id,
                provider=provider,
                setting=setting,
                reason="the model refuses it, by its profile",
            )
        )


def _is_set(call: ModelCall, name: Droppable) -> bool:
    settings = call.settings
    match name:
        case "strict":
            return any(spec.strict is not None for spec in call.tools)
        case "stop":
            return bool(settings.stop)
        case "parallel_tool_uses":
            return bool(call.tools) and not settings.parallel_tool_uses
        case "prompt_cache" | "reasoning_effort" | "seed" | "temperature" | "top_p":
            return getattr(settings, name) is not None
