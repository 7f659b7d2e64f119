"""OpenAI models. Needs the extra ``openai``."""

from par._pipeline.handler import ModelHandler
from par.providers._openai import OpenAI

__all__ = ["OpenAI", "from_name"]


def from_name(model: str) -> ModelHandler:
    """Return the model of a string such as ``openai:gpt-4o``, given the part after the first colon."""
    return OpenAI(model)
