"""A process that writes events until it is killed, and says which ones were acknowledged.

``python writing.py FILE SESSION BACKEND DURABILITY``
"""

import sys

import anyio
from unit.persistence.made import envelope

from par.persistence import open_sqlite


async def write(file, prefix, durability):
    async with open_sqlite(file, durability=durability) as store, anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(_write_session, store, f"{prefix}{number}")


async def _write_session(store, session):
    seq = await store.last_seq(session)
    while True:
        batch = [envelope(session, seq + 1 + offset) for offset in range(seq % 3 + 1)]
        await store.append(batch)
        seq += len(batch)
        sys.stdout.write("".join(f"{session} {one.seq} {one.id}\n" for one in batch))
        sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(write, sys.argv[1], sys.argv[2], sys.argv[4], backend=sys.argv[3])
