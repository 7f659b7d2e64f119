"""From "provider:name" to a model: a table of providers, each imported when it is first asked for."""

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias, cast, final, runtime_checkable

from par._pipeline.handler import ModelHandler
from par.errors import DuplicateProvider, UnknownModel

__all__ = ["BUILT_IN", "GROUP", "ModelFactory", "ModelRegistry"]

ModelFactory: TypeAlias = Callable[[str], ModelHandler]
"""Makes a model from what stands after the first colon of its string."""

BUILT_IN: Final[Mapping[str, str]] = MappingProxyType({
    "anthropic": "par.providers.anthropic:from_name",
    "cerebras": "par.providers.compatible:cerebras",
    "deepseek": "par.providers.compatible:deepseek",
    "fireworks": "par.providers.compatible:fireworks",
    "gemini": "par.providers.compatible:gemini",
    "groq": "par.providers.compatible:groq",
    "mistral": "par.providers.compatible:mistral",
    "moonshot": "par.providers.compatible:moonshot",
    "offline": "par.providers.offline:from_name",
    "ollama": "par.providers.ollama:from_name",
    "openai": "par.providers.openai:from_name",
    "openai-responses": "par.providers.openai:responses_from_name",
    "openrouter": "par.providers.compatible:openrouter",
    "together": "par.providers.compatible:together",
    "xai": "par.providers.compatible:xai",
})
"""Provider name to its factory: the module and the name in it."""

GROUP: Final = "par.providers"
"""The entry points by which installed packages bring providers: the provider's name, and its factory."""


@runtime_checkable
class _Closable(Protocol):
    async def aclose(self) -> None: ...


@final
class ModelRegistry:
    """Resolves model strings, each once, and closes what it made. Belongs to one runtime."""

    __slots__ = ("_extra", "_made", "_replaced")

    def __init__(self, extra: Mapping[str, ModelFactory] | None = None) -> None:
        self._extra: dict[str, ModelFactory] = {}
        self._made: dict[str, ModelHandler] = {}
        self._replaced: list[ModelHandler] = []
        for name, factory in (extra or {}).items():
            self.register(name, factory, replace=True)

    @property
    def known(self) -> tuple[str, ...]:
        """The names of the providers: built in, registered, and brought by installed packages."""
        return tuple(sorted({*BUILT_IN, *self._extra, *entry_points(group=GROUP).names}))

    @property
    def holds_any(self) -> bool:
        """Whether a model was made here."""
        return bool(self._made or self._replaced)

    def register(self, name: str, factory: ModelFactory, *, replace: bool) -> None:
        """Let ``factory`` make the models of strings that begin with ``name`` and a colon.

        Raises:
            DuplicateProvider: if there is a provider of that name and ``replace`` is false.
            TypeError: for a name that is no text, and a factory that cannot be called.
            ValueError: for a name that could not stand before the colon.
        """
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] # callers without a checker
            raise TypeError(f"a provider's name is text, got {type(name).__name__}")
        if not name or name != name.strip() or ":" in name:
            raise ValueError(f"a provider's name stands before the colon of a model string, got {name!r}")
        if not callable(factory):
            raise TypeError(f"the factory of {name!r} must take a model's name and return a model, got {factory!r}")
        if not replace and (name in BUILT_IN or name in self._extra):
            raise DuplicateProvider(name, built_in=name not in self._extra)
        self._extra[name] = factory
        for model in [model for model in self._made if model.partition(":")[0] == name]:
            self._replaced.append(self._made.pop(model))  # runs may be using it; it is closed with the others

    def resolve(self, model: str) -> ModelHandler:
        """Return the model of a string such as ``"openai:gpt-5"``.

        Raises:
            UnknownModel: if there is no such provider.
            MissingExtra: if the provider's SDK is not installed.
            MissingKey: if the provider has no key.
        """
        found = self._made.get(model)
        if found is None:
            provider, colon, name = model.partition(":")
            factory = self._factory(provider) if colon and name else None
            if factory is None:
                raise UnknownModel(model, self.known)
            found = self._made[model] = factory(name)
        return found

    def _factory(self, provider: str) -> ModelFactory | None:
        own = self._extra.get(provider)
        if own is not None:
            return own
        place = BUILT_IN.get(provider)
        if place is not None:
            module, _, attribute = place.partition(":")
            # every entry of the table leads to one; a test goes through them
            return cast("ModelFactory", getattr(importlib.import_module(module), attribute))
        for point in entry_points(group=GROUP, name=provider):
            return cast("ModelFactory", point.load())  # the package says so
        return None

    async def aclose(self) -> None:
        """Close the models that were made here, one after the other."""
        while self._made or self._replaced:
            model = self._replaced.pop() if self._replaced else self._made.popitem()[1]
            if isinstance(model, _Closable):
                await model.aclose()
