"""A program whose processes share limits: ``python limited.py PLACE WORK NUMBER ...``, see ``WORKS``.

It imports once, forks so many processes, writes their numbers in a line, and ends with them when its input does.
"""

import os
import signal
import sys

import anyio
import anyio.to_thread
from unit.middleware.driving import drive_model, model_call
from unit.middleware.strict_server import HttpModel

from par.errors import BudgetExhausted
from par.limits import Allowance, Limit, Spending
from par.middleware import RateLimit
from support.shared_limits import open_limits


async def call(place, port, limit, per_s, transit_s, tasks):
    """Ask the strict server as often as the limit allows, from so many tasks."""
    async with open_limits(place) as limits, HttpModel(int(port)) as model, anyio.create_task_group() as group:
        layer = RateLimit(
            requests=int(limit), per_s=float(per_s), transit_s=float(transit_s), backend=limits.rate, learn=False
        )

        async def work():
            while True:
                await drive_model([layer], model, model_call())

        for _ in range(int(tasks)):
            group.start_soon(work)


async def stand(place, tokens, seconds):
    """Take all tokens of a limit, stand in line for more, and hold an allowance; never give anything back."""
    async with (
        open_limits(place, line_s=float(seconds), lease_s=float(seconds)) as limits,
        anyio.create_task_group() as group,
    ):
        limit = Limit(tokens=int(tokens), per_s=600)
        allowance = Allowance(tokens=int(tokens))
        await limits.budget.reserve("k", allowance, Spending(tokens=int(tokens)))
        group.start_soon(lambda: limits.rate.reserve("k", limit, tokens=int(tokens), max_wait_s=None))
        await anyio.sleep(0.2)
        print("ready", flush=True)
        await anyio.sleep_forever()


async def spend(place, keys):
    """Try to spend all of many allowances, one after another; write how many were to be had."""
    spent = 0
    async with open_limits(place) as limits:
        os.write(READY[1], b".")
        await anyio.to_thread.run_sync(os.read, GO[0], 1)  # or the first would be done before the last begins
        for number in range(int(keys)):
            try:
                held = await limits.budget.reserve(f"k{number}", Allowance(tokens=20), Spending(tokens=15))
            except BudgetExhausted:
                continue
            await limits.budget.settle(held, Spending(tokens=10))
            spent += 1
    os.write(1, f"{spent}\n".encode())  # in one piece, for four of them write


READY, GO = os.pipe(), os.pipe()
WORKS = {"call": call, "stand": stand, "spend": spend}


def main(place, work, number, *arguments):
    children = []
    for index in range(int(number)):
        child = os.fork()
        if child == 0:
            try:
                anyio.run(WORKS[work], place, *arguments, backend=("asyncio", "trio")[index % 2])
            finally:
                os._exit(0)
        children.append(child)
    print(*children, flush=True)
    if work == "spend":
        for _ in children:
            os.read(READY[0], 1)
        os.write(GO[1], b"." * len(children))
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)  # not cleared away yet, so the number is still its own
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
