"""Anthropic models. Needs the extra ``anthropic``."""

from par._pipeline.handler import ModelHandler
from par.providers._anthropic import Anthropic
from par.providers._anthropic_profile import Droppable, Profile, profile_of

__all__ = ["Anthropic", "Droppable", "Profile", "from_name", "profile_of"]


def from_name(model: str) -> ModelHandler:
    """Return the model of a string such as ``anthropic:claude-sonnet-4-5``, given the part after the first colon."""
    return Anthropic(model)
