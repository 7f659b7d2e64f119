"""A nursery of processes to be killed, and a lab on each store and each event loop."""

import pytest
from durable.lab import Lab
from durable.nursery import Nursery

COMBINATIONS = [(store, backend) for store in ("sqlite", "postgres") for backend in ("asyncio", "trio")]


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    with Nursery(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture(params=COMBINATIONS, ids="-".join)
def lab(request, nursery, tmp_path):
    """A lab with an empty store."""
    store, backend = request.param
    if store == "sqlite":
        place = ("sqlite", str(tmp_path / "sessions.db"))
    else:
        place = ("postgres", request.getfixturevalue("postgres_dsn"))
    return Lab(nursery, place, backend, tmp_path)


@pytest.fixture
def sqlite_lab(nursery, tmp_path):
    """A lab on a file, on asyncio."""
    return Lab(nursery, ("sqlite", str(tmp_path / "sessions.db")), "asyncio", tmp_path)
