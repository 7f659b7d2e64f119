"""Processes to be killed, made in a few milliseconds: forked from one that has imported everything.

``python nursery.py`` reads orders from its input, a line of JSON each, and tells what became of them. ``Nursery`` is
the side of the tests.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

TESTS = Path(__file__).parents[1]
_READY_S = 60


class Child:
    """A process that is being worked in; it is killed and waited for by its number in the nursery, never by its pid."""

    def __init__(self, nursery, number, stderr):
        self._nursery = nursery
        self._number = number
        self._stderr = stderr
        self.status = None
        """How it ended: 0, another exit code, or minus the number of a signal."""

    def signal(self, what):
        """Send it a signal, unless it has ended."""
        self._nursery.order(number=self._number, signal=int(what))

    def kill(self):
        """Kill it, unless it has ended."""
        self.signal(signal.SIGKILL)

    @property
    def ended(self):
        """Whether it has ended."""
        self._nursery.listen(0)
        return self.status is not None

    def wait(self, timeout_s=40):
        """Return how it ended; one that does not is killed.

        Raises:
            TimeoutError: if it did not end.
        """
        give_up = time.monotonic() + timeout_s
        while self.status is None:
            left = give_up - time.monotonic()
            if left <= 0:
                self.kill()
                raise TimeoutError(f"a child did not end within {timeout_s} s\n{self.stderr}")
            self._nursery.listen(left)
        return self.status

    @property
    def stderr(self):
        """What it has complained about."""
        return self._stderr.read_text() if self._stderr.exists() else ""

    def succeed(self, timeout_s=40):
        """Wait until it has ended well.

        Raises:
            RuntimeError: if it did not; with what it complained about.
        """
        status = self.wait(timeout_s)
        if status != 0:
            raise RuntimeError(f"a child ended with {status}\n{self.stderr}")


class Nursery:
    """Forks children that work: ``nursery.start("name of a work", "trio", **arguments)``; see ``works.py``."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._numbers = count(1)
        self._children = {}
        self._told = b""
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
        )
        self._ready = False
        give_up = time.monotonic() + _READY_S
        while not self._ready:
            if time.monotonic() > give_up:
                raise TimeoutError("the nursery did not start")
            self.listen(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()  # then it kills its children and ends
        self._process.wait(20)
        self._process.stdout.close()

    def start(self, work, backend, /, **arguments):
        """Let a new process do a work, on an event loop."""
        number = next(self._numbers)
        stderr = self._folder / f"stderr-{number}"
        child = self._children[number] = Child(self, number, stderr)
        self.order(number=number, work=work, backend=backend, arguments=arguments, stderr=str(stderr))
        return child

    def order(self, **order):
        """Send a line to the nursery."""
        self._process.stdin.write((json.dumps(order) + "\n").encode())
        self._process.stdin.flush()

    def listen(self, timeout_s):
        """Take what the nursery tells, waiting for something no longer than this."""
        out = self._process.stdout.fileno()
        if not select.select([out], [], [], timeout_s)[0]:
            return
        got = os.read(out, 65536)
        if not got:
            raise RuntimeError("the nursery has died")
        *lines, self._told = (self._told + got).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if told == "ready":
                self._ready = True
            else:
                self._children.pop(told["number"]).status = told["status"]


# --- the other side --------------------------------------------------------------------------------------------


def _fork(order):
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing, errors = os.open(os.devnull, os.O_RDWR), os.open(order["stderr"], os.O_WRONLY | os.O_CREAT, 0o644)
        for stream, file in enumerate((nothing, nothing, errors)):
            os.dup2(file, stream)
        status = WORK_IN_CHILD(order["work"], order["backend"], order["arguments"])
    except BaseException:  # noqa: BLE001 # written down where the tests read it
        import traceback  # only for the failure

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _tell(what):
    os.write(1, (json.dumps(what) + "\n").encode())


def _serve():
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    pids = {}
    rest = b""
    _tell("ready")
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(pids)
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                break
            *lines, rest = (rest + got).split(b"\n")
            for order in map(json.loads, lines):
                if "work" in order:
                    pids[order["number"]] = _fork(order)
                elif order["number"] in pids:  # not reaped, so the pid is still its own
                    os.kill(pids[order["number"]], order["signal"])
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _reap(pids):
    for number, pid in list(pids.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del pids[number]
            _tell({"number": number, "status": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    import gc

    from durable.works import warm_up
    from durable.works import work_in_child as WORK_IN_CHILD

    warm_up()
    gc.collect()
    gc.freeze()  # a child's collector does not copy the pages
    _serve()
