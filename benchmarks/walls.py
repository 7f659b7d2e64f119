"""``python -m benchmarks.walls``: what a wall costs, beside a plain process of the same argv.

Each ratio is the median over interleaved rounds; the absolute figures are those of this machine, now.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import anyio

from benchmarks.measure import Runner, interleaved, ratio
from par._spawn import spawned
from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.ground import python_roots
from par.tools.bash._walls.landlock import LandlockWall
from par.tools.bash._walls.supervised import NoWall
from par.tools.bash._walls.values import Limits, Wall, WallSpec

ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
PROGRAMS = {
    "true": ("/usr/bin/true",),
    "python": (sys.executable, "-I", "-S", "-c", "print(sum(range(1000)))"),
}
LIMITS = Limits(cpu_s=30, file_bytes=1 << 26, files=256, data_bytes=1 << 30)


async def finish(argv: tuple[str, ...], env: dict[str, str], fds: tuple[int, ...] = ()) -> None:
    null = subprocess.DEVNULL
    async with spawned(argv, env=env, pass_fds=fds, stdin=null, stdout=null, stderr=null) as process:
        if await process.wait() != 0:
            raise RuntimeError(f"it failed: {argv[-3:]}")


def plain(argv: tuple[str, ...]) -> Runner:
    async def run() -> None:
        await finish(argv, ENV)

    return run


def walled(wall: Wall, argv: tuple[str, ...], spec: WallSpec) -> Runner:
    async def run() -> None:
        async with wall.wrap(argv, spec) as wrapped:
            await finish(wrapped.argv, dict(wrapped.env), wrapped.pass_fds)

    return run


async def measured(backend: str, rounds: int) -> None:
    walls: list[Wall] = [BwrapWall(), LandlockWall(), NoWall()]
    with tempfile.TemporaryDirectory() as folder:
        real = os.path.realpath(folder)
        for name in ("ws", "home", "tmp"):
            Path(real, name).mkdir()
        root = os.open(Path(real, "ws"), os.O_RDONLY | os.O_DIRECTORY)
        spec = WallSpec(
            root=root,
            workspace=f"{real}/ws",
            access="write",
            home=f"{real}/home",
            tmp=f"{real}/tmp",
            read_only=python_roots(),
            env=ENV,
            limits=LIMITS,
        )
        for program, argv in PROGRAMS.items():
            runners = {"plain": plain(argv)}
            for wall in walls:
                known = await wall.probe()
                if known.available:
                    runners[wall.name] = walled(wall, argv, spec)
                else:
                    print(f"{wall.name}: {known.why_not}")
            times = await interleaved(runners, rounds)
            print(f"\n{program}, on {backend}")
            for name in runners:
                took = median(times[name]) * 1e3
                added = median(a - b for a, b in zip(times[name], times["plain"], strict=True)) * 1e3
                print(f"  {name:10} {took:7.1f} ms   {ratio(times, name, 'plain'):6.2f} x plain   {added:+7.1f} ms")
        os.close(root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    print(f"Python {sys.version.split()[0]}; each ratio is the median of {rounds} interleaved rounds")
    for backend in ("asyncio", "trio"):
        anyio.run(measured, backend, rounds, backend=backend)


if __name__ == "__main__":
    main()
