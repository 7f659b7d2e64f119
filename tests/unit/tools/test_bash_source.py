"""Nothing in the tools can start a shell: looked up in the syntax tree."""

import ast
from pathlib import Path

import pytest

import par.tools

FILES = sorted(Path(par.tools.__file__).parent.rglob("*.py"))
FORBIDDEN = {
    "system",
    "popen",
    "spawnl",
    "spawnv",
    "spawnlp",
    "spawnvp",
    "create_subprocess_shell",
    "getoutput",
    "execvp",
    "execlp",
}


def problems(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg in {"shell", "preexec_fn"}:
            yield node.arg
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN:
            yield node.attr
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"eval", "exec", "compile"}
        ):
            yield node.func.id
        elif isinstance(node, (ast.Tuple, ast.List)):
            words = [item.value for item in node.elts if isinstance(item, ast.Constant)]
            if any(str(word).rsplit("/", 1)[-1] in {"sh", "bash"} for word in words) and "-c" in words:
                yield "sh -c"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_can_start_a_shell(file):
    assert list(problems(file.read_text())) == []


@pytest.mark.parametrize(
    "source", ["run(x, shell=True)", "os.system(x)", 'run(["/bin/sh", "-c", x])', "run(x, preexec_fn=f)", "eval(x)"]
)
def test_the_search_sees_a_shell(source):
    assert list(problems(source))
