"""A pipeline: each stage is one ordinary command that reads what the one before wrote."""

import os
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import attrs
import pytest
from unit.tools.bash_scene import children, make_repo

from par.calls import ToolCall
from par.errors import CommandRefused
from par.outcomes import TimedOut
from par.tools.bash import Bash, EmitText, GrepFilter, Head, Pipeline, Policy, ReadFile, Sort, Tail, WordCount
from par.tools.bash._native.flow import FLOW_BYTES, Flow, spooled

pytestmark = pytest.mark.anyio
READERS = Policy.read_only().allow
LINES = "".join(f"{number}\n" for number in range(1, 30_001))


def policy(**fields):
    return Policy(name="p", allow=READERS, **fields)


@pytest.fixture
def pipe(send):
    """Run stages and return the outcome."""

    async def ran(*stages, policy=None, **fields):
        return await send(policy, op="pipeline", stages=list(stages), **fields)

    return ran


def script(tmp_path, name, text):
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return {name: str(program)}


@pytest.mark.parametrize(
    ("stages", "lines"),
    [
        ([{"op": "read_file", "path": "f"}, {"op": "head"}], [str(n) for n in range(1, 11)]),
        ([{"op": "read_file", "path": "f"}, {"op": "head", "lines": 2}], ["1", "2"]),
        ([{"op": "read_file", "path": "f"}, {"op": "head", "bytes": 3}], ["1", "2"]),
        ([{"op": "read_file", "path": "f"}, {"op": "tail", "lines": 2}], ["29999", "30000"]),
        ([{"op": "read_file", "path": "f"}, {"op": "tail", "bytes": 6}], ["30000"]),
        ([{"op": "read_file", "path": "f"}, {"op": "tail", "from_line": 30_000}], ["30000"]),
        ([{"op": "read_file", "path": "f"}, {"op": "word_count"}], ["30000  30000  168894"]),
        ([{"op": "read_file", "path": "f"}, {"op": "word_count", "lines": True}], ["30000"]),
        ([{"op": "find", "type": "file"}, {"op": "sort", "reverse": True}], ["g", "f"]),
        (
            [{"op": "sort", "path": "f", "numeric": True, "reverse": True}, {"op": "grep_filter", "pattern": "7$"}, {"op": "head", "lines": 1}],
            ["29997"],
        ),
        ([{"op": "json_query", "path": "g", "filter": ".[]"}, {"op": "uniq", "count": True}], ["      2 1"]),
        ([{"op": "checksum", "paths": ["g"]}, {"op": "cut", "chars": "1-3"}], ["e71"]),
        ([{"op": "head", "path": "f", "lines": 25_000}, {"op": "tail", "lines": 1}], ["25000"]),
        ([{"op": "tail", "path": "f", "lines": 25_000}, {"op": "head", "lines": 1}], ["5001"]),
        ([{"op": "grep", "pattern": "9", "paths": ["f"]}, {"op": "word_count", "lines": True}], ["10317"]),
    ],
    ids=str,
)  # fmt: skip
async def test_stages_read_all_that_the_one_before_wrote(ws, pipe, stages, lines):
    (ws / "f").write_text(LINES)
    (ws / "g").write_text("[1, 1]")

    outcome = await pipe(*stages)

    assert outcome.value.stdout.splitlines() == lines


async def test_what_flows_is_not_cut_where_a_model_would_be_shown_less(ws, pipe):
    (ws / "f").write_text("x" * 99 + "\n" * 1 + ("y" * 99 + "\n") * 100_000)

    outcome = await pipe({"op": "read_file", "path": "f"}, {"op": "sort", "reverse": True}, {"op": "word_count"})

    assert outcome.value.stdout.split() == ["100001", "100001", "10000100"]
    assert not outcome.value.truncated


async def test_a_long_line_at_the_end_flows_from_its_beginning(ws, pipe):
    (ws / "f").write_text("first\n" + "x" * 300_000 + "\nlast\n")

    outcome = await pipe({"op": "tail", "path": "f", "lines": 2}, {"op": "word_count", "bytes": True})

    assert outcome.value.stdout == "300006\n"


async def test_the_last_stage_shows_no_more_than_the_policy_allows(ws, pipe):
    (ws / "f").write_text(LINES)

    outcome = await pipe({"op": "read_file", "path": "f"}, {"op": "sort"}, policy=policy(max_output_lines=50))

    assert outcome.value.truncated
    assert len(outcome.value.stdout.splitlines()) <= 51


@pytest.mark.parametrize("source", [{"op": "read_file", "path": "f"}, {"op": "sort", "path": "f"}], ids=["ours", "program"])  # fmt: skip
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_what_is_more_than_flows_is_cut_and_told(ws, pipe, source, anyio_backend):
    (ws / "f").write_bytes((b"x" * 1023 + b"\n") * (FLOW_BYTES // 1024 + 100))

    outcome = await pipe(source, {"op": "word_count", "bytes": True})

    assert 0 < int(outcome.value.stdout) <= FLOW_BYTES
    assert "Stage 1" in outcome.content
    assert "not all of its output was passed on" in outcome.content


async def test_the_exit_code_is_that_of_the_last_stage_and_all_are_told(ws, pipe):
    (ws / "f").write_text("x\n")

    outcome = await pipe({"op": "grep", "pattern": "y"}, {"op": "grep_filter", "pattern": "z"}, {"op": "word_count"})

    assert outcome.value.exit_code == 0
    assert outcome.value.notes[0] == "Exit codes: grep 1, grep_filter 1, word_count 0."
    assert "Stage 1, grep: Nothing was found." in outcome.value.notes

    outcome = await pipe({"op": "emit_text", "text": "a\n"}, {"op": "grep_filter", "pattern": "z"})

    assert outcome.value.exit_code == 1


async def test_error_output_is_kept_apart_or_passed_on(ws, pipe, tmp_path):
    (ws / "f").write_text("x\n")
    programs = script(tmp_path, "sort", "cat; echo problem >&2")
    stages = [{"op": "sort", "path": "f"}, {"op": "word_count", "lines": True}]

    apart = await pipe(*stages, policy=policy(programs=programs))
    merged = await pipe(*stages, policy=policy(programs=programs), merge_stderr=True)

    assert (apart.value.stdout, apart.value.stderr) == ("1\n", "problem\n")
    assert (merged.value.stdout, merged.value.stderr) == ("2\n", "")


async def test_a_stage_that_is_killed_is_told(ws, pipe, tmp_path):
    (ws / "f").write_text("x\n")
    programs = script(tmp_path, "sort", "kill -9 $$")

    outcome = await pipe({"op": "sort", "path": "f"}, {"op": "word_count", "lines": True}, policy=policy(programs=programs))  # fmt: skip

    assert outcome.value.notes[0] == "Exit codes: sort signal 9, word_count 0."


async def test_git_may_begin_a_pipeline(ws, pipe):
    make_repo(ws)

    outcome = await pipe({"op": "git_log", "format": "author"}, {"op": "sort"}, {"op": "uniq", "count": True})

    assert outcome.value.stdout == "      2 Ann\n"


@pytest.mark.parametrize(
    ("stage", "code", "field"),
    [
        ({"op": "read_file", "path": "gone"}, "path_not_found", "stages[0].path"),
        ({"op": "read_file", "path": "secret"}, "read_denied", "stages[0].path"),
        ({"op": "sort", "path": "secret"}, "read_denied", "stages[0].path"),
        ({"op": "sort", "path": "out"}, "path_symlink", "stages[0].path"),
    ],
)
async def test_a_refusal_names_the_stage(ws, pipe, stage, code, field):
    (ws / ".env").write_text("canary\n")
    (ws / "secret").symlink_to(".env")
    (ws / "out").symlink_to("/etc/passwd")

    outcome = await pipe(stage, {"op": "head"})

    assert outcome.error_type == code
    assert f"at {field}:" in outcome.message


async def test_a_pattern_that_cannot_be_used_is_refused_before_anything_runs(ws, pipe, tmp_path):
    (ws / "f").write_text("x\n")
    programs = script(tmp_path, "sort", f"touch {tmp_path}/ran")

    outcome = await pipe({"op": "sort", "path": "f"}, {"op": "grep_filter", "pattern": r"(a)\1"}, policy=policy(programs=programs))  # fmt: skip

    assert outcome.error_type == "bad_pattern"
    assert "stages[1].pattern" in outcome.message
    assert not (tmp_path / "ran").exists()


async def test_the_time_counts_for_the_whole_pipeline(ws, tmp_path):
    (ws / "f").write_text("x\n")
    programs = script(tmp_path, "sort", "sleep 0.4")
    bash = Bash(ws, policy(programs=programs, timeout_s=1))
    stages = [{"op": "sort", "path": "f"}, *[{"op": "sort"}] * 7]

    outcome = await bash.invoke(
        ToolCall(id="c", name="bash", arguments={"command": {"op": "pipeline", "stages": stages}})
    )

    assert isinstance(outcome, TimedOut)


def open_files():
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself is closed by now
            found.add(str(fd.readlink()))
    return found


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_cancelling_in_any_stage_leaves_nothing(ws, tmp_path, monkeypatch, place):
    places = tmp_path / "tmp"
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(places))
    (ws / "f").write_text("x\n")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    names = ["sort", "uniq", "cut"]
    programs = script(tmp_path, names[place], f"echo started > {fifo}\nsleep 60")
    bash = Bash(ws, policy(programs=programs))
    command = Pipeline(stages=[{"op": "sort", "path": "f"}, {"op": "uniq"}, {"op": "cut", "fields": "1"}])
    below = children()

    async with anyio.create_task_group() as group:
        group.start_soon(bash.run, command)
        await anyio.to_thread.run_sync(fifo.read_text)
        if place:
            assert any(str(places) in name for name in open_files())
        group.cancel_scope.cancel()

    assert children() <= below
    assert list(places.iterdir()) == []
    assert not any(str(places) in name for name in open_files())


async def test_nothing_stays_open_after_a_pipeline(ws, pipe, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (ws / "f").write_text(LINES)

    await pipe({"op": "read_file", "path": "f"}, {"op": "sort"}, {"op": "head"})

    assert not any(f"{tmp_path}/#" in name for name in open_files())


async def test_the_program_may_run_a_pipeline_itself(ws):
    command = Pipeline(stages=(EmitText(text="b\na\n"), Sort(), Head(lines=1)))

    assert (await Bash(ws).run(command)).stdout == "a\n"


@pytest.mark.parametrize("command", [Head(), Tail(), WordCount(), Sort(), GrepFilter(pattern="x")], ids=lambda c: c.op)
async def test_a_filter_alone_has_nothing_to_read(ws, command):
    with pytest.raises(CommandRefused):
        await Bash(ws).run(command)


async def test_a_stage_that_the_policy_does_not_allow_is_refused(ws):
    bash = Bash(ws, Policy(name="few", allow=(Pipeline, ReadFile)))

    with pytest.raises(CommandRefused, match="does not allow sort"):
        await bash.run(Pipeline(stages=(ReadFile(path="f"), Sort())))


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_flow_takes_whole_lines_up_to_its_bound(anyio_backend):
    flow = Flow()

    assert flow.add(b"x" * (FLOW_BYTES - 1))
    assert not flow.add(b"yy")
    assert not flow.add(b"z")
    assert (flow.count, flow.captured().total, flow.captured().cut) == (1, FLOW_BYTES - 1, True)


async def test_what_is_spooled_can_be_read_once_from_its_beginning():
    def read():
        with spooled(b"one", b"", b"two" * 500_000) as fd:
            return os.read(fd, 6), os.fstat(fd).st_size, os.fstat(fd).st_nlink

    assert await anyio.to_thread.run_sync(read) == (b"onetwo", 1_500_003, 0)


WRITER = Policy(name="w", allow=(*READERS, Pipeline), effects=("read", "write"))


async def test_the_output_is_saved_to_a_new_file_in_full(ws, pipe):
    (ws / "f").write_text(LINES)

    outcome = await pipe({"op": "read_file", "path": "f"}, {"op": "sort", "numeric": True}, policy=WRITER, save_to="out.txt")  # fmt: skip

    assert (ws / "out.txt").read_text() == LINES
    assert outcome.value.stdout == ""
    assert "out.txt" in outcome.content


async def test_a_file_that_is_there_is_not_replaced_and_nothing_runs(ws, pipe, tmp_path):
    (ws / "f").write_text("new\n")
    (ws / "out.txt").write_text("old\n")
    programs = script(tmp_path, "sort", f"touch {tmp_path}/ran")
    stages = [{"op": "sort", "path": "f"}, {"op": "head"}]

    outcome = await pipe(*stages, policy=attrs.evolve(WRITER, programs=programs), save_to="out.txt")

    assert outcome.error_type == "exists"
    assert "append: true" in outcome.message
    assert (ws / "out.txt").read_text() == "old\n"
    assert not (tmp_path / "ran").exists()


async def test_the_output_is_appended(ws, pipe):
    (ws / "out.txt").write_text("old\n")

    for _ in range(2):
        await pipe({"op": "emit_text", "text": "new\n"}, {"op": "head"}, policy=WRITER, save_to="out.txt", append=True)

    assert (ws / "out.txt").read_text() == "old\nnew\nnew\n"


async def test_error_output_is_saved_with_merge_stderr(ws, pipe, tmp_path):
    programs = script(tmp_path, "sort", "cat; echo problem >&2")
    stages = [{"op": "emit_text", "text": "x\n"}, {"op": "sort"}]

    await pipe(*stages, policy=attrs.evolve(WRITER, programs=programs), save_to="out.txt", merge_stderr=True)

    assert (ws / "out.txt").read_text() == "x\nproblem\n"


@pytest.mark.parametrize(
    ("path", "code"),
    [(".git/hooks/pre-commit", "protected_path"), ("link", "path_symlink"), ("out/x", "path_symlink"), ("gone/x", "path_not_found")],
)  # fmt: skip
@pytest.mark.parametrize("append", [False, True])
async def test_nothing_is_saved_where_nothing_may_be_written(ws, pipe, path, code, append):
    (ws / "link").symlink_to(ws.parent / "victim")
    (ws / "out").symlink_to(ws.parent)

    outcome = await pipe({"op": "emit_text", "text": "x"}, {"op": "head"}, policy=WRITER, save_to=path, append=append)

    assert outcome.error_type in {code, "exists"}
    assert sorted(entry.name for entry in ws.parent.iterdir()) == ["ws"]
    assert sorted(entry.name for entry in ws.iterdir()) == ["link", "out"]


async def test_saving_needs_the_effect_write(ws, pipe):
    outcome = await pipe({"op": "emit_text", "text": "x"}, {"op": "head"}, save_to="x")

    assert outcome.error_type == "denied_by_policy"
    assert not (ws / "x").exists()
