"""Layers around a handler: order, identity, what passes through untouched."""

import anyio
import pytest

from par import Agent, Done, ModelReply, Order, RunResult, ToolCall, wrap_model, wrap_run, wrap_tool
from par._pipeline.naming import name_of
from par._pipeline.onion import check_order, compose, model_layers, run_layers, tool_layers
from par.errors import ImpossibleOrder
from par.testing import ScriptedModel, say

pytestmark = pytest.mark.anyio


async def handler(call):
    return [*call, "handler"]


def layer(name):
    async def around(call, call_next):
        return [*(await call_next([*call, f"{name} in"])), f"{name} out"]

    return around


class AroundModel:
    async def wrap_model(self, call, call_next, /):
        return await call_next(call)


class AroundTool:
    async def wrap_tool(self, call, call_next, /):
        return await call_next(call)


class AroundAll(AroundModel, AroundTool):
    async def wrap_run(self, call, call_next, /):
        return await call_next(call)


# --- composing ----------------------------------------------------------------------------------------


async def test_the_first_layer_is_outermost():
    assert await compose([layer("a"), layer("b")], handler)([]) == ["a in", "b in", "handler", "b out", "a out"]


async def test_no_layers_are_the_handler_itself():
    assert compose([], handler) is handler


async def test_a_layer_may_answer_without_calling_on():
    async def shut(call, call_next):
        return ["shut"]

    assert await compose([layer("a"), shut, layer("b")], handler)([]) == ["shut", "a out"]


async def test_a_layer_may_call_on_twice():
    async def twice(call, call_next):
        return await call_next(await call_next(call))

    assert await compose([twice], handler)([]) == ["handler", "handler"]


@pytest.mark.parametrize("hook", ["wrap_run", "wrap_model", "wrap_tool"])
def test_who_has_no_hook_for_a_kind_of_call_adds_nothing_to_it(hook):
    layers = {"wrap_run": run_layers, "wrap_model": model_layers, "wrap_tool": tool_layers}[hook]
    others = [member for member in (AroundModel(), AroundTool()) if not hasattr(member, hook)]

    assert compose(layers(others), handler) is handler


def test_the_hooks_of_a_chain_are_taken_in_its_order():
    both, one = AroundAll(), AroundModel()

    assert model_layers([both, one]) == [both.wrap_model, one.wrap_model]
    assert run_layers([both, one]) == [both.wrap_run]
    assert tool_layers([one, both]) == [both.wrap_tool]


async def test_an_exception_goes_through_the_onion_untouched():
    error = KeyError("x")

    async def fails(call):
        raise error

    with pytest.raises(KeyError) as caught:
        await compose([layer("a"), layer("b")], fails)([])

    assert caught.value is error


async def test_cancellation_goes_through_the_onion_and_lets_each_layer_clean_up():
    seen = []

    def cleaning(name):
        async def around(call, call_next):
            try:
                return await call_next(call)
            finally:
                seen.append(name)

        return around

    async def waits(call):
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(compose([cleaning("a"), cleaning("b")], waits), [])
            await anyio.wait_all_tasks_blocked()
            scope.cancel()

    assert scope.cancelled_caught
    assert seen == ["b", "a"]


# --- functions as middleware ----------------------------------------------------------------------------


@wrap_run
async def around_run(call, call_next):
    return await call_next(call)


@wrap_model
async def around_model(call, call_next):
    return await call_next(call)


@wrap_tool
async def around_tool(call, call_next):
    return await call_next(call)


def test_a_function_keeps_its_name_where_the_agent_is_explained():
    text = Agent(ScriptedModel([say("x")]), middleware=[around_tool, around_model, around_run]).explain()

    kinds = text.split("around a ")[1:]
    assert [("around_run" in kind, "around_model" in kind, "around_tool" in kind) for kind in kinds] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


async def test_each_decorator_wraps_its_own_kind_of_call():
    async def run(call):
        return RunResult(value="r")

    async def model(call):
        return ModelReply(message=None)

    async def tool(call):
        return Done("t")

    assert await compose(run_layers([around_run]), run)(None) == RunResult(value="r")
    assert await compose(model_layers([around_model]), model)(None) == ModelReply(message=None)
    assert await compose(tool_layers([around_tool]), tool)(ToolCall(id="", name="", arguments={})) == Done("t")


@pytest.mark.parametrize("decorator", [wrap_run, wrap_model, wrap_tool], ids=lambda value: value.__name__)
@pytest.mark.parametrize("target", [3, AroundModel, AroundModel()], ids=["number", "class", "middleware"])
def test_what_cannot_be_called_as_a_layer_is_refused(decorator, target):
    with pytest.raises(TypeError, match=r"a middleware is made of an async function \(call, call_next\), not of"):
        decorator(target)


def test_a_middleware_is_called_by_its_name_or_by_its_class():
    named = AroundModel()
    named.name = "the cache"

    assert (name_of(named), name_of(AroundModel()), name_of(around_run)) == (
        "the cache",
        "AroundModel",
        "around_run",
    )


# --- what is no middleware ------------------------------------------------------------------------------


async def undecorated(call, call_next):
    return await call_next(call)


@pytest.mark.parametrize(
    ("member", "text"),
    [
        (AroundModel, "AroundModel is a class, and no middleware: put an instance in the list, AroundModel(...)"),
        (int, "int is a class, and no middleware: it needs one or more of the methods wrap_run, wrap_model, wrap_tool"),
        (
            undecorated,
            "the function undecorated is no middleware: decorate it with one of @wrap_run, @wrap_model, @wrap_tool",
        ),
        (3, "int is no middleware: it needs one or more of the methods wrap_run, wrap_model, wrap_tool"),
        (None, "NoneType is no middleware"),
        ("retry", "str is no middleware"),
        (wrap_model, "the function wrap_model is no middleware: decorate it with"),
    ],
    ids=["class", "class without hooks", "function", "number", "nothing", "text", "decorator"],
)
def test_what_is_no_middleware_is_refused_with_what_to_do(member, text):
    with pytest.raises(TypeError) as caught:
        Agent(ScriptedModel([]), middleware=[AroundModel(), member])

    assert text in str(caught.value)


def test_a_hook_that_is_not_callable_is_no_hook():
    class Broken:
        wrap_model = "yes"

    with pytest.raises(TypeError, match="Broken is no middleware"):
        check_order([Broken()])


# --- order ----------------------------------------------------------------------------------------------


class Inner(AroundModel):
    pass


class Outer(AroundModel):
    order = Order(outside_of=(Inner,))


class Deep(AroundModel):
    order = Order(inside_of=(Outer,))


class MoreInner(Inner):
    name = "more inner"


@pytest.mark.parametrize(
    ("chain", "outer", "inner", "declared_by"),
    [
        ([Inner(), Outer()], "Outer", "Inner", "Outer"),
        ([Inner(), AroundTool(), Outer()], "Outer", "Inner", "Outer"),
        ([Deep(), Outer()], "Outer", "Deep", "Deep"),
        ([MoreInner(), Outer()], "Outer", "more inner", "Outer"),
        ([Outer(), Inner(), Outer()], "Outer", "Inner", "Outer"),
    ],
    ids=["outside_of", "at a distance", "inside_of", "subclass", "second of two"],
)
def test_a_broken_order_names_both_sides_and_who_declared_it(chain, outer, inner, declared_by):
    with pytest.raises(ImpossibleOrder) as caught:
        Agent(ScriptedModel([]), middleware=chain)

    error = caught.value
    assert (error.outer, error.inner, error.declared_by) == (outer, inner, declared_by)
    assert f"{outer} must stand before {inner}" in str(error)


@pytest.mark.parametrize(
    "chain",
    [[Outer(), Inner()], [Outer(), Deep()], [Inner()], [Outer()], [Deep()], [Outer(), Outer(), Inner(), Inner()], []],
    ids=["outside_of", "inside_of", "inner alone", "outer alone", "deep alone", "several", "none"],
)
def test_a_kept_order_is_taken(chain):
    check_order(chain)


@pytest.mark.parametrize("wrong", [Inner, [Inner], (Inner(),), ("Inner",)], ids=["class", "list", "instance", "name"])
@pytest.mark.parametrize("side", ["outside_of", "inside_of"])
def test_an_order_is_declared_with_a_tuple_of_classes(side, wrong):
    with pytest.raises(TypeError, match=side):
        Order(**{side: wrong})
