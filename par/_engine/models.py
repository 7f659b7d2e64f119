"""From "provider:name" to a model: a table of providers, each imported when it is first asked for."""

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias, cast, final, runtime_checkable

from par._pipeline.handler import ModelHandler
from par.errors import UnknownModel

__all__ = ["BUILT_IN", "ModelFactory", "ModelRegistry", "split_model"]

ModelFactory: TypeAlias = Callable[[str], ModelHandler]
"""Makes a model from what stands after the first colon of its string."""

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType({
    "anthropic": "par.providers.anthropic",
    "offline": "par.providers.offline",
    "ollama": "par.providers.ollama",
    "openai": "par.providers.openai",
})
"""Provider name to the module that has its ``from_name``."""


@runtime_checkable
class _Closable(Protocol):
    async def aclose(self) -> None: ...


def split_model(model: str, known: Mapping[str, object]) -> tuple[str, str]:
    """Split ``"provider:name"`` at its first colon.

    Raises:
        UnknownModel: if either part is missing or the provider is not in ``known``.
    """
    provider, colon, name = model.partition(":")
    if not colon or not name or provider not in known:
        raise UnknownModel(model, sorted(known))
    return provider, name


@final
class ModelRegistry:
    """Resolves model strings, each once, and closes what it made. Belongs to one runtime."""

    __slots__ = ("_extra", "_made")

    def __init__(self, extra: Mapping[str, ModelFactory] | None = None) -> None:
        self._extra = dict(extra or {})
        self._made: dict[str, ModelHandler] = {}

    @property
    def known(self) -> tuple[str, ...]:
        """The names of the providers."""
        return tuple(sorted({*BUILT_IN, *self._extra}))

    @property
    def holds_any(self) -> bool:
        """Whether a model was made here."""
        return bool(self._made)

    def resolve(self, model: str) -> ModelHandler:
        """Return the model of a string such as ``"openai:gpt-5"``.

        Raises:
            UnknownModel: if there is no such provider.
            MissingExtra: if the provider's SDK is not installed.
            MissingKey: if the provider has no key.
        """
        found = self._made.get(model)
        if found is None:
            provider, name = split_model(model, {**BUILT_IN, **self._extra})
            found = self._made[model] = self._factory(provider)(name)
        return found

    def _factory(self, provider: str) -> ModelFactory:
        own = self._extra.get(provider)
        if own is not None:
            return own
        module = importlib.import_module(BUILT_IN[provider])
        return cast("ModelFactory", module.from_name)  # every module of the table has it; a test goes through them

    async def aclose(self) -> None:
        """Close the models that were made here, one after the other."""
        while self._made:
            _, model = self._made.popitem()
            if isinstance(model, _Closable):
                await model.aclose()
