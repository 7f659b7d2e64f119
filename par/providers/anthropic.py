"""Anthropic models. Needs the extra ``anthropic``."""

from par._pipeline.handler import ModelHandler
from par.providers._anthropic import Anthropic
from par.providers._anthropic_profile import Profile

__all__ = ["Anthropic", "Profile", "from_name"]


def from_name(model: str) -> ModelHandler:
    """Return the model of a string such as ``anthropic:claude-sonnet-4-5``, given the part after the first colon."""
    return Anthropic(model)
