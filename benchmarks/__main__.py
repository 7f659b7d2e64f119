"""``python -m benchmarks``: the table. Ratios count; the absolute figures are those of this machine, now."""

import argparse
import asyncio
import gc
import sys
import time
from pathlib import Path
from statistics import median

import anyio

from benchmarks.baselines import Bare, Typed
from benchmarks.http import over_http
from benchmarks.measure import interleaved, ratio
from benchmarks.par_agent import Par, no_ops
from benchmarks.script import Script
from par.middleware import RateLimit, default_chain


async def t0(x: int) -> str:
    """A trivial tool."""
    return "ok"


def sleeper(seconds: float):
    async def t0(x: int) -> str:
        """A tool that waits."""
        await anyio.sleep(seconds)
        return "ok"

    return t0


def repeated(agent, times: int):
    async def run() -> None:
        for _ in range(times):
            if await agent.run("hi") != "done":
                raise RuntimeError("wrong answer")

    return run


async def steps(rounds: int, count: int, repeat: int) -> None:
    """W1, W1b, W8: the cost of a step in process."""
    script = Script(count, 1)
    seven = Par(script, t0, no_ops(7))
    runners = {
        "bare": repeated(Bare(script, t0), repeat),
        "typed": repeated(Typed(script, t0), repeat),
        "par": repeated(Par(script, t0), repeat),
        "par, 7 no-ops": repeated(seven, repeat),
        "par, 7 real": repeated(Par(script, t0, default_chain(rate_limit=RateLimit(requests=10**9))), repeat),
    }
    times = await interleaved(runners, rounds)
    unit = repeat * (count + 1) / 1e6
    print(f"\nW1{'b' if count > 10 else ''}  one step in process, {count} steps a run")
    for name in runners:
        took = median(times[name]) / unit
        print(
            f"  {name:14} {took:8.1f} µs/step   {ratio(times, name, 'bare'):6.2f} x bare   {ratio(times, name, 'typed'):5.2f} x typed"
        )
    added = median(a - b for a, b in zip(times["par, 7 no-ops"], times["par"], strict=True))
    print(f"W8  seven no-ops: {added / repeat / (2 * count + 1) * 1e6:.2f} µs per wrapped call")


async def concurrent(rounds: int, runs: int) -> None:
    """W4: many runs at once, five steps with a tool of 20 ms."""
    script, tool = Script(5, 1), sleeper(0.02)

    def many(agent):
        async def run() -> None:
            async with anyio.create_task_group() as group:
                for _ in range(runs):
                    group.start_soon(agent.run, "hi")

        return run

    runners = {"bare": many(Bare(script, tool)), "typed": many(Typed(script, tool)), "par": many(Par(script, tool))}
    times = await interleaved(runners, rounds)
    print(f"\nW4  {runs} runs at once, 5 steps of 20 ms (ideal 0.100 s)")
    for name in runners:
        took = median(times[name])
        print(
            f"  {name:14} {took:8.3f} s   {took / 0.1:6.2f} x ideal   {ratio(times, name, 'bare'):6.2f} x bare   {ratio(times, name, 'typed'):5.2f} x typed"
        )


def peak_kb() -> int:
    """Return the peak of the resident memory; Linux only."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def memory_of(kind: str, runs: int) -> None:
    """W4's memory, in a process of its own: the growth of the peak, by run."""
    script, tool = Script(5, 1), sleeper(0.02)
    agent = {"bare": Bare, "typed": Typed, "par": Par}[kind](script, tool)

    async def main() -> None:
        await agent.run("hi")
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
        before = peak_kb()
        async with anyio.create_task_group() as group:
            for _ in range(runs):
                group.start_soon(agent.run, "hi")
        print((peak_kb() - before) / runs)

    anyio.run(main)


async def memory(runs: int) -> None:
    if not Path("/proc/self/clear_refs").exists():
        print("W4  memory: measured on Linux alone")
        return
    print(f"W4  memory at its peak, {runs} runs at once")
    for kind in ("bare", "typed", "par"):
        done = await anyio.run_process([sys.executable, "-m", "benchmarks", "--memory-of", kind, "--runs", str(runs)])
        print(f"  {kind:14} {float(done.stdout):8.1f} kB a run")


async def parallel(rounds: int) -> None:
    """W5: fifty tools of 10 ms in one step."""
    script, tool = Script(1, 50), sleeper(0.01)
    runners = {
        "bare": repeated(Bare(script, tool), 5),
        "typed": repeated(Typed(script, tool), 5),
        "par": repeated(Par(script, tool), 5),
    }
    times = await interleaved(runners, rounds)
    print("\nW5  50 tools of 10 ms at once (ideal 10 ms)")
    for name in runners:
        took = median(times[name]) / 5
        print(
            f"  {name:14} {took * 1e3:8.2f} ms   {took / 0.01:6.2f} x ideal   {ratio(times, name, 'bare'):6.2f} x bare"
        )


async def cancelled(variant: str, *, native: bool) -> None:
    """W9: cancel with twenty tools in flight, each with 50 ms of shielded clean-up."""
    state = {"started": 0, "cleaned": 0}
    all_started = anyio.Event()

    async def t0(x: int) -> str:
        """A tool with something to clean up."""
        state["started"] += 1
        if state["started"] == 20:
            all_started.set()
        try:
            await anyio.sleep(60)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05)
                state["cleaned"] += 1
        return "ok"

    script = Script(1, 20)
    agent = Par(script, t0)
    if variant == "nested":
        inner = Par(Script(1, 1), t0)

        async def outer(x: int) -> str:
            """Run another agent."""
            return await inner.run("hi")

        outer.__name__ = "t0"
        agent = Par(script, outer)
    at_return: dict[str, object] = {}

    async def go() -> None:
        try:
            await agent.run("hi")
        finally:
            at_return.update(state, took=time.perf_counter())

    if native:
        task = asyncio.create_task(go())
        await all_started.wait()
        asked = time.perf_counter()
        task.cancel()
        await asyncio.wait([task])
    else:
        async with anyio.create_task_group() as group:
            group.start_soon(go)
            await all_started.wait()
            asked = time.perf_counter()
            group.cancel_scope.cancel()
    took = (float(str(at_return["took"])) - asked) * 1e3
    cut = 20 - state["cleaned"]
    print(
        f"  {variant:22} cleaned at return {at_return['cleaned']}/20, cut {cut}, left {state['cleaned'] - int(str(at_return['cleaned']))}, {took:6.1f} ms"
    )


async def all_workloads(rounds: int) -> None:
    await steps(rounds, 10, 20)
    await steps(max(3, rounds // 2), 100, 3)
    await over_http(rounds)
    await concurrent(max(3, rounds // 2), 1000)
    await memory(1000)
    await parallel(rounds)
    print("\nW9  cancel with 20 tools in clean-up of 50 ms (asyncio)")
    await cancelled("task.cancel()", native=True)
    await cancelled("nested", native=True)
    await cancelled("cancel scope", native=False)


async def on_trio() -> None:
    print("W9  the same on trio")
    await cancelled("cancel scope", native=False)
    await cancelled("nested", native=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--memory-of", choices=("bare", "typed", "par"))
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    if options.memory_of:
        memory_of(options.memory_of, options.runs)
        return
    print(f"Python {sys.version.split()[0]}; each ratio is the median of {options.rounds} interleaved rounds")
    anyio.run(all_workloads, options.rounds)
    anyio.run(on_trio, backend="trio")


if __name__ == "__main__":
    main()
