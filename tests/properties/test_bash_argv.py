"""The two looks at an argv agree: what the builders make passes, anything put into it does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools.bash import Age, GitDiff, GitLog, GitShow, GitStatus, Grep, Policy
from par.tools.bash._git.argv import Pathspecs, diff_argv, log_argv, planned, show_argv, status_argv
from par.tools.bash._git.prefix import GIT_PREFIX
from par.tools.bash._native.grep import grep_argv
from par.tools.bash._run.verify import verify

OID = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
GIT = "/usr/bin/git"
GREP = "/usr/bin/grep"
PATHS = Pathspecs(policy=Policy.read_only(), repository=".", cwd=".")

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
NAMES = st.lists(
    WORDS.filter(lambda word: "/" not in word and word not in {".", ".."} and word[0] != "~"), min_size=1, max_size=3
)
REVS = st.sampled_from(["HEAD", "main", "HEAD~1"])
MAYBE = st.none()
AGES = st.builds(Age, unit=st.sampled_from(["days", "weeks"]), count=st.integers(1, 9))
OUTPUTS = st.sampled_from(["patch", "stat", "name_only", "name_status"])
FORMATS = st.sampled_from(["oneline", "short", "medium", "full", "author"])


def built(kind, **fields):
    def make(values):
        try:
            return kind(**values)
        except CommandRefused:  # a combination that does not go together
            return None

    return st.fixed_dictionaries(fields).map(make).filter(lambda command: command is not None)


B = st.booleans()
STATUS = built(GitStatus, untracked=st.sampled_from(["no", "normal", "all"]), ignored=B, paths=MAYBE | NAMES)
DIFF = built(
    GitDiff, rev_from=MAYBE | REVS, rev_to=MAYBE | REVS, merge_base=B, staged=B, paths=MAYBE | NAMES, output=OUTPUTS,
    unified=MAYBE | st.integers(0, 9), ignore_space=B,
)  # fmt: skip
LOG = built(
    GitLog, rev=MAYBE | REVS, rev_exclude=MAYBE | REVS, max_count=st.integers(1, 99), paths=MAYBE | NAMES,
    author=MAYBE | WORDS, grep=MAYBE | WORDS, ignore_case=B, since=MAYBE | AGES, until=MAYBE | AGES, format=FORMATS,
    patch=B, stat=B, follow=B, graph=B, reverse=B, first_parent=B, pickaxe=MAYBE | WORDS, all=B,
)  # fmt: skip
SHOW = built(GitShow, rev=REVS, output=OUTPUTS, format=FORMATS)
GREPS = built(
    Grep, pattern=WORDS, syntax=st.just("fixed"), ignore_case=B, whole_word=B, invert=B, before=MAYBE | st.integers(0, 9),
    after=MAYBE | st.integers(0, 9), max_count=MAYBE | st.integers(1, 9),
)  # fmt: skip


def argv_of(command):
    if isinstance(command, Grep):
        return grep_argv(GREP, command, [7, 12])
    revs = dict(zip(planned(command), (OID, OTHER), strict=False))
    make = {GitStatus: status_argv, GitDiff: diff_argv, GitLog: log_argv, GitShow: show_argv}[type(command)]
    arguments = make(command, PATHS) if isinstance(command, GitStatus) else make(command, revs, PATHS)
    return (GIT, *GIT_PREFIX, *arguments)


COMMANDS = st.one_of(STATUS, DIFF, LOG, SHOW, GREPS)
HOSTILE = st.sampled_from(
    [
        "--output=/tmp/x", "--ext-diff", "--textconv", "-O", "--open-files-in-pager=x", "--no-index", "-c", "core.pager=x",
        "--exec-path=/tmp", "--git-dir=/tmp", "-f/etc/passwd", "--file=/etc/passwd", "-r", "--perl-regexp", "..", "/etc/passwd",
        "../x", "HEAD", ":(glob)**", ":/fix", "-", "", "a\nb", "a\0b", "--", "--upload-pack=x", "--include=/x", "./x",
    ]
)  # fmt: skip


@given(COMMANDS)
@settings(max_examples=300, deadline=None)
def test_what_the_builders_make_passes(command):
    argv = argv_of(command)

    verify(argv, program=argv[0])


@given(COMMANDS, HOSTILE | st.text(max_size=10).filter(lambda text: not text.startswith(("-S", "--"))), st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_put_into_it_does_not(command, token, data):
    argv = argv_of(command)
    place = data.draw(st.integers(0, len(argv)))
    # a second -- after the first would be read as a path, and paths are marked
    changed = (*argv[:place], token, *argv[place:])

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify(changed, program=argv[0])


@given(COMMANDS, st.data())
@settings(max_examples=200, deadline=None)
def test_no_option_comes_twice(command, data):
    argv = argv_of(command)
    end = argv.index("--")
    token = data.draw(st.sampled_from(argv[1 + (len(GIT_PREFIX) if argv[0] == GIT else 0) : end]))

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((*argv[:end], token, *argv[end:]), program=argv[0])


@given(COMMANDS, st.data())
@settings(max_examples=200, deadline=None)
def test_nothing_of_the_fixed_options_can_be_left_out(command, data):
    argv = argv_of(command)
    fixed = len(GIT_PREFIX) if argv[0] == GIT else 0
    place = data.draw(st.integers(0, fixed))

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((*argv[:place], *argv[place + 1 :]), program=argv[0])


@pytest.mark.parametrize(
    "arguments",
    [
        ("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD"),
        ("rev-parse", "--verify", "--quiet", "HEAD^{commit}"),
        ("rev-parse", "--verify", "--quiet", "--end-of-options", "a..b^{commit}"),
        ("cat-file", "blob", "HEAD:x"),
        ("cat-file", "--textconv", OID),
        ("log", OID),
        ("push",),
        (),
    ],
)
def test_other_git_commands_do_not_pass(arguments):
    with pytest.raises(CommandRefused, match="argv_refused"):
        verify((GIT, *GIT_PREFIX, *arguments), program=GIT)


@pytest.mark.parametrize(
    "arguments",
    [
        ("rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD~1^{commit}"),
        ("cat-file", "blob", OID),
        ("ls-tree", "-z", "--full-tree", OID, "--", ":(top,literal)a b"),
    ],
)
def test_the_helper_commands_pass(arguments):
    verify((GIT, *GIT_PREFIX, *arguments), program=GIT)
