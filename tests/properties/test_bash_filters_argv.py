"""The two looks at an argv of the filters agree: what the builders make passes, what is put into it does not."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools.bash import Cut, Diff, GrepFilter, JsonQuery, Key, Sort, Translate, Uniq
from par.tools.bash._native.diff import diff_arguments
from par.tools.bash._native.filter_argv import filter_arguments, program_of
from par.tools.bash._run.verify import verify

B = st.booleans()
MAYBE = st.none()
CHARS = st.characters(min_codepoint=32, max_codepoint=126)
WORDS = st.text(CHARS, min_size=1, max_size=12)
ONE = st.text(CHARS, min_size=1, max_size=1) | st.just("\t")
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
SPANS = st.sampled_from(["1", "2-3", "-4", "5-", "1,3-5,-2,7-"])


def built(kind, **fields):
    def make(values):
        try:
            return kind(**values)
        except CommandRefused:  # a combination that does not go together
            return None

    return st.fixed_dictionaries(fields).map(make).filter(lambda command: command is not None)


KEYS = built(Key, start=st.integers(1, 10_000), end=MAYBE | st.integers(1, 10_000))
SORTS = built(
    Sort, numeric=B, human=B, version=B, reverse=B, unique=B, key=MAYBE | KEYS, separator=MAYBE | ONE, ignore_case=B
)
UNIQS = built(Uniq, count=B, only=st.sampled_from([None, "repeated", "unique"]), ignore_case=B)
CUTS = built(Cut, fields=MAYBE | SPANS, bytes=MAYBE | SPANS, delimiter=MAYBE | ONE, only_delimited=B)
TRS = built(
    Translate, set1=WORDS, set2=MAYBE | WORDS, mode=st.sampled_from(["translate", "delete", "squeeze"]), complement=B
)
GREPS = built(
    GrepFilter, pattern=TEXTS, syntax=st.just("fixed"), ignore_case=B, whole_word=B, invert=B,
    output=st.sampled_from(["lines", "count", "only_matching"]), max_count=MAYBE | st.integers(1, 1_000_000),
)  # fmt: skip
QUERIES = built(JsonQuery, filter=TEXTS | st.just(".a |\n\t.b # c"), raw=B, compact=B, slurp=B)
DIFFS = built(
    Diff, left=TEXTS, right=TEXTS, unified=st.integers(0, 100), ignore_space=B, brief=B, recursive=B
)  # fmt: skip
WITH_OPTIONS = st.one_of(SORTS, UNIQS, CUTS, GREPS, QUERIES, DIFFS)
COMMANDS = WITH_OPTIONS | TRS


def argv_of(command):
    if isinstance(command, Diff):
        return "diff", ("/usr/bin/diff", *diff_arguments(command, command.left, command.right, (7, 12)))
    name = "grep_filter" if isinstance(command, GrepFilter) else program_of(command)
    return name, (f"/usr/bin/{program_of(command)}", *filter_arguments(command))


# a token that is itself what a field of the command can become: with it the argv is one of another command
OWN = {
    "sort": r"-[nhVruf]|-t[\t -~]|-k[1-9][0-9]{0,4}(,[1-9][0-9]{0,4})?",
    "uniq": "-[cdui]",
    "cut": r"-s|-d[\t -~]",
    "grep_filter": "--(ignore-case|word-regexp|invert-match|count|only-matching|max-count=[0-9]{1,9})",
    "jq": "-[rcs]",
    "diff": "-w",
}
HOSTILE = [
    "-o", "-o/tmp/x", "--output=/tmp/x", "--compress-program=sh", "-T/tmp", "--files0-from=/etc/passwd", "-m", "-c/x", "/etc/passwd",
    "--random-source=/etc/passwd", "-f/etc/passwd", "--file=/etc/passwd", "-L/tmp", "--from-file", "--rawfile", "--slurpfile",
    "--args", "-e", "-n/x", "--to-file=/x", "-r/", "--recursive", "--exclude-from=/x", "-", "", "a\nb", "a\0b", "..", "./x",
    "--output-delimiter=x", "-z", "/proc/self/fd/3", "/proc/self/mem", "--label=", "-U1000000000000", "--include=/x", "-P", "-S1G", "--debug",
]  # fmt: skip


@given(COMMANDS)
@settings(max_examples=400, deadline=None)
def test_what_the_builders_make_passes(command):
    rules, argv = argv_of(command)

    verify(argv, program=argv[0], rules=rules)


TOKENS = st.sampled_from(HOSTILE) | st.text(max_size=10)


@given(WITH_OPTIONS, TOKENS, st.data())
@settings(max_examples=800, deadline=None)
def test_what_is_put_into_it_does_not(command, token, data):
    rules, argv = argv_of(command)
    assume(not re.fullmatch(OWN[rules], token))
    place = data.draw(st.integers(0, len(argv)))

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((*argv[:place], token, *argv[place:]), program=argv[0], rules=rules)


@given(TRS, TOKENS, st.data())
@settings(max_examples=300, deadline=None)
def test_tr_gets_neither_another_option_nor_another_set(command, token, data):
    rules, argv = argv_of(command)
    assume(token not in {"-c", "-d", "-s", "--"})
    place = data.draw(st.integers(0, len(argv)))

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((*argv[:place], token, *argv[place:]), program=argv[0], rules=rules)


@given(WITH_OPTIONS, st.data())
@settings(max_examples=300, deadline=None)
def test_nothing_comes_twice(command, data):
    rules, argv = argv_of(command)
    place = data.draw(st.integers(0, len(argv) - 1))

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((*argv[:place], argv[place], *argv[place:]), program=argv[0], rules=rules)


@pytest.mark.parametrize(
    ("rules", "arguments"),
    [
        ("sort", ("-r",)),
        ("sort", ("-S64M", "f")),
        ("sort", ("-S64M", "-o", "f")),
        ("sort", ("-S64M", "-n", "-h")),
        ("sort", ("-r", "-S64M")),
        ("uniq", ("in", "out")),
        ("uniq", ("-d", "-u")),
        ("cut", ("-s",)),
        ("cut", ("-f1", "f")),
        ("cut", ("-f1", "-b1")),
        ("tr", ("-d", "--", "a", "b")),
        ("tr", ("--", "a")),
        ("tr", ("a", "b")),
        ("tr", ("--", "a", "b", "c")),
        ("jq", ("-M", ".")),
        ("jq", ("-M", "(.\n)", "f")),
        ("jq", ("(.\n)",)),
        ("jq", ("-M", "-n", "(.\n)")),
        ("jq", ("-M\n", "(.\n)")),
        ("jq_child", ("-c", "(.\n)")),
        ("jq_child", ("-I", "/tmp/x.py", "-M", "(.\n)")),
        ("diff", ("-q", "--label=a", "--label=b", "--", "a", "b")),
        ("diff", ("-q", "--label=a", "--label=b", "--", "/proc/self/fd/3", "/proc/self/fd/../../../etc/passwd")),
        ("diff", ("-q", "--label=a", "--", "/proc/self/fd/3", "/proc/self/fd/4")),
        ("diff", ("-r", "--label=a", "--label=b", "--", "/proc/self/fd/3", "/proc/self/fd/4")),
        ("file", ("-b", "--mime", "x")),
        ("file", ("-b", "--mime", "-", "x")),
        ("file", ("-b", "--mime", "-z", "-")),
        ("grep_filter", ("--color=never", "--text", "--regexp=a")),
        ("grep_filter", ("--color=never", "--text", "--fixed-strings", "--regexp=a", "f")),
        ("git", ("--version", "--build-options")),
        ("git", ()),
        ("grep_filter", ("--color=never", "--text", "--fixed-strings", "--regexp=a\nb")),
        ("diff", ("-q", "--label=a\nb", "--label=b", "--", "/proc/self/fd/3", "/proc/self/fd/4")),
        ("jq", ("-M", "(.\0\n)")),
        ("sh", ("-c", "x")),
        ("sh", ()),
    ],
)
def test_other_argvs_do_not_pass(rules, arguments):
    program = f"/usr/bin/{rules}"

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((program, *arguments), program=program, rules=rules)


@pytest.mark.parametrize(
    ("rules", "arguments"),
    [("file", ("-b", "--mime", "-")), ("git", ("--version",)), ("uniq", ()), ("tr", ("--", "--", "-d"))],
)
def test_the_fixed_argvs_pass(rules, arguments):
    program = f"/usr/bin/{rules}"

    verify((program, *arguments), program=program, rules=rules)


def test_another_program_than_the_chosen_one_does_not_pass():
    with pytest.raises(CommandRefused, match="argv_refused"):
        verify(("/tmp/uniq",), program="/usr/bin/uniq")
