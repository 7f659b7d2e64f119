"""Every async test runs on asyncio, on asyncio with uvloop, and on trio; tests of Postgres get a real one."""

import os

import pytest
from support.postgres_server import PostgresServer

BACKENDS = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
]


@pytest.fixture(params=BACKENDS)
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="session")
def postgres_server():
    """A running server; under ``PAR_REQUIRE=pg`` tests fail where it is missing, otherwise they are skipped."""
    try:
        server = PostgresServer()
    except LookupError as error:
        if "pg" in os.environ.get("PAR_REQUIRE", "").split(","):
            raise
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_dsn(postgres_server):
    """The DSN of an empty database that no other test uses; its user is a superuser."""
    return postgres_server.database()
