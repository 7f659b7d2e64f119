"""The tools on text."""

import hashlib
import json
import string
import time
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from par import Done, RunContext, ToolCall
from par._clock import Clock
from par.errors import ToolFailed
from par.outcomes import Failed
from par.tools.text import (
    echo,
    generate_password,
    generate_uuid,
    get_time,
    hash_text,
    json_format,
    string_stats,
    text_tools,
    url_encode,
)

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 7, 14, 12, 30, 59, 999_000, tzinfo=UTC)
HALF_PAIR = "ab\ud800c"


class Port:
    """A run whose clock stands still."""

    run_id = root_run_id = session_id = agent_name = "r"
    step = 0
    clock = Clock(now=lambda: NOON)

    async def emit(self, event):
        del event


async def called(a_tool, **arguments):
    ctx = RunContext(None, Port())
    return await a_tool.invoke(ToolCall(id="1", name=a_tool.spec.name, arguments=arguments, ctx=ctx))


async def refused(a_tool, **arguments):
    outcome = await called(a_tool, **arguments)
    assert isinstance(outcome, Failed), outcome
    return outcome.message


# --- the set ------------------------------------------------------------------------------------------


def test_the_set_has_its_eight_tools_each_with_its_effect_and_its_time():
    found = {tool.spec.name: (tool.spec.effect, tool.spec.timeout_s) for tool in text_tools()}

    assert found == {
        "echo": ("read", 5.0),
        "generate_password": ("idempotent", 5.0),
        "generate_uuid": ("idempotent", 5.0),
        "get_time": ("idempotent", 5.0),
        "hash_text": ("read", 5.0),
        "json_format": ("read", 10.0),
        "string_stats": ("read", 5.0),
        "url_encode": ("read", 5.0),
    }


@pytest.mark.parametrize("a_tool", [echo, hash_text, string_stats, url_encode, json_format], ids=repr)
async def test_text_has_a_greatest_length(a_tool):
    assert "at most 200000 characters" in await refused(a_tool, text="a" * 200_001)


@pytest.mark.parametrize("a_tool", [hash_text, string_stats, url_encode], ids=repr)
async def test_half_of_a_surrogate_pair_is_refused_with_its_position(a_tool):
    assert "position 3 is half of a surrogate pair" in await refused(a_tool, text=HALF_PAIR)


# --- echo, and the time -------------------------------------------------------------------------------


async def test_echo_returns_the_text_as_it_is():
    assert await called(echo, text=" a\n é ") == Done(" a\n é ")


async def test_the_time_is_that_of_the_run():
    assert await called(get_time) == Done({
        "time": "2026-07-14T12:30:59+00:00",
        "weekday": "Tuesday",
        "unix_s": 1784032259,
    })


async def test_the_time_is_told_in_the_zone_asked_for():
    assert await called(get_time, zone="Asia/Kathmandu") == Done({
        "time": "2026-07-14T18:15:59+05:45",
        "weekday": "Tuesday",
        "unix_s": 1784032259,
    })


@pytest.mark.parametrize("zone", ["Mars/Base", "America", "/etc/passwd", "Europe//Paris", "a" * 64])
async def test_an_unknown_zone_is_refused(zone):
    assert "There is no time zone" in await refused(get_time, zone=zone)


@pytest.mark.parametrize("zone", ["", "../UTC", "Europe/Par\x00is", "a" * 65])
async def test_what_is_no_name_of_a_zone_is_refused_before_it_is_looked_for(zone):
    assert "zone: must" in await refused(get_time, zone=zone)


# --- chance -------------------------------------------------------------------------------------------


async def test_a_uuid_is_of_version_four_and_never_the_same():
    made = [(await called(generate_uuid)).value.uuid for _ in range(50)]

    assert {uuid.UUID(text).version for text in made} == {4}
    assert len(set(made)) == 50


def test_a_uuid_comes_from_the_operating_system(monkeypatch):
    monkeypatch.setattr("os.urandom", lambda count: b"\xff" * count)

    assert generate_uuid.function().uuid == "ffffffff-ffff-4fff-bfff-ffffffffffff"


def test_a_password_comes_from_the_module_for_secrets(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "secrets.choice", lambda letters: asked.append(letters) or letters[len(asked) * 7 % len(letters)]
    )

    made = generate_password.function(length=64, include_symbols=True).password

    assert len(asked) == 64
    assert made == "".join(letters[(place + 1) * 7 % len(letters)] for place, letters in enumerate(asked))


@given(st.integers(min_value=8, max_value=128), st.booleans())
def test_a_password_has_its_length_and_one_character_of_each_kind(length, symbols):
    made = generate_password.function(length=length, include_symbols=symbols).password

    kinds = [string.ascii_lowercase, string.ascii_uppercase, string.digits]
    assert len(made) == length
    assert all(set(made) & set(kind) for kind in kinds)
    assert bool(set(made) - set("".join(kinds))) is symbols


@pytest.mark.parametrize("length", [7, 129, 0, -1])
async def test_a_length_outside_of_the_bounds_is_refused_instead_of_changed(length):
    assert "length: must be at" in await refused(generate_password, length=length)


def test_a_password_does_not_show_in_a_representation():
    made = generate_password.function(length=8, include_symbols=True)

    assert made.password not in repr(made)


# --- hashes and counts --------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha3_256", "blake2b", "sha1", "md5"])
async def test_a_hash_is_that_of_the_algorithm_it_is_labelled_with(algorithm):
    outcome = await called(hash_text, text="Grüße", algorithm=algorithm)

    expected = hashlib.new(algorithm, "Grüße".encode()).hexdigest()
    assert outcome == Done({"algorithm": algorithm, "hexdigest": expected})


async def test_the_algorithm_is_sha256_if_none_is_named():
    outcome = await called(hash_text, text="")

    assert outcome.value.hexdigest == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


async def test_an_unknown_algorithm_is_refused_and_never_replaced():
    assert 'algorithm: expected one of "sha256", "sha512"' in await refused(hash_text, text="a", algorithm="crc32")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", (0, 0, 0, 0)),
        ("a", (1, 1, 1, 1)),
        ("a\n", (2, 2, 1, 1)),
        ("a\nb", (3, 3, 2, 2)),
        ("a\r\nb\rc", (6, 6, 3, 3)),
        ("\n\n", (2, 2, 0, 2)),
        ("naïve  café", (11, 13, 2, 1)),
        ("😀", (1, 4, 1, 1)),
    ],
)  # fmt: skip
async def test_a_text_is_counted(text, counts):
    outcome = await called(string_stats, text=text)

    found = outcome.value
    assert (found.characters, found.bytes, found.words, found.lines) == counts


# --- JSON ---------------------------------------------------------------------------------------------


async def test_json_is_laid_out():
    outcome = await called(json_format, text='{"b":[1,2.50,{}],"a":{"é":null,"f":[]},"c":true}')

    assert outcome.value == (
        '{\n  "b": [\n    1,\n    2.50,\n    {}\n  ],\n  "a": {\n    "é": null,\n    "f": []\n  },\n  "c": true\n}'
    )


async def test_the_indent_is_what_was_asked_for():
    assert (await called(json_format, text="[1,[2]]", indent=4)).value == "[\n    1,\n    [\n        2\n    ]\n]"


async def test_no_indent_is_one_line():
    assert (await called(json_format, text='{"a": [1,\n2]}', indent=0)).value == '{"a": [1, 2]}'


async def test_keys_are_ordered_only_if_asked_for():
    text = '{"b":1,"a":2}'

    assert (await called(json_format, text=text, indent=0)).value == '{"b": 1, "a": 2}'
    assert (await called(json_format, text=text, indent=0, sort_keys=True)).value == '{"a": 2, "b": 1}'


@pytest.mark.parametrize("number", ["0.1000000000000000055511151231257827", "1E400", "-0", "1.0", "9" * 5000])
async def test_a_number_keeps_its_digits(number):
    assert (await called(json_format, text=f"[{number}]", indent=0)).value == f"[{number}]"


async def test_half_of_a_surrogate_pair_stays_the_escape_that_it_was():
    assert (await called(json_format, text='["\\ud800 é"]', indent=0)).value == '["\\ud800 \\u00e9"]'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values, st.integers(min_value=0, max_value=8))
def test_laying_out_changes_no_value(value, indent):
    laid_out = json_format.function(text=json.dumps(value), indent=indent)

    assert json.loads(laid_out) == value


@given(json_values, st.integers(min_value=1, max_value=8))
def test_the_layout_is_the_usual_one(value, indent):
    assert json_format.function(text=json.dumps(value), indent=indent) == json.dumps(
        value, indent=indent, ensure_ascii=False
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "b" 2}', "Expecting ':' delimiter at line 2, column 6"),
        ("[1] 2", "Extra data at line 1, column 5"),
        ("{'a': 1}", "line 1, column 2"),
        ("NaN", "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ('{"a": 1, "b": 2, "a": 3}', 'the key "a" stands twice'),
        ("[" * 102 + "]" * 102, "nests deeper than 100 levels"),
        ("[" * 100_000, "nests deeper than 100 levels"),
        ("[" * 90 + "1," * 90_000 + "1" + "]" * 90, "use a smaller indent"),
    ],
    ids=["colon", "extra", "quotes", "nan", "infinity", "twice", "deep", "deeper", "large"],
)
async def test_what_is_not_json_is_refused_with_its_place(text, said):
    assert said in await refused(json_format, text=text, indent=8)


async def test_many_equal_keys_cost_no_more_than_reading_them():
    text = "{" + ",".join(f'"{number}":0' for number in range(18_000)) + ',"17999":0}'
    started = time.process_time()

    assert "stands twice" in await refused(json_format, text=text)
    assert time.process_time() - started < 1.0


# --- percent-encoding ---------------------------------------------------------------------------------


async def test_all_but_the_unreserved_characters_is_encoded():
    outcome = await called(url_encode, text="aZ9-._~ /?&=+%é")

    assert outcome == Done({"text": "aZ9-._~%20%2F%3F%26%3D%2B%25%C3%A9"})


async def test_a_plus_is_a_plus_unless_it_is_a_form():
    assert await called(url_encode, text="a+b%20c", decode=True) == Done({"text": "a+b c"})
    assert await called(url_encode, text="a+b%20c", decode=True, form=True) == Done({"text": "a b c"})


async def test_a_space_in_a_form_is_a_plus():
    assert await called(url_encode, text="a b+c", form=True) == Done({"text": "a+b%2Bc"})


@pytest.mark.parametrize(("text", "place"), [("100%", 4), ("a%zzb", 2), ("%4", 1), ("%41%4g", 4), ("%%41", 1)])
async def test_a_broken_escape_is_refused_with_its_position(text, place):
    message = await refused(url_encode, text=text, decode=True)

    assert f"at position {place} is no percent-encoding" in message
    assert "%25" in message


async def test_bytes_that_are_no_text_are_refused():
    assert "byte 0xff after 1 bytes" in await refused(url_encode, text="a%FFb", decode=True)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.booleans())
def test_decoding_undoes_encoding(text, form):
    written = url_encode.function(text=text, decode=False, form=form).text

    assert url_encode.function(text=written, decode=True, form=form).text == text


def test_the_function_raises_what_the_model_would_be_told():
    with pytest.raises(ToolFailed, match="position 1"):
        url_encode.function(text="%", decode=True)
