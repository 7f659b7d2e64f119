"""Every field of a policy, and of what a host sets up in it, changes what happens."""

import json
import sys

import attrs
import pytest
from unit.tools.bash_scene import git, make_repo

from par.approvals import Approved
from par.calls import ToolCall
from par.errors import CommandRefused, UsageError
from par.outcomes import Failed, TimedOut
from par.tools.bash import (
    Bash,
    Identity,
    Linter,
    ListDir,
    Param,
    Place,
    Policy,
    PythonHost,
    ReadFile,
    RunTests,
    Task,
    TestRunner,
    WriteFile,
    parse_command,
    planned_argv,
)
from par.tools.bash._walls.choose import best_wall

PYTHON = sys.executable
ALL = Policy.coder(execute=True).allow
RUN = {"allow": ALL, "effects": ("read", "write", "execute"), "approve_at": None, "walls": {"execute": "none"}}
ECHO = "/usr/bin/echo"
READ = {"op": "read_file", "path": "a.txt"}
TESTS = {"op": "run_tests", "runner": "r"}
LINT = {"op": "run_linter", "tool": "l", "paths": ["a.txt"]}
TASK = {"op": "run_task", "name": "t"}
SCRIPT = {"op": "run_python", "script": "a.py"}
VARIABLES = {"op": "run_python", "script": "env.py"}

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"], indirect=True),
]


def policy(**changes):
    return Policy(**{"name": "p", **RUN, **changes})


def runner(**changes):
    return policy(runners=[TestRunner(**{"name": "r", "argv": (ECHO,), **changes})])


def linter(**changes):
    return policy(linters=[Linter(**{"name": "l", "argv": (ECHO,), **changes})])


def task(**changes):
    return policy(tasks=[Task(**{"name": "t", "argv": (ECHO, "x"), **changes})])


def with_param(command=None, **changes):
    given = {"name": "a", **changes}
    return policy(tasks=[Task(name="t", argv=(ECHO, f"{{{given['name']}}}"), params=(Param(**given),))])


def python(**changes):
    return policy(python=PythonHost(**{"python": PYTHON, **changes}))


def place(**changes):
    return python(place=Place(**changes))


def decided(command):
    """What the policy decides."""
    return lambda policy: type(policy.decide(parse_command(json.dumps(command)))).__name__


def planned(command):
    """What would be started after the program, or the code of the refusal."""

    def see(policy):
        try:
            return planned_argv(parse_command(json.dumps(command)), policy)[0][1:]
        except CommandRefused as refused:
            return refused.code

    return see


def asked(command):
    return lambda policy: (
        policy.risk_of(parse_command(json.dumps(command))),
        *policy.effects_of(parse_command(json.dumps(command))),
    )


P = {"op": "run_task", "name": "t", "params": {"a": "x"}}
ROWS = [
    # class, field, one policy, what is seen, another policy, what is seen then
    (Policy, "allow", policy(allow=(ReadFile,)), decided(READ), "Allow", policy(allow=(ListDir,)), "Deny"),
    (Policy, "effects", policy(effects=("read",)), decided({"op": "make_dir", "path": "d"}), "Deny", policy(), "Allow"),
    (Policy, "approve_at", policy(approve_at="medium"), decided({"op": "make_dir", "path": "d"}), "Ask", policy(), "Allow"),
    (Policy, "read_deny", policy(read_deny=("a.*",)), decided(READ), "Deny", policy(), "Allow"),
    (Policy, "write_protect", policy(write_protect=("d",)), decided({"op": "make_dir", "path": "d/e"}), "Deny", policy(), "Allow"),
    (Policy, "runners", runner(), decided(TESTS), "Allow", policy(), "Deny"),
    (Policy, "linters", linter(), decided(LINT), "Allow", policy(), "Deny"),
    (Policy, "tasks", task(), decided(TASK), "Allow", policy(), "Deny"),
    (Policy, "python", python(), decided(SCRIPT), "Allow", policy(), "Deny"),
    (TestRunner, "name", runner(), decided(TESTS), "Allow", runner(name="other"), "Deny"),
    (TestRunner, "argv", runner(argv=(ECHO, "one")), planned(TESTS), ("one",), runner(argv=(ECHO, "two")), ("two",)),
    (TestRunner, "targets", runner(), planned({**TESTS, "targets": ["a"]}), ("--", "./a"), runner(targets=False), "not_offered"),
    (TestRunner, "guard", runner(), planned({**TESTS, "targets": ["a"]}), ("--", "./a"), runner(guard=()), ("./a",)),
    (TestRunner, "keyword", runner(keyword=("-k", "{}")), planned({**TESTS, "keyword": "a or b"}), ("-k", "a or b"), runner(), "not_offered"),
    (TestRunner, "marker", runner(marker=("-m={}",)), planned({**TESTS, "marker": "slow"}), ("-m=slow",), runner(), "not_offered"),
    (TestRunner, "max_failures", runner(max_failures=("-x{}",)), planned({**TESTS, "max_failures": 2}), ("-x2",), runner(), "not_offered"),
    (TestRunner, "verbose", runner(verbose=("-v",)), planned({**TESTS, "verbose": True}), ("-v",), runner(), "not_offered"),
    (TestRunner, "quiet", runner(quiet=("-q",)), planned({**TESTS, "quiet": True}), ("-q",), runner(), "not_offered"),
    (TestRunner, "collect_only", runner(collect_only=("-c",)), planned({**TESTS, "collect_only": True}), ("-c",), runner(), "not_offered"),
    (TestRunner, "last_failed", runner(last_failed=("-l",)), planned({**TESTS, "last_failed": True}), ("-l",), runner(), "not_offered"),
    (Linter, "name", linter(), decided(LINT), "Allow", linter(name="other"), "Deny"),
    (Linter, "argv", linter(argv=(ECHO, "one")), planned(LINT), ("one", "--", "./a.txt"), linter(), ("--", "./a.txt")),
    (Linter, "check", linter(check=("--check",)), planned(LINT), ("--check", "--", "./a.txt"), linter(), ("--", "./a.txt")),
    (Linter, "fix", linter(fix=("--fix",)), planned({**LINT, "fix": True}), ("--fix", "--", "./a.txt"), linter(), "not_offered"),
    (Linter, "guard", linter(guard=()), planned(LINT), ("./a.txt",), linter(), ("--", "./a.txt")),
    (Linter, "executes", linter(executes=False), asked(LINT), ("low", "read"), linter(), ("high", "read", "execute")),
    (PythonHost, "python", python(), lambda policy: planned_argv(parse_command(json.dumps(SCRIPT)), policy)[0][0], PYTHON, python(python="/usr/bin/python3"), "/usr/bin/python3"),
    (PythonHost, "modules", python(modules=("build",)), decided({"op": "run_python", "module": "build"}), "Allow", python(), "Deny"),
    (Task, "name", task(), decided(TASK), "Allow", task(name="other"), "Deny"),
    (Task, "argv", task(), planned(TASK), ("x",), task(argv=(ECHO, "y")), ("y",)),
    (Task, "params", with_param(), planned(P), ("x",), task(), "bad_param"),
    (Task, "effects", task(effects=("read",)), asked(TASK), ("high", "read"), task(), ("high", "read", "write", "execute")),
    (Task, "risk", task(risk="low"), asked(TASK)  , ("low", "read", "write", "execute"), task(), ("high", "read", "write", "execute")),
    (Param, "name", with_param(), planned(P), ("x",), with_param(name="b"), "bad_param"),
    (Param, "kind", with_param(kind="path"), planned(P), ("./x",), with_param(kind="number"), "bad_param"),
    (Param, "options", with_param(kind="choice", options=("x",)), planned(P), ("x",), with_param(kind="choice", options=("y",)), "bad_param"),
    (Param, "required", with_param(required=False), planned(TASK), (), with_param(), "bad_param"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "see", "seen", "other", "then"),
    [row[2:] for row in ROWS],
    ids=[f"{row[0].__name__}-{row[1]}" for row in ROWS],
)
def test_the_field_changes_what_is_decided_or_started(one, see, seen, other, then, anyio_backend):
    assert (see(one), see(other)) == (seen, then)


# --- what shows only when a command runs -----------------------------------------------------------------------


async def ran(ws, policy, command):
    """Run a command and return its outcome."""
    bash = Bash(ws, policy)
    try:
        return await bash.invoke(ToolCall(id="c", name="bash", arguments={"command": command}))
    finally:
        bash.workspace.close()


@pytest.fixture
def stage(ws):
    make_repo(ws)
    (ws / "sub").mkdir()
    (ws / "env.py").write_text("import os\nprint(sorted(name for name in os.environ if name.startswith('OF_')))\n")
    (ws / "wait.py").write_text("import time\ntime.sleep(30)\n")
    (ws / "big.py").write_text("try:\n    print(len(bytearray(600 * 2**20)))\nexcept MemoryError:\n    print('no')\n")
    (ws / "file.py").write_text(
        "import signal\nsignal.signal(25, signal.SIG_IGN)\ntry:\n    open('f', 'wb').write(bytes(2 * 2**20))\n    print('all')\nexcept OSError:\n    print('cut')\n"
    )
    return ws


def stdout(command, **changes):
    async def see(stage, policy):
        outcome = await ran(stage, policy, {"op": "run_python", **command, **changes})
        return outcome.value.stdout

    return see


async def author(stage, policy):
    await ran(stage, policy, {"op": "git_commit", "message": "m", "allow_empty": True})
    return git(stage, "log", "-1", "--format=%an <%ae>")


async def timed(stage, policy):
    outcome = await ran(stage, policy, {"op": "run_python", "script": "wait.py"})
    return outcome.after_s if isinstance(outcome, TimedOut) else None


async def task_timed(stage, policy):
    outcome = await ran(stage, policy, TASK)
    return outcome.after_s if isinstance(outcome, TimedOut) else "done"


async def task_output(stage, policy):
    return (await ran(stage, policy, TASK)).value.stdout


async def status(stage, policy):
    git(stage, "config", "color.status", "never")
    outcome = await ran(stage, policy, {"op": "git_status"})
    return outcome.error_type if isinstance(outcome, Failed) else "ran"


async def refused_name(stage, policy):
    return (await ran(stage, policy, {"op": "find"})).message.split("policy ")[1].split()[0]


WHERE = (PYTHON, "-c", "import os; print(os.path.basename(os.getcwd()))")
SLEEP = (PYTHON, "-c", "import time; time.sleep(1.5)")
RUNS = [
    (Policy, "name", policy(allow=()), refused_name, "p", Policy(name="other", allow=()), "other"),
    (Policy, "run_timeout_s", attrs.evolve(python(), run_timeout_s=0.5), timed, 0.5, attrs.evolve(python(), run_timeout_s=0.7), 0.7),
    (Policy, "git_keys", policy(git_keys=("color.status",)), status, "ran", policy(), "repo_config_refused"),
    (Policy, "identity", policy(identity=Identity(name="Bea")), author, "Bea <agent@localhost>", policy(), "par agent <agent@localhost>"),
    (Identity, "name", policy(identity=Identity(name="Bea")), author, "Bea <agent@localhost>", policy(), "par agent <agent@localhost>"),
    (Identity, "email", policy(identity=Identity(email="b@c")), author, "par agent <b@c>", policy(), "par agent <agent@localhost>"),
    (Task, "timeout_s", task(argv=SLEEP, timeout_s=0.5), task_timed, 0.5, task(argv=SLEEP), "done"),
    (Task, "cwd", task(argv=WHERE, cwd="sub"), task_output, "sub\n", task(argv=WHERE), "ws\n"),
    (Place, "env", place(env={"OF_HOST": "1"}), stdout(VARIABLES), "['OF_HOST']\n", place(), "[]\n"),
    (Place, "data_bytes", place(data_bytes=256 * 2**20), stdout({"script": "big.py"}), "no\n", place(), f"{600 * 2**20}\n"),
    (Place, "file_bytes", place(file_bytes=2**20), stdout({"script": "file.py"}), "cut\n", place(), "all\n"),
    (PythonHost, "place", place(env={"OF_HOST": "1"}), stdout(VARIABLES), "['OF_HOST']\n", python(), "[]\n"),
    (Task, "place", task(argv=(PYTHON, "-c", "import os; print(os.environ.get('OF'))"), place=Place(env={"OF": "x"})), task_output, "x\n",
     task(argv=(PYTHON, "-c", "import os; print(os.environ.get('OF'))")), "None\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "see", "seen", "other", "then"),
    [row[2:] for row in RUNS],
    ids=[f"{row[0].__name__}-{row[1]}" for row in RUNS],
)
async def test_the_field_changes_what_a_run_comes_to(stage, one, see, seen, other, then):
    first = await see(stage, one)
    (stage / "f").unlink(missing_ok=True)

    assert (first, await see(stage, other)) == (seen, then)


@pytest.mark.parametrize("kind", [TestRunner, Linter])
async def test_runners_and_linters_run_in_their_place(ws, kind):
    says = (PYTHON, "-c", "import os; print(os.environ.get('OF'))")
    set_up = {"runners" if kind is TestRunner else "linters": [kind(name="r", argv=says, place=Place(env={"OF": "x"}))]}
    command = TESTS if kind is TestRunner else {"op": "run_linter", "tool": "r"}

    assert (await ran(ws, policy(**set_up), command)).value.stdout == "x\n"


async def test_walls_say_what_stands_around_a_command(ws):
    (ws / "a.py").touch()

    free = await ran(ws, python(), SCRIPT)
    walled = Bash(ws, attrs.evolve(python(), walls={"execute": "require"}), walls=[])

    assert "Wall: none." in free.value.notes
    with pytest.raises(CommandRefused, match="wall_missing"):
        await walled.run(parse_command(json.dumps(SCRIPT)))


async def test_a_wall_that_is_preferred_stands_where_there_is_one(ws):
    (ws / "a.py").touch()
    preferring = attrs.evolve(python(), walls={"execute": "prefer"})
    command = parse_command(json.dumps(SCRIPT))
    found = await best_wall()

    without = await Bash(ws, preferring, walls=[]).run(command)
    with_one = await Bash(ws, preferring).run(command)

    assert "Wall: none." in without.notes
    assert f"Wall: {'none' if found is None else found.name}." in with_one.notes


async def test_read_only_folders_of_a_place_are_seen_behind_the_wall(ws):
    if await best_wall() is None:
        pytest.skip("no wall works on this machine")
    shared = ws.parent / "shared"
    shared.mkdir()
    (shared / "word").write_text("seen")
    (ws / "a.py").write_text(
        f"try:\n    print(open({str(shared / 'word')!r}).read() == 'seen')\nexcept OSError:\n    print(False)\n"
    )
    walled = {"walls": {"execute": "require"}}

    with_it = await ran(ws, attrs.evolve(place(read_only=(str(shared),)), **walled), SCRIPT)
    without = await ran(ws, attrs.evolve(place(), **walled), SCRIPT)

    assert (with_it.value.stdout, without.value.stdout) == ("True\n", "False\n")


ELSEWHERE = {  # in test_bash_policy.py, where their tests were before
    (Policy, "timeout_s"),
    (Policy, "max_output_bytes"),
    (Policy, "max_output_lines"),
    (Policy, "programs"),
    (Policy, "max_concurrent"),
    (Policy, "walls"),
    (Place, "read_only"),
    (TestRunner, "place"),
    (Linter, "place"),
}


def test_no_field_is_left_out(anyio_backend):
    kinds = (Policy, Place, TestRunner, Linter, PythonHost, Task, Param, Identity)
    fields = {(kind, field.name) for kind in kinds for field in attrs.fields(kind) if not field.name.startswith("_")}

    assert fields == {(row[0], row[1]) for row in (*ROWS, *RUNS)} | ELSEWHERE


# --- what cannot be set up -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Place(read_only=("lib",)), "absolute"),
        (lambda: Place(data_bytes=1), "data_bytes"),
        (lambda: Place(file_bytes=True), "file_bytes"),
        (lambda: TestRunner(name="a b", argv=(ECHO,)), "TestRunner"),
        (lambda: TestRunner(name="r", argv=("pytest",)), "absolute"),
        (lambda: TestRunner(name="r", argv=(ECHO,), keyword=("-k",)), "keyword"),
        (lambda: TestRunner(name="r", argv=(ECHO,), marker=("{}", "{}")), "marker"),
        (lambda: TestRunner(name="r", argv=ECHO), "list of texts"),
        (lambda: Linter(name="l", argv=()), "absolute"),
        (lambda: Linter(name="l", argv=(ECHO, "a\nb")), "line break"),
        (lambda: PythonHost(python="python3"), "absolute"),
        (lambda: PythonHost(python=PYTHON, modules=("-m",)), "PythonHost"),
        (lambda: Task(name="t", argv=(ECHO,), risk="none"), "risk"),
        (lambda: Task(name="t", argv=(ECHO,), effects=("network",)), "effects"),
        (lambda: Task(name="t", argv=(ECHO,), timeout_s=0), "timeout_s"),
        (lambda: Task(name="t", argv=(ECHO,), cwd="../x"), "cwd"),
        (lambda: Task(name="t", argv=(ECHO,), params=(Param(name="a"),)), "no token"),
        (lambda: Param(name="a", kind="shell"), "kind"),
        (lambda: Param(name="a", kind="choice"), "options"),
        (lambda: Param(name="a", options=("x",)), "options"),
        (lambda: Identity(name=" "), "identity.name"),
        (lambda: Identity(email="a<b>"), "identity.email"),
        (lambda: policy(tasks=[Task(name="t", argv=(ECHO,))] * 2), "each name once"),
        (lambda: policy(walls={"network": "none"}), "walls"),
        (lambda: policy(walls={"execute": "maybe"}), "walls"),
        (lambda: policy(effects=("network",)), "effects"),
        (lambda: policy(approve_at="always"), "approve_at"),
    ],
)
def test_what_cannot_work_cannot_be_built(make, says, anyio_backend):
    with pytest.raises(UsageError, match=says):
        make()


# --- approvals -------------------------------------------------------------------------------------------------


async def test_an_approval_is_bound_to_the_exact_call(ws):
    for name in ("a.py", "b.py"):
        (ws / name).write_text("print(1)\n")
    (ws.parent / "other").mkdir()
    (ws.parent / "other/a.py").write_text("print(1)\n")
    keys = []

    async def yes(request):
        keys.append(request.key)
        return Approved()

    asking = attrs.evolve(python(), approve_at="high")
    for folder, command in (
        (ws, SCRIPT),
        (ws, SCRIPT),
        (ws, {**SCRIPT, "args": ["x"]}),
        (ws, {**SCRIPT, "script": "b.py"}),
        (ws.parent / "other", SCRIPT),
    ):
        await Bash(folder, asking, approve=yes).run(parse_command(json.dumps(command)))
    (ws / "a.py").write_text("print(2)\n")
    await Bash(ws, asking, approve=yes).run(parse_command(json.dumps(SCRIPT)))

    assert keys[0] == keys[1]
    assert len(set(keys[1:])) == 5


async def test_a_command_that_asks_names_what_it_writes(ws):
    seen = []

    async def yes(request):
        seen.append(request)
        return Approved()

    command = WriteFile(path=".github/workflows/ci.yml", content="on: push\n")
    (ws / ".github/workflows").mkdir(parents=True)
    await Bash(ws, Policy.coder(), approve=yes).run(command)

    assert seen[0].arguments["command"] == {"op": "write_file", "path": command.path, "content": "on: push\n"}
    assert seen[0].effects == ("write",)


def test_a_command_with_a_runner_that_is_not_there_names_those_that_are(anyio_backend):
    denied = runner().decide(RunTests(runner="other"))

    assert denied.code == "not_offered"
    assert "There are: r." in denied.remedy
