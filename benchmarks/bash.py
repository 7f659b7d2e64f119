"""``python -m benchmarks.bash``: what a command of the bash tool costs, beside a plain ``subprocess`` of the same argv.

The argv is the one that the tool reports of its own run. Where a command starts no process, the everyday program stands
beside it. Commands that run code are measured behind each wall that holds here, and without one. Ratios are medians over
interleaved rounds; the absolute figures are those of this machine, now.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import anyio
import attrs

from benchmarks.measure import Runner, interleaved, ratio
from par.tools.bash import (
    Bash,
    BwrapWall,
    Command,
    Diff,
    Find,
    GitDiff,
    GitLog,
    GitStatus,
    Grep,
    JsonQuery,
    LandlockWall,
    ListDir,
    Policy,
    PythonHost,
    ReadFile,
    RunPython,
    Sort,
    Wall,
    WriteFile,
    parse_command,
)

ENV = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
GIT = ("/usr/bin/git", "-c", "user.name=Ann", "-c", "user.email=ann@example.org")
PIPE = (
    '{"op": "pipeline", "stages": [{"op": "sort", "path": "names.txt"}, {"op": "uniq", "count": true},'
    ' {"op": "head", "lines": 3}]}'
)
PYTHON = sys.executable
GREP = ("--recursive", "--line-number", "--regexp=needle", ".")


def made(folder: Path) -> None:
    """Make a repository of 200 files, and what the commands need."""
    for number in range(200):
        place = folder / f"d{number % 10}"
        place.mkdir(exist_ok=True)
        (place / f"f{number}.txt").write_text(f"line {number}\nneedle\n" * 20)
    (folder / "names.txt").write_text("".join(f"name {number * 7919 % 1000}\n" for number in range(5000)))
    (folder / "other.txt").write_text("".join(f"name {number * 7919 % 999}\n" for number in range(5000)))
    (folder / "data.json").write_text(json.dumps({"items": [{"id": number} for number in range(1000)]}))
    (folder / "a.py").write_text("print(sum(range(1000)))\n")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*GIT, *arguments], cwd=folder, env=ENV, check=True, capture_output=True)
    (folder / "d0/f0.txt").write_text("edited\n")


# a command, and the argv of the everyday program where ours starts none, or other ones
def commands() -> list[tuple[str, Command, tuple[str, ...] | None]]:
    """Return what is measured."""
    return [
        ("list_dir", ListDir(), ("/usr/bin/ls", "-1")),
        ("read_file", ReadFile(path="names.txt"), ("/usr/bin/cat", "names.txt")),
        ("find", Find(name="*.txt"), ("/usr/bin/find", ".", "-name", "*.txt")),
        ("grep", Grep(pattern="needle"), ("/usr/bin/grep", *GREP)),
        ("sort", Sort(path="names.txt"), None),
        ("diff", Diff(left="names.txt", right="other.txt"), ("/usr/bin/diff", "-u", "names.txt", "other.txt")),
        ("json_query", JsonQuery(filter=".items | length", path="data.json"), None),
        ("git_status", GitStatus(), None),
        ("git_diff", GitDiff(), None),
        ("git_log", GitLog(max_count=10), None),
        ("pipeline of 3", parse_command(PIPE), ("/bin/sh", "-c", "sort names.txt | uniq -c | head -n 3")),
        ("write_file", WriteFile(path="w", content="x\n", mode="overwrite"), ("/usr/bin/cp", "a.py", "w2")),
    ]


def plain(folder: Path, argv: tuple[str, ...], stdin: Path | None) -> Runner:
    """Return a run of an argv with nothing around it, in the way that anyio starts a process."""

    async def run() -> None:
        with Path("/dev/null" if stdin is None else stdin).open("rb") as given:
            await anyio.run_process(argv, cwd=folder, env=ENV, stdin=given, check=False)

    return run


def ours(bash: Bash, command: Command) -> Runner:
    """Return a run of a command."""

    async def run() -> None:
        await bash.run(command)

    return run


def show(name: str, wall: str, times: dict[str, list[float]]) -> None:
    mine, other = median(times["par"]) * 1e3, median(times["plain"]) * 1e3
    added = median(a - b for a, b in zip(times["par"], times["plain"], strict=True)) * 1e3
    print(f"| {name} | {wall} | {other:.1f} | {mine:.1f} | {ratio(times, 'par', 'plain'):.2f} | {added:+.1f} |")


async def measured(rounds: int) -> None:
    print("| command | wall | plain, ms | par, ms | ratio | added, ms |")
    print("|---|---|---|---|---|---|")
    policy = attrs.evolve(
        Policy.coder(execute=True, python=PythonHost(python=PYTHON)), approve_at=None, walls={"execute": "require"}
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made(folder)
        bash = Bash(folder, policy)
        await bash.run(WriteFile(path="w", content="x\n"))
        for name, command, instead in commands():
            output = await bash.run(command)
            path: object = getattr(command, "path", None)
            stdin = folder / path if instead is None and isinstance(path, str) else None
            argv = instead or output.argv[-1]
            times = await interleaved({"par": ours(bash, command), "plain": plain(folder, argv, stdin)}, rounds)
            show(name, "", times)
        bash.workspace.close()
        walls: list[Wall] = [wall for wall in (BwrapWall(), LandlockWall()) if (await wall.probe()).available]
        free = Bash(folder, attrs.evolve(policy, walls={"execute": "none"}))
        walled = [(wall.name, Bash(folder, policy, walls=[wall])) for wall in walls]
        script = plain(folder, (PYTHON, "-I", "-X", "utf8", "a.py"), None)
        for wall, tool in [("none", free), *walled]:
            times = await interleaved({"par": ours(tool, RunPython(script="a.py")), "plain": script}, rounds)
            show("run_python", wall, times)
            tool.workspace.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    print(f"Python {sys.version.split()[0]}; each ratio is the median of {rounds} interleaved rounds\n")
    anyio.run(measured, rounds)


if __name__ == "__main__":
    main()
