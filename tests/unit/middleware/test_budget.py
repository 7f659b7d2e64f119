"""Budget refuses what has no room, before it is asked; Pricing says what was spent."""

import anyio
import attrs
import pytest
from unit.middleware.driving import Port, Script, drive_model, drive_run, ended, model_call, reply, use

from par import Agent, RunContext, Runtime, tool
from par._pipeline.onion import check_order
from par.calls import Settings, ToolSpec
from par.errors import (
    AuthenticationFailed,
    BudgetExhausted,
    ConnectionFailed,
    ImpossibleOrder,
    Overloaded,
    RateLimited,
    RequestRejected,
    UsageError,
)
from par.events import ModelCallEnded
from par.messages import Assistant, Image, Reasoning, System, Text, ToolResult, ToolResults, User
from par.middleware import Budget, Cache, Fallback, Logging, Price, Pricing, Retry, Validation
from par.testing import ScriptedModel, call, say
from par.usage import Usage

pytestmark = pytest.mark.anyio


def used(tokens, cost=0, **facts):
    return reply("ok", usage=Usage(input_tokens=tokens, requests=1, cost_micro=cost), **facts)


async def calls_until_empty(layer, answer, most=100, **facts):
    """How many calls one run may make."""
    made = 0

    async def engine(run_call):
        nonlocal made
        for _ in range(most):
            await drive_model([layer], Script([answer]), model_call(run_call.ctx.port, **facts))
            made += 1
        return ended()

    with pytest.raises(BudgetExhausted) as caught:
        await drive_run([layer], engine)
    return made, caught.value


# --- what is counted


async def test_a_run_has_so_many_steps():
    made, error = await calls_until_empty(Budget(steps=3), used(5))

    assert made == 3
    assert (error.kind, error.limit, error.used, error.needed) == ("steps", 3, 3, 1)


async def test_a_run_has_so_many_tokens():
    made, error = await calls_until_empty(Budget(tokens=1000, reply_tokens=101), used(300))

    # three calls use 900, and a fourth might need 101 more
    assert made == 3
    assert (error.kind, error.used, error.needed) == ("tokens", 900, 101)


async def test_a_run_may_cost_so_much():
    prices = {"m": Price(input=1_000_000, output=2_000_000)}
    layer = Budget(cost_micro=1000, prices=prices, reply_tokens=51)

    made, error = await calls_until_empty(layer, used(450))

    assert made == 2
    assert (error.kind, error.used, error.needed) == ("cost", 900, 102)


async def test_nothing_is_asked_when_there_is_no_room():
    script = Script([reply("ok")])

    with pytest.raises(BudgetExhausted):
        await drive_model([Budget(tokens=10, reply_tokens=11)], script, model_call())

    assert script.calls == []


LOOKED = {"tool_use_id": "u1", "name": "t", "content": "c" * 400}


@pytest.mark.parametrize(
    ("facts", "tokens"),
    [
        ({}, 50),
        ({"settings": Settings(max_tokens=20)}, 20),
        ({"messages": (System("s" * 400),)}, 150),
        ({"messages": (User((Text("u" * 400),)),)}, 150),
        ({"messages": (Assistant((Text("a" * 200), Reasoning("r" * 200))),)}, 150),
        ({"messages": (Assistant((use(arguments={"q": "x" * 392}),)),)}, 150),
        ({"messages": (ToolResults((ToolResult(tool_use_id="u1", name="t", content="c" * 400),)),)}, 150),
        ({"messages": (User((Text("u" * 400), Image(url="u"))),)}, 1650),
        ({"messages": (ToolResults((ToolResult(**LOOKED, blocks=(Image(url="u"),)),)),)}, 1650),
        ({"tools": (ToolSpec(name="t", description="d" * 399, parameters={}),)}, 150),
    ],
)
async def test_the_estimate_counts_what_is_sent_and_the_answer(facts, tokens):
    call = model_call(**{"messages": (), **facts})

    await drive_model([Budget(tokens=tokens + 1, reply_tokens=50)], Script([reply("ok")]), call)
    with pytest.raises(BudgetExhausted) as caught:
        await drive_model([Budget(tokens=tokens - 1, reply_tokens=50)], Script([reply("ok")]), call)

    assert caught.value.needed == pytest.approx(tokens, abs=1)


@pytest.mark.parametrize("error", [RateLimited(), ConnectionFailed(), RequestRejected(), AuthenticationFailed()])
async def test_a_refused_call_costs_a_step_and_no_tokens(error):
    layer = Budget(tokens=1000, steps=9, scope="shared")

    with pytest.raises(type(error)):
        await drive_model([layer], Script([error]), model_call())

    assert await layer.used() == {"tokens": 0, "steps": 1}


async def test_a_call_that_broke_off_or_was_cancelled_keeps_what_it_reserved():
    layer = Budget(tokens=1000, reply_tokens=100, scope="shared")

    with pytest.raises(Overloaded):
        await drive_model([layer], Script([Overloaded()]), model_call())
    with anyio.move_on_after(0.01):
        await drive_model([layer], Script([lambda call: anyio.sleep(9)]), model_call())

    assert await layer.used() == {"tokens": 200}


# --- whose it is


async def test_each_run_has_an_allowance_of_its_own():
    layer = Budget(steps=1)

    for name in ("run-1", "run-2", "run-1"):

        async def engine(call):
            await drive_model([layer], Script([reply("ok")]), model_call(call.ctx.port))
            return ended()

        await drive_run([layer], engine, Port(name))

    assert layer._trees == {}


async def test_a_shared_allowance_is_one_for_all_runs():
    layer = Budget(steps=2, scope="shared")
    for name in ("run-1", "run-2"):
        await drive_model([layer], Script([reply("ok")]), model_call(Port(name)))

    with pytest.raises(BudgetExhausted):
        await drive_model([layer], Script([reply("ok")]), model_call(Port("run-3")))


async def test_a_run_shares_its_allowance_with_the_runs_that_it_starts():
    layer = Budget(steps=2)

    async def inner(run_call):
        await drive_model([layer], Script([reply("ok")]), model_call(run_call.ctx.port))
        return ended()

    async def outer(run_call):
        await drive_model([layer], Script([reply("ok")]), model_call(run_call.ctx.port))
        await drive_run([layer], inner, Port("inner-1", root_run_id="run-1"))
        with pytest.raises(BudgetExhausted):
            await drive_run([layer], inner, Port("inner-2", root_run_id="run-1"))
        return ended()

    await drive_run([layer], outer, Port("run-1"))

    assert layer._trees == {}


async def test_200_concurrent_runs_never_exceed_what_they_share():
    layer = Budget(tokens=20_000, cost_micro=15_000, prices={"m": Price(input=10**6, output=10**6)}, scope="shared")
    spent = most = made = refused = 0

    async def model(call):
        nonlocal spent, most, made
        spent += 140
        most = max(most, spent)
        await anyio.sleep(0.001)
        made += 1
        return reply("ok", usage=Usage(input_tokens=20, output_tokens=120, requests=1))

    async def run(number):
        nonlocal refused
        settings = Settings(max_tokens=120)
        for _ in range(5):
            try:
                await drive_model([layer], model, model_call(Port(str(number)), "x" * 80, settings=settings))
            except BudgetExhausted:
                refused += 1
                return

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(run, number)

    assert refused == 200
    assert most == spent == made * 140 == (await layer.used())["tokens"]
    assert (await layer.used())["cost"] == spent <= 15_000
    assert spent > 15_000 - 140


# --- what it costs


PRICES = {
    "a": Price(input=2_000_000, output=10_000_000, cache_read=500_000, cache_write=4_000_000),
    "b": Price(input=3_000_000, output=0),
}
SPENT = Usage(input_tokens=1000, cache_read_tokens=400, cache_write_tokens=100, output_tokens=10, requests=1)


@pytest.mark.parametrize(
    ("asked", "answered", "cost"),
    [
        ("a", "", 500 * 2 + 400 * 0.5 + 100 * 4 + 10 * 10),
        ("openai:a", "", 1700),
        ("x", "a", 1700),
        ("x", "a-2025-08-07", 1700),
        ("x", "a-20250807", 1700),
        ("a", "b-latest", 3000),
        ("a", "unknown", 1700),
        ("x", "a-mini", 0),
    ],
)
async def test_replies_get_their_cost(asked, answered, cost):
    call = attrs.evolve(model_call(), model=asked)

    layer = Pricing(prices=PRICES, unknown="no_cost")
    answer = await drive_model([layer], Script([reply("ok", usage=SPENT, model=answered)]), call)

    assert answer.usage == attrs.evolve(SPENT, cost_micro=int(cost))


async def test_a_cost_that_the_provider_tells_stays():
    told = attrs.evolve(SPENT, cost_micro=7)
    call = attrs.evolve(model_call(), model="a")

    for layer in (Pricing(prices=PRICES), Budget(cost_micro=10**6, prices=PRICES)):
        assert (await drive_model([layer], Script([reply("ok", usage=told)]), call)).usage is told


async def test_a_part_of_a_millionth_is_rounded_up():
    assert Price(input=1, output=0).cost_micro(Usage(input_tokens=1)) == 1
    assert Price(input=1, output=0).cost_micro(Usage()) == 0


async def test_a_budget_fills_the_cost_as_well():
    call = attrs.evolve(model_call(), model="b")
    layer = Budget(cost_micro=10**6, prices=PRICES, scope="shared")

    answer = await drive_model([layer], Script([reply("ok", usage=SPENT)]), call)

    assert answer.usage.cost_micro == 3000
    assert await layer.used() == {"cost": 3000}


async def test_a_model_without_a_price_is_refused_where_the_cost_is_limited():
    script = Script([reply("ok")])

    with pytest.raises(UsageError, match=r"'m'.*prices"):
        await drive_model([Budget(cost_micro=5, prices=PRICES)], script, model_call())

    assert script.calls == []


# --- through an agent


@tool(effect="read")
async def lookup(x: int) -> str:
    """Look it up."""
    return "found"


TALK = [call("lookup", x=1), call("lookup", x=2), say("done")]


async def test_a_run_that_is_over_its_budget_ends_with_budget():
    result = await Agent(ScriptedModel(TALK), tools=[lookup], middleware=[Budget(steps=2)]).run("go")

    assert (result.stop_reason, result.steps) == ("budget", 3)
    assert "2 steps" in result.cause


async def test_the_runs_of_tools_are_on_the_budget_of_the_outermost_run():
    layer, script = Budget(steps=4), ScriptedModel(TALK)
    inner = Agent(script, tools=[lookup], middleware=[layer])
    ends = []

    @tool(effect="read")
    async def ask(ctx: RunContext) -> str:
        """Ask."""
        ends.append((await inner.run("go", parent=ctx)).stop_reason)
        return "asked"

    talk = ScriptedModel([call("ask"), call("ask"), say("done")])
    result = await Agent(talk, tools=[ask], middleware=[layer]).run("go")

    assert ends == ["finished"]
    assert result.stop_reason == "budget"
    assert len(talk.calls) + len(script.calls) == 4
    assert layer._trees == {}


async def test_the_cost_of_a_run_is_in_its_result_and_its_events():
    events = []
    answer = say("done", usage=Usage(input_tokens=100, output_tokens=10))
    agent = Agent(ScriptedModel([answer]), middleware=[Pricing(prices={"scripted": Price(input=10**6, output=0)})])

    async with Runtime() as runtime, runtime.run_stream(agent, "go") as stream:
        events += [item async for item in stream if isinstance(item, ModelCallEnded)]

    assert stream.result.usage.cost_micro == events[0].usage.cost_micro == 100


# --- configuration


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({}, "tokens, cost_micro and steps"),
        ({"tokens": 0}, "tokens"),
        ({"tokens": True}, "tokens"),
        ({"steps": -1}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"cost_micro": 0, "prices": PRICES}, "cost_micro"),
        ({"cost_micro": 5}, "prices"),
        ({"steps": 1, "scope": "session"}, "scope"),
        ({"steps": 1, "reply_tokens": -1}, "reply_tokens"),
        ({"steps": 1, "prices": {"a": 5}}, "prices"),
        ({"steps": 1, "prices": [PRICES]}, "prices"),
    ],
)
def test_illegal_budgets_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        Budget(**facts)


@pytest.mark.parametrize("prices", [{}, None, {"a": 5}, {5: Price(input=1, output=1)}])
def test_illegal_price_lists_are_refused_by_name(prices):
    with pytest.raises((ValueError, TypeError), match="prices"):
        Pricing(prices=prices)


@pytest.mark.parametrize("field", ["input", "output", "cache_read", "cache_write"])
@pytest.mark.parametrize("value", [-1, 1.5, True])
def test_illegal_prices_are_refused_by_name(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        Price(**{"input": 1, "output": 1, field: value})


@pytest.mark.parametrize(
    "chain",
    [
        [Budget(steps=1), Retry()],
        [Budget(steps=1), Validation()],
        [Budget(steps=1), Logging()],
        [Fallback(models=[ScriptedModel([])]), Budget(steps=1)],
        [Pricing(prices=PRICES), Logging()],
        [Pricing(prices=PRICES), Retry()],
    ],
)
def test_every_attempt_is_on_the_budget_and_every_record_has_the_cost(chain):
    with pytest.raises(ImpossibleOrder):
        check_order(chain)


def test_a_chain_of_all_of_them_is_possible():
    check_order([Logging(), Retry(), Validation(), Budget(steps=1), Fallback(models=[ScriptedModel([])]), Cache()])
