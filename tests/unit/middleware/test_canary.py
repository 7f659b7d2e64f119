"""Personal data that is planted anywhere is found nowhere, in any order of the chain that is allowed."""

import logging
import re
from random import Random

import anyio
import pytest
from support.memory_store import MemoryStore
from unit.middleware.path_scene import speak
from unit.middleware.test_paths import middleware_classes

from par import Agent, RunContext, Runtime, tool
from par._json import Json
from par._pipeline.onion import check_order
from par.deltas import ReasoningDelta, TextDelta, ToolUseDelta
from par.errors import ImpossibleOrder, Overloaded, RequestRejected
from par.events import Envelope
from par.messages import Assistant, Reasoning, Text, ToolResult, ToolResults, ToolUse, User
from par.middleware import (
    Budget,
    Cache,
    Concurrency,
    Fallback,
    JsonFormatter,
    Logging,
    Permissions,
    PiiMask,
    Price,
    Pricing,
    RateLimit,
    Retry,
    Sanitize,
    ThinkTagStrip,
    Timeout,
    Validation,
    Vault,
)
from par.persistence import open_sqlite

pytestmark = pytest.mark.anyio

PLACES = ("instructions", "prompt", "history", "asked", "result", "crash", "progress", "argued", "said", "thought")
CARD = 4111111111111111


def canary(place):
    return f"{place}.k7q@canary.example"


def leaks(*surfaces):
    """Which canaries are in the text of the surfaces."""
    text = "\n".join(one if isinstance(one, str) else repr(one) for one in surfaces)
    found = set(re.findall(r"[a-z]+\.k7q@canary\.example", text))
    return found | ({"card"} if str(CARD) in text else set())


HISTORY = (
    User((Text(f"I am {canary('history')}"),)),
    Assistant((Reasoning(f"he is {canary('history')}"), ToolUse("h1", "lookup", {canary("history"): [CARD]}))),
    ToolResults((ToolResult(tool_use_id="h1", name="lookup", content=f"found {canary('history')}"),)),
    Assistant((Text(f"hello {canary('history')}"),)),
)


class Leaky:
    """A model that makes up personal data in every way it can."""

    name = "leaky"

    def __init__(self, error=None):
        self.calls = []
        self._error = error

    async def __call__(self, call):
        """Fail the first time, so that another model is asked."""
        if not self.calls:
            self.calls.append(call)
            raise Overloaded
        return await self.answer(call)

    async def answer(self, call):
        self.calls.append(call)
        await anyio.lowlevel.checkpoint()
        if not isinstance(call.messages[-1], ToolResults):
            deep = {canary("argued"): [{"deep": f"({canary('argued')})", "n": CARD}]}
            argued = {"q": canary("argued"), "details": deep}
            return await speak(
                call,
                Reasoning(f"I think of {canary('thought')} now"),
                Text(f"I look for {canary('said')} then"),
                *[ToolUse(f"u-{name}", name, argued) for name in ("lookup", "crashes", "secret")],
                ToolUse("u-wrong", "lookup", {canary("argued"): 1, "q": [canary("argued")]}),
                ToolUse("u-broken", "lookup", {}, malformed=f'{{"q": {canary("argued")}'),
            )
        if self._error is not None:
            raise self._error
        return await speak(
            call,
            Reasoning(f"so {canary('thought')} it is"),
            Text(f"It is <think>oh {canary('thought')}</think>{canary('said')}, sir."),
        )


async def told(ctx):
    await ctx.progress(f"looking for {canary('progress')}")
    return {canary("result"): [f"it is {canary('result')}", CARD]}


def tools(arguments):
    @tool(effect="read")
    async def lookup(ctx: RunContext, q: str, details: Json = None) -> dict[str, object]:
        """Look it up."""
        arguments.append((q, details))
        return await told(ctx)

    @tool(effect="once")
    async def crashes(ctx: RunContext, q: str, details: Json = None) -> str:
        """Break."""
        raise OSError(f"no such person: {canary('crash')}")

    @tool(effect="idempotent", sees_pii=True)
    async def secret(ctx: RunContext, q: str, details: Json = None) -> dict[str, object]:
        """See what others may not."""
        return await told(ctx)

    return [lookup, crashes, secret]


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []
        self.setFormatter(JsonFormatter())

    def emit(self, record):
        self.lines.append(self.format(record))


def logger_of(records):
    logger = logging.Logger("canary", logging.DEBUG)  # noqa: LOG001 # of its own, so that no other test hears it
    logger.addHandler(records)
    return logger


def members(mode, records, other):
    """One of every middleware, none of which changes what the agent says."""
    return {
        Logging: Logging(logger=logger_of(records), content=True),
        Retry: Retry(base_s=0.001),
        RateLimit: RateLimit(),
        Timeout: Timeout(attempt_s=20, tool_s=20),
        Validation: Validation(strict=False),
        PiiMask: PiiMask(mode=mode, vault=Vault(rng=Random(3))),
        Sanitize: Sanitize(mark="always"),
        Cache: Cache(),
        Budget: Budget(steps=9, tokens=10**6),
        Pricing: Pricing(prices={"leaky": Price(input=1, output=1)}),
        Concurrency: Concurrency(models=1, tools=1, per_tool={"lookup": 1}),
        Fallback: Fallback(models=[other], on=(Overloaded,)),
        ThinkTagStrip: ThinkTagStrip(keep=True),
        Permissions: Permissions(default="allow"),
    }


def shuffled(layers, rng):
    """An order of the layers, any that is allowed being possible."""
    left, chain = list(layers), []
    while left:
        free = [one for one in left if not any(_must_stand_before(other, one) for other in left if other is not one)]
        chain.append(rng.choice(free))
        left.remove(chain[-1])
    check_order(chain)
    return chain


def _must_stand_before(outer, inner):
    try:
        check_order([inner, outer])
    except ImpossibleOrder:
        return True
    return False


class Scene:
    """An agent with such a chain, and all that can be seen of its runs."""

    def __init__(self, mode, seed, error=None):
        self.records = Records()
        self.model = Leaky(error)
        self.arguments = []
        self.chain = shuffled(members(mode, self.records, self.model.answer).values(), Random(seed))
        self.agent = Agent(
            self.model,
            instructions=f"You work for {canary('instructions')}.",
            tools=tools(self.arguments),
            middleware=self.chain,
        )
        self.items = []
        self.result = None

    async def run(self, runtime, way):
        prompt = f"Find {canary('prompt')} and\n{canary('asked')}, card {CARD}."
        if way == "run":
            self.result = await runtime.run(self.agent, prompt, messages=HISTORY)
            return
        async with runtime.run_stream(self.agent, prompt, messages=HISTORY) as stream:
            async for item in stream:
                self.items.append(item)
        self.result = stream.result

    @property
    def shown(self):
        """What a reader of the stream sees, joined, so that no canary hides between two pieces."""
        return [
            "".join(getattr(item, name) for item in self.items if isinstance(item, kind))
            for kind, name in ((TextDelta, "text"), (ReasoningDelta, "text"), (ToolUseDelta, "arguments"))
        ]

    @property
    def events(self):
        return [i for i in self.items if not isinstance(i, (TextDelta, ReasoningDelta, ToolUseDelta, Envelope))]


def test_every_middleware_takes_part():
    assert set(members("redact", Records(), Leaky().answer)) == middleware_classes()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("way", ["run", "stream"])
@pytest.mark.parametrize("mode", ["redact", "vault"])
async def test_a_canary_is_found_nowhere_in_any_order(mode, way, seed):
    store = MemoryStore()
    scene = Scene(mode, seed)

    async with Runtime(store=store) as runtime:
        await scene.run(runtime, way)

    assert scene.result.stop_reason == "finished", scene.chain
    assert len(scene.model.calls) == 3
    assert len(scene.arguments) == 1
    assert len(scene.records.lines) >= 6
    seen = [store.envelopes, scene.events, *scene.records.lines, scene.arguments, scene.result.messages]
    seen += [call.messages for call in scene.model.calls]
    if mode == "redact":
        seen += [*scene.shown, scene.result.output]
    assert leaks(*seen) == set(), scene.chain


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["redact", "vault"])
async def test_a_canary_is_in_no_byte_of_the_audit_file(tmp_path, mode, seed):
    scene = Scene(mode, seed)

    async with open_sqlite(tmp_path / "audit.db") as store, Runtime(store=store) as runtime:
        await scene.run(runtime, "stream")

    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert b"RunStarted" in b"".join(files) or b"run_started" in b"".join(files)
    assert leaks(*[raw.decode(errors="replace") for raw in files]) == set()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["run", "stream"])
async def test_a_canary_in_an_error_of_the_model_is_in_no_error_text(way, seed):
    store = MemoryStore()
    error = RequestRejected(f"cannot take {canary('said')}", provider="x", status=400)
    scene = Scene("redact", seed, error)

    async with Runtime(store=store) as runtime:
        with pytest.raises(RequestRejected) as caught:
            await scene.run(runtime, way)

    assert leaks(str(caught.value), repr(caught.value), caught.value.__dict__, store.envelopes) == set(), scene.chain
    assert leaks(*scene.records.lines, scene.events) == set(), scene.chain


@pytest.mark.parametrize("seed", range(3))
async def test_a_vault_gives_the_reader_back_what_was_hidden(seed):
    scene = Scene("vault", seed)

    async with Runtime() as runtime:
        await scene.run(runtime, "stream")

    assert canary("said") in scene.result.output
    assert canary("said") in scene.shown[0]


async def test_concurrent_runs_of_one_agent_never_see_each_others_values():
    asked = {}

    async def parrot(call):
        asked[call.ctx.session_id] = call.messages[-1].text
        await anyio.sleep(0.005)
        others = [text for session, text in asked.items() if session != call.ctx.session_id]
        return await speak(call, Text(" | ".join([call.messages[-1].text, *others])))

    agent = Agent(parrot, middleware=[PiiMask(mode="vault")])
    outputs = {}

    async def one(runtime, number):
        result = await runtime.run(agent, f"person{number}@canary.example", session=f"s{number}")
        outputs[number] = result.output

    async with Runtime() as runtime, anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(one, runtime, number)

    for number, output in outputs.items():
        assert re.findall(r"person\d+@canary\.example", output) == [f"person{number}@canary.example"]
        assert len(set(output.split(" | "))) == 20
