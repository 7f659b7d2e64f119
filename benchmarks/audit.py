"""Events per second of the audit store beside the bare driver, in the same run: ``python -m benchmarks.audit``.

The bare driver is aiosqlite with the same table, indexes and settings, given rows that are ready: it makes no JSON, no
hash and no chain, and checks nothing.
"""

import contextlib
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import aiosqlite
import anyio
import attrs

from benchmarks.measure import interleaved
from par._ids import new_ulid
from par.events import Envelope, ToolCallEnded
from par.persistence import Durability, open_sqlite
from par.persistence._chain import Linker, record_of
from par.persistence._sqlite_file import open_writer

BATCHES = {1: 300, 100: 60, 1000: 15}
"""Events per append, and how many appends are timed together."""
ROUNDS = 7
KEY = b"a key for measurements"
START = datetime(2025, 1, 31, 12, tzinfo=UTC)
INSERT = """
    INSERT INTO event (
        format, scope, session, seq, id, at, run, parent, step, kind, body, salt, body_hash, previous, hash
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


@attrs.frozen
class Rate:
    """Events per second at one size of batch: the store's, the bare driver's, and the median of their ratio."""

    batch: int
    durability: str
    store: float
    keyed: float
    bare: float
    ratio: float


def envelopes(session: str, first: int, count: int) -> list[Envelope]:
    """Return events of about 300 bytes each."""
    return [
        Envelope(
            id=new_ulid(),
            session=session,
            run="01JJ0000000000000000000000",
            step=1,
            parent=None,
            at=START + timedelta(milliseconds=seq),
            seq=seq,
            event=ToolCallEnded(
                call_id=f"call_{seq}", name="search", outcome="done", content=f"{seq} " + "x" * 180, duration_s=0.25
            ),
        )
        for seq in range(first, first + count)
    ]


async def sqlite_rates(durability: Durability = "process") -> list[Rate]:
    """Measure both in turns at each size of batch."""
    return [await _rate(batch, times, durability) for batch, times in BATCHES.items()]


async def _rate(batch: int, times: int, durability: Durability) -> Rate:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_writer(folder / "bare.db", durability, create=True).close()
        async with (
            open_sqlite(folder / "store.db", durability=durability) as store,
            open_sqlite(folder / "keyed.db", durability=durability, key=KEY) as keyed,
            aiosqlite.connect(folder / "bare.db", isolation_level=None) as bare,
        ):
            await bare.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
            work = {"store": [], "keyed": [], "bare": []}
            for number in range(ROUNDS + 1):
                for who, rounds in work.items():
                    batches = [envelopes(f"{who} {number}", 1 + batch * index, batch) for index in range(times)]
                    rounds.append([_rows(one) for one in batches] if who == "bare" else batches)

            async def run_store() -> None:
                for one in work["store"].pop(0):
                    await store.append(one)

            async def run_keyed() -> None:
                for one in work["keyed"].pop(0):
                    await keyed.append(one)

            async def run_bare() -> None:
                for rows in work["bare"].pop(0):
                    await bare.execute("BEGIN IMMEDIATE")
                    await bare.executemany(INSERT, rows)
                    await bare.execute("COMMIT")

            taken = await interleaved({"bare": run_bare, "store": run_store, "keyed": run_keyed}, ROUNDS)
    events = batch * times
    return Rate(
        batch,
        durability,
        events / median(taken["store"]),
        events / median(taken["keyed"]),
        events / median(taken["bare"]),
        median(bare / store for bare, store in zip(taken["bare"], taken["store"], strict=True)),
    )


def _rows(batch: Sequence[Envelope]) -> list[tuple[object, ...]]:
    link = Linker().link
    return [
        (2, *record[:12], bytes(32), link(bytes(32), record.sealed))
        for record in (record_of(one, "default") for one in batch)
    ]


def table(rates: Sequence[Rate]) -> str:
    """Return the figures as lines of Markdown."""
    lines = [
        "| durability | batch | store ev/s | with a key | bare driver ev/s | store : bare |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.durability} | {one.batch} | {one.store:,.0f} | {one.keyed:,.0f} | {one.bare:,.0f} | {one.ratio:.2f} |"
        for one in rates
    ]
    return "\n".join(lines)


async def main() -> None:
    """Print the figures of both durabilities."""
    for durability in ("process", "power"):
        with contextlib.suppress(KeyboardInterrupt):
            print(table(await sqlite_rates(durability)))


if __name__ == "__main__":
    anyio.run(main)
