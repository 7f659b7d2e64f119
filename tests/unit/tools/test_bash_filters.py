"""The filters: a program reads a file or what comes in, and every field of the command changes what it does."""

import os
import sys
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from unit.tools.bash_scene import children

from par.tools.bash import Bash, JsonQuery, Policy, Sort
from par.tools.bash._run.programs import trusted

pytestmark = pytest.mark.anyio
READERS = Policy.read_only().allow
# it says that it is there, and does not want to end
STUBBORN = """#!/bin/sh
trap '' TERM
echo started > %s
sleep 60
"""


def policy(**fields):
    return Policy(name="p", allow=READERS, **fields)


@pytest.fixture
def run(ws, shown):
    """Run one command on a file with the given text."""

    async def ran(text, **fields):
        (ws / "f").write_text(text)
        return await shown(path="f", **fields)

    return ran


@pytest.fixture
def piped(shown):
    """Run one filter on a text that comes in."""

    async def ran(text, **fields):
        return await shown(op="pipeline", stages=[{"op": "emit_text", "text": text}, fields])

    return ran


@pytest.mark.parametrize(
    ("fields", "text", "lines"),
    [
        ({}, "b\na\nB\n10\n9\n", ["10", "9", "B", "a", "b"]),
        ({"numeric": True}, "10\n9\n-1\n", ["-1", "9", "10"]),
        ({"human": True}, "2K\n1M\n3\n", ["3", "2K", "1M"]),
        ({"version": True}, "v1.10\nv1.9\n", ["v1.9", "v1.10"]),
        ({"reverse": True}, "a\nb\n", ["b", "a"]),
        ({"unique": True}, "a\nb\na\n", ["a", "b"]),
        ({"ignore_case": True, "unique": True}, "b\nA\na\n", ["A", "b"]),
        ({"key": {"start": 2}}, "1 b x\n2 a y\n3 a x\n", ["3 a x", "2 a y", "1 b x"]),
        ({"key": {"start": 2, "end": 2}}, "1 b\n2 a\n", ["2 a", "1 b"]),
        ({"key": {"start": 2}, "separator": ",", "numeric": True}, "a,10\nb,9\n", ["b,9", "a,10"]),
        ({"key": {"start": 2}, "separator": "\t"}, "a\tz\nb\ty\n", ["b\ty", "a\tz"]),
    ],
    ids=str,
)
async def test_sort_sorts(run, piped, fields, text, lines):
    assert await run(text, op="sort", **fields) == lines
    assert await piped(text, op="sort", **fields) == lines


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({}, ["a", "A", "b", "a"]),
        ({"count": True}, ["      2 a", "      1 A", "      1 b", "      1 a"]),
        ({"only": "repeated"}, ["a"]),
        ({"only": "unique"}, ["A", "b", "a"]),
        ({"ignore_case": True}, ["a", "b", "a"]),
    ],
    ids=str,
)
async def test_uniq_joins(run, piped, fields, lines):
    text = "a\na\nA\nb\na\n"

    assert await run(text, op="uniq", **fields) == lines
    assert await piped(text, op="uniq", **fields) == lines


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"fields": "2", "delimiter": ":"}, ["é", "none"]),
        ({"fields": "2-", "delimiter": ":"}, ["é:c", "none"]),
        ({"fields": "1,3", "delimiter": ":", "only_delimited": True}, ["ab:c"]),
        ({"fields": "1"}, ["ab:é:c", "none"]),
        ({"bytes": "1-2,6"}, ["ab:", "no"]),
        ({"chars": "4"}, ["é", "e"]),
        ({"chars": "-2"}, ["ab", "no"]),
        ({"chars": "4-"}, ["é:c", "e"]),
        ({"chars": "6,1-2,2-3"}, ["ab:c", "non"]),
        ({"chars": "3-,1"}, ["a:é:c", "nne"]),
    ],
    ids=str,
)
async def test_cut_takes_parts(run, piped, fields, lines):
    text = "ab:é:c\nnone\n"

    assert await run(text, op="cut", **fields) == lines
    assert await piped(text, op="cut", **fields) == lines


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"set1": "a-c", "set2": "A-C"}, "AABB x\n"),
        ({"set1": "[:lower:]", "set2": "[:upper:]"}, "AABB X\n"),
        ({"set1": "ab", "mode": "delete"}, " x\n"),
        ({"set1": "ab", "mode": "squeeze"}, "ab x\n"),
        ({"set1": "a\\n", "mode": "delete", "complement": True}, "aa\n"),
        ({"set1": "ab\\n", "set2": "-", "complement": True}, "aabb--\n"),
    ],
    ids=str,
)
async def test_translate_replaces(send, fields, text):
    stages = [{"op": "emit_text", "text": "aabb x\n"}, {"op": "translate", **fields}]

    assert (await send(op="pipeline", stages=stages)).value.stdout == text


async def test_translate_takes_an_option_for_a_text(piped):
    assert await piped("-d\n", op="translate", set1="--", set2="+") == ["+d"]


async def test_translate_says_that_it_works_on_bytes(send):
    stages = [{"op": "emit_text", "text": "x"}, {"op": "translate", "set1": "é", "set2": "e"}]

    outcome = await send(op="pipeline", stages=stages)

    assert outcome.error_type == "bad_text"
    assert "stages[1].set1" in outcome.message


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"pattern": "T.DO"}, ["a TODO"]),
        ({"pattern": "T.DO", "syntax": "fixed"}, []),
        ({"pattern": "todo", "ignore_case": True}, ["a TODO", "todos"]),
        ({"pattern": "todo", "whole_word": True}, []),
        ({"pattern": "o", "invert": True}, ["a TODO", "1 \\"]),
        ({"pattern": "[oO]", "output": "count"}, ["2"]),
        ({"pattern": r"\d", "output": "only_matching"}, ["1"]),
        ({"pattern": "o", "ignore_case": True, "max_count": 1}, ["a TODO"]),
        ({"pattern": "\\", "syntax": "fixed"}, ["1 \\"]),
    ],
    ids=str,
)
async def test_grep_filter_keeps_lines(piped, fields, lines):
    assert await piped("a TODO\ntodos\n1 \\\n", op="grep_filter", **fields) == lines


async def test_grep_filter_passes_lines_on_that_are_no_text(ws, shown):
    (ws / "f").write_bytes(b"one\0\xff needle\ntwo\n")

    lines = await shown(op="pipeline", stages=[{"op": "read_file", "path": "f"}, {"op": "grep_filter", "pattern": "needle"}])  # fmt: skip

    assert lines == ["one� needle"]


DATA = '{"items": [{"id": 1, "name": "é"}, {"id": 2, "name": "b"}]}\n[3]'


@pytest.mark.parametrize("programs", [{}, {"jq": "/absent"}], ids=["program", "package"])
@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"filter": ".items? | .[0]?.id"}, ["1"]),
        ({"filter": ".items[0]?", "compact": True}, ['{"id":1,"name":"é"}']),
        ({"filter": ".items[0]?"}, ["{", '  "id": 1,', '  "name": "é"', "}"]),
        ({"filter": ".items[]?.name"}, ['"é"', '"b"']),
        ({"filter": ".items[]?.name", "raw": True}, ["é", "b"]),
        ({"filter": "length", "slurp": True}, ["2"]),
        ({"filter": ".[0]? # a comment", "compact": True}, ["3"]),
        ({"filter": "-1 |\n.", "compact": True}, ["-1", "-1"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_json_query_runs_a_filter(ws, send, fields, lines, programs, anyio_backend):
    (ws / "f").write_text(DATA)

    outcome = await send(policy(programs=programs), op="json_query", path="f", **fields)

    assert outcome.value.stdout.splitlines() == lines
    assert ("the Python package jq was used" in outcome.content) == bool(programs)


@pytest.mark.parametrize("programs", [{}, {"jq": "/absent"}], ids=["program", "package"])
@pytest.mark.parametrize(
    ("filter_", "text", "codes"),
    [
        (".[", "{}", {3}),
        ('import "a" as a; .', "{}", {3}),
        ('include "a"; .', "{}", {3}),
        (".a.b", "[]", {5}),
        (".", "{", {2, 4, 5}),  # versions differ
    ],
)
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_json_query_tells_what_is_wrong(ws, send, filter_, text, codes, programs, anyio_backend):
    (ws / "f").write_text(text)

    outcome = await send(policy(programs=programs), op="json_query", path="f", filter=filter_)

    assert outcome.value.exit_code in codes
    assert "error" in outcome.value.stderr


async def test_json_query_sees_no_variables_of_the_host(ws, send, monkeypatch):
    monkeypatch.setenv("SECRET", "canary")
    (ws / "f").write_text("1")

    outcome = await send(op="json_query", path="f", filter="env, $ENV, input_filename")

    assert "canary" not in outcome.content
    assert "LC_ALL" in outcome.content


async def test_json_query_without_any_jq_says_what_is_missing(ws, send, monkeypatch):
    (ws / "f").write_text("1")
    monkeypatch.setitem(sys.modules, "jq", None)

    outcome = await send(policy(programs={"jq": "/absent"}), op="json_query", path="f", filter=".")

    assert outcome.error_type == "program_missing"
    assert "The host can install jq" in outcome.message


@pytest.mark.parametrize(
    ("filter_", "timeout_s", "timed_out"),
    [
        ("range(1000000000)", 1, True),
        ("last(repeat(1))", 1, True),
        ('reduce range(40) as $n ("x"; . + .) | length', 20, False),
    ],
    ids=["output", "time", "memory"],
)
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_json_query_is_bounded(ws, filter_, timeout_s, timed_out, anyio_backend):
    (ws / "f").write_text("1")
    below = children()
    bash = Bash(ws, policy(timeout_s=timeout_s))

    output = await bash.run(JsonQuery(path="f", filter=filter_))

    assert output.timed_out == timed_out
    assert output.exit_code != 0
    assert len(output.stdout) <= 51_200
    assert children() <= below


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_sort_of_more_than_it_holds_leaves_no_files(ws, send, monkeypatch, tmp_path, anyio_backend):
    places = tmp_path / "tmp"
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(places))
    with (ws / "f").open("wb") as file:
        file.writelines(b"%0100d\n" % (n * 7919 % 600_000) for n in range(600_000))

    outcome = await send(op="sort", path="f", unique=True)

    assert outcome.value.exit_code == 0
    assert outcome.value.truncated
    assert outcome.value.stdout.splitlines()[:2] == ["0" * 100, "0" * 99 + "1"]
    assert list(places.iterdir()) == []


async def test_sort_puts_its_files_into_a_place_of_its_own(ws, shown, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = tmp_path / "sort"
    program.write_text('#!/bin/sh\necho "$TMPDIR"\n')
    program.chmod(0o755)
    (ws / "f").write_text("x\n")

    (place,) = await shown(policy(programs={"sort": str(program)}), op="sort", path="f")

    assert place.startswith(f"{tmp_path}/par-sort-")
    assert not Path(place).exists()  # noqa: ASYNC240 # a test may wait for its own folder


async def test_a_cancelled_sort_leaves_neither_process_nor_file(ws, monkeypatch, tmp_path):
    places = tmp_path / "tmp"
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(places))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = tmp_path / "sort"
    program.write_text(STUBBORN % fifo)
    program.chmod(0o755)
    (ws / "f").write_text("x\n")
    bash = Bash(ws, policy(programs={"sort": str(program)}))
    below = children()
    threads = threading.active_count()

    async with anyio.create_task_group() as group:
        group.start_soon(bash.run, Sort(path="f"))
        await anyio.to_thread.run_sync(fifo.read_text)
        assert len(list(places.iterdir())) == 1
        group.cancel_scope.cancel()

    assert children() <= below
    assert list(places.iterdir()) == []
    assert threading.active_count() <= threads + 2


@pytest.mark.parametrize("name", ["-o", "--output=x", "-"])
@pytest.mark.parametrize("op", ["sort", "uniq"])
@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_file_with_the_name_of_an_option_is_read(ws, shown, name, op, anyio_backend):
    (ws / name).write_text("b\n")

    assert await shown(op=op, path=name) == ["b"]


@pytest.mark.parametrize("program", ["sort", "uniq", "cut", "tr", "grep", "jq"])
async def test_a_missing_program_is_told_before_any_stage_runs(ws, send, program, monkeypatch):
    monkeypatch.setitem(sys.modules, "jq", None)
    stage = {
        "sort": {"op": "sort"}, "uniq": {"op": "uniq"}, "cut": {"op": "cut", "fields": "1"},
        "tr": {"op": "translate", "set1": "a", "set2": "b"}, "grep": {"op": "grep_filter", "pattern": "x"},
        "jq": {"op": "json_query", "filter": "."},
    }[program]  # fmt: skip

    stages = [{"op": "read_file", "path": "gone"}, stage]
    outcome = await send(policy(programs={program: "/absent"}), op="pipeline", stages=stages)

    assert outcome.error_type == "program_missing"
    assert program in outcome.message


async def test_programs_get_no_name_of_a_file(ws):
    (ws / "f").write_text("x\n")
    bash = Bash(ws)

    output = await bash.run(Sort(path="f", reverse=True))

    assert output.argv == ((trusted("sort"), "-S64M", "-r"),)
