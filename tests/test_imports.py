"""What importing par costs: nothing that the program did not ask for."""

import json
import subprocess
import sys

import pytest

FOREIGN = [
    "aiosqlite",
    "anthropic",
    "asyncio",
    "asyncpg",
    "cattrs",
    "httpcore2",
    "httpx",
    "httpx2",
    "openai",
    "pyarrow",
    "rich",
    "trio",
    "uvloop",
]  # fmt: skip
ROOMS = ["par.middleware", "par.persistence", "par.providers", "par.tools"]


def loaded(module):
    """Import a module in a fresh interpreter and return what else came with it."""
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=50, check=True
    )
    return set(json.loads(found.stdout))


@pytest.fixture(scope="module")
def with_par():
    return loaded("par")


@pytest.mark.parametrize("name", FOREIGN)
def test_importing_par_loads_no_sdk_no_driver_and_no_event_loop(with_par, name):
    assert name not in with_par


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_imported_without_the_other_rooms(room):
    modules = loaded(room)

    others = [other for other in ROOMS if other != room and other in modules]
    assert room in modules
    assert others == []


def test_importing_par_opens_none_of_its_rooms(with_par):
    assert [room for room in [*ROOMS, "par.cli", "par.testing"] if room in with_par] == []


@pytest.mark.parametrize(("adapter", "other"), [("openai", "anthropic"), ("anthropic", "openai")])
def test_an_adapter_loads_no_other_sdk(adapter, other):
    modules = loaded(f"par.providers.{adapter}")

    assert other not in modules


@pytest.mark.parametrize("door", ["par.testing", "par.testing.contract"])
def test_what_tests_need_loads_no_sdk(door):
    assert loaded(door).isdisjoint({"openai", "anthropic", "httpx", "httpx2", "httpcore2", "trio", "uvloop"})
