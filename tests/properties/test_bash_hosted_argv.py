"""What is built for programs of the host passes the second look; anything put into it does not."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from par.errors import CommandRefused
from par.tools.bash import Linter, Param, PythonHost, RunLinter, RunPython, RunTask, RunTests, Task, TestRunner
from par.tools.bash._run.hosted_argv import linter_argv, module_argv, script_argv, task_argv
from par.tools.bash._run.hosted_argv import tests_argv as runner_argv
from par.tools.bash._run.hosted_verify import verify_hosted

PYTHON = "/usr/bin/python3"
RUNNER = TestRunner.pytest(PYTHON)
LINTER = Linter.ruff("/usr/bin/ruff")
HOST = PythonHost(python=PYTHON, modules=("build",))
TASK = Task(
    name="t",
    argv=("/usr/bin/t", "go", "--level={level}", "{force:--force}", "{count}"),
    params=(
        Param(name="level", kind="choice", options=("low", "high")),
        Param(name="force", kind="flag", required=False),
        Param(name="count", kind="number"),
    ),
)
NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=6)
B = st.booleans()
TESTS = st.builds(
    RunTests, runner=st.just("pytest"), targets=st.none() | st.lists(NAMES, min_size=1, max_size=3),
    keyword=st.none() | NAMES, marker=st.none() | NAMES, max_failures=st.none() | st.integers(1, 9), verbose=B,
    collect_only=B, last_failed=B,
)  # fmt: skip
LINTS = st.builds(RunLinter, tool=st.just("ruff"), paths=st.lists(NAMES, min_size=1, max_size=3), fix=B)
TASKS = st.builds(
    lambda level, force, count: RunTask(name="t", params={"level": level, "force": force, "count": count}),
    st.sampled_from(["low", "high"]), B, st.integers(0, 9),
)  # fmt: skip
HOSTILE = st.sampled_from([
    "-c",
    "--rootdir=/tmp",
    "/etc/passwd",
    "--",
    "../x",
    "x",
    "",
    "-p",
    "evil",
    "--config=x",
    "a\0b",
])


def built(command):
    def admit(path, field):
        return f"./{path}"

    if isinstance(command, RunTests):
        return runner_argv(RUNNER, command, admit), RUNNER
    if isinstance(command, RunLinter):
        return linter_argv(LINTER, command, admit), LINTER
    return task_argv(TASK, command, admit), TASK


@given(TESTS | LINTS | TASKS)
@settings(max_examples=200, deadline=None)
def test_what_is_built_passes(command):
    verify_hosted(*built(command))


@given(TESTS | LINTS | TASKS, HOSTILE, st.data())
@settings(max_examples=300, deadline=None)
def test_what_is_put_into_it_does_not(command, token, data):
    argv, host = built(command)
    place = data.draw(st.integers(0, len(argv)))
    changed = (*argv[:place], token, *argv[place:])
    # a value that took the place of another value is a value still
    assume(not (isinstance(command, RunTests) and place > 0 and argv[place - 1] in {"-k", "-m"}))

    with pytest.raises(CommandRefused, match="argv_refused"):
        verify_hosted(changed, host)


@given(st.lists(st.text(max_size=5), max_size=3), st.booleans())
def test_a_script_and_a_module_pass_with_any_arguments(args, module):
    args = tuple(arg for arg in args if arg.isprintable())
    command = RunPython(module="build", args=args) if module else RunPython(script="a.py", args=args)

    argv = module_argv(HOST, command) if module else script_argv(HOST, command, held="7", shown="./a.py")

    verify_hosted(argv, HOST)


@pytest.mark.parametrize(
    "argv",
    [
        (PYTHON, "-c", "print(1)"),
        (PYTHON, "./a.py"),
        ("/bin/sh", "-I", "-X", "utf8", "/x/_run/script_main.py", "7", "./a.py"),
        (PYTHON, "-I", "-X", "utf8", "/tmp/evil.py", "7", "./a.py"),
        (PYTHON, "-I", "-X", "utf8", "/x/_run/script_main.py", "/etc/passwd", "./a.py"),
        (PYTHON, "-I", "-X", "utf8", "/x/_run/script_main.py", "7", "/etc/passwd"),
        (PYTHON, "-I", "-X", "utf8"),
        (PYTHON, "-P", "-s", "-X", "utf8", "-m", "pip"),
        (PYTHON, "-P", "-s", "-X", "utf8", "-m"),
    ],
)
def test_python_gets_nothing_else(argv):
    with pytest.raises(CommandRefused, match="argv_refused"):
        verify_hosted(argv, HOST)
