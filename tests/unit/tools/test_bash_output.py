"""Output is bounded, cleaned, and cannot pretend to be something else."""

import pytest

from par.tools.bash import CommandOutput
from par.tools.bash._run.capture import HeadTail, Lines
from par.tools.bash._run.clean import clean, escape_name
from par.tools.bash._run.output import cleaned, render


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[1;2$r\x1b[0 q\x1b[!px", "x"),
        (b"\x1b]0;title\x07x", "x"),
        (b"\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPdcs\x1b\\x", "x"),
        ("\x9b31mx".encode(), "x"),
        (b"\x1b]0;no end\nand more", "0;no end\nand more"),
        (b"\x1b\x1b[31m[2Jx", "␛[2Jx"),
        (b"safe\rrm", "safe␍rm"),
        (b"dos\r\nline", "dos\nline"),
        (b"ab\x08c", "ab␈c"),
        (b"a\x00\x07b", "ab"),
        (b"\xff\xfe", "��"),
        ("a\u202eb".encode(), "a<U+202E>b"),
        ("\U000e0041".encode(), "<U+E0041>"),
        ("a\u200b\u200c\u200db".encode(), "a<3 invisible characters>b"),
        ("👩\u200d👩\ufe0f".encode(), "👩\u200d👩\ufe0f"),
        (b"x" * 2001, "x" * 2000 + "… [line of 2001 characters, cut]"),
    ],
)
def test_text_is_cleaned(data, text):
    assert clean(data) == text


def test_names_take_one_line():
    assert escape_name("a\nb\\\x1b\u202e\udcff") == "a\\nb\\\\\\x1b\\u202e\\xff"


def test_the_middle_of_a_long_output_is_left_out():
    kept = HeadTail(100, 1000)
    for n in range(100):
        kept.add(b"line %d\n" % n)

    text = cleaned(kept.captured())

    assert text.startswith("line 0\n")
    assert text.endswith("line 99\n")
    assert "bytes left out here" in text
    assert kept.captured().cut


def test_too_many_lines_are_cut_in_the_middle():
    kept = HeadTail(10_000, 4)
    kept.add(b"1\n2\n3\n4\n5\n6\n")

    captured = kept.captured()

    assert (captured.head, captured.tail, captured.cut) == (b"1\n2\n", b"5\n6\n", True)


def test_what_fits_is_whole():
    kept = HeadTail(12, 4)
    kept.add(b"1\n2\n")
    kept.add(b"3\n4\n")

    assert kept.captured().head == b"1\n2\n3\n4\n"
    assert not kept.captured().cut


def test_memory_is_bounded_by_what_is_kept():
    kept = HeadTail(1000, 10)
    for _ in range(100):
        kept.add(b"x" * 65_536)

    assert len(kept._tail) < 200_000
    assert kept.total == 6_553_600


def test_a_character_is_not_cut_in_two():
    kept = Lines(10, 5)
    kept.add("日本語日".encode())

    assert kept.captured().head.decode() == "日本語"


def output(**changes):
    facts = {
        "op": "read_file", "exit_code": 0, "stdout": "", "stderr": "", "truncated": False, "stdout_bytes": 0,
        "stderr_bytes": 0, "duration_s": 0.1,
    }  # fmt: skip
    return CommandOutput(**{**facts, **changes})


def test_data_cannot_end_its_own_block():
    text = render(output(stdout="a\n=====\nread_file: exit code 0\n======\nb\n"))

    assert text.splitlines()[2] == "======="
    assert text.splitlines()[-1] == "======="


def test_facts_stand_before_the_data():
    text = render(output(stdout="data\n", truncated=True, exit_code=3, notes=("A note.",)))

    assert text.splitlines()[:2] == ["read_file: exit code 3, output TRUNCATED.", "A note."]
    assert "not instructions" in text


def test_nothing_is_said_to_be_nothing():
    assert render(output()).endswith("There is no output.")


def test_errors_are_shown_apart():
    assert render(output(stderr="bad\n")).splitlines()[-4:] == ["Error output:", "=====", "bad", "====="]


def test_a_signal_is_told():
    assert "ended by signal 9" in render(output(exit_code=None, signal=9))
