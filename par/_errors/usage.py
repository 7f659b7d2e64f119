"""Errors that a change of the program or its configuration mends."""

from collections.abc import Sequence

from par._errors.root import ParError

__all__ = [
    "DuplicateProvider",
    "DuplicateTool",
    "ImpossibleOrder",
    "MissingDeps",
    "MissingExtra",
    "MissingKey",
    "ToolDefinitionError",
    "UnknownModel",
    "UnknownPrice",
    "UsageError",
    "WorkspaceNotFound",
]


class UsageError(ParError, ValueError):
    """The program asks for something that cannot be; the message says what to change."""


class UnknownModel(UsageError):
    """No provider of that name is registered."""

    def __init__(self, model: str, known: Sequence[str]) -> None:
        self.model = model
        self.known = tuple(known)
        provider, colon, name = model.partition(":")
        which = f"{provider!r} is no provider" if colon and name and provider else 'write "provider:name"'
        super().__init__(
            f"unknown model {model!r}: {which}; those are {', '.join(known)}. Pass a model object, or register a "
            "provider of your own with runtime.register_provider(name, factory) and run the agent in that runtime: "
            "runtime.run(agent, ...)"
        )


class DuplicateProvider(UsageError):
    """There is a provider of that name already."""

    def __init__(self, name: str, *, built_in: bool) -> None:
        self.name = name
        self.built_in = built_in
        what = "is built in" if built_in else "is registered already"
        super().__init__(f"the provider {name!r} {what}: take another name, or say replace=True")


class UnknownPrice(UsageError):
    """A cost is asked for, and the model has no price."""

    def __init__(self, model: str) -> None:
        self.model = model
        super().__init__(f"{model!r} has no price, so its cost is not known: add it to prices, or name a source")


class MissingKey(UsageError):
    """The provider's key is not set."""

    def __init__(self, provider: str, variable: str) -> None:
        self.provider = provider
        self.variable = variable
        super().__init__(
            f"no key for {provider}: set the environment variable {variable}, or pass a client that has one"
        )


class MissingExtra(UsageError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, module: str) -> None:
        self.extra = extra
        self.module = module
        super().__init__(f'{module} is not installed: run  pip install "par-sdk[{extra}]"')


class DuplicateTool(UsageError):
    """Two tools of one agent have the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"two tools are called {name!r}: rename one with @tool(name=...)")


class ImpossibleOrder(UsageError):
    """The middleware list breaks an order that one of its members declares."""

    def __init__(self, outer: str, inner: str, declared_by: str) -> None:
        self.outer = outer
        self.inner = inner
        self.declared_by = declared_by
        super().__init__(
            f"{outer} must stand before {inner} in the middleware list (outermost first): {declared_by} says so"
        )


class ToolDefinitionError(UsageError):
    """A function cannot be made into a tool."""

    def __init__(self, tool: str, problem: str) -> None:
        self.tool = tool
        self.problem = problem
        super().__init__(f"{tool} cannot be a tool: {problem}")


class MissingDeps(UsageError):
    """A tool declares the type of its deps, and the run was given none."""

    def __init__(self, tool: str, needs: str) -> None:
        self.tool = tool
        self.needs = needs
        super().__init__(f"the tool {tool} needs deps of type {needs}: pass deps=... to run")


class WorkspaceNotFound(UsageError):
    """The folder that tools shall work in is absent, or not a folder."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"the workspace {path!r} {problem}: name an existing folder")
