"""Following an audit: what another writer stores comes as it is stored, and the end is quiet."""

import io
import os
import signal
import subprocess
import sys

import anyio
import pytest
from rich.console import Console
from unit.cli.audit_scene import Place, Writer, objects, tool

from par.cli._audit_print import Printer
from par.cli._audit_store import Target
from par.cli._audit_tail import Tail, tail
from par.codec import encode

pytestmark = pytest.mark.anyio


class Paper(io.StringIO):
    """A file that tells of each line."""

    def __init__(self):
        super().__init__()
        self.more = anyio.Event()
        self.torn = False

    def write(self, text):
        if self.torn:
            raise BrokenPipeError
        written = super().write(text)
        self.more.set()
        self.more = anyio.Event()
        return written

    async def events(self, number):
        while self.getvalue().count("\n") < number:
            await self.more.wait()
        return objects(self.getvalue().splitlines())


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    if request.param == "postgres":
        return Place(request.getfixturevalue("postgres_dsn"))
    return Place(str(tmp_path / "audit.db"))


@pytest.fixture
def paper():
    return Paper()


def target(place, scope="default"):
    return Target(where=place.name, scope=scope, shown="it", postgres=place.name.startswith("postgresql:"))


def follow(place, paper, session=None, count=20):
    options = Tail(session=session, count=count, follow=True, as_json=True)
    return tail(target(place), options, Printer(Console(file=paper)))


@pytest.mark.parametrize("session", [None, "a"])
async def test_events_that_another_store_writes_come_once_and_in_order(place, paper, session):
    a, b = Writer("a").all(*(tool() * 4)), Writer("b").all(*(tool() * 2))
    wanted = [encode(one) for one in ([*a[:3], *b, *a[3:]] if session is None else a)]
    async with place.open() as store:
        await store.append(a[:3])

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, place, paper, session)
                await paper.events(3)
                await store.append(b)
                for one in a[3:]:
                    await store.append([one])
                found = await paper.events(len(wanted))
                tasks.cancel_scope.cancel()

    assert found == wanted


async def test_what_is_stored_between_looking_for_the_end_and_reading_comes_once(place, paper, monkeypatch):
    a = Writer("a").all(*(tool() * 4))
    left = a[1:]
    async with place.open() as store:
        await store.append(a[:1])
        last_position = type(store).last_position

        async def and_then_more(self):
            end = await last_position(self)
            if left:
                await store.append([left.pop(0)])
            return end

        monkeypatch.setattr(type(store), "last_position", and_then_more)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, place, paper)
                await paper.events(2)
                await store.append(left[:])
                left.clear()
                found = await paper.events(len(a))
                await store.append(last := [Writer("b")(tool()[0])])
                found = await paper.events(len(a) + 1)
                tasks.cancel_scope.cancel()

    assert found == [encode(one) for one in (*a, *last)]


async def test_only_the_last_events_come_before_the_new_ones(place, paper):
    a = Writer("a").all(*(tool() * 3))
    async with place.open() as store:
        await store.append(a[:5])

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, place, paper, None, 2)
                await paper.events(2)
                await store.append(a[5:])
                found = await paper.events(3)
                tasks.cancel_scope.cancel()

    assert found == [encode(one) for one in a[3:]]


async def test_a_reader_who_leaves_ends_it(place, paper):
    a = Writer("a").all(*tool())
    async with place.open() as store:
        await store.append(a[:1])

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(follow, place, paper)
                await paper.events(1)
                paper.torn = True
                await store.append(a[1:])


def buffered():
    """Return an environment in which programs write to pipes as they do by default."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


class TestProcess:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    def following(self, tmp_path):
        place = Place(str(tmp_path / "audit.db")).fill(*Writer().all(*tool()))
        # a parent in the background may have told its children to ignore the signal
        script = (
            "import signal, sys; from par.cli import main; signal.signal(signal.SIGINT, signal.default_int_handler); "
            f"sys.exit(main(['audit', 'tail', {place.name!r}, '--follow', '--json']))"
        )
        argv = [sys.executable, "-c", script]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered())
        yield process
        process.kill()
        process.communicate()

    def test_an_interrupt_ends_it_without_a_traceback(self, following):
        following.stdout.readline()
        following.stdout.readline()

        following.send_signal(signal.SIGINT)

        out, err = following.communicate(timeout=30)
        assert (following.returncode, out, err) == (130, b"", b"par: interrupted\n")

    def test_a_reader_who_leaves_is_noticed_though_nothing_comes(self, following):
        following.stdout.readline()
        following.stdout.readline()

        following.stdout.close()

        assert following.wait(timeout=30) == 0
        assert following.stderr.read() == b""

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    @pytest.mark.parametrize(("command", "code"), [(["tail", "-n", "200", "--json"], 0), (["export"], 1)])
    def test_a_reader_who_leaves_in_the_middle_gets_no_complaint(self, tmp_path, command, code, unbuffered):
        place = Place(str(tmp_path / "audit.db")).fill(*Writer().all(*(tool(content="x" * 5000) * 100)))
        argv = [sys.executable, "-m", "par.cli", "audit", *command, "--store", place.name]
        reading, writing = os.pipe()
        env = {**buffered(), "PYTHONUNBUFFERED": unbuffered}
        process = subprocess.Popen(argv, stdout=writing, stderr=subprocess.PIPE, env=env)
        os.close(writing)
        os.read(reading, 10)

        os.close(reading)

        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (code, b"")
