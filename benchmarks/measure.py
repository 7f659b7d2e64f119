"""Timing in turns: whoever is compared is measured alternately, so that a noisy machine is noisy for all."""

import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median

Runner = Callable[[], Awaitable[object]]


async def interleaved(
    runners: dict[str, Runner], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Return the seconds of each runner in each round, after one round of warming up."""
    times: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, run in runners.items():
            gc.collect()
            started = clock()
            await run()
            if number:
                times[name].append(clock() - started)
    return times


def ratio(times: dict[str, list[float]], name: str, base: str) -> float:
    """Return the median over the rounds of one runner's time by another's."""
    return median(a / b for a, b in zip(times[name], times[base], strict=True))
