"""The doors of the package: what stands in an ``__all__`` is sorted, there, and documented."""

import importlib
import pkgutil
from types import FunctionType

import pytest

import par

DOORS = [
    "par",
    "par.approvals",
    "par.bus",
    "par.catalogue",
    "par.codec",
    "par.deltas",
    "par.errors",
    "par.events",
    "par.limits",
    "par.memory",
    "par.messages",
    "par.middleware",
    "par.outcomes",
    "par.persistence",
    "par.providers",
    "par.sessions",
    "par.states",
    "par.testing",
    "par.testing.contract",
    "par.tools",
    "par.tools.bash",
    "par.tools.files",
    "par.tools.math",
    "par.tools.memory",
    "par.tools.text",
    "par.tools.web",
    "par.usage",
    "par.webhooks",
]


def names(door):
    module = importlib.import_module(door)
    return [(name, getattr(module, name)) for name in module.__all__]


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_sorted_and_says_nothing_twice(door):
    exported = importlib.import_module(door).__all__

    assert list(exported) == sorted(set(exported))


@pytest.mark.parametrize("door", DOORS)
def test_every_name_of_a_door_is_there(door):
    assert [name for name, value in names(door) if value is None] == []


@pytest.mark.parametrize("door", DOORS)
def test_every_class_and_function_of_a_door_is_documented(door):
    undocumented = [
        name
        for name, value in names(door)
        if isinstance(value, (type, FunctionType)) and is_ours(value) and not documented(value)
    ]

    assert undocumented == []


def is_ours(value):
    return getattr(value, "__module__", "").startswith("par")


def documented(value):
    text = value.__doc__ or ""
    generated = text.startswith(f"{getattr(value, '__name__', '')}(")
    return bool(text.strip()) and not generated


@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_what_is_behind_it(door):
    assert (importlib.import_module(door).__doc__ or "").strip()


@pytest.mark.parametrize("door", [door for door in DOORS if hasattr(importlib.import_module(door), "__path__")])
def test_the_door_of_a_package_is_a_list_of_names_and_nothing_else(door):
    module = importlib.import_module(door)
    submodules = {name for _, name, _ in pkgutil.iter_modules(module.__path__)}
    own = {name for name in vars(module) if not name.startswith("__")} - set(module.__all__) - submodules

    assert own == set()


def test_every_class_that_a_layer_can_meet_is_in_the_main_door():
    assert {"ModelCall", "ModelReply", "ToolCall", "RunCall", "RunResult", "RunContext"} <= set(par.__all__)
