"""The two looks at an argv agree: what the builders make passes, anything put into it does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools.bash import (
    Age,
    GitApply,
    GitBlame,
    GitBranch,
    GitCommit,
    GitDiff,
    GitLog,
    GitLsFiles,
    GitRefs,
    GitReset,
    GitRestore,
    GitShow,
    GitStash,
    GitStatus,
    GitSwitch,
    Grep,
    Policy,
)
from par.tools.bash._git.argv import Pathspecs, diff_argv, log_argv, planned, show_argv, status_argv
from par.tools.bash._git.argv_history import blame_argv, ls_files_argv, reflog_argv, refs_argv
from par.tools.bash._git.argv_writing import (
    NUMSTAT,
    STAGE,
    apply_argv,
    branch_argv,
    candidates_argv,
    commit_argv,
    reset_argv,
    restore_argv,
    stash_argv,
    switch_argv,
)
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


def built(kind, /, **fields):
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


BRANCHES = st.sampled_from(["main", "feature/x", "v1.0", "a-b+c_d"])
BLAME = built(
    GitBlame, path=st.just("src/a b.py"), start_line=MAYBE | st.integers(1, 9), end_line=MAYBE | st.integers(9, 20)
)
KINDS = st.sampled_from(["branches", "remote_branches", "all_branches", "tags", "stashes", "reflog"])
REFS = built(
    GitRefs, kind=KINDS, pattern=MAYBE | st.sampled_from(["v1.*", "feature/*"]), contains=MAYBE | REVS,
    merged=MAYBE | REVS, limit=st.integers(1, 99),
)  # fmt: skip
WHICH = st.sampled_from(["tracked", "untracked", "ignored", "modified", "deleted", "unmerged"])
LS_FILES = built(GitLsFiles, which=WHICH, paths=MAYBE | NAMES)
COMMIT = built(GitCommit, message=MAYBE | WORDS, amend=B, allow_empty=B)
RESTORE = built(GitRestore, paths=NAMES, staged=B, worktree=MAYBE | B, source=MAYBE | REVS)
SWITCH = built(GitSwitch, branch=BRANCHES, create=B, start=MAYBE | REVS)
BRANCH = built(
    GitBranch, action=st.sampled_from(["create", "delete", "rename"]), name=BRANCHES, new_name=MAYBE | BRANCHES,
    start=MAYBE | REVS, force=B,
)  # fmt: skip
STASH = built(GitStash, action=st.sampled_from(["push", "pop", "apply", "drop"]), message=MAYBE | WORDS, untracked=B)
RESET = built(GitReset, rev=REVS, mode=st.sampled_from(["soft", "mixed", "hard"]))
APPLY = built(GitApply, patch=WORDS, check=B, reverse=B)

OF_HISTORY = {
    GitBlame: lambda command: blame_argv(command, OID, command.path),
    GitRefs: lambda command: (
        reflog_argv(command)
        if command.kind in {"stashes", "reflog"}
        else refs_argv(command, dict.fromkeys(["HEAD", "main", "HEAD~1"], OID))
    ),
    GitLsFiles: lambda command: ls_files_argv(command, PATHS.given(command.paths)),
    GitCommit: commit_argv,
    GitRestore: lambda command: restore_argv(command, command.source and OID, PATHS.given(command.paths)),
    GitSwitch: lambda command: switch_argv(command, command.start and OID),
    GitBranch: lambda command: branch_argv(command, OID),
    GitStash: stash_argv,
    GitReset: lambda command: reset_argv(command, OID),
    GitApply: apply_argv,
}


def argv_of(command):
    if isinstance(command, Grep):
        return grep_argv(GREP, command, [7, 12])
    if type(command) in OF_HISTORY:
        return (GIT, *GIT_PREFIX, *OF_HISTORY[type(command)](command))
    revs = dict(zip(planned(command), (OID, OTHER), strict=False))
    make = {GitStatus: status_argv, GitDiff: diff_argv, GitLog: log_argv, GitShow: show_argv}[type(command)]
    arguments = make(command, PATHS) if isinstance(command, GitStatus) else make(command, revs, PATHS)
    return (GIT, *GIT_PREFIX, *arguments)


WRITERS = st.one_of(COMMIT, RESTORE, SWITCH, BRANCH, STASH, RESET, APPLY)
COMMANDS = st.one_of(STATUS, DIFF, LOG, SHOW, GREPS, BLAME, REFS, LS_FILES, WRITERS)
HOSTILE = st.sampled_from(
    [
        "--output=/tmp/x", "--ext-diff", "--textconv", "-O", "--open-files-in-pager=x", "--no-index", "-c", "core.pager=x",
        "--exec-path=/tmp", "--git-dir=/tmp", "-f/etc/passwd", "--file=/etc/passwd", "-r", "--perl-regexp", "..", "/etc/passwd",
        "../x", "HEAD", ":(glob)**", ":/fix", "-", "", "a\nb", "a\0b", "--", "--upload-pack=x", "--include=/x", "./x",
        "--unsafe-paths", "--directory=..", "--contents=/etc/passwd", "--edit-description", "--interactive", "--patch-with-raw",
        "--no-no-verify", "--template=/x", "--exec=x", "--recurse-submodules", "--gpg-sign", "--orphan", "--discard-changes",
        "--pathspec-from-file=/x", "--track", "--edit", "-e", "--squash=HEAD", "--author=x", "--index", "--3way",
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
    end = argv.index("--") if "--" in argv else len(argv)
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


MAY_LACK = (
    "-L", "--contains=", "--merged=", "--amend", "--allow-empty", "--source=", "--staged", "--worktree", "--force",
    "--message=", "--check", "--reverse",
)  # fmt: skip


@given(st.one_of(BLAME, REFS, WRITERS), st.data())
@settings(max_examples=300, deadline=None)
def test_nothing_that_a_command_always_has_can_be_left_out(command, data):
    argv = argv_of(command)
    place = data.draw(st.integers(1 + len(GIT_PREFIX), len(argv) - 1))
    token = argv[place]
    start = isinstance(command, GitSwitch) and token == OID
    several = isinstance(command, (GitRestore, GitRefs)) and token.startswith((":(top", "refs/"))
    if token.startswith(MAY_LACK) or start or several:
        return

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
        ("blame", "--no-textconv", "--date=short", OID, "--", "../x"),
        ("blame", "--no-textconv", "--date=short", OID, "--", "/etc/passwd"),
        ("blame", "--no-textconv", "--date=short", "--", "a"),
        ("switch", "--quiet", "--no-guess", "--no-recurse-submodules", "--", "-h"),
        ("switch", "--quiet", "--no-guess", "--no-recurse-submodules", "--", "a..b"),
        ("switch", "--quiet", "--no-guess", "--no-recurse-submodules", "--", "a/.b"),
        ("branch", "--no-track", "--", "x", "HEAD"),
        ("restore", "--quiet", "--no-recurse-submodules", "--worktree", "--"),
        ("restore", "--quiet", "--no-recurse-submodules", "--worktree", "--source=HEAD", "--", ":(top)"),
        ("reset", "--quiet", "--no-recurse-submodules", "--soft", "--hard", OID, "--"),
        (
            "for-each-ref",
            "--count=1",
            "--format=%(HEAD) %(refname:short) %(objectname:short) %(contents:subject)",
            "--",
            "../x",
        ),
        ("symbolic-ref", "-m", "branch: renamed", "HEAD", "refs/heads/a..b"),
        ("stash", "pop", "drop"),
        ("stash", "clear"),
        ("apply", "--unsafe-paths", "--whitespace=nowarn", "--verbose"),
        ("update-index", "--add", "--remove", "--replace", "-z", "--stdin", "--", "a"),
        ("diff-index", "--name-only", "--no-renames", "--ignore-submodules=all", "-z", "HEAD", "--"),
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
        ("ls-tree", "-r", "--name-only", "-z", "--full-tree", OID, "--"),
        ("rev-parse", "--verify", "--short", OID),
        ("rev-parse", "--verify", "--quiet", "--abbrev-ref", "--end-of-options", "main"),
        ("symbolic-ref", "--quiet", "HEAD"),
        ("symbolic-ref", "-m", "branch: renamed", "HEAD", "refs/heads/a/b"),
        ("merge-base", OID, OTHER),
        ("diff-tree", "-r", "--name-only", "-z", "--no-renames", OID, OTHER, "--"),
        ("diff-index", "--name-only", "--no-renames", "--ignore-submodules=all", "-z", OID, "--"),
        ("diff-files", "--name-only", "--no-renames", "--ignore-submodules=all", "-z", "--", ":(top,literal)a"),
        ("update-index", "-q", "--unmerged", "--ignore-submodules", "--refresh"),
        ("ls-files", "-z", "--stage", "--"),
        ("ls-files", "-z", "--others", "--", ":(top,literal)a"),
        STAGE,
        NUMSTAT,
        candidates_argv((), untracked=True),
        candidates_argv((":(top,literal)a",), untracked=False),
    ],
)
def test_the_helper_commands_pass(arguments):
    verify((GIT, *GIT_PREFIX, *arguments), program=GIT)
