"""A shop and its durable sessions, on a file and on Postgres."""

import pytest
from unit.cli.audit_scene import Place
from unit.cli.sessions_scene import Shop


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A shop whose sessions are in a file."""
    return Shop(tmp_path, Place(str(tmp_path / "audit.db")), monkeypatch)


@pytest.fixture(params=["sqlite", "postgres"])
def any_shop(request, tmp_path, monkeypatch):
    """A shop on each of the databases."""
    if request.param == "postgres":
        return Shop(tmp_path, Place(request.getfixturevalue("postgres_dsn")), monkeypatch)
    return Shop(tmp_path, Place(str(tmp_path / "audit.db")), monkeypatch)
