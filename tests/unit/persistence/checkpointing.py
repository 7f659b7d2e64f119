"""A process that owns sessions and commits steps until it is killed, and says which ones were acknowledged.

``python checkpointing.py STORE SESSIONS BACKEND DURABILITY LEASE_S``; the store is a file or the DSN of a Postgres. It
says ``owned SESSION FENCE`` and ``done SESSION ORDINAL``, and ``lost SESSION`` where another one owns the session.
Each commit is a step, the counts and two events.
"""

import sys

import anyio
from support.session_log import step, turn
from unit.persistence.made import envelopes

from par._durable.log import Change, Totals
from par.errors import LeaseLost
from par.persistence import open_postgres, open_sqlite


def opened(where, durability):
    """Open the store."""
    return open_postgres(where) if "://" in where else open_sqlite(where, durability=durability)


async def work(where, sessions, durability, lease_s):
    async with opened(where, durability) as store, anyio.create_task_group() as tasks:
        for number in range(sessions):
            tasks.start_soon(_work, store.session_log(), f"s{number}", lease_s)


async def _work(log, session, lease_s):
    known = await log.session(session)
    wants = "open" if known is not None and known.turns else "new"
    found = await log.acquire(session, await log.identity(), lease_s=lease_s, wants=wants, agent="agent")
    _say(f"owned {session} {found.lease.fence}")
    if found.open is None:
        await log.commit(Change(lease=found.lease, turn=turn()), [])
    ordinal = len(found.steps)
    while True:
        totals = Totals(steps=ordinal + 1, tokens=10 * (ordinal + 1))
        change = Change(lease=found.lease, steps=(step(ordinal),), totals=totals)
        try:
            await log.commit(change, envelopes(session, 2, first=2 * ordinal + 1))
        except LeaseLost:
            _say(f"lost {session}")
            return
        _say(f"done {session} {ordinal}")
        ordinal += 1


def _say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def problems_of(where, told):
    """Return what is wrong with a store, given what was acknowledged: pairs of a session and an ordinal."""
    problems = []
    async with opened(where, "process") as store:
        log = store.session_log()
        for info in await log.list_sessions():
            steps = [one.ordinal for one in await log.steps(info.id, 1)]
            events = len(await store.events(info.id))
            if not len(steps) == info.steps == info.tokens // 10 == events // 2 or events % 2:
                problems.append(f"{info.id}: {len(steps)} steps, {info.steps} counted, {events} events")
            problems += [
                f"missing: {name} {ordinal}" for name, ordinal in told if name == info.id and ordinal not in steps
            ]
        names = {info.id for info in await log.list_sessions()}
        problems += [f"missing: {name}" for name, _ in told if name not in names]
        problems += [str(broken) for broken in (await store.verify()).broken]
    return problems


if __name__ == "__main__":
    anyio.run(work, sys.argv[1], int(sys.argv[2]), sys.argv[4], float(sys.argv[5]), backend=sys.argv[3])
