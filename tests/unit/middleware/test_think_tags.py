"""ThinkTagStrip takes thoughts out of replies and streams, and nothing else."""

import pytest
from unit.middleware.driving import Script, collector, drive_model, model_call, reply, use

from par._pipeline.onion import check_order
from par.deltas import ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.errors import ImpossibleOrder
from par.messages import Assistant, Reasoning, Text
from par.middleware import PiiMask, ThinkTagStrip, Validation

pytestmark = pytest.mark.anyio


async def stripped(text, **facts):
    answer = await drive_model([ThinkTagStrip(**facts)], Script([reply(text)]), model_call())
    return answer.message.text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>hm</think>yes", "yes"),
        ("<think>hm</think>\n\nyes", "yes"),
        ("\n<think>hm</think>\nyes", "\nyes"),
        ("<thinking>hm</thinking>yes", "yes"),
        ("<reasoning>hm</reasoning>yes", "yes"),
        ("<THINK>hm</Think>yes", "yes"),
        ("<think>a</think>one <think>b</think> two", "one  two"),
        ("<think>a <thinking>b</thinking> c</think>yes", "yes"),
        ("<think>so <think> is a tag</think>yes", "yes"),
        ("<think>a < b</think>1 < 2", "1 < 2"),
        ("yes <think>never closed", "yes "),
        ("<think>a</think>yes<think>", "yes"),
        ("no tags, but <b>bold</b> and a <", "no tags, but <b>bold</b> and a <"),
        ("yes</think>", "yes</think>"),
        ("<thinker>hm</thinker>", "<thinker>hm</thinker>"),
        ("< think >hm</think>", "< think >hm</think>"),
        ("<think>\u0130</think>\u0130", "\u0130"),
        ("<think></think>", ""),
    ],
)
async def test_thoughts_go_and_the_text_stays(text, left):
    assert await stripped(text) == left


async def test_other_tags_may_be_named():
    text = "<plan>a</plan><think>b</think>c"

    assert await stripped(text, tags=["plan"]) == "<think>b</think>c"
    assert await stripped(text) == "<plan>a</plan>c"


async def test_a_reply_without_tags_is_passed_on_as_the_same_object():
    answer = reply("plain", use())

    assert await drive_model([ThinkTagStrip()], Script([answer]), model_call()) is answer


async def test_thoughts_can_be_kept_as_reasoning():
    script = Script([reply("<think>a</think>one<think>b</think>two<think>c")])

    answer = await drive_model([ThinkTagStrip(keep=True)], script, model_call())

    blocks = (Reasoning("a"), Text("one"), Reasoning("b"), Text("two"), Reasoning("c"))
    assert answer.message == Assistant(blocks)


async def test_a_block_may_go_through_several_blocks_of_text():
    told = Assistant((Text("one <thi"), Reasoning("native"), Text("nk>a"), use(), Text("b</think>two")))
    answer = await drive_model([ThinkTagStrip()], Script([reply().__class__(message=told)]), model_call())

    assert answer.message == Assistant((Text("one "), Reasoning("native"), use(), Text("two")))


def speaks(*pieces, text=None):
    async def answer(call):
        for piece in pieces:
            await call.emit(TextDelta(piece) if isinstance(piece, str) else piece)
        return reply("".join(p for p in pieces if isinstance(p, str)) if text is None else text)

    return answer


async def streamed(layer, handler):
    shown, emit = collector()
    answer = await drive_model([layer], handler, model_call(emit=emit, stream=True))
    return shown, answer


async def test_a_stream_shows_no_thought_and_no_piece_of_a_tag():
    shown, answer = await streamed(ThinkTagStrip(), speaks("one <th", "ink>secret</th", "ink", ">two", " <", "3"))

    assert shown == [TextDelta("one "), TextDelta("two"), TextDelta(" "), TextDelta("<3")]
    assert answer.message.text == "one two <3"


async def test_kept_thoughts_stream_as_reasoning():
    shown, _ = await streamed(ThinkTagStrip(keep=True), speaks("<think>se", "cret</thi", "nk>two"))

    assert shown == [ReasoningDelta("se"), ReasoningDelta("cret"), TextDelta("two")]


async def test_a_restart_forgets_an_open_block():
    restart = StreamRestarted(reason="again")

    shown, _ = await streamed(ThinkTagStrip(), speaks("<think>half", restart, "whole", text="whole"))

    assert shown == [restart, TextDelta("whole")]


async def test_other_deltas_pass():
    others = (ReasoningDelta("hm"), ToolUseDelta(id="u1", name="lookup"))

    shown, _ = await streamed(ThinkTagStrip(), speaks("<think>", *others, "x</think>"))

    assert shown == list(others)


@pytest.mark.parametrize(
    ("layer", "held"), [(ThinkTagStrip(tags=("abc",)), 4), (ThinkTagStrip(tags=("abc", "abcdef"), keep=True), 8)]
)
async def test_no_more_is_held_back_than_is_told(layer, held):
    shown, emit = collector()
    tag = f"<{layer.tags[-1]}"
    longest = f"</{layer.tags[-1]}" if layer.keep else tag

    async def almost(call):
        if layer.keep:
            await call.emit(TextDelta(f"{tag}>"))
        await call.emit(TextDelta(longest))
        assert shown == []
        await call.emit(TextDelta("!"))
        assert shown[0].text == f"{longest}!"
        return reply("x")

    await drive_model([layer], almost, model_call(emit=emit, stream=True))

    assert layer.holds_back == held == len(longest)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"tags": ()}, "tags"),
        ({"tags": "think"}, "tags"),
        ({"tags": ("",)}, "tags"),
        ({"tags": ("<think>",)}, "tags"),
        ({"tags": (5,)}, "tags"),
        ({"keep": 1}, "keep"),
    ],
)
def test_illegal_values_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        ThinkTagStrip(**facts)


@pytest.mark.parametrize("outer", [PiiMask(), Validation()])
def test_masks_and_checks_see_the_text_that_is_left(outer):
    with pytest.raises(ImpossibleOrder):
        check_order([ThinkTagStrip(), outer])
