"""Nothing in the package can start a shell: looked up in the syntax tree of every file."""

import ast
from pathlib import Path

import pytest

import par

ROOT = Path(par.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "csh", "fish", "busybox", "cmd", "cmd.exe", "powershell", "pwsh"}
# what takes text for a shell, looks for a program in PATH, or runs code between fork and exec
OF_OS = {"system", "popen", "popen2", "popen3", "popen4", "startfile", "posix_spawn", "posix_spawnp", "fork", "forkpty"}
SPAWNS = {f"{verb}{kind}" for verb in ("spawn", "exec") for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
ANYWHERE = {"create_subprocess_shell", "getoutput", "getstatusoutput", "Popen", "preexec_fn"}
# these become another program by its absolute path, in a process that was started for it; canary.py is what tries a wall
EXCEPT = {
    "tools/bash/_run/launch.py": {"os.execv"},
    "tools/bash/_walls/launcher.py": {"os.execv", "os.fork"},
    "tools/bash/_walls/canary.py": {"os.execv", "os.fork"},
}


def problems(source):
    """Yield what could start a shell."""
    starts = {"run_process", "open_process", "check_call", "check_output", "spawned"}
    if "subprocess" in source:  # elsewhere it is the line of a script: call("weather")
        starts.add("call")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in {"shell", "preexec_fn"}:
            yield node.arg
        elif isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and key.value == "shell")
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.ImportFrom):
            wanted = {"os": OF_OS | SPAWNS, "pty": {"spawn", "fork"}}.get(node.module, ANYWHERE)
            yield from (alias.name for alias in node.names if alias.name in wanted)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in {"pty", "pexpect", "sh", "commands"})
        elif isinstance(node, ast.Call):
            yield from _call(node, starts)
        elif isinstance(node, (ast.Tuple, ast.List)):
            words = [str(item.value) for item in node.elts if isinstance(item, ast.Constant)]
            if any(word.rsplit("/", 1)[-1] in SHELLS for word in words) and any(
                word in {"-c", "/c", "-lc", "-ic"} for word in words
            ):
                yield "sh -c"


def _attribute(node):
    module = node.value.id if isinstance(node.value, ast.Name) else ""
    if node.attr in ANYWHERE or (module == "os" and node.attr in OF_OS | SPAWNS):
        yield f"{module}.{node.attr}"
    elif module != "platform" and node.attr == "system":
        yield f"{module}.system"


def _call(node, starts):
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if isinstance(node.func, ast.Name) and name in {"eval", "exec", "compile", "__import__"}:
        yield name
    # these take text for a shell, and only a list for a program
    first = node.args[0] if node.args else None
    if name in starts and (
        isinstance(first, ast.JoinedStr) or (isinstance(first, ast.Constant) and isinstance(first.value, str))
    ):
        yield f"{name} of a text"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_can_start_a_shell(file):
    allowed = EXCEPT.get(file.relative_to(ROOT).as_posix(), set())

    assert set(problems(file.read_text())) - allowed == set()


def test_the_exceptions_are_needed():
    unneeded = {name for name, allowed in EXCEPT.items() if not allowed <= set(problems((ROOT / name).read_text()))}

    assert unneeded == set()


@pytest.mark.parametrize(
    "source",
    [
        "run(x, shell=True)",
        "run(x, shell=flag)",
        "run(x, **{'shell': True})",
        "os.system(x)",
        "from os import system",
        "from os import execvp as f",
        "os.popen(x)",
        "os.execvp(x, y)",
        "os.posix_spawnp(x, y, z)",
        "libc.system(x)",
        "import pty",
        "asyncio.create_subprocess_shell(x)",
        "subprocess.getoutput(x)",
        "subprocess.Popen(x)",
        "anyio.run_process('ls')",
        "anyio.open_process(f'ls {x}')",
        'run(["/bin/sh", "-c", x])',
        'run(("bash", "-lc", x))',
        "run(x, preexec_fn=f)",
        "eval(x)",
        "exec(x)",
    ],
)
def test_the_search_sees_a_shell(source):
    assert list(problems(source))
