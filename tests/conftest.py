"""Every async test runs on asyncio and on trio, and on uvloop where it is asked for; tests of Postgres get a real one.

``PAR_TEST_LOOPS`` names the event loops, separated by commas: ``asyncio,trio`` by default.
"""

import os

import pytest
from support.postgres_server import PostgresServer

LOOPS = {
    "asyncio": pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    "uvloop": pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    "trio": pytest.param(("trio", {}), id="trio"),
}
BACKENDS = [LOOPS[name] for name in os.environ.get("PAR_TEST_LOOPS", "asyncio,trio").split(",")]


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
