"""Providers by name: built in, registered, and brought by packages."""

import importlib
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from par import Agent, Runtime
from par._engine import models
from par._engine.models import BUILT_IN, ModelRegistry
from par.errors import DuplicateProvider, MissingKey, UnknownModel
from par.testing import ScriptedModel, say

pytestmark = pytest.mark.anyio


def saying(text):
    return lambda name: ScriptedModel([say(f"{text} {name}")])


class Closing(ScriptedModel):
    """Remembers that it was closed."""

    def __init__(self, closed, name):
        super().__init__([say(name)])
        self.closed, self.name_ = closed, name

    async def aclose(self):
        self.closed.append(self.name_)


@pytest.mark.parametrize("inside", [True, False])
async def test_a_registered_provider_serves_its_strings(inside):
    runtime = Runtime()
    if not inside:
        runtime.register_provider("mine", saying("I am"))

    async with runtime:
        if inside:
            runtime.register_provider("mine", saying("I am"))
        result = await runtime.run(Agent("mine:small:1"), "hi")

    assert result.output == "I am small:1"


async def test_an_agent_outside_of_the_runtime_does_not_know_it_and_says_what_to_do():
    Runtime().register_provider("mine", saying("x"))

    with pytest.raises(UnknownModel, match=r"'mine' is no provider.*register_provider.*runtime\.run") as caught:
        await Agent("mine:small").run("hi")

    assert "openai" in caught.value.known


async def test_another_runtime_does_not_know_it():
    Runtime().register_provider("mine", saying("x"))

    async with Runtime() as other:
        with pytest.raises(UnknownModel):
            await other.run(Agent("mine:small"), "hi")


@pytest.mark.parametrize(("name", "built_in"), [("openai", True), ("groq", True), ("mine", False)])
def test_a_name_that_is_taken_is_refused(name, built_in):
    runtime = Runtime(models={"mine": saying("x")})

    with pytest.raises(DuplicateProvider, match="replace=True") as caught:
        runtime.register_provider(name, saying("y"))

    assert (caught.value.name, caught.value.built_in) == (name, built_in)


async def test_a_provider_is_replaced_where_that_is_said_and_what_it_made_is_closed_with_the_runtime():
    closed = []
    async with Runtime(models={"mine": lambda name: Closing(closed, f"old {name}")}) as runtime:
        first = await runtime.run(Agent("mine:a"), "hi")
        runtime.register_provider("mine", lambda name: Closing(closed, f"new {name}"), replace=True)
        second = await runtime.run(Agent("mine:a"), "hi")
        assert not closed

    assert (first.output, second.output) == ("old a", "new a")
    assert sorted(closed) == ["new a", "old a"]


async def test_a_built_in_provider_is_replaced_where_that_is_said():
    async with Runtime() as runtime:
        runtime.register_provider("openai", saying("not"), replace=True)

        assert (await runtime.run(Agent("openai:gpt"), "hi")).output == "not gpt"


@pytest.mark.parametrize(
    ("name", "factory", "error"),
    [("", saying("x"), ValueError), ("a:b", saying("x"), ValueError), (" a", saying("x"), ValueError),
     (5, saying("x"), TypeError), ("a", "x", TypeError)],
)  # fmt: skip
def test_what_is_no_provider_is_refused(name, factory, error):
    with pytest.raises(error):
        Runtime().register_provider(name, factory)


def test_every_built_in_provider_has_its_factory():
    for place in BUILT_IN.values():
        module, _, name = place.partition(":")
        assert callable(getattr(importlib.import_module(module), name))


async def test_a_package_brings_a_provider(monkeypatch):
    point = EntryPoint("theirs", "par.testing:ScriptedModel", models.GROUP)
    monkeypatch.setattr(models, "entry_points", lambda **facts: EntryPoints([point]).select(**facts))
    registry = ModelRegistry()

    assert "theirs" in registry.known
    assert isinstance(registry.resolve("theirs:x"), ScriptedModel)
    with pytest.raises(UnknownModel):
        registry.resolve("others:x")


def test_each_compatible_server_wants_its_own_key(monkeypatch):
    from par.providers.compatible import SERVERS

    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another")
    for name, server in SERVERS.items():
        monkeypatch.delenv(server.key, raising=False)
        with pytest.raises(MissingKey, match=server.key):
            ModelRegistry().resolve(f"{name}:m")
        assert server.base_url.startswith("https://")
        assert server.source.startswith("https://")


async def test_a_compatible_server_gets_the_request_with_its_key(monkeypatch):
    from par.providers.compatible import SERVERS, connect

    monkeypatch.setenv("GROQ_API_KEY", "gsk-of-mine")
    model = connect("groq", "llama")
    client = model._model._endpoint._client()

    assert model.name == "groq:llama"
    assert str(client.base_url).rstrip("/") == SERVERS["groq"].base_url
    assert client.api_key == "gsk-of-mine"
    await model.aclose()


def test_a_server_that_is_not_known_is_named_with_those_that_are():
    from par.providers.compatible import connect

    with pytest.raises(ValueError, match="groq"):
        connect("grok", "m")
