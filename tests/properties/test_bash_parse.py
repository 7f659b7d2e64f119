"""Whatever arrives, the parser answers with a command or with a refusal."""

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools.bash import Allow, Deny, Policy, command_from_json, command_to_json, parse_command
from par.tools.bash._commands.table import COMMANDS
from par.tools.bash._run.clean import clean, escape_name

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted({field.name for kind in COMMANDS.values() for field in kind.__attrs_attrs__})
LIKELY = (
    st.sampled_from(["a.txt", "src", ".", "HEAD", "*.py", "lines", "name", "-x", "../x", "/x", "a\nb", ".env"])
    | st.integers(-1, 20)
    | st.booleans()
    | st.lists(st.sampled_from(["src", "a.py", "-x", "../x"]), max_size=3)
    | st.fixed_dictionaries({"unit": st.sampled_from(["days", "x"]), "count": st.integers(0, 3)})
)
NEAR = st.builds(
    lambda op, rest: {"op": op, **rest},
    st.sampled_from([*COMMANDS, "cat", "bash"]),
    st.dictionaries(st.sampled_from(FIELDS), LIKELY | ANYTHING, max_size=4),
)


def judged(value):
    try:
        return command_from_json(value)
    except CommandRefused as error:
        refused = error
    assert str(refused).startswith(f"[bash:{refused.code}]")
    return None


@given(ANYTHING | NEAR)
@settings(max_examples=400, deadline=None)
def test_any_value_is_a_command_or_is_refused(value):
    command = judged(value)

    if command is not None:
        assert command_from_json(command_to_json(command)) == command
        assert isinstance(Policy.read_only().decide(command), (Allow, Deny))


@given(st.text(max_size=200) | (ANYTHING | NEAR).map(json.dumps))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_command_or_is_refused(text):
    with contextlib.suppress(CommandRefused):
        parse_command(text)


@given(ANYTHING)
@settings(max_examples=100, deadline=None)
def test_a_decision_never_raises(value):
    assert isinstance(Policy.read_only().decide(value), Deny)


@given(st.binary(max_size=200) | st.text("\x1b[]0;\x07\\\x9bPma\n\u202e", max_size=60).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_cleaned_text_moves_no_cursor(data):
    text = clean(data)

    assert not any(ord(char) < 32 and char not in "\n\t" for char in text)
    assert not any(0x7F <= ord(char) < 0xA0 or 0x202A <= ord(char) <= 0x202E for char in text)
    assert clean(text.encode()) == text or "…" in text


@given(st.binary(min_size=1, max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_an_escaped_name_is_one_visible_line(name):
    shown = escape_name(name)

    assert len(shown.splitlines()) == 1
    assert shown.encode()
