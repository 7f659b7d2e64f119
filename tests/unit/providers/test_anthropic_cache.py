"""Breakpoints of the prompt cache, tried on a cache that works as the API documents its own."""

import json

import attrs
import pytest

from par.calls import ModelCall, PromptCache, Settings, ToolSpec
from par.errors import UsageError
from par.messages import (
    Assistant,
    Document,
    Opaque,
    Reasoning,
    System,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
)
from par.providers._anthropic_request import MessageRequests

LOOK_BACK = 20
TOOLS = tuple(ToolSpec(name=name, description="", parameters={"type": "object"}) for name in ("a", "b"))
CACHED = Settings(prompt_cache=PromptCache())
MARK = {"type": "ephemeral"}


def blocks_of(body):
    """Everything that counts as the request's beginning, block by block."""
    yield from body.get("tools", [])
    yield from body.get("system", [])
    for message in body["messages"]:
        for block in message["content"]:
            yield {"role": message["role"], **block}


@attrs.define
class Cache:
    """Remembers beginnings of requests; tells how many blocks of a request it knew, and how many there were."""

    known: set = attrs.Factory(set)

    def ask(self, body):
        blocks = list(blocks_of(body))
        marks = [number for number, block in enumerate(blocks) if "cache_control" in block]
        assert len(marks) <= 4
        bare = [json.dumps({k: v for k, v in block.items() if k != "cache_control"}) for block in blocks]
        beginnings = ["".join(bare[: number + 1]) for number in range(len(bare))]
        read = 0
        for mark in marks:
            for number in range(mark, max(-1, mark - LOOK_BACK), -1):
                if beginnings[number] in self.known:
                    read = max(read, number + 1)
                    break
        self.known.update(beginnings[mark] for mark in marks)
        return read, len(blocks)


def requests(settings=CACHED, tools=TOOLS):
    built = MessageRequests("m", 100)

    def body(*messages):
        return built.body(ModelCall(model="m", messages=messages, tools=tools, settings=settings))

    return body


def step(number, calls):
    """An answer that asks for tools, with thoughts and words, and what came of it."""
    ids = [f"s{number}c{n}" for n in range(calls)]
    said = Assistant((Reasoning("hm", "sig"), Text("so"), *(ToolUse(id_, "a") for id_ in ids)))
    return said, ToolResults(tuple(ToolResult(tool_use_id=id_, name="a", content=id_) for id_ in ids))


def growing(steps, calls):
    history = [System("be brief"), User((Text("go"),))]
    yield tuple(history)
    for number in range(steps):
        history.extend(step(number, calls))
        yield tuple(history)


@pytest.mark.parametrize("calls", [1, 2, 12, 40])
def test_each_step_reads_all_that_the_step_before_has_stored(calls):
    cache, body = Cache(), requests()
    before = 0

    for history in growing(12, calls):
        read, there_are = cache.ask(body(*history))
        assert read == before
        before = there_are


def test_without_the_setting_nothing_is_marked():
    body = requests(Settings())

    assert all("cache_control" not in block for history in growing(2, 2) for block in blocks_of(body(*history)))


def test_another_question_and_a_message_that_joins_the_last_one_read_it_too():
    cache, body = Cache(), requests()
    *_, history = growing(3, 2)
    _, first = cache.ask(body(*history))

    # a run that ended with its steps, and a question after it, in one message of the wire
    read, second = cache.ask(body(*history, User((Text("and?"),))))
    assert (read, second) == (first, first + 1)

    more = (*history, User((Text("and?"),)), Assistant((Text("so."),)), User((Text("thanks"), Text("and?"))))
    assert cache.ask(body(*more))[0] == second


def test_a_cut_answer_that_is_asked_to_go_on_reads_what_is_before_it():
    cache, body = Cache(), requests()
    question = (System("s"), User((Text("q"),)))
    _, asked = cache.ask(body(*question))
    go_on = User((Text("go on"),))

    assert cache.ask(body(*question, Assistant((Text("one"),)), go_on))[0] == asked
    assert cache.ask(body(*question, Assistant((Text("one two"),)), go_on))[0] == asked


def test_a_paused_answer_stores_what_can_be_stored_of_it():
    cache, body = Cache(), requests()
    question = (System("s"), User((Text("q"),)))
    _, asked = cache.ask(body(*question))
    search = Opaque("anthropic", {"type": "server_tool_use", "id": "s"})

    read, there_are = cache.ask(body(*question, Assistant((Reasoning("hm", "s"), Text("I look."), search))))
    assert (read, there_are) == (asked, asked + 3)

    later = Assistant((Reasoning("hm", "s"), Text("I look."), search, search, Text("more"), search))
    assert cache.ask(body(*question, later))[0] == asked + 2  # up to "I look."


def test_an_answer_in_several_messages_was_asked_for_before_the_first():
    cache, body = Cache(), requests()
    question = (System("s"), User((Text("q"),)))
    _, asked = cache.ask(body(*question))
    long = Assistant(tuple(Text(str(number)) for number in range(30)))

    assert cache.ask(body(*question, long, Assistant((Text("and"),)), User((Text("so?"),))))[0] == asked


def test_other_conversations_read_the_instructions_and_the_tools():
    cache, body = Cache(), requests()
    cache.ask(body(System("be brief"), User((Text("one"),))))

    assert cache.ask(body(System("be brief"), User((Text("two"),))))[0] == 3
    assert cache.ask(body(System("be long"), User((Text("two"),))))[0] == 2


@pytest.mark.parametrize(
    ("ttl", "mark"),
    [(None, MARK), ("5m", {**MARK, "ttl": "5m"}), ("1h", {**MARK, "ttl": "1h"})],
)
def test_the_time_is_that_of_each_breakpoint(ttl, mark):
    *_, history = growing(2, 2)
    body = requests(Settings(prompt_cache=PromptCache(ttl=ttl)))(*history)

    marks = [block["cache_control"] for block in blocks_of(body) if "cache_control" in block]

    assert marks == [mark] * 4


def test_a_time_that_the_api_does_not_have_is_refused():
    with pytest.raises(UsageError, match="24h"):
        requests(Settings(prompt_cache=PromptCache(ttl="24h")))(User((Text("q"),)))


def test_the_forms_that_are_remembered_are_not_changed():
    built = MessageRequests("m", 100)
    *_, history = growing(2, 2)

    def body(settings):
        return built.body(ModelCall(model="m", messages=history, tools=TOOLS, settings=settings))

    before = json.dumps(body(Settings()))
    marked = body(CACHED)

    assert json.dumps(body(Settings())) == before
    assert json.dumps(body(CACHED)) == json.dumps(marked)
    assert body(CACHED)["tools"][-1] is marked["tools"][-1]


def test_breakpoints_of_the_callers_own_count():
    own = Opaque("anthropic", {"type": "text", "text": "long", "cache_control": MARK})
    tool = Opaque("anthropic", {"type": "web_search_20250305", "name": "web_search", "cache_control": MARK})
    settings = Settings(prompt_cache=PromptCache(), provider_tools=(tool,))
    question = User((own, own, Text("q")))

    body = requests(settings)(System("s"), question, *step(0, 2))

    # one is left of the four, and the end of the history is worth most
    marked = [block["type"] for block in blocks_of(body) if "cache_control" in block]
    assert marked == ["web_search_20250305", "text", "text", "tool_result"]
    assert "cache_control" not in body["system"][0]


def test_the_apis_own_breakpoint_counts():
    *_, history = growing(2, 2)
    settings = Settings(prompt_cache=PromptCache(), extra={"cache_control": MARK})

    body = requests(settings)(*history)

    assert sum("cache_control" in block for block in blocks_of(body)) == 3


def test_a_tool_that_is_loaded_later_is_no_end_of_the_beginning():
    later = tuple(Opaque("anthropic", {"name": name, "defer_loading": True}) for name in ("b",))

    body = requests(attrs.evolve(CACHED, provider_tools=later))(User((Text("q"),)))

    assert ["cache_control" in tool for tool in body["tools"]] == [True, False]


@pytest.mark.parametrize(
    "last",
    [User((Text("q"), Document(url="https://x/y.pdf"))), User((Text("q"), Opaque("anthropic", {"type": "new"})))],
    ids=["document", "unknown"],
)
def test_the_last_block_that_can_be_marked_is(last):
    sent = requests()(last)["messages"][0]["content"]

    assert [block["type"] for block in sent if "cache_control" in block] == [
        "document" if sent[-1]["type"] == "document" else "text"
    ]


def test_a_message_with_nothing_to_mark_is_left_as_it_is():
    body = requests(tools=())(User((Text("q"),)), Assistant((Reasoning("hm", "s"),)))

    assert [["cache_control" in block for block in message["content"]] for message in body["messages"]] == [
        [True],
        [False],
    ]
