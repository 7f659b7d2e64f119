"""An edit is ``str.replace`` where there is one place to replace, and nothing otherwise."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools._files.diff import diff_of
from par.tools._files.edits import Edit, edited

TEXT = st.text("ab\n\\1", max_size=40)
LINES = st.lists(st.text("ab", max_size=3), max_size=30).map(lambda lines: "".join(f"{line}\n" for line in lines))


def places(text, old):
    return [at for at in range(len(text)) if text.startswith(old, at)]


@given(text=TEXT, edits=st.lists(st.tuples(st.text("ab\n\\1", min_size=1, max_size=4), TEXT), min_size=1, max_size=4))
def test_edits_replace_the_one_place_or_refuse(text, edits):
    wanted = text
    for old, new in edits:
        if wanted is not None:
            wanted = wanted.replace(old, new) if len(places(wanted, old)) == 1 and old != new else None

    try:
        found = edited(text, [Edit(old=old, new=new) for old, new in edits])
    except CommandRefused:
        found = None

    assert found == wanted


@given(text=TEXT, old=st.text(min_size=1, max_size=5), new=st.text(max_size=5))
def test_no_edit_does_anything_else(text, old, new):
    try:
        found = edited(text, [Edit(old=old, new=new)])
    except CommandRefused:
        return
    at = text.index(old)

    assert found == text[:at] + new + text[at + len(old) :]


@given(lines=st.lists(st.text("ab", max_size=3), min_size=2, max_size=10), new=st.text("xy\n", max_size=6))
def test_windows_line_ends_stay_the_only_ones(lines, new):
    text = "".join(f"{line}\r\n" for line in lines)
    old = lines[0] + "\n"
    assume(len(places(text, old.replace("\n", "\r\n"))) == 1)

    found = edited(text, [Edit(old=old, new=new)])

    assert found.replace("\r\n", "").count("\n") == 0
    assert found.replace("\r\n", "\n") == text.replace("\r\n", "\n").replace(old, new, 1)


def patched(old, diff):
    """Apply a unified diff as it is defined: hunk by hunk, by line numbers."""
    lines = old.split("\n")[:-1]
    made, at = [], 0
    for line in diff.splitlines()[2:]:
        if line.startswith("@@"):
            start, _, count = line.split()[1][1:].partition(",")
            begin = int(start) - (1 if int(count) else 0)
            made += lines[at:begin]
            at = begin
        elif line[0] == "+":
            made.append(line[1:])
        else:
            assert lines[at] == line[1:]
            at += 1
            if line[0] == " ":
                made.append(line[1:])
    return "".join(f"{line}\n" for line in made + lines[at:])


@given(old=LINES, new=LINES)
def test_the_diff_leads_from_the_one_text_to_the_other(old, new):
    assume(old != new)
    diff = diff_of(old, new, "f")

    assert patched(old, diff.text) == new
    assert not diff.cut


@pytest.mark.parametrize("lines", [3, 2000])
def test_a_change_that_is_too_long_to_compare_is_shown_as_a_whole(lines):
    old = "same\n" * 5 + "".join(f"{n}\n" for n in range(lines)) + "tail\n" * 5
    new = "same\n" * 5 + "".join(f"{n}!\n" for n in range(lines)) + "tail\n" * 5

    diff = diff_of(old, new, "f")

    assert (diff.added, diff.removed) == (lines, lines)
    assert diff.text.startswith("--- a/f\n+++ b/f\n@@ -3,")
    assert diff.cut == (lines == 2000)
