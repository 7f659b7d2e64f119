"""Models that a local Ollama serves. Needs the extra ``openai``, because Ollama speaks OpenAI's API."""

from par._pipeline.handler import ModelHandler
from par.providers._ollama import Ollama

__all__ = ["Ollama", "from_name"]


def from_name(model: str) -> ModelHandler:
    """Return the model of a string such as ``ollama:llama3.2``, given the part after the first colon."""
    return Ollama(model)
