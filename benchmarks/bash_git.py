"""``python -m benchmarks.bash_git``: what three git commands of the bash tool cost beside plain git."""

import argparse
import subprocess
import tempfile
from pathlib import Path
from statistics import median

import anyio

from benchmarks.measure import interleaved, ratio
from par.tools.bash import Bash, GitAdd, GitCommit, GitStatus, Policy

ENV = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
NAMES = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")


def plain(folder: Path, *arguments: str) -> None:
    """Run git, and nothing around it."""
    subprocess.run(["/usr/bin/git", *NAMES, *arguments], cwd=folder, env=ENV, check=True, capture_output=True)


def made(folder: Path, files: int) -> None:
    """Make a repository with so many files."""
    folder.mkdir()
    for number in range(files):
        (folder / f"f{number}.txt").write_text(f"{number}\n")
    plain(folder, "init", "-q")
    plain(folder, "add", ".")
    plain(folder, "commit", "-qm", "first")


async def compare(files: int, rounds: int) -> None:
    """Print the times of both, one after the other in each round."""
    with tempfile.TemporaryDirectory() as place:
        ours, theirs = Path(place, "ours"), Path(place, "theirs")
        made(ours, files)
        made(theirs, files)
        bash = Bash(ours, Policy(name="w", allow=Policy.coder().allow, effects=("read", "write"), approve_at=None))
        number = 0

        def edited(folder: Path) -> None:
            nonlocal number
            number += 1
            (folder / "f0.txt").write_text(f"edit {number}\n")

        async def status() -> None:
            await bash.run(GitStatus())

        async def plain_status() -> None:
            plain(theirs, "status", "--porcelain")

        async def add() -> None:
            edited(ours)
            await bash.run(GitAdd(all=True))

        async def plain_add() -> None:
            edited(theirs)
            plain(theirs, "add", "-A")

        async def commit() -> None:
            await bash.run(GitCommit(message="m", allow_empty=True))

        async def plain_commit() -> None:
            plain(theirs, "commit", "--allow-empty", "-qm", "m")

        for name, mine, other in (
            ("git_status", status, plain_status),
            ("git_add", add, plain_add),
            ("git_commit", commit, plain_commit),
        ):
            times = await interleaved({"par": mine, "git": other}, rounds)
            print(
                f"  {name:11} {files:6} files   par {median(times['par']) * 1e3:6.1f} ms"
                f"   git {median(times['git']) * 1e3:6.1f} ms   {ratio(times, 'par', 'git'):5.2f} x"
            )
        bash.workspace.close()


def main() -> None:
    """Run it for a small and a large repository."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    rounds = arguments.parse_args().rounds
    for files in (100, 5000):
        anyio.run(compare, files, rounds)


if __name__ == "__main__":
    main()
