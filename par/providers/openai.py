"""OpenAI models. Needs the extra ``openai``."""

from par._pipeline.handler import ModelHandler
from par.providers._openai import OpenAI
from par.providers._openai_embeddings import Embedded, Embeddings, Vector
from par.providers._openai_profile import Droppable, Profile, profile_of

__all__ = [
    "Droppable",
    "Embedded",
    "Embeddings",
    "OpenAI",
    "Profile",
    "Vector",
    "from_name",
    "profile_of",
    "responses_from_name",
]


def from_name(model: str) -> ModelHandler:
    """Return the model of a string such as ``openai:gpt-4o``, given the part after the first colon."""
    return OpenAI(model)


def responses_from_name(model: str) -> ModelHandler:
    """Return the model of a string such as ``openai-responses:gpt-5``: the same, spoken to by the responses API."""
    return OpenAI(model, api="responses")
