"""Laws of streams through PiiMask: shown = returned, and nothing shown that must not be seen."""

import json
import re
from collections import Counter
from itertools import pairwise
from random import Random

import anyio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.middleware.pii_table import NEGATIVE, POSITIVE

from par._context import RunContext
from par._pipeline.onion import compose, model_layers
from par.calls import ModelCall, ModelReply, RunCall, RunResult, ToolSpec
from par.deltas import ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.messages import Assistant, Reasoning, Text, ToolUse, User
from par.middleware import (
    Logging,
    PatternDetector,
    PiiMask,
    RateLimit,
    Retry,
    Sanitize,
    Timeout,
    Validation,
    Vault,
    default_chain,
)
from par.middleware._pii_cards import luhn_ok
from par.middleware._pii_find import DEFAULT_DETECTORS
from par.middleware._pii_iban import iban_ok
from par.middleware._pii_masker import Masker, Redactor
from par.middleware._pii_stream import StreamMask

SECRETS = sorted({value for _, _, value, _ in POSITIVE})
NAMED = re.compile(r"^[0-9]{9,12}$")
PLAIN = [value for value in SECRETS if not NAMED.match(value) and "PRIVATE KEY" not in value and "MII" not in value]

words = st.sampled_from([
    "hello", "the", "card", "is", "IBAN", "THE", "GO", "12", "4111", "1111", "+1", "(415)", "DE89", "3704", "a@", "sk-",
    "-----BEGIN", "-----", "\n", "\u4f60\u597d", "x" * 90, "é", "…", ",", ".", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    *NEGATIVE[::7],
])  # fmt: skip
pieces = st.lists(st.one_of(words, st.sampled_from(SECRETS)), max_size=8)
glue = st.sampled_from([" ", " ", " ", "\n", ", ", "\u00a0", "", "=", ":", "(", '"', "card=", "tel:"])


@st.composite
def texts(draw):
    return "".join(piece + draw(glue) for piece in draw(pieces))


def cut(text, places):
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


cuts = st.lists(st.integers(0, 10_000), max_size=30)


def masked_in_pieces(mask, chunks):
    return [mask.feed(chunk) for chunk in chunks] + [mask.finish()]


@settings(max_examples=600, deadline=None)
@given(texts(), cuts, st.booleans())
@example("(020) 7946 0958 CH93 0076 2011 6238 5295 7 ES91 2100 0418 4502 0005 1332 ", [], False)
@example("hello иван@пример.рф(020) 7946 0958 hello ", [], True)
@example("card=4111 1111 1111 1111 hello", [], True)
def test_a_masked_stream_is_the_masked_text_however_it_is_cut(text, places, by_character):
    masker = Masker(PiiMask()._finder, Redactor())
    chunks = list(text) if by_character else cut(text, places)

    shown = "".join(masked_in_pieces(StreamMask(masker), chunks))

    assert shown == masker.text(text, Counter())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLAIN), st.lists(words, max_size=5), st.lists(words, max_size=5), cuts)
def test_no_prefix_of_a_stream_shows_a_planted_secret(secret, before, after, places):
    text = " ".join([*before, "\n", secret, "\n", *after])
    masker = Masker(PiiMask()._finder, Redactor())

    shown = "".join(masked_in_pieces(StreamMask(masker), cut(text, places)))

    assert secret not in shown


@settings(max_examples=200, deadline=None)
@given(texts(), cuts)
def test_a_stream_is_never_held_back_further_than_is_told(text, places):
    mask = PiiMask()
    stream = StreamMask(Masker(mask._finder, Redactor()))

    for chunk in cut(text, places):
        stream.feed(chunk)

        assert len(stream.text) - stream._done <= mask.holds_back


@settings(max_examples=200, deadline=None)
@given(texts(), cuts, st.integers(1, 12))
def test_detectors_of_ones_own_hold_the_stream_back_by_their_length(text, places, size):
    own = PatternDetector("own", f"[a-z ]{{1,{size}}}7", max_chars=size + 1)
    masker = Masker(PiiMask(detectors=(own, *DEFAULT_DETECTORS))._finder, Redactor())
    stream = StreamMask(masker)

    shown = "".join(masked_in_pieces(stream, cut(text, places)))

    assert all(not re.search("[a-z ]7", part) for part in shown.split("[own]"))


def model(text, reasoning, arguments, chunks):
    async def answer(call):
        for kind, chunk in chunks:
            await call.emit(
                kind(chunk) if kind is not ToolUseDelta else ToolUseDelta(id="u1", name="t", arguments=chunk)
            )
        blocks = [Reasoning(reasoning), Text(text)] if reasoning else [Text(text)]
        if arguments is not None:
            blocks.append(ToolUse("u1", "t", arguments))
        return ModelReply(message=Assistant(tuple(blocks)))

    return answer


def stream_through(layers, call_model):
    shown = []

    async def emit(delta):
        if isinstance(delta, StreamRestarted):
            shown.clear()
        shown.append(delta)

    tools = (ToolSpec(name="t", description="", parameters={"type": "object"}),)

    async def main():
        handler = compose(model_layers(layers), call_model)
        return await handler(
            ModelCall(
                model="m",
                messages=(User((Text("x"),)),),
                tools=tools,
                emit=emit,
                stream=True,
                ctx=RunContext.detached(),
            )
        )

    return anyio.run(main), shown


LAYERS = {
    "Logging": lambda: [Logging(content=True)],
    "Retry": lambda: [Retry()],
    "RateLimit": lambda: [RateLimit()],
    "Timeout": lambda: [Timeout()],
    "Validation": lambda: [Validation()],
    "PiiMask": lambda: [PiiMask()],
    "PiiMask(vault)": lambda: [PiiMask(mode="vault", vault=Vault(rng=Random(1)))],
    "Sanitize": lambda: [Sanitize()],
    "all": lambda: list(default_chain()),
}
values = st.one_of(st.sampled_from(PLAIN), words, st.integers(), st.booleans(), st.none())
arguments_of = st.dictionaries(
    st.sampled_from(["a", "b", *PLAIN[:3]]), st.one_of(values, st.lists(values, max_size=3)), max_size=3
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(LAYERS)), texts(), texts(), st.none() | arguments_of, cuts, cuts)
def test_what_is_streamed_is_what_is_returned_through_every_layer(name, text, reasoning, arguments, places, more):
    text += "."  # never empty: that would be repaired
    raw = json.dumps(arguments, ensure_ascii=True)
    chunks = [(ReasoningDelta, part) for part in cut(reasoning, more)] + [
        (TextDelta, part) for part in cut(text, places)
    ]
    if arguments is not None:
        chunks += [(ToolUseDelta, part) for part in cut(raw, more)]

    reply, shown = stream_through(LAYERS[name](), model(text, reasoning, arguments, chunks))

    assert "".join(delta.text for delta in shown if isinstance(delta, TextDelta)) == reply.message.text
    thoughts = "".join(block.text for block in reply.message.content if isinstance(block, Reasoning))
    assert "".join(delta.text for delta in shown if isinstance(delta, ReasoningDelta)) == thoughts
    told = "".join(delta.arguments for delta in shown if isinstance(delta, ToolUseDelta))
    if arguments is not None:
        assert json.loads(told) == reply.message.tool_uses[0].arguments


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PiiMask", "PiiMask(vault)", "all"]), st.sampled_from(PLAIN), cuts, cuts)
def test_a_secret_that_the_model_makes_up_is_in_no_delta_and_nowhere_in_the_reply(name, secret, places, more):
    text, reasoning, arguments = (
        f"it is\n{secret}\nyes",
        f"hm,\n{secret}\nso",
        {"q": [secret], secret: {"deep": f"({secret})"}},
    )
    chunks = [(ReasoningDelta, part) for part in cut(reasoning, more)] + [
        (TextDelta, part) for part in cut(text, places)
    ]
    chunks += [(ToolUseDelta, part) for part in cut(json.dumps(arguments), more)]

    reply, shown = stream_through(LAYERS[name](), model(text, reasoning, arguments, chunks))

    for kind, field in ((TextDelta, "text"), (ReasoningDelta, "text"), (ToolUseDelta, "arguments")):
        joined = "".join(getattr(delta, field) for delta in shown if isinstance(delta, kind))
        assert secret not in joined
        assert json.dumps(secret)[1:-1] not in joined
    assert secret not in repr(reply)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=3), cuts)
def test_a_vault_gives_the_reader_of_a_run_the_real_values_back_however_the_stream_is_cut(secrets, places):
    text = "say\n" + "\nand\n".join(secrets) + "\nend"
    shown = []
    inside = []

    async def emit(delta):
        shown.append(delta.text)

    async def engine(call):
        masked = call.input[0].text
        inside.append(masked)
        for chunk in cut(masked, places):
            await call.emit(TextDelta(chunk))
        return RunResult(value=masked)

    async def main():
        mask = PiiMask(mode="vault", vault=Vault(rng=Random(3)))
        return await mask.wrap_run(RunCall(input=(User((Text(text),)),), emit=emit), engine)

    result = anyio.run(main)

    assert result.output == text
    assert "".join(shown) == text
    assert not any(secret in inside[0] for secret in secrets)


@given(st.text("0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_satisfies_luhn(body):
    assert sum(luhn_ok(body + digit) for digit in "0123456789") == 1


@given(st.text("0123456789", min_size=15, max_size=15), st.integers(0, 14), st.integers(1, 9))
def test_luhn_notices_every_single_wrong_digit(body, place, change):
    whole = next(body + digit for digit in "0123456789" if luhn_ok(body + digit))
    wrong = whole[:place] + str((int(whole[place]) + change) % 10) + whole[place + 1 :]

    assert not luhn_ok(wrong)


@given(st.text("0123456789", min_size=18, max_size=18), st.integers(0, 17), st.integers(1, 9))
def test_the_iban_checksum_notices_every_single_wrong_digit(body, place, change):
    whole = next(f"DE{check:02d}{body}" for check in range(2, 99) if iban_ok(f"DE{check:02d}{body}"))
    wrong = body[:place] + str((int(body[place]) + change) % 10) + body[place + 1 :]

    assert not iban_ok(whole[:4] + wrong)
