"""Single checks that another check would hide from a test of the whole: each is tried by itself."""

import errno
import json
import os
import sys

import anyio
import anyio.to_thread
import attrs
import pytest
from unit.tools.bash_scene import git, make_repo

from par._context import RunContext
from par.errors import CommandRefused
from par.tools.bash import (
    Ask,
    Bash,
    Find,
    GitShow,
    Grep,
    GrepFilter,
    Linter,
    Policy,
    ReadFile,
    RunLinter,
    RunPython,
    RunTests,
    Sort,
    Which,
    Workspace,
    WriteFile,
    parse_command,
)
from par.tools.bash._git.gate import check_config
from par.tools.bash._git.prefix import GIT_PREFIX
from par.tools.bash._native import walk as walks
from par.tools.bash._policy import decide as decisions
from par.tools.bash._run import hosted, programs
from par.tools.bash._run.programs import trusted
from par.tools.bash._run.runner import Job, Launcher, run_process
from par.tools.bash._run.verify import verify

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": False})], ids=["asyncio"], indirect=True),
]
END = "extensions.worktreeconfig\nfalse\0"


class Told:
    """Keeps the events of a run."""

    run_id = root_run_id = session_id = agent_name = "test"
    step = 0

    def __init__(self):
        self.events = []

    async def emit(self, event):
        self.events.append(event)


class Twofaced(str):
    """Looks harmless when it is checked, and may be something else when it is used."""

    __slots__ = ()


def forged(kind, **given):
    command = object.__new__(kind)
    for field in attrs.fields(kind):
        object.__setattr__(command, field.name, given.get(field.name, field.default))
    return command


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("bad_pattern", lambda: Grep(pattern="a\x01b")),
        ("bad_pattern", lambda: GrepFilter(pattern="a\nb")),
        ("bad_pattern", lambda: Grep(pattern="a\u202eb", syntax="fixed")),
        ("bad_rev", lambda: GitShow(rev="-x")),
        ("bad_rev", lambda: GitShow(rev="--output=x")),
        ("bad_text", lambda: Which(program="/bin/sh")),
        ("bad_text", lambda: Which(program="-x")),
        ("path_parent", lambda: RunTests(runner="r", targets=["../x.py::test"])),
        ("path_absolute", lambda: RunTests(runner="r", targets=["/etc/x.py"])),
        ("bad_text", lambda: RunTests(runner="-r")),
        ("bad_text", lambda: RunPython(module="a/b")),
        ("path_too_long", lambda: ReadFile(path="x" * 256)),
        ("path_too_long", lambda: ReadFile(path="x/" * 2047 + "éa")),
        ("bad_glob", lambda: Find(name="*a" * 17)),
        ("bad_glob", lambda: Find(name="**/" * 5)),
    ],
)
def test_a_text_that_a_program_could_take_otherwise_is_refused(code, make, anyio_backend):
    with pytest.raises(CommandRefused, match=code):
        make()


def test_a_text_of_another_class_is_no_text(anyio_backend):
    with pytest.raises(CommandRefused, match="wrong_type"):
        ReadFile(path=Twofaced("a.txt"))


async def test_a_run_does_not_rely_on_the_policy_for_forged_commands(ws, monkeypatch):
    (ws.parent / "outside").write_text("secret")
    monkeypatch.setattr(decisions, "rebuilt", lambda command: command)

    with pytest.raises(CommandRefused, match="path_parent"):
        await Bash(ws).run(forged(ReadFile, path="../outside"))


def test_the_policy_does_not_rely_on_a_run_for_forged_commands(anyio_backend):
    assert Policy.read_only().decide(forged(ReadFile, path="../outside")).code == "path_parent"


@pytest.mark.parametrize("path", [".gitattributes", "a/.GitAttributes", ".github/workflows/ci.yml", ".gitlab-ci.yml"])
def test_what_programs_obey_later_asks_somebody(path, anyio_backend):
    asked = Policy.coder().decide(WriteFile(path=path, content=""))

    assert isinstance(asked, Ask)
    assert "obeyed by programs" in asked.reason


async def test_contents_are_recorded_as_a_size_and_a_hash(ws):
    told = Told()

    await Bash(ws, Policy.coder()).run(WriteFile(path="n", content="a secret\n"), ctx=RunContext(None, told))

    shown = json.dumps([attrs.asdict(event) for event in told.events])
    assert "a secret" not in shown
    assert '"bytes": 9' in shown


async def test_contents_in_a_pipeline_are_recorded_so_too(ws):
    told = Told()
    command = '{"op": "pipeline", "stages": [{"op": "emit_text", "text": "a secret"}, {"op": "head", "lines": 1}]}'

    await Bash(ws).run(parse_command(command), ctx=RunContext(None, told))

    assert "a secret" not in json.dumps([attrs.asdict(event) for event in told.events])


def test_programs_are_those_that_only_root_can_change(tmp_path, monkeypatch, anyio_backend):
    program = tmp_path / "sort"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    tmp_path.chmod(0o777)
    monkeypatch.setattr(programs, "_PLACES", (str(tmp_path),))

    assert trusted("sort") is None


async def test_the_path_of_the_host_is_not_looked_at(ws, monkeypatch):
    (ws / "sort").write_text("#!/bin/sh\necho from here\n")
    (ws / "sort").chmod(0o755)
    (ws / "a.txt").write_text("b\na\n")
    monkeypatch.setenv("PATH", str(ws))
    monkeypatch.chdir(ws)

    assert (await Bash(ws).run(Sort(path="a.txt"))).stdout == "a\nb\n"


async def test_a_walk_ends_after_so_many_names(ws, monkeypatch):
    for number in range(20):
        (ws / str(number)).touch()
    monkeypatch.setattr(walks._Left, "__init__", lambda self, entries=5: setattr(self, "entries", entries))
    fd = os.open(ws, os.O_RDONLY)

    found = await anyio.to_thread.run_sync(lambda: list(walks.walk(fd, ".", depth=1, enter=lambda entry: True)))
    os.close(fd)

    assert len(found) == 5


def test_a_folder_that_became_a_link_since_it_was_listed_is_not_entered(ws, anyio_backend):
    (ws / "d").mkdir()
    (ws.parent / "outside").mkdir()
    (ws.parent / "outside/secret").touch()
    fd = os.open(ws, os.O_RDONLY)

    def enter(entry):
        (ws / "d").rmdir()
        (ws / "d").symlink_to(ws.parent / "outside")
        return True

    found = [entry.path for entry in walks.walk(fd, ".", depth=2, enter=enter)]
    os.close(fd)

    assert found == ["d"]


@pytest.mark.parametrize("value", ["true", "yes", "1", "on", ""])
def test_a_bare_repository_is_refused(value, anyio_backend):
    with pytest.raises(CommandRefused, match=r"core\.bare"):
        check_config(f"core.bare\n{value}\0{END}".encode(), ())


@pytest.mark.parametrize("listed", ["", "core.filemode\ntrue\0", f"{END}core.filemode\ntrue\0"])
def test_a_configuration_ends_with_what_is_ours(listed, anyio_backend):
    with pytest.raises(CommandRefused, match="does not end where it should"):
        check_config(listed.encode(), ())


async def test_an_old_content_behind_a_linked_folder_is_denied_by_its_real_name(ws):
    make_repo(ws)
    (ws / "keys").mkdir()
    (ws / "keys/a").write_text("secret\n")
    git(ws, "add", "keys")
    git(ws, "commit", "-qm", "keys")
    (ws / "plain").symlink_to("keys")
    policy = attrs.evolve(Policy.read_only(), read_deny=("keys/**",))

    with pytest.raises(CommandRefused, match="read_denied"):
        await Bash(ws, policy).run(GitShow(path="a", cwd="plain"))


async def test_a_defect_in_a_builder_does_not_reach_a_program_of_the_host(ws, monkeypatch):
    (ws / "a.py").touch()
    linter = Linter(name="l", argv=("/usr/bin/echo",), executes=False)
    policy = Policy(name="p", allow=(RunLinter,), linters=[linter])
    monkeypatch.setattr(hosted, "linter_argv", lambda *given: ("/usr/bin/echo", "--", "--fix", "./a.py"))

    with pytest.raises(CommandRefused, match="argv_refused"):
        await Bash(ws, policy).run(RunLinter(tool="l", paths=["a.py"]))


async def test_a_command_that_is_too_slow_ends_when_its_time_is_up(ws):
    program = ws.parent / "grep"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    (ws / "f").touch()
    policy = attrs.evolve(Policy.read_only(), programs={"grep": str(program)}, timeout_s=0.3)

    with anyio.fail_after(4):
        output = await Bash(ws, policy).run(Grep(pattern="x"))

    assert output.timed_out


@pytest.mark.parametrize("kernel", [True, False])
def test_the_root_of_a_link_is_not_the_workspace(ws, kernel, anyio_backend):
    (ws / "etc").mkdir()
    (ws / "etc/passwd").write_text("inside\n")
    (ws / "link").symlink_to("/etc/passwd")

    with Workspace(ws) as workspace:
        workspace._kernel = workspace._kernel and kernel
        with pytest.raises(OSError) as refused, workspace.open_file("link"):
            pass

    assert refused.value.errno == errno.EXDEV


@pytest.mark.parametrize("place", range(len(GIT_PREFIX)), ids=lambda place: GIT_PREFIX[place].partition("=")[0])
def test_no_part_of_what_git_begins_with_can_be_another(place, anyio_backend):
    rest = ("symbolic-ref", "--quiet", "HEAD")
    verify(("/usr/bin/git", *GIT_PREFIX, *rest), program="/usr/bin/git")
    other = (*GIT_PREFIX[:place], "core.fsmonitor=touch x", *GIT_PREFIX[place + 1 :])

    with pytest.raises(CommandRefused, match="fixed options"):
        verify(("/usr/bin/git", *other, *rest), program="/usr/bin/git")


@pytest.mark.parametrize("launcher", [Launcher(), Launcher(prlimit=None)], ids=["prlimit", "python"])
async def test_the_size_of_files_is_limited_before_a_program_runs(ws, launcher):
    folder = os.open(ws, os.O_RDONLY)
    script = "import resource; print(resource.getrlimit(resource.RLIMIT_FSIZE))"
    job = Job(
        argv=(sys.executable, "-I", "-S", "-c", script), folder=folder, env={}, cpu_s=7, max_bytes=1000, max_lines=9
    )

    ended = await run_process(job, launcher)
    os.close(folder)

    assert ended.stdout.head == b"(67108864, 67108864)\n"


def test_no_core_is_written_of_a_program_that_falls(anyio_backend):
    job = Job(argv=("/bin/true",), folder=3, env={}, cpu_s=7, max_bytes=1, max_lines=1)

    argv, _, _ = Launcher(prlimit="/usr/bin/prlimit").wrap(job)

    assert argv[argv.index("--") :] == ("--", "/bin/true")
    assert "--core=0" in argv  # whether it holds cannot be seen where the host allows no cores anyway
