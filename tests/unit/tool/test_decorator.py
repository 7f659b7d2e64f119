"""``@tool``: what it reads, what each of its options does, and what it refuses."""

import functools
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated

import anyio
import attrs
import pytest
from support import process_tools

from par import Done, Param, RunContext, Tool, ToolCall, tool
from par.errors import ToolDefinitionError
from par.outcomes import TimedOut

pytestmark = pytest.mark.anyio


@attrs.frozen
class Deps:
    base: str


async def called(a_tool, ctx=None, /, **arguments):
    extra = {} if ctx is None else {"ctx": ctx}
    return await a_tool.invoke(ToolCall(id="1", name=a_tool.spec.name, arguments=arguments, **extra))


# --- what is read -------------------------------------------------------------------------------------


async def test_the_bare_decorator_makes_a_tool():
    @tool
    async def weather(city: str, days: int = 3) -> str:
        """The weather."""
        return f"{city} {days}"

    assert isinstance(weather, Tool)
    assert repr(weather) == "<tool weather>"
    assert (weather.spec.name, weather.spec.description, weather.spec.effect) == ("weather", "The weather.", "once")
    assert weather.spec.parameters == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}},
        "required": ["city"],
        "additionalProperties": False,
    }
    assert await called(weather, city="Rome") == Done("Rome 3")


async def test_the_decorator_with_parentheses_makes_the_same_tool():
    @tool()
    async def weather(city: str) -> str:
        """The weather."""
        return city

    assert await called(weather, city="Rome") == Done("Rome")


def test_the_function_itself_stays_reachable():
    def double(x: int) -> int:
        return x * 2

    assert tool(double).function is double
    assert tool(double).function(x=2) == 4


async def test_the_context_is_passed_and_is_no_parameter_of_the_model():
    @tool
    async def where(ctx: RunContext[Deps], path: str) -> str:
        return ctx.deps.base + path

    assert list(where.spec.parameters["properties"]) == ["path"]
    assert await called(where, RunContext(Deps("/a/")), path="b") == Done("/a/b")


@pytest.mark.parametrize("hint", [RunContext, RunContext[object], RunContext[Deps]], ids=str)
def test_the_context_may_be_written_with_or_without_its_deps(hint):
    def where(ctx, path: str) -> str:
        return path

    where.__annotations__["ctx"] = hint

    assert list(tool(where).spec.parameters["properties"]) == ["path"]


# --- each option does something -------------------------------------------------------------------------


def plain(x: int) -> int:
    """Doubles."""
    return x * 2


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        ({"name": "double"}, "name", "double"),
        ({"description": "Twice."}, "description", "Twice."),
        ({"description": ""}, "description", ""),
        ({"effect": "read"}, "effect", "read"),
        ({"effect": "idempotent"}, "effect", "idempotent"),
        ({"timeout": 2.5}, "timeout_s", 2.5),
        ({"timeout": 1}, "timeout_s", 1),
        ({"sees_pii": True}, "sees_pii", True),
        ({"strict": True}, "strict", True),
        ({"strict": False}, "strict", False),
        ({"sync": "abandon"}, "abandons", True),
    ],
    ids=str,
)
def test_each_option_reaches_the_spec(options, field, value):
    assert getattr(tool(plain).spec, field) != value
    assert getattr(tool(**options)(plain).spec, field) == value


async def test_a_name_is_what_the_failures_speak_of():
    outcome = await called(tool(name="double")(plain), x="a")

    assert outcome.message.startswith("double was not called. ")


async def test_a_timeout_ends_the_call():
    @tool(timeout=0.01)
    async def slow() -> str:
        await wait_forever()
        return "never"

    outcome = await called(slow)

    assert outcome == TimedOut(after_s=0.01, message="slow was stopped after 0.01 s.")


async def wait_forever():

    await anyio.sleep_forever()


@pytest.mark.parametrize("sync", ["thread", "abandon"])
def test_the_policy_of_a_plain_function_is_kept(sync):
    assert tool(sync=sync)(plain).sync == sync


def test_an_async_function_has_no_policy():
    assert tool(wait_forever).sync is None


def test_the_process_policy_is_kept():
    tools = [value for value in vars(process_tools).values() if isinstance(value, Tool)]

    assert {value.sync for value in tools} == {"process"}


# --- methods and other callables ------------------------------------------------------------------------


class Service:
    def __init__(self, name):
        self.name = name

    async def search(self, query: str) -> str:
        """Search."""
        return f"{self.name}: {query}"

    @classmethod
    async def make(cls, query: str) -> str:
        return f"{cls.__name__}: {query}"

    @staticmethod
    async def clean(query: str) -> str:
        return query.strip()

    @tool
    @staticmethod
    async def below(query: str) -> str:
        return query.lower()

    @staticmethod
    @tool
    async def above(query: str) -> str:
        return query.upper()

    def __call__(self, query: str) -> str:
        return query


@pytest.mark.parametrize(
    ("make", "result"),
    [
        (lambda: tool(Service("web").search), "web: Q "),
        (lambda: tool(Service.make), "Service: Q "),
        (lambda: tool(Service.clean), "Q"),
        (lambda: Service.below, "q "),
        (lambda: Service("web").above, "Q "),
        (lambda: tool(name="call")(Service("web").__call__), "Q "),
    ],
    ids=["bound", "class method", "static method", "tool of a static method", "static method of a tool", "call"],
)
async def test_methods_that_are_bound_can_be_tools(make, result):
    a_tool = make()

    assert list(a_tool.spec.parameters["properties"]) == ["query"]
    assert await called(a_tool, query="Q ") == Done(result)


# --- what is refused ------------------------------------------------------------------------------------


def no_annotation(x):
    return x


def unbound(self, x: int) -> int:
    return x


def star(*args: int) -> int:
    return 0


def double_star(**kwargs: int) -> int:
    return 0


def positional(x: int, /) -> int:
    return x


def unknown(x: "Nowhere") -> int:  # noqa: F821
    return x


def generator(x: int) -> Iterator[int]:
    yield x


async def async_generator(x: int) -> AsyncIterator[int]:
    yield x


def late_context(x: int, ctx: RunContext[Deps]) -> int:
    return x


def unwritable(x: bytes) -> int:
    return 0


def no_result(x: int) -> Iterator[int]:
    return iter([x])


def impossible(x: Annotated[int, Param(min_length=3)]) -> int:
    return x


@dataclass
class Maker:
    x: int


def wrapper():
    @functools.wraps(wait_forever)
    def inner():
        return wait_forever()

    return inner


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (no_annotation, "no_annotation cannot be a tool: the parameter x has no type: annotate it"),
        (unbound, "the parameter self has no type: decorate the bound method, tool(value.method)"),
        (star, "the parameter args must be an ordinary named one: models fill fields by name"),
        (double_star, "the parameter kwargs must be an ordinary named one"),
        (positional, "the parameter x must be an ordinary named one"),
        (unknown, "the annotation 'Nowhere' cannot be resolved: define the type at the top of the module"),
        (generator, "a generator has no one result: return a value, and tell progress by ctx.progress"),
        (async_generator, "a generator has no one result"),
        (late_context, "the RunContext must be the first parameter"),
        (unwritable, "the parameter x: bytes has no JSON form"),
        (no_result, "the return type: "),
        (impossible, "the parameter x: min_length limits nothing of a whole number"),
        (lambda: 1, "<lambda> cannot be a tool: a lambda has neither types nor a docstring: write a def"),
        (3, "a value of type int is not a function: pass a def or an async def"),
        (Maker, "the class Maker is not a function: pass a function that makes and returns one"),
        (Service("web"), "a value of type Service is not a function: pass its method"),
        (functools.partial(plain, x=1), "a value of type partial is not a function: write a def with the remaining"),
        (functools.cache(plain), "is not a function: pass its method, tool(name=...)(value.method), or write a def"),
        (len, "a value of type builtin_function_or_method is not a function"),
        (tool(plain), "a value of type Tool is not a function: pass a def or an async def"),
        (wrapper(), "a plain wrapper stands around an async function: make the wrapper async def"),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__) if not isinstance(value, str) else "",
)
def test_what_a_model_could_not_call_is_refused_with_what_to_do(target, text):
    with pytest.raises(ToolDefinitionError) as caught:
        tool(target)

    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": ""}, "a name has 1 to 64 letters, digits, _ or -, and begins with a letter or _"),
        ({"name": "with space"}, "a name has 1 to 64 letters"),
        ({"name": "1st"}, "a name has 1 to 64 letters"),
        ({"name": "x" * 65}, "a name has 1 to 64 letters"),
        ({"name": "naïve"}, "a name has 1 to 64 letters"),
        ({"name": "a\n"}, "a name has 1 to 64 letters"),
        ({"name": 5}, "a name has 1 to 64 letters"),
        ({"timeout": 0}, "timeout is seconds greater than 0, not 0"),
        ({"timeout": -1}, "timeout is seconds greater than 0, not -1"),
        ({"timeout": math.nan}, "timeout is seconds greater than 0, not nan"),
        ({"timeout": math.inf}, "timeout is seconds greater than 0, not inf"),
        ({"timeout": True}, "timeout is seconds greater than 0, not True"),
        ({"timeout": "5"}, "timeout is seconds greater than 0, not '5'"),
        ({"effect": "write"}, "effect is one of read, idempotent, once, not 'write'"),
        ({"effect": None}, "effect is one of read, idempotent, once, not None"),
        ({"sync": "fork"}, "sync is one of thread, process, abandon, not 'fork'"),
        ({"sync": None}, "sync is one of thread, process, abandon, not None"),
    ],
    ids=str,
)
def test_options_that_are_none_are_refused(options, text):
    with pytest.raises(ToolDefinitionError) as caught:
        tool(**options)(plain)

    assert text in str(caught.value)


@pytest.mark.parametrize("sync", ["process", "abandon"])
def test_a_policy_for_plain_functions_is_refused_for_an_async_one(sync):
    with pytest.raises(ToolDefinitionError, match=f"sync='{sync}' is for plain functions, and this one is async"):
        tool(sync=sync)(wait_forever)


def with_context(ctx: RunContext[Deps], x: int) -> int:
    return x


def test_a_context_cannot_go_into_another_process():
    with pytest.raises(ToolDefinitionError, match="a RunContext cannot go into another process"):
        tool(sync="process")(with_context)


@pytest.mark.parametrize("kind", ["local", "method"])
def test_a_process_tool_is_a_function_at_the_top_of_a_module(kind):
    def local(x: int) -> int:
        return x

    target = local if kind == "local" else Service("web").__call__

    with pytest.raises(ToolDefinitionError, match='sync="process" needs a function at the top of a module'):
        tool(sync="process", name="it")(target)


def test_a_longest_name_is_taken():
    assert tool(name="_" + "x" * 63)(plain).spec.name == "_" + "x" * 63
