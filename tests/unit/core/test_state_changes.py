"""Every change of a state goes through ``par.states.transition``: read from the code itself."""

import ast
import re
from pathlib import Path

import pytest

import par

PACKAGE = Path(par.__file__).parent
NAMES = {"state", "status"}
_SETS = re.compile(
    r"\bSET\b(?:(?!\bWHERE\b)[^;])*\b(?:state|status)\s*=\s*'(?:pending|scheduled|running|waiting_input|suspended|completed|failed|cancelled)'",
    re.IGNORECASE,
)


def changes(source):
    """Return the lines of a module that change a state by themselves."""
    tree = ast.parse(source)
    knows = any(isinstance(node, ast.alias) and node.name == "TaskState" for node in ast.walk(tree))
    found = [node.lineno for node in ast.walk(tree) if _sets_in_sql(node)]
    if knows:
        found += [line for function in _scopes(tree) for line in _in_scope(function)]
    return sorted(set(found))


def _scopes(tree):
    return [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))]


def _own(scope):
    """Walk a scope without the functions inside of it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def _in_scope(scope):
    first = getattr(scope, "name", "") == "__init__"  # where an object begins, its state is taken over
    for node in _own(scope):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            sets = any(isinstance(target, ast.Attribute) and target.attr in NAMES for target in targets)
            if sets and not first and not _is_transition(node.value):
                yield node.lineno
        if isinstance(node, ast.keyword) and node.arg in NAMES and _names_a_state(node.value):
            yield node.value.lineno


def _is_transition(value):
    return isinstance(value, ast.Call) and getattr(value.func, "id", getattr(value.func, "attr", "")) == "transition"


def _names_a_state(value):
    """Tell whether an expression comes to a state that it names, other than the one in which all begin."""
    if isinstance(value, ast.IfExp):
        return _names_a_state(value.body) or _names_a_state(value.orelse)
    named = isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "TaskState"
    return named and value.attr != "PENDING"


def _sets_in_sql(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and _SETS.search(node.value) is not None


def test_no_module_changes_a_state_past_the_state_machine():
    modules = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "states.py"]
    found = {str(path): changes(path.read_text(encoding="utf-8")) for path in modules}

    assert len(found) > 200
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "run.status = TaskState.FAILED",
        "run.state: TaskState = TaskState.FAILED",
        "run.status = after",
        "turn = evolve(turn, state=TaskState.COMPLETED)",
        "turn = evolve(turn, state=TaskState.COMPLETED if good else turn.state)",
        "sql = \"UPDATE session SET turns = 1, state = 'failed' WHERE id = ?\"",
    ],
)
def test_a_change_past_the_state_machine_is_found(line):
    assert changes(f"from par.states import TaskState\ndef f():\n    {line}\n") == [3]


@pytest.mark.parametrize(
    "line",
    [
        "run.status = transition(run.status, TaskState.FAILED)",
        "turn = TurnInfo(state=TaskState.PENDING)",
        "turn = evolve(turn, state=transition(turn.state, TaskState.COMPLETED))",
        "over = run.status is TaskState.COMPLETED",
        "sql = \"SELECT id FROM session WHERE state = 'failed'\"",
    ],
)
def test_what_goes_through_the_state_machine_is_let_be(line):
    assert changes(f"from par.states import TaskState, transition\ndef f():\n    {line}\n") == []
