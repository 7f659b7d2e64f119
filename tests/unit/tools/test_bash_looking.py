"""The commands that look at files and at the machine, besides reading and searching."""

import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path

import anyio
import pytest

from par.tools.bash import Bash, DiskUsage, FileType, Policy
from par.tools.bash._commands.table import COMMANDS
from par.tools.bash._native.file_type import guessed

pytestmark = pytest.mark.anyio
READERS = Policy.read_only().allow


@pytest.fixture
def anyio_backend():
    return "trio"  # these commands know nothing of loops; the pipeline and the filters run on all


def policy(**fields):
    return Policy(name="p", allow=READERS, **fields)


def put(ws, **files):
    for name, text in files.items():
        file = ws / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def wood(ws):
    put(ws, a__b__c="", a__d="", e="", _h="")
    (ws / "a/link").symlink_to("d")
    put(ws, **{".git__config": ""})
    return ws


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        (
            {},
            [
                "./",
                "├── .git/",
                "├── _h",
                "├── a/",
                "│   ├── b/",
                "│   │   └── c",
                "│   ├── d",
                "│   └── link -> d",
                "└── e",
            ],
        ),
        ({"depth": 1}, ["./", "├── .git/", "├── _h", "├── a/", "└── e"]),
        ({"dirs_only": True}, ["./", "├── .git/", "└── a/", "    └── b/"]),
        ({"ignore": [".git", "b", "e"]}, ["./", "├── _h", "└── a/", "    ├── d", "    └── link -> d"]),
        ({"path": "a/b"}, ["a/b/", "└── c"]),
    ],
    ids=["all", "depth", "dirs_only", "ignore", "path"],
)
async def test_tree_draws(wood, shown, fields, lines):
    assert await shown(op="tree", **fields) == lines


async def test_tree_escapes_names_and_hides_where_absolute_links_lead(ws, shown):
    (ws / "a\n\x1b[2J").touch()
    (ws / "b").symlink_to(ws.parent)

    assert await shown(op="tree") == ["./", "├── a\\n\\x1b[2J", "└── b -> (an absolute path)"]


async def test_tree_says_that_there_is_more(ws, send):
    for number in range(30):
        (ws / f"{number:02}").touch()

    outcome = await send(policy(max_output_lines=11), op="tree")

    assert outcome.value.truncated
    assert "Only the first 10 names" in outcome.content


async def test_stat_describes_each_name_itself(ws, shown):
    put(ws, f="12345")
    (ws / "f").chmod(0o640)
    os.utime(ws / "f", (1_000_000_000,) * 2)
    os.link(ws / "f", ws / "g")
    (ws / "link").symlink_to("f")
    (ws / "gone").symlink_to("/etc/passwd")
    os.mkfifo(ws / "fifo")

    lines = await shown(op="stat", paths=["f", "link", "gone", "fifo", "."])

    assert lines[0] == "file  -rw-r----- 0640  2 links  5 bytes  changed 2001-09-09T01:46:40Z  f"
    assert [line.split()[0] for line in lines] == ["file", "link", "link", "pipe", "folder"]
    assert lines[1].endswith("link -> f")
    assert lines[2].endswith("gone -> (an absolute path)")


async def test_stat_follows_a_link_on_the_way_only_inside(ws, send):
    put(ws, d__f="")
    (ws / "in").symlink_to("d")
    (ws / "out").symlink_to("/etc")

    assert (await send(op="stat", paths=["in/f"])).value.exit_code == 0
    assert (await send(op="stat", paths=["out/passwd"])).error_type == "path_symlink"


async def test_stat_says_which_path_is_absent(ws, send):
    put(ws, f="")

    outcome = await send(op="stat", paths=["f", "gone"])

    assert outcome.error_type == "path_not_found"
    assert "paths[1]" in outcome.message


async def test_a_slash_behind_a_file_means_a_folder(ws, send):
    put(ws, f="")

    assert (await send(op="stat", paths=["f/"])).error_type == "not_a_folder"


def blocks(*paths):
    return sum(os.lstat(path).st_blocks * 512 for path in paths)


async def test_disk_usage_sums_up_each_folder(ws, shown):
    put(ws, a__b__c="x" * 10_000, a__d="x", e="x" * 5000)
    a, b = ws / "a", ws / "a/b"

    lines = await shown(op="disk_usage")

    assert lines == [
        f"{blocks(b, b / 'c')}\ta/b",
        f"{blocks(a, b, b / 'c', a / 'd')}\ta",
        f"{blocks(ws, a, b, b / 'c', a / 'd', ws / 'e')}\t.",
    ]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({}, ["a/b", "a", "."]),
        ({"path": "a"}, ["a/b", "a"]),
        ({"depth": 1}, ["a", "."]),
        ({"depth": 0}, ["."]),
        ({"summarize": True}, ["."]),
        ({"path": "a/b/c"}, ["a/b/c"]),
    ],
)
async def test_disk_usage_shows_levels(ws, shown, fields, names):
    put(ws, a__b__c="x")

    assert [line.split("\t")[1] for line in await shown(op="disk_usage", **fields)] == names


async def test_disk_usage_counts_a_file_with_two_names_once(ws, shown):
    put(ws, f=b"x" * 100_000)
    os.link(ws / "f", ws / "g")

    assert await shown(op="disk_usage", summarize=True) == [f"{blocks(ws, ws / 'f')}\t."]


async def test_disk_usage_counts_what_is_allocated_and_not_what_is_claimed(ws, shown):
    with (ws / "sparse").open("wb") as file:
        file.truncate(1 << 40)

    assert int((await shown(op="disk_usage", summarize=True))[0].split()[0]) < 1 << 20


async def test_disk_usage_does_not_follow_links(ws, shown):
    put(ws.parent / "out", f=b"x" * 1_000_000)
    (ws / "link").symlink_to(ws.parent / "out")

    assert int((await shown(op="disk_usage", summarize=True))[0].split()[0]) < 500_000


async def test_disk_usage_is_human(ws, shown):
    put(ws, f=b"x" * 3_000_000)

    assert re.fullmatch(r"(2\.9|3\.0)M\t\.", (await shown(op="disk_usage", human=True))[0])


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1", "md5"])
async def test_checksum_is_that_of_the_bytes(ws, shown, algorithm):
    data = os.urandom(700_000)
    put(ws, f=data, g=b"")

    lines = await shown(op="checksum", paths=["f", "g"], algorithm=algorithm)

    assert lines == [f"{hashlib.new(algorithm, data).hexdigest()}  f", f"{hashlib.new(algorithm).hexdigest()}  g"]


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, ["00000000  30 31 32 33 34 35 36 37 38 39 00 1b c3 a9 0a 61  |0123456789.....a|", "00000010  62" + " " * 47 + "|b|"]),
        ({"offset": 8, "length": 3}, ["00000008  38 39 00" + " " * 41 + "|89.|"]),
        ({"offset": 99}, []),
    ],
)  # fmt: skip
async def test_hex_dump_shows_bytes(ws, shown, fields, lines):
    put(ws, f=b"0123456789\x00\x1b\xc3\xa9\nab")

    assert await shown(op="hex_dump", path="f", **fields) == lines


async def test_hex_dump_says_where_to_go_on(ws, send):
    put(ws, f=bytes(1000))

    outcome = await send(policy(max_output_lines=3), op="hex_dump", path="f", length=1000)

    assert outcome.value.truncated
    assert "offset 48" in outcome.content


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"


async def test_file_type_tells_the_type_by_the_content(ws, shown):
    put(ws, text="hello\n", image=PNG, empty="", d__x="")
    (ws / "link").symlink_to("image")

    assert await shown(op="file_type", paths=["text", "image", "empty", "d", "link"]) == [
        "text: text/plain; charset=us-ascii",
        "image: image/png; charset=binary",
        "empty: inode/x-empty; charset=binary",
        "d: inode/directory; charset=binary",
        "link: image/png; charset=binary",
    ]


async def test_without_the_program_the_first_bytes_tell_the_type(ws, send):
    put(ws, text="hello\n", image=PNG)

    outcome = await send(policy(programs={"file": "/absent"}), op="file_type", paths=["text", "image"])

    assert outcome.value.stdout == "text: text/plain; charset=us-ascii\nimage: image/png; charset=binary\n"
    assert "There is no program file" in outcome.content
    assert outcome.value.argv == ()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "inode/x-empty; charset=binary"),
        (PNG, "image/png; charset=binary"),
        (b"RIFF....WEBP", "image/webp; charset=binary"),
        (b"\0" * 257 + b"ustar", "application/x-tar; charset=binary"),
        (b"a\0b", "application/octet-stream; charset=binary"),
        (b"\xff\xfe\xfd", "application/octet-stream; charset=binary"),
        ("é".encode()[:1], "text/plain; charset=us-ascii"),
        ("aé".encode(), "text/plain; charset=utf-8"),
        (b"#!/bin/sh\n", "text/x-script; charset=us-ascii"),
    ],
)
def test_the_first_bytes_tell_the_type(data, kind):
    assert guessed(data) == kind


async def test_a_name_of_file_type_is_no_option(ws, shown):
    put(ws, **{"-C": "x\n", "a\nb": PNG})

    assert await shown(op="file_type", paths=["-C"]) == ["-C: text/plain; charset=us-ascii"]


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("git", "usable, by git_status"),
        ("jq", "usable, by json_query"),
        ("ls", "not needed, use list_dir"),
        ("rm", "it is on this machine, but no command that is allowed runs it"),
        ("no-such-program", "not usable here"),
    ],
)
async def test_which_says_what_a_program_is_good_for(ws, shown, program, says):
    lines = await shown(op="which", program=program)

    assert len(lines) == 1
    assert lines[0].startswith(f"{program}: {says}")
    assert "/" not in lines[0]


async def test_which_knows_what_the_policy_allows(ws, shown):
    everything = Policy(name="p", allow=tuple(COMMANDS.values()), programs={"grep": "/absent"})

    assert await shown(everything, op="which", program="rm") == ["rm: not needed, use remove"]
    assert (await shown(everything, op="which", program="grep"))[0].startswith("grep: it is on this machine")


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("cwd", r"\."),
        ("os", re.escape(f"{platform.system()} {platform.release()}")),
        ("arch", re.escape(platform.machine())),
        ("python_version", re.escape(platform.python_version())),
        ("git_version", r"git version 2\..+"),
        ("cpu_count", r"[1-9][0-9]*"),
        ("date", r"20[0-9]{2}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z"),
    ],
)
async def test_system_info_tells_one_fact(ws, shown, what, answer):
    (line,) = await shown(op="system_info", what=what)

    assert re.fullmatch(answer, line)


async def test_emit_text_gives_out_its_text(shown):
    assert await shown(op="emit_text", text="a\n$(b)\tc") == ["a", "$(b)\tc"]


@pytest.mark.parametrize(
    "command",
    [
        {"op": "checksum", "paths": ["PATH"]},
        {"op": "hex_dump", "path": "PATH"},
        {"op": "file_type", "paths": ["PATH"]},
        {"op": "head", "path": "PATH"},
        {"op": "tail", "path": "PATH"},
        {"op": "word_count", "paths": ["PATH"]},
        {"op": "sort", "path": "PATH"},
        {"op": "uniq", "path": "PATH"},
        {"op": "cut", "path": "PATH", "fields": "1"},
        {"op": "cut", "path": "PATH", "chars": "1"},
        {"op": "json_query", "path": "PATH", "filter": "."},
        {"op": "diff", "left": "PATH", "right": "f"},
        {"op": "diff", "left": "f", "right": "PATH"},
    ],
    ids="-".join,
)
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("gone", "path_not_found"),
        ("out", "path_symlink"),
        ("fifo", "not_regular_file"),
        ("innocent", "read_denied"),
        ("deep/x", "read_denied"),
    ],
)
async def test_what_may_not_be_read_is_refused(ws, send, command, path, code):
    put(ws, f="x\n", **{".env": "canary\n", ".ssh__x": "canary\n"})
    os.mkfifo(ws / "fifo")
    (ws / "out").symlink_to("/etc/passwd")
    (ws / "innocent").symlink_to(".env")
    (ws / "deep").symlink_to(".ssh")
    asked = {
        name: path if value == "PATH" else [path] if value == ["PATH"] else value for name, value in command.items()
    }

    outcome = await send(**asked)

    assert outcome.error_type == code, outcome
    assert "canary" not in outcome.message
    assert str(ws) not in outcome.message


@pytest.mark.parametrize("op", ["tree", "disk_usage"])
async def test_a_link_that_leads_out_is_not_walked(ws, send, op):
    (ws / "out").symlink_to("/etc")

    assert (await send(op=op, path="out")).error_type == "path_symlink"


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "checksum", "paths": ["sparse"]},
        {"op": "sort", "path": "sparse"},
        {"op": "json_query", "path": "sparse", "filter": "."},
        {"op": "diff", "left": "sparse", "right": "sparse"},
        {"op": "word_count", "paths": ["sparse"]},
    ],
    ids=lambda fields: fields["op"],
)
async def test_a_file_that_is_too_large_is_refused(ws, send, fields):
    with (ws / "sparse").open("wb") as file:
        file.truncate(1 << 40)

    outcome = await send(**fields)

    assert outcome.error_type == "too_large"
    assert "sparse" in outcome.message


async def test_a_checksum_ends_when_it_is_cancelled(ws, send):
    with (ws / "sparse").open("wb") as file:
        file.truncate(1 << 31)

    with anyio.move_on_after(0.05) as scope:
        await send(op="checksum", paths=["sparse"] * 50)

    assert scope.cancelled_caught


async def test_the_program_file_gets_no_name(ws):
    put(ws, f="x")
    bash = Bash(ws)

    output = await bash.run(FileType(paths=["f"]))

    assert [argv[1:] for argv in output.argv] == [("-b", "--mime", "-")]


@pytest.fixture
def sides(ws):
    put(
        ws, l__same="x\n", r__same="x\n", l__sub__f="1\n2\n", r__sub__f="1\n3\n", l__only="", l__kind="", r__kind__x="",
        l__space="a b\n", r__space="ab\n", **{"l__.env": "canary 1\n", "r__.env": "canary 2\n", "l__.git__x": "", "l__sub__.git__x": "1", "r__sub__.git__x": "2"},
    )  # fmt: skip
    for side, target in (("l", "same"), ("r", "only")):
        (ws / side / "link").symlink_to(target)
        os.mkfifo(ws / side / "fifo")
    return ws


async def test_diff_compares_folders(sides, send):
    outcome = await send(op="diff", left="l", right="r", recursive=True)

    assert outcome.value.exit_code == 1
    assert outcome.value.stdout.splitlines() == [
        "l/kind is a file, r/kind is a folder",
        "The links l/link and r/link differ",
        "Only in l: only",
        "--- l/space",
        "+++ r/space",
        "@@ -1 +1 @@",
        "-a b",
        "+ab",
        "--- l/sub/f",
        "+++ r/sub/f",
        "@@ -1,2 +1,2 @@",
        " 1",
        "-2",
        "+3",
    ]
    assert "Not compared: 1 names, kept from being read by the policy." in outcome.content


async def test_diff_of_folders_is_brief(sides, shown):
    lines = await shown(op="diff", left="l", right="r", recursive=True, brief=True, ignore_space=True)

    assert lines[-1] == "Files l/sub/f and r/sub/f differ"
    assert not any("space" in line for line in lines)


async def test_diff_of_equal_folders_says_so(sides, send):
    outcome = await send(op="diff", left="l/sub", right="l/sub", recursive=True)

    assert outcome.value.exit_code == 0
    assert "No differences." in outcome.content


@pytest.mark.parametrize(
    ("left", "right", "recursive"), [("l", "r", False), ("l", "l/same", True), ("l/same", "l", False)]
)
async def test_diff_does_not_mix_files_and_folders(sides, send, left, right, recursive):
    outcome = await send(op="diff", left=left, right=right, recursive=recursive)

    assert outcome.error_type == "not_regular_file"
    assert "recursive: true" in outcome.message


async def test_diff_of_folders_ends_where_no_more_is_shown(ws, send):
    for number in range(40):
        put(ws, **{f"l__{number}": "1\n", f"r__{number}": "2\n"})

    outcome = await send(policy(max_output_lines=20), op="diff", left="l", right="r", recursive=True)

    assert outcome.value.truncated
    assert "There is more than what is shown" in outcome.content


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, ["--- a", "+++ b", "@@ -1,4 +1,4 @@", "-x", "+y", " 1", " 2", " 3"]),
        ({"unified": 0}, ["--- a", "+++ b", "@@ -1 +1 @@", "-x", "+y"]),
        ({"brief": True}, ["Files a and b differ"]),
        ({"right": "c", "ignore_space": True}, []),
        ({"right": "c", "unified": 0}, ["--- a", "+++ c", "@@ -1 +1 @@", "-x", "+x "]),
    ],
)
async def test_diff_compares_files(ws, shown, fields, lines):
    put(ws, a="x\n1\n2\n3\n4\n", b="y\n1\n2\n3\n4\n", c="x \n1\n2\n3\n4\n")

    assert [line.rstrip(" ") if "brief" in fields else line for line in await shown(**{"op": "diff", "left": "a", "right": "b"} | fields)] == lines  # fmt: skip


async def test_names_that_look_like_options_are_compared(ws, shown):
    put(ws, **{"--from-file=x": "1\n", "-r": "2\n"})

    assert (await shown(op="diff", left="--from-file=x", right="-r"))[:2] == ["--- --from-file=x", "+++ -r"]


def test_the_system_diff_knows_the_options_that_are_used():
    assert (
        subprocess.run(
            ["diff", "-U3", "-w", "--label=a", "--label=b", "--", os.devnull, os.devnull], check=False
        ).returncode
        == 0
    )


def devices():
    return {Path(place).stat().st_dev for place in ("/dev", "/dev/shm") if Path(place).is_dir()}


@pytest.mark.skipif(len(devices()) < 2, reason="there is one file system only")
async def test_disk_usage_stays_on_one_file_system():
    output = await Bash("/dev").run(DiskUsage(summarize=True))

    assert any("on other file systems" in note for note in output.notes)
