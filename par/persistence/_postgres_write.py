"""Writing batches to Postgres: one statement each, as long as nobody else writes to the same sessions."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, cast, final

from par.errors import LeaseLost, StoreError, StoreUnavailable
from par.persistence._chain import Linker, Record, Tip, numbered
from par.persistence._group_commit import Batch, Checkpoint, Item, Result, Results, records_in
from par.persistence._postgres_driver import Connection, failure_of, sqlstate_of
from par.persistence._sessions_postgres_write import Changes, Done

__all__ = ["Writer", "refuse_nul", "write_own"]

_APPEND: Final = """
    SELECT append(
        $1, $2::smallint, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20
    )
"""
_TIPS: Final = "SELECT session, seq, hash, format FROM tips($1)"
_STORED: Final = "SELECT session, seq FROM stored($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_KNOWN_IDS: Final = "SELECT known_ids($1)"

_CHECKPOINT: Final = """
    SELECT lost, doubtful, waiting FROM checkpoint(
        $21, $1, $2::smallint, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20
    )
"""

_HAS_GROWN: Final = "PA001"
"""Raised by ``append``: another process wrote to one of the sessions."""
_NO_PARTITION: Final = "23514"
_TAKEN: Final = "23505"
_SESSIONS_KNOWN: Final = 10_000
_TRIES: Final = 20
"""Another process can be faster a few times in a row; each time it was, it has stored something."""
_COLUMNS: Final = 17
"""The number of lists that ``append`` is given: of records, links and chains."""
_IDENTITY: Final = 9
"""The number of columns from ``scope`` to ``kind``, which come first in a record; then comes the body."""


def refuse_nul(records: Iterable[Record]) -> None:
    """Refuse names that Postgres cannot keep.

    Raises:
        StoreError: if there is one with a NUL in it. Contents may hold NULs: JSON writes them otherwise.
    """
    for record in records:
        if any("\x00" in name for name in (record.session, record.id, record.run, record.parent or "")):
            raise StoreError(
                f"event {record.seq} of session {record.session!r} cannot be stored: Postgres keeps no NUL in names"
            )


@final
class _Plan:
    """What one statement does: the rows that it adds, with the chains that they continue, and the changed sessions."""

    def __init__(self, linker: Linker, tips: dict[str, Tip], is_there: Callable[[Record], bool]) -> None:
        self._linker = linker
        self._before = tips
        self._is_there = is_there
        self.tips: dict[str, Tip] = {}
        self.records: list[Record] = []
        self.links: list[tuple[bytes, bytes]] = []
        self.changes = Changes()

    def item(self, place: int, item: Item, lost: Collection[int]) -> StoreError | None:
        """Plan the item at that place of the batch, or return why it is refused; then nothing of it is planned.

        ``lost`` are the places of those whose lease is known not to hold.
        """
        if not isinstance(item, Checkpoint):
            return self.add(item)
        work, many, tips = item.work, len(self.records), dict(self.tips)
        first = self._tip(work.session).seq + 1
        refused = self.add(item.records)
        if refused is None and item.records and len(self.records) == many:
            self.changes.ask(work)  # all of it was done before; whoever owns the session now
            return None
        if refused is None and place not in lost:
            last = self._tip(work.session).seq
            self.changes.add(place, work, *((first, last) if item.records else (None, None)))
            return None
        del self.records[many:]
        del self.links[many:]
        self.tips = tips
        if place in lost:
            return LeaseLost(work.session)
        self.changes.doubt(place, work)
        return refused

    def _tip(self, session: str) -> Tip:
        return self.tips.get(session) or self._before[session]

    def add(self, records: Sequence[Record]) -> StoreError | None:
        """Plan the records, or return why they are refused; then none of them is planned."""
        tips: dict[str, Tip] = {}
        planned: list[Record] = []
        links: list[tuple[bytes, bytes]] = []
        link, style = self._linker.link, self._linker.format
        for given in records:
            session = given.session
            tip = tips.get(session) or self._tip(session)
            if given.seq == 0:
                if self._is_there(given):
                    continue
                record = numbered(given, tip.seq + 1)
            else:
                record = given
            if record.seq != tip.seq + 1:
                if self._is_there(record) or _among(record, planned) or _among(record, self.records):
                    continue
                return StoreError(
                    f"event {record.seq} of session {session!r} was refused: it is not the next one, which "
                    f"is {tip.seq + 1}, and not one that is stored. Does another process write to this session?"
                )
            if tip.format > style:
                return StoreError(
                    f"event {record.seq} of session {session!r} was refused: the session is kept with a key, "
                    "and the store was opened without one"
                )
            digest = link(tip.hash, record.sealed)
            planned.append(record)
            links.append((tip.hash, digest))
            tips[session] = Tip(record.seq, digest, style)
        self.tips.update(tips)
        self.records += planned
        self.links += links
        return None

    def arguments(self) -> list[object]:
        """Return the columns of the new records, and the chains with the heads that they are expected to have."""
        if not self.records:
            return [[] for _ in range(_COLUMNS)]
        lasts = {record.session: place for place, record in enumerate(self.records, 1)}
        columns = list(zip(*self.records, strict=True))
        return [
            *(columns[place] for place in range(1, 12)),
            *zip(*self.links, strict=True),
            list(lasts),
            [self._before[session].seq for session in lasts],
            [self._before[session].hash for session in lasts],
            list(lasts.values()),
        ]


def _among(record: Record, others: Sequence[Record]) -> bool:
    identity, body = record[:_IDENTITY], record.body
    return any(one[:_IDENTITY] == identity and one.body == body for one in others)


@final
class Writer:
    """Stores batches. It remembers where the chains end, so that most need no question first.

    Its jobs run one after the other, on the driver's event loop.
    """

    def __init__(self, linker: Linker, where: str, *, notify: bool) -> None:
        self._linker = linker
        self._where = where
        self._notify = notify
        self._tips: dict[str, Tip] = {}
        self._months: set[str] = set()
        self._unsure = False

    async def write(self, connection: Connection, batch: Batch) -> Results:
        """Store the items in one statement; return for each its error, or ``None``.

        An item that does not fit its session is left out, and the others are stored. Where the statement as a whole
        fails (an id that is taken), the items are tried one by one, so that one does not take the others along.
        """
        for _ in range(_TRIES):
            try:
                return await self._together(connection, batch)
            except Exception as error:
                # whether it was stored may be unknown: what is remembered, and what was sent, is asked for
                dropped = sqlstate_of(error) == _NO_PARTITION and bool(self._months)  # by somebody, since it was made
                self._tips.clear()
                self._months.clear()
                self._unsure = True
                state = sqlstate_of(error)
                if state == _HAS_GROWN or dropped:
                    continue
                failure = failure_of(error, self._where)
                if failure is None or failure.passing or isinstance(failure.error, StoreUnavailable):
                    raise
                if len(batch) > 1:
                    return [await self._alone(connection, item) for item in batch]
                return [_refusal(batch[0], "its id is taken" if state == _TAKEN else str(failure.error))]
        raise StoreUnavailable(self._where, "other processes write to the same sessions all the time")

    async def _alone(self, connection: Connection, item: Item) -> Result:
        (result,) = await self.write(connection, [item])
        return result

    async def add(self, connection: Connection, item: Item) -> None:
        """Store one item, or fail: for whoever has a transaction.

        Raises:
            StoreError: if the item does not fit.
        """
        (refused,) = await self._together(connection, [item])
        if isinstance(refused, StoreError):
            raise refused

    async def _together(self, connection: Connection, batch: Batch) -> Results:
        known = await self._learn(_sessions_of(batch), connection)
        lost: set[int] = set()
        while True:  # each round but the last finds one more that is lost
            plan, refused = await self._planned(connection, batch, lost)
            if known and (lost or any(refused)):  # another process may have written: refusals need what is true now
                known = False
                self._tips.clear()
                await self._learn(_sessions_of(batch), connection)
                plan, refused = await self._planned(connection, batch, lost)
            done = await self._carry_out(connection, plan)
            for place in done.doubtful:
                refused[place] = LeaseLost(cast("Checkpoint", batch[place]).work.session)  # only those are doubted
            if not done.lost:
                break
            lost |= done.lost
        self._unsure = False
        return [
            error or (item.work.session in done.waiting if isinstance(item, Checkpoint) else None)
            for error, item in zip(refused, batch, strict=True)
        ]

    async def _planned(
        self, connection: Connection, batch: Batch, lost: Collection[int]
    ) -> tuple[_Plan, list[StoreError | None]]:
        there = await self._stored(connection, batch)
        plan = _Plan(self._linker, self._tips, lambda record: id(record) in there)
        return plan, [plan.item(place, item, lost) for place, item in enumerate(batch)]

    async def _carry_out(self, connection: Connection, plan: _Plan) -> Done:
        if not plan.records and not plan.changes:
            return Done()
        months = {record.at[:7] for record in plan.records} - self._months
        values = (sorted(months), self._linker.format, self._notify, *plan.arguments())
        done = Done()
        if plan.changes:
            done = Done.of(await connection.fetchrow(_CHECKPOINT, *values, plan.changes.text()))
            if done.lost:
                return done  # then it has done nothing
        else:
            await connection.fetchval(_APPEND, *values)
        self._tips.update(plan.tips)
        self._months |= months
        return done

    async def _learn(self, sessions: set[str], connection: Connection) -> bool:
        """Find out where the sessions end; return whether some of that was known already."""
        if len(self._tips) > _SESSIONS_KNOWN:
            self._tips.clear()
        unknown = [session for session in sessions if session not in self._tips]
        if unknown:
            rows = await connection.fetch(_TIPS, unknown)
            self._tips.update(dict.fromkeys(unknown, Tip()))
            for session, seq, digest, style in cast("list[tuple[str, int, bytes, int]]", rows):
                self._tips[session] = Tip(seq, digest, style)
        return len(unknown) < len(sessions)

    async def _stored(self, connection: Connection, batch: Batch) -> set[int]:
        """Return which records are stored already: of those that do not look new."""
        ends = {session: tip.seq for session, tip in self._tips.items()}
        old: list[Record] = []
        nameless: list[Record] = []
        for record in (record for item in batch for record in records_in(item)):
            if record.seq == 0:
                nameless.append(record)
            elif record.seq <= ends[record.session]:
                old.append(record)
        there: set[int] = set()
        if old:
            columns = list(zip(*old, strict=True))
            rows = await connection.fetch(_STORED, *(columns[place] for place in range(1, 10)))
            found = {(session, seq) for session, seq in cast("list[tuple[str, int]]", rows)}
            there |= {id(record) for record in old if (record.session, record.seq) in found}
        if nameless and self._unsure:
            ids = {cast("str", row[0]) for row in await connection.fetch(_KNOWN_IDS, [one.id for one in nameless])}
            there |= {id(record) for record in nameless if record.id in ids}
        return there


def _sessions_of(batch: Batch) -> set[str]:
    found = {record.session for item in batch for record in records_in(item)}
    return found | {item.work.session for item in batch if isinstance(item, Checkpoint)}


async def write_own(connection: Connection, linker: Linker, records: tuple[Record, ...]) -> None:
    """Add the store's own records, in a transaction that has locked the scope's row of the ledger.

    Raises:
        StoreError: if they cannot be added.
    """
    if records:
        writer = Writer(linker, "", notify=True)  # which knows nothing yet, so it reads where the chain ends
        await writer.add(connection, records)


def _refusal(item: Item, problem: str) -> StoreError:
    if isinstance(item, Checkpoint):
        return StoreError(f"a change of session {item.work.session!r} was refused: {problem}")
    first = item[0]
    return StoreError(f"event {first.seq} of session {first.session!r}, or one stored with it, was refused: {problem}")
