"""The tools that remember: what they take and return, whose memory they see, and what they do when it is away."""

import anyio
import attrs
import pytest
from unit.persistence.memory_scene import open_scene

from par import Agent, Done, RunContext, Runtime, ToolCall
from par.errors import StoreError, StoreUnavailable
from par.memory import History
from par.middleware import Cache
from par.outcomes import Failed, TimedOut
from par.testing import ScriptedModel, call, say, virtual_time
from par.tools.memory import memory_tools

pytestmark = pytest.mark.anyio


@attrs.frozen
class Backend:
    """The memories of a scene, or always the same one."""

    scene: object = None
    always: object = None
    asked: list = attrs.Factory(list)

    def memory(self, scope, /):
        self.asked.append(scope)
        return self.always if self.scene is None else self.scene.memory(scope)


@pytest.fixture
async def scene(tmp_path):
    async with open_scene(tmp_path / "audit.db") as scene:
        yield scene


class Port:
    run_id = root_run_id = "r1"
    agent_name = "tester"
    step = 1

    def __init__(self, session_id):
        self.session_id = session_id
        self.clock = RunContext.detached().port.clock

    async def emit(self, event):
        pass


def named(tools, name):
    return next(tool for tool in tools if tool.spec.name == name)


async def called(tools, name, session="ann/now", deps=None, **arguments):
    ctx = RunContext(deps, Port(session), call_id="1", tool=name)
    return await named(tools, name).invoke(ToolCall(id="1", name=name, arguments=arguments, ctx=ctx))


async def content(tools, name, **facts):
    outcome = await called(tools, name, **facts)
    assert isinstance(outcome, Done), outcome
    return outcome.content


# --- the set ------------------------------------------------------------------------------------------------


def test_the_set_has_its_three_tools_each_with_its_effect_and_its_time():
    found = [(tool.spec.name, tool.spec.effect, tool.spec.timeout_s) for tool in memory_tools(Backend(), scope="ann")]

    assert found == [
        ("recall_memory", "idempotent", 10.0),
        ("remember_memory", "idempotent", 10.0),
        ("search_history", "idempotent", 10.0),
    ]


@pytest.mark.parametrize(
    ("name", "required", "defaults"),
    [
        ("recall_memory", ["query"], {"limit": 5}),
        ("remember_memory", ["content"], {"summary": "", "categories": []}),
        ("search_history", ["query"], {"limit": 10, "include_current": False}),
    ],
)
def test_each_tool_has_its_parameters_and_the_scope_is_none_of_them(name, required, defaults):
    schema = named(memory_tools(Backend(), scope="ann"), name).spec.parameters

    assert schema["required"] == required
    assert {key: part["default"] for key, part in schema["properties"].items() if "default" in part} == defaults
    assert set(schema["properties"]) == {*required, *defaults}


# --- what they do -------------------------------------------------------------------------------------------


async def test_what_one_call_remembers_the_next_recalls(scene):
    tools = memory_tools(Backend(scene), scope="ann")

    kept = await content(tools, "remember_memory", content="Ann likes plums.", summary="plums", categories=["food"])
    found = await content(tools, "recall_memory", query="what does Ann like?")

    assert found == [kept]
    assert kept == {
        "id": kept["id"],
        "content": "Ann likes plums.",
        "summary": "plums",
        "categories": ["food"],
        "at": "2025-01-31T12:00:01+00:00",
        "source": "ann/now",
    }


async def test_no_more_is_recalled_than_asked_for(scene):
    tools = memory_tools(Backend(scene), scope="ann")
    for number in range(7):
        await content(tools, "remember_memory", content=f"plum {number}")

    assert len(await content(tools, "recall_memory", query="plum")) == 5
    assert len(await content(tools, "recall_memory", query="plum", limit=2)) == 2


async def test_earlier_conversations_are_searched_and_the_present_one_only_if_asked(scene):
    tools = memory_tools(Backend(scene), scope="ann")
    await scene.said("ann/before", "Where do plums grow?")
    await scene.said("ann/now", "And plums in pots?")
    await scene.said("bo/before", "Bo's plums")

    earlier = await content(tools, "search_history", query="plums")
    all_of_them = await content(tools, "search_history", query="plums", include_current=True)
    one = await content(tools, "search_history", query="plums", include_current=True, limit=1)

    assert earlier == {
        "hits": [
            {
                "session": "ann/before",
                "at": "2025-01-31T12:00:01+00:00",
                "role": "user",
                "excerpt": "Where do plums grow?",
            }
        ],
        "complete": True,
    }
    assert {hit["session"] for hit in all_of_them["hits"]} == {"ann/before", "ann/now"}
    assert len(one["hits"]) == 1


async def test_an_agent_remembers_from_one_run_to_the_next(scene):
    tools = memory_tools(Backend(scene), scope=lambda ctx: ctx.session_id.split("/")[0])
    remembers = Agent(
        ScriptedModel([call("remember_memory", content="Plums are ripe in August."), say("ok")]), tools=tools
    )
    recalls = Agent(
        ScriptedModel([[call("recall_memory", query="plums"), call("search_history", query="ripe")], say("August")]),
        tools=tools,
    )

    async with Runtime(store=scene.store) as runtime:
        await runtime.run(remembers, "Plums are ripe in August, aren't they?", session="ann/monday")
        hers = await runtime.run(recalls, "When?", session="ann/tuesday")
        again = Agent(ScriptedModel([call("recall_memory", query="plums"), say("?")]), tools=tools)
        his = await runtime.run(again, "When?", session="bo/tuesday")

    [memory, history] = hers.messages[2].results
    assert "Plums are ripe in August." in memory.content
    assert '"session":"ann/monday"' in history.content
    assert his.messages[2].results[0].content == "[]"


# --- whose memory -------------------------------------------------------------------------------------------


@attrs.frozen
class User:
    name: str


async def test_a_scope_may_follow_from_the_session_or_from_the_deps(scene):
    by_session = memory_tools(Backend(scene), scope=lambda ctx: ctx.session_id)
    by_deps = memory_tools(Backend(scene), scope=lambda ctx: ctx.with_deps_of(User).deps.name)
    await content(by_session, "remember_memory", session="s1", content="plums of the session")
    await content(by_deps, "remember_memory", deps=User("ann"), content="plums of Ann")

    async def seen(tools, **facts):
        return [found["content"] for found in await content(tools, "recall_memory", query="plums", **facts)]

    assert await seen(by_session, session="s1") == ["plums of the session"]
    assert await seen(by_session, session="s2") == []
    assert await seen(by_deps, deps=User("ann")) == ["plums of Ann"]
    assert await seen(by_deps, deps=User("bo")) == []


async def test_a_cache_does_not_carry_memories_from_one_session_to_another(scene):
    tools = memory_tools(Backend(scene), scope=lambda ctx: ctx.session_id)
    cache = Cache(models=False)

    async def run(session, *lines):
        agent = Agent(ScriptedModel([*lines, say("ok")]), tools=tools, middleware=[cache])
        async with Runtime() as runtime:
            result = await runtime.run(agent, "go", session=session)
        return result.messages[-2].results[0].content

    recall = call("recall_memory", query="plums")
    assert "secret" in await run("s1", call("remember_memory", content="secret plums"), recall)
    assert await run("s2", recall) == "[]"
    assert "more plums" in await run("s1", call("remember_memory", content="more plums"), recall)


async def test_no_scope_is_all_of_the_store(scene):
    backend = Backend(scene)

    await content(memory_tools(backend, scope=None), "remember_memory", content="plums for all")

    assert backend.asked == [None]
    assert [found.content for found in await scene.memory(None).recall("plums")] == ["plums for all"]


@pytest.mark.parametrize("returned", [None, 7, "", "a\0b"], ids=repr)
async def test_a_scope_that_is_none_opens_nothing(scene, returned):
    tools = memory_tools(Backend(scene), scope=lambda ctx: returned)

    for name, arguments in {
        "recall_memory": {"query": "plums"},
        "remember_memory": {"content": "plums"},
        "search_history": {"query": "plums"},
    }.items():
        assert isinstance(await called(tools, name, **arguments), Failed)
    assert await scene.ask("SELECT count(*) FROM memory") == [(0,)]


@pytest.mark.parametrize(("scope", "kind"), [(7, TypeError), (["ann"], TypeError), ("", ValueError)])
async def test_a_fixed_scope_that_is_none_is_refused_at_once(scene, scope, kind):
    with pytest.raises(kind, match="scope"):
        memory_tools(Backend(scene), scope=scope)


# --- what does not fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "named_field"),
    [
        ("recall_memory", {"query": ""}, "query"),
        ("recall_memory", {"query": "x" * 1_001}, "query"),
        ("recall_memory", {"query": "x", "limit": 0}, "limit"),
        ("recall_memory", {"query": "x", "limit": 51}, "limit"),
        ("recall_memory", {"query": "x", "scope": "bo"}, "scope"),
        ("remember_memory", {"content": ""}, "content"),
        ("remember_memory", {"content": "x" * 10_001}, "content"),
        ("remember_memory", {"content": "x", "summary": "x" * 501}, "summary"),
        ("remember_memory", {"content": "x", "categories": ["x"] * 21}, "categories"),
        ("remember_memory", {"content": "x", "categories": [""]}, "categories"),
        ("remember_memory", {"content": "x", "categories": ["x" * 101]}, "categories"),
        ("search_history", {"query": "x", "limit": 51}, "limit"),
        ("search_history", {"query": "x", "include_current": "yes"}, "include_current"),
    ],
)
async def test_arguments_out_of_range_are_refused_by_name(scene, name, arguments, named_field):
    outcome = await called(memory_tools(Backend(scene), scope="ann"), name, **arguments)

    assert outcome.kind == "invalid_arguments"
    assert named_field in outcome.message


async def test_a_text_without_words_is_refused_with_the_reason(scene):
    outcome = await called(memory_tools(Backend(scene), scope="ann"), "remember_memory", content="!!!")

    assert (outcome.kind, outcome.retryable) == ("failed", False)
    assert "content must have a letter or a digit" in outcome.message


@pytest.mark.parametrize("query", ["\"'*()", "NEAR(a b)", "a AND", "ünïcödé \u202e", "-" * 1000], ids=ascii)
async def test_any_text_is_a_query(scene, query):
    tools = memory_tools(Backend(scene), scope="ann")

    assert await content(tools, "recall_memory", query=query) == []
    assert await content(tools, "search_history", query=query) == {"hits": [], "complete": True}


# --- when the memory is away --------------------------------------------------------------------------------


class Failing:
    """A memory whose every method does the same."""

    def __init__(self, act):
        self.act = act

    async def recall(self, query, /, *, limit):
        return await self.act()

    async def remember(self, content, /, *, summary, categories, source):
        return await self.act()

    async def search_history(self, query, /, *, limit, without_session):
        return await self.act()


CALLS = [("recall_memory", {"query": "x"}), ("remember_memory", {"content": "x"}), ("search_history", {"query": "x"})]


def raising(error):
    async def act():
        raise error

    return memory_tools(Backend(always=Failing(act)), scope="ann")


@pytest.mark.parametrize(("name", "arguments"), CALLS)
async def test_a_memory_that_cannot_be_reached_is_told_to_the_model_without_its_place(name, arguments):
    outcome = await called(raising(StoreUnavailable("/srv/audit.db", "it is locked")), name, **arguments)

    assert (outcome.kind, outcome.retryable) == ("failed", True)
    assert outcome.message == "The memory cannot be reached now."


@pytest.mark.parametrize(("name", "arguments"), CALLS)
async def test_a_memory_that_says_no_is_told_to_the_model(name, arguments):
    outcome = await called(raising(StoreError("this memory is full")), name, **arguments)

    assert (outcome.kind, outcome.retryable) == ("failed", False)
    assert outcome.message == "The memory said no: this memory is full."


async def test_a_history_that_is_not_all_there_yet_says_so():
    async def act():
        return History(hits=(), complete=False)

    tools = memory_tools(Backend(always=Failing(act)), scope="ann")

    assert await content(tools, "search_history", query="x") == {"hits": [], "complete": False}


class TestInTime:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request):
        return virtual_time(request.param)

    @pytest.mark.parametrize(("name", "arguments"), CALLS)
    async def test_a_memory_that_does_not_answer_is_given_up_after_ten_seconds(self, name, arguments):
        tools = memory_tools(Backend(always=Failing(anyio.sleep_forever)), scope="ann")
        since = anyio.current_time()

        outcome = await called(tools, name, **arguments)

        assert isinstance(outcome, TimedOut)
        assert round(anyio.current_time() - since, 6) == 10
