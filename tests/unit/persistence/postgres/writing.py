"""A process that writes events until it is killed, and says which ones were acknowledged.

``python writing.py DSN SCOPE PREFIX BACKEND``
"""

import sys

import anyio
from unit.persistence.made import envelope

from par.persistence._postgres_open import open_postgres


async def write(dsn, scope, prefix):
    async with open_postgres(dsn, scope=scope) as store, anyio.create_task_group() as tasks:
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
    anyio.run(write, *sys.argv[1:4], backend=sys.argv[4])
