"""A policy names what may run; every field of it changes what happens."""

import pytest

from par.calls import ToolCall
from par.errors import UsageError
from par.outcomes import Done, Failed, TimedOut
from par.tools.bash import Allow, Bash, Deny, Find, GitLog, GitShow, GitStatus, Grep, ListDir, Policy, ReadFile

pytestmark = pytest.mark.anyio
ALL = Policy.read_only().allow


def test_read_only_allows_every_command_that_reads():
    assert Policy.read_only().decide(GitLog()) == Allow()


def test_nothing_is_allowed_that_is_not_named():
    denied = Policy(name="mine", allow=(ReadFile,)).decide(ListDir())

    assert isinstance(denied, Deny)
    assert denied.code == "denied_by_policy"
    assert "mine" in denied.reason
    assert "read_file" in denied.remedy


def test_an_empty_policy_allows_nothing():
    assert isinstance(Policy(name="none", allow=()).decide(ListDir()), Deny)


@pytest.mark.parametrize("thing", [None, "list_dir", object(), {"op": "list_dir"}, object.__new__(ReadFile)])
def test_the_decision_is_total(thing):
    assert isinstance(Policy.read_only().decide(thing), Deny)


@pytest.mark.parametrize(
    "path", [".env", "a/.ENV.local", "x.PEM", "id_rsa", "d/.ssh/known", ".aws/x/y", "d/.netrc", "./.env", "a//.env"]
)
def test_names_of_secrets_are_not_read(path):
    policy = Policy.read_only()

    assert policy.decide(ReadFile(path=path)).code == "read_denied"
    assert policy.decide(Grep(pattern="x", paths=["src", path])).code == "read_denied"
    assert policy.decide(GitShow(path=path)).code == "read_denied"


@pytest.mark.parametrize(
    "pattern", ["secrets.yml", "**/secrets.yml", "conf/secrets.yml", "conf/**", "**/conf/**", "CONF"]
)
def test_a_pattern_of_ones_own_holds_at_any_depth(pattern):
    policy = Policy(name="p", allow=ALL, read_deny=(pattern,))

    assert policy.denies_reading("a/conf/secrets.yml")
    assert not policy.denies_reading("a/other.yml")


@pytest.mark.parametrize("path", ["env", "a.pem.txt", "src/keys.py", "ssh/config"])
def test_other_names_are_read(path):
    assert Policy.read_only().decide(ReadFile(path=path)) == Allow()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": " "}, "name"),
        ({"allow": (dict,)}, "allow"),
        ({"read_deny": ("",)}, "read_deny"),
        ({"read_deny": "*.pem"}, "list of texts"),
        ({"read_deny": ("a/**/b",)}, "read_deny"),
        ({"read_deny": ("**",)}, "read_deny"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": 601}, "timeout_s"),
        ({"timeout_s": float("nan")}, "timeout_s"),
        ({"timeout_s": True}, "timeout_s"),
        ({"max_output_bytes": 0}, "max_output_bytes"),
        ({"max_output_lines": True}, "max_output_lines"),
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"programs": {"sh": "/bin/sh"}}, "programs"),
        ({"programs": {"git": "git"}}, "programs"),
        ({"git_keys": ("",)}, "git_keys"),
    ],
)
def test_an_illegal_policy_cannot_be_built(changes, says):
    with pytest.raises(UsageError, match=says):
        Policy(**{"name": "p", "allow": (), **changes})


def test_the_model_is_offered_what_the_policy_allows(ws):
    spec = Bash(ws, Policy(name="two", allow=(ReadFile, Grep))).spec

    branches = spec.parameters["properties"]["command"]["anyOf"]
    assert [branch["properties"]["op"]["const"] for branch in branches] == ["read_file", "grep"]
    assert spec.effect == "read"
    assert spec.name == "bash"


async def test_a_command_that_is_not_allowed_does_not_run(ws, send):
    (ws / "f").write_text("secret")

    outcome = await send(Policy(name="p", allow=(ListDir,)), op="read_file", path="f")

    assert outcome.kind == "refused"
    assert "denied_by_policy" in outcome.message
    assert "secret" not in outcome.message


async def test_read_deny_decides_what_is_shown(ws, send):
    (ws / "plain.txt").write_text("text")

    assert isinstance(await send(op="read_file", path="plain.txt"), Done)
    denied = await send(Policy(name="p", allow=ALL, read_deny=("plain*",)), op="read_file", path="plain.txt")
    assert "read_denied" in denied.message


async def test_a_link_does_not_hide_a_denied_name(ws, send):
    (ws / ".env").write_text("secret")
    (ws / "link").symlink_to(".env")
    (ws / ".ssh").mkdir()
    (ws / ".ssh/x").write_text("secret")
    (ws / "folder").symlink_to(".ssh")

    for command in ({"op": "read_file", "path": "link"}, {"op": "head", "path": "link"}, {"op": "tail", "path": "link"},
                    {"op": "word_count", "paths": ["link"]}, {"op": "grep", "pattern": "s", "paths": ["link"]}):  # fmt: skip
        assert "read_denied" in (await send(**command)).message
    assert "secret" not in (await send(op="grep", pattern="secret", paths=["folder"])).value.stdout


async def test_grep_leaves_denied_files_out_and_says_so(ws, send):
    (ws / ".env").write_text("token\n")
    (ws / "a.txt").write_text("token\n")

    outcome = await send(op="grep", pattern="token", hidden=True)

    assert outcome.value.stdout == "a.txt:1:token\n"
    assert "Not searched: 1 files" in outcome.content


async def test_max_output_bytes_bounds_a_stream(ws, send):
    (ws / "f").write_text("0123456789\n" * 1000)

    small = await send(Policy(name="p", allow=ALL, max_output_bytes=1024), op="read_file", path="f")

    assert len(small.value.stdout) <= 1024
    assert small.value.truncated
    assert "Go on with start_line 94" in small.content
    assert not (await send(op="read_file", path="f")).value.truncated


async def test_max_output_lines_bounds_a_stream(ws, shown):
    (ws / "f").write_text("x\n" * 100)

    assert len(await shown(Policy(name="p", allow=ALL, max_output_lines=7), op="read_file", path="f")) == 7
    assert len(await shown(op="read_file", path="f")) == 100


async def test_programs_names_the_program_that_runs(ws, send):
    program = ws.parent / "grep"
    program.write_text("#!/bin/sh\necho other >&2\nexit 3\n")
    program.chmod(0o755)
    (ws / "f").touch()

    outcome = await send(Policy(name="p", allow=ALL, programs={"grep": str(program)}), op="grep", pattern="x")

    assert outcome.value.stderr == "other\n"
    assert outcome.value.exit_code == 3


async def test_a_program_that_everybody_may_change_is_not_run(ws, send):
    program = ws.parent / "grep"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)

    outcome = await send(Policy(name="p", allow=ALL, programs={"grep": str(program)}), op="grep", pattern="x")

    assert "program_missing" in outcome.message


async def test_timeout_s_ends_a_command(ws, send):
    program = ws.parent / "grep"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    (ws / "f").touch()

    outcome = await send(
        Policy(name="p", allow=ALL, programs={"grep": str(program)}, timeout_s=0.3), op="grep", pattern="x"
    )

    assert isinstance(outcome, TimedOut)
    assert outcome.after_s == 0.3


async def test_the_arguments_of_a_call_are_checked(ws):
    bash = Bash(ws)

    assert bash.problems({"command": {"op": "list_dir"}}) == ()
    assert "unknown_op" in bash.problems({"command": {"op": "rm"}})[0]
    assert "field command" in bash.problems({"op": "list_dir"})[0]
    assert "raw_shell" in bash.problems({"command": {"cmd": "ls"}})[0]
    assert bash.relaxed({"a": "1"}) == {"a": "1"}
    assert bash.result_problem("text")
    outcome = await bash.invoke(ToolCall(id="c", name="bash", arguments={}))
    assert isinstance(outcome, Failed)


def test_a_status_needs_no_path():
    assert Policy.read_only().decide(GitStatus()) == Allow()
    assert Policy.read_only().decide(Find(paths=[".ssh"])) == Allow()
