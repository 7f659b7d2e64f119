"""A nursery of processes to be killed, and labs on each store and each event loop."""

import pytest
from durable.lab import Lab
from durable.nursery import Nursery

COMBINATIONS = [(store, backend) for store in ("sqlite", "postgres") for backend in ("asyncio", "trio")]
TWO = [("sqlite", "asyncio"), ("postgres", "trio")]
OTHER_TWO = [("sqlite", "trio"), ("postgres", "asyncio")]


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    with Nursery(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery


@pytest.fixture(scope="session")
def wanted(nursery, tmp_path_factory):
    """A session that nobody has disturbed; it looks the same in every lab."""
    folder = tmp_path_factory.mktemp("undisturbed")
    lab = Lab(nursery, ("sqlite", str(folder / "sessions.db")), "asyncio", folder)
    lab.undisturbed(stream=True)
    return lab.wanted


def make_lab(request):
    store, backend = request.param
    folder = request.getfixturevalue("tmp_path")
    if store == "sqlite":
        place = ("sqlite", str(folder / "sessions.db"))
    else:
        place = ("postgres", request.getfixturevalue("postgres_dsn"))
    return Lab(request.getfixturevalue("nursery"), place, backend, folder, wanted=request.getfixturevalue("wanted"))


@pytest.fixture(params=COMBINATIONS, ids="-".join)
def lab(request):
    """A lab with an empty store, for each store and each event loop."""
    return make_lab(request)


@pytest.fixture(params=TWO, ids="-".join)
def either_lab(request):
    """A lab on each store, and on each event loop, but not for each pair of them."""
    return make_lab(request)


@pytest.fixture(params=OTHER_TWO, ids="-".join)
def other_lab(request):
    """The labs that ``either_lab`` leaves out."""
    return make_lab(request)
