"""Each thing that keeps a command in is taken away, and then the command gets out."""

import os

import pytest
from unit.tools.walls.conftest import attempt, run, script

from par.tools.bash._walls.values import Limits

# which loop starts the process makes no difference to what it may do
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more than this to lose")
CALL = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nif libc.{} < 0: raise OSError(ctypes.get_errno(), 'x')"
KEYS = CALL.format(f"syscall({219 if os.uname().machine == 'aarch64' else 250}, 0, ctypes.c_int(-4), 1)")
NO_CAPABILITIES = "held = 'CapEff:\\t0000000000000000' in open('/proc/self/status').read()"


def replaced(old, *new):
    """Put other arguments in the place of the first run of these."""
    old = (old,) if isinstance(old, str) else old

    def edit(argv):
        at = next(n for n in range(len(argv)) if argv[n : n + len(old)] == old)
        return (*argv[:at], *new, *argv[at + len(old) :])

    return edit


def dropped(*flags):
    return replaced(flags)


def without_filter(argv):
    at = argv.index("--seccomp")
    return argv[:at] + argv[at + 2 :]


def dropped_mount(place):
    """Take the mount over a place out, from wherever it comes."""

    def edit(argv):
        at = next(n for n in range(len(argv)) if argv[n] == place and argv[n - 2].startswith(("--ro-bind", "--bind")))
        return argv[: at - 2] + argv[at + 1 :]

    return edit


def dropped_key(key):
    def edit(argv):
        left = tuple(part for part in argv if not part.startswith(f"{key}="))
        assert left != argv
        return left

    return edit


def changed_ruleset(number, value):
    """Change one of the three words of Landlock's attributes."""

    def edit(argv):
        at = next(n for n in range(len(argv)) if argv[n].startswith("ruleset="))
        words = [argv[at][8 + 16 * n : 24 + 16 * n] for n in range(3)]
        words[number] = value
        return (*argv[:at], "ruleset=" + "".join(words), *argv[at + 1 :])

    return edit


def both(*edits):
    def edit(argv):
        for one in edits:
            argv = one(argv)
        return argv

    return edit


async def held_and_open(wall, place, program, edit, **options):
    held = await run(wall, place, *program, **options)
    opened = await run(wall, place, *program, edit=edit, **options)
    assert (held.out.split(" ")[0], opened.out.split(" ")[0]) == ("held", "open"), (held, opened)


ALL_BUT_NET = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts")
ALL_BUT_PID = ("--unshare-user", "--unshare-ipc", "--unshare-net", "--unshare-uts")
CONNECT = "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)"
SIGNAL = f"os.kill({os.getpid()}, 0)"


@pytest.mark.parametrize("wall", ["bwrap"], indirect=True)
@pytest.mark.parametrize(
    ("code", "edit"),
    [
        pytest.param(CONNECT, replaced("--unshare-all", *ALL_BUT_NET), id="network"),
        pytest.param(
            SIGNAL, both(replaced("--unshare-all", *ALL_BUT_PID), replaced("--proc", "--tmpfs")), id="processes"
        ),
        pytest.param(CALL.format("unshare(0x10000000)"), dropped("--disable-userns"), id="namespaces"),
        pytest.param("if os.getsid(0): raise OSError", dropped("--new-session"), id="session"),
        pytest.param("if 'LEAK' not in os.environ: raise OSError", dropped("--clearenv"), id="environment"),
        pytest.param("open('/x', 'w')", dropped("--remount-ro", "/"), id="root"),
        pytest.param("open('/dev/x', 'w')", dropped("--remount-ro", "/dev"), id="dev"),
        pytest.param(
            "with open('/tmp/x', 'wb') as f: [f.write(bytes(1 << 20)) for n in range(65)]",
            replaced(("--size", "67108864", "--tmpfs", "/tmp"), "--tmpfs", "/tmp"),
            id="tmp-size",
        ),
        pytest.param(
            "with open('/dev/shm/x', 'wb') as f: [f.write(bytes(1 << 20)) for n in range(65)]",
            replaced(("--size", "67108864", "--tmpfs", "/dev/shm"), "--tmpfs", "/dev/shm"),
            id="shm-size",
        ),
        pytest.param(KEYS, without_filter, id="keys"),
        pytest.param(
            "os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY))",
            dropped("--remount-ro", "/proc"),
            id="kernel-settings",
            marks=as_root,
        ),
        pytest.param(
            "if 'CapEff:\\t0000000000000000' in open('/proc/self/status').read(): raise OSError",
            dropped("--cap-drop", "ALL"),
            id="capabilities",
            marks=as_root,
        ),
    ],
)
async def test_bubblewrap_keeps_a_command_in(wall, place, listener, code, edit):
    program = attempt(code.format(port=listener) if code is CONNECT else code)

    await held_and_open(wall, place, program, edit, extra_env={"LEAK": "1"})


@pytest.mark.parametrize("wall", ["bwrap"], indirect=True)
@pytest.mark.parametrize(
    ("path", "mounted", "changes"),
    [
        (".git/hooks/pre-commit", ".git", {}),
        (".git/config", ".git", {}),
        (".git/config", ".git/config", {"git": "write"}),
        (".git/hooks/pre-commit", ".git/hooks", {"git": "write"}),
        ("src/b.txt", "src", {"protected": ("src",)}),
        ("a.txt", "a.txt", {"protected": ("a.txt",)}),
    ],
)
async def test_bubblewrap_keeps_what_is_protected(wall, place, path, mounted, changes):
    program = attempt(f"open({str(place.ws / path)!r}, 'a').close()")

    await held_and_open(wall, place, program, dropped_mount(f"{place.ws}/{mounted}"), **changes)


@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
@pytest.mark.parametrize(
    ("code", "edit"),
    [
        pytest.param(CONNECT, both(changed_ruleset(1, "0" * 16), dropped_key("filter")), id="network"),
        pytest.param("import socket\nsocket.socket(socket.AF_UNIX)", dropped_key("filter"), id="sockets"),
        pytest.param(KEYS, dropped_key("filter"), id="keys"),
        pytest.param(SIGNAL, changed_ruleset(2, "0" * 16), id="signals"),
        pytest.param(SIGNAL, dropped_key("ruleset"), id="rules"),
        pytest.param("os.listdir('/')", dropped_key("ruleset"), id="files"),
    ],
)
async def test_landlock_keeps_a_command_in(wall, place, listener, code, edit):
    program = attempt(code.format(port=listener) if code is CONNECT else code)

    await held_and_open(wall, place, program, edit)


@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
async def test_each_of_two_locks_keeps_landlocks_network_shut(wall, place, listener):
    program = attempt(CONNECT.format(port=listener))

    without_rules = await run(wall, place, *program, edit=changed_ruleset(1, "0" * 16))
    without_calls = await run(wall, place, *program, edit=dropped_key("filter"))

    assert without_rules.out.startswith("held [Errno 1]")
    assert without_calls.out.startswith("held [Errno 13]")


@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
@pytest.mark.parametrize(
    ("path", "key", "changes"),
    [
        (".git/hooks/pre-commit", "protected", {}),
        (".git/config", "protected", {"git": "none"}),
        ("src/b.txt", "protected", {"protected": ("src",)}),
        ("a.txt", "protected", {"protected": ("a.txt",)}),
    ],
)
async def test_landlock_keeps_what_is_protected(wall, place, path, key, changes):
    program = attempt(f"open({str(place.ws / path)!r}, 'a').close()")

    await held_and_open(wall, place, program, both(dropped_key(key), dropped_hiding), **changes)


def dropped_hiding(argv):
    return tuple(part for part in argv if part != "hidden=.git")


@pytest.mark.parametrize("wall", ["landlock"], indirect=True)
async def test_landlock_gives_up_every_capability(wall, place):
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None)\nhead = (0x20080522).to_bytes(4, 'little') + bytes(4)\n"
        "data = ctypes.create_string_buffer(24)\nprint(libc.capget(head, data), any(data.raw), libc.prctl(39, 0, 0, 0, 0))"
    )

    ran = await run(wall, place, *script(code))

    assert ran.out == "0 False 1", ran.err  # the last is no_new_privs


@pytest.mark.parametrize("wall", ["bwrap", "landlock"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ({"access": "write"}, "open('src/new', 'w')", "open"),
        ({"access": "read"}, "open('src/new', 'w')", "held"),
        ({"access": "read"}, "open('src/b.txt')", "open"),
        ({"git": "read"}, "open('.git/config')", "open"),
        ({"git": "none"}, "open('.git/config')", "held"),
        ({"git": "none", "access": "read"}, "open('.git/config')", "held"),
        ({"git": "none", "access": "read"}, "open('src/b.txt')", "open"),
        ({"git": "write"}, "open('.git/index', 'w')", "open"),
        ({"cwd": "src"}, "open('b.txt')", "open"),
        ({"env": {"NEW": "1"}}, "if os.environ.get('NEW') != '1': raise OSError", "open"),
        ({}, "if 'NEW' in os.environ: raise OSError", "open"),
        ({}, "open(os.environ['HOME'] + '/x', 'w'), open(os.environ['TMPDIR'] + '/x', 'w')", "open"),
        ({}, "os.symlink('/etc', os.environ['TMPDIR'] + '/l')", "open"),
        ({}, "os.symlink('/etc', 'src/l')", None),
        ({}, "os.mkfifo('src/l')", None),
        ({}, "import socket\nsocket.socketpair()", None),
        ({"unix_pairs": True}, "import socket\nsocket.socketpair()", "open"),
    ],
)
async def test_the_spec_says_what_a_command_may_do(wall, place, changes, code, expected):
    expected = expected or ("held" if wall.name == "landlock" else "open")

    ran = await run(wall, place, *attempt(code), **changes)

    assert ran.out.split(" ")[0] == expected, ran


@pytest.mark.parametrize("wall", ["bwrap", "landlock"], indirect=True)
async def test_further_folders_are_readable_and_not_writable(wall, place):
    out = str(place.folder / "out")
    more = (*place.spec().read_only, out)

    unnamed = await run(wall, place, *attempt(f"open({str(place.secret)!r})"))
    read = await run(wall, place, *attempt(f"open({str(place.secret)!r})"), read_only=more)
    written = await run(wall, place, *attempt(f"open({str(place.secret)!r}, 'w')"), read_only=more)

    assert [one.out.split(" ")[0] for one in (unnamed, read, written)] == ["held", "open", "held"]


@pytest.mark.parametrize("wall", ["bwrap", "landlock", "none"], indirect=True)
async def test_descriptors_that_are_named_are_passed_and_no_others(wall, place):
    code = "import os\nprint([n for n in range(3, 100) if os.path.exists(f'/dev/fd/{n}') or not fails(n)])"
    code = f"import os\ndef fails(n):\n    try: os.fstat(n)\n    except OSError: return True\n{code[10:]}"
    with place.secret.open() as file:
        ran = await run(wall, place, *script(code), pass_fds=(file.fileno(),))

        assert ran.out == f"[{file.fileno()}]", ran


@pytest.mark.parametrize("wall", ["bwrap", "landlock", "none"], indirect=True)
@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [
        ("cpu_s", "CPU", 7),
        ("file_bytes", "FSIZE", 123456),
        ("files", "NOFILE", 99),
        ("data_bytes", "DATA", 1 << 29),
        ("processes", "NPROC", 77),
    ],
)
async def test_limits_hold_before_the_program_runs(wall, place, field, kind, value):
    code = f"import resource as r\nprint(r.getrlimit(r.RLIMIT_{kind}), r.getrlimit(r.RLIMIT_CORE), r.getrlimit(r.RLIMIT_AS))"

    ran = await run(wall, place, *script(code), limits=Limits(**{field: value}))

    assert ran.out == f"({value}, {value}) (0, 0) (-1, -1)", ran.err
