"""The rules of a whole chain, for any database: records in, the first break out."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final, TypeAlias, final

import attrs

from par import codec
from par._store import Head
from par.errors import ChainBroken, DecodeError
from par.events import Event, RecordsExpired, RecordsRedacted
from par.persistence._chain import (
    AUDIT_SESSION,
    GENESIS,
    KEYED,
    OLD,
    PLAIN,
    Linker,
    body_hash_of,
    link_old,
    seal,
    seal_old,
)

__all__ = ["ChainCheck", "Declarations", "End", "Row", "heads_by_session", "rest_of"]

Row: TypeAlias = tuple[object, ...]
"""position format seq previous hash scope session id at run parent step kind body salt body_hash: text as bytes.

What a schema promises is not relied upon: whoever changes records can change the schema too.
"""
End: TypeAlias = tuple[int, object, object, object, object, object]
"""How many records the session has, and seq, hash, format, at and position of its stored head, of one moment."""

_OLD_SCOPE: Final = b"default"
"""Where the records are that schema 1 held."""
_WAS_CHANGED: Final = "it was changed, or does not follow the one before it"


@attrs.frozen
class _Removed:
    """What may be missing from one session: contents by number, and the front up to a number, with its hash."""

    contents: Mapping[int, str | None]
    fronts: Mapping[int, bytes]


@final
class Declarations:
    """What the session ``par.audit`` tells about removals, as far as its chain is whole."""

    def __init__(self) -> None:
        self._contents: dict[str, dict[int, str | None]] = {}
        self._fronts: dict[str, dict[int, bytes]] = {}
        self.count = 0
        """Grows with each declaration."""

    def learn(self, body: object) -> None:
        """Take in the content of a record of ``par.audit`` that was checked."""
        if not isinstance(body, bytes):
            return
        try:
            event = codec.loads(Event, body.decode())
        except (DecodeError, ValueError):
            return  # of a newer par: whatever it allows is reported
        if isinstance(event, RecordsRedacted):
            contents = self._contents.setdefault(event.session, {})
            contents.update({seq: event.rests.get(str(seq)) for seq in event.seqs})
        elif isinstance(event, RecordsExpired):
            self._fronts.setdefault(event.session, {})[event.through_seq] = _unhex(event.hash)
        self.count += 1

    def of(self, session: str) -> _Removed:
        """Return what may be missing from the session."""
        return _Removed(self._contents.get(session, {}), self._fronts.get(session, {}))

    def sessions(self) -> set[str]:
        """Return the sessions that something was removed from."""
        return {*self._contents, *self._fronts}


def heads_by_session(heads: Iterable[Head], scope: str) -> dict[str, dict[int, Head]]:
    """Return the heads that are to be compared, by session and number.

    Raises:
        ValueError: for the head of another scope.
    """
    found: dict[str, dict[int, Head]] = {}
    for head in heads:
        if head.scope != scope:
            raise ValueError(f"heads must be of the scope {scope!r}, got one of {head.scope!r}")
        found.setdefault(head.session, {})[head.seq] = head
    return found


def rest_of(fields: Iterable[object]) -> str:
    """Return the hash of what is left of a record of format 1 without its body.

    ``fields`` are seq, id, at, run, parent, step, kind, previous and hash.
    """
    return sha256(b"par rest\n" + seal_old([_bytes(field) for field in fields])).hexdigest()


@final
class ChainCheck:
    """How far one session has been read, and whether it was whole up to there."""

    def __init__(
        self, session: str, linker: Linker, declared: Declarations, heads: Mapping[int, Head] | None = None
    ) -> None:
        self.session = session
        self._linker = linker
        self._plain = Linker()
        self._declared = declared
        self._removed = declared.of(session)
        self._known = declared.count
        self._heads = heads or {}
        self._hash = GENESIS
        self._position: object = 0
        self._at: object = None
        self._format = 0
        self._grown_to = 0
        self.seq = 0
        self.count = 0
        self.redacted = 0
        self.expired = 0
        self.exists = True
        self.done = False
        self.broken: ChainBroken | None = None

    @property
    def unkeyed(self) -> bool:
        """Whether the last record is hashed without a key though there is one."""
        return self.exists and self._linker.format == KEYED and self._format in (OLD, PLAIN)

    @property
    def outdated(self) -> bool:
        """Whether more removals were told of than when the check began: then a break may be none."""
        return self._declared.count != self._known

    def compare(self, row: Row) -> None:
        """Take in the next record by number; after a break, ``done`` is set."""
        position, style, seq, previous, digest, *fields = row
        self.count += 1
        if not isinstance(seq, int) or seq < 1:
            self._break(self.seq + 1, f"there is a record with the number {seq!r}")
            return
        if seq > self.seq + 1:
            self._pass_over(seq - 1)
        if seq > self.seq + 1:
            self._break(self.seq + 1, f"it is missing; the next one that is there is {seq}")
            return
        if seq <= self.seq:
            self._break(seq, "there are two records with this number")
            return
        problem = self._problem(seq, style, previous, digest, fields)
        if problem is None and not _after(position, self._position):
            problem = "it is stored before the one that it follows"
        if problem is None and isinstance(digest, bytes) and isinstance(style, int):
            self.seq, self._hash, self._format, self._position, self._at = seq, digest, style, position, fields[3]
            problem = self._differs(self._heads.get(seq))
        if problem is not None:
            self._break(seq, problem)
        elif self.session == AUDIT_SESSION:
            self._declared.learn(fields[8])

    def _pass_over(self, through: int) -> None:
        front = max((seq for seq in self._removed.fronts if self.seq < seq <= through), default=0)
        if front:
            self.expired += front - self.seq
            self.seq, self._hash = front, self._removed.fronts[front]

    def _problem(self, seq: int, style: object, previous: object, digest: object, fields: list[object]) -> str | None:
        step = fields[6]
        texts = [field if isinstance(field, bytes) else None for field in (*fields[:6], fields[7])]
        mistyped = any(
            text is None for text, field in zip(texts, (*fields[:6], fields[7]), strict=True) if field is not None
        )
        if previous != self._hash or not isinstance(step, int) or mistyped:
            return _WAS_CHANGED
        if style == OLD and self._format in (0, OLD):
            return self._old_problem(seq, step, previous, digest, fields)
        if style == PLAIN and self._format == KEYED:
            return "it is hashed without the key, and one before it is not"
        if style not in (PLAIN, KEYED):
            return _WAS_CHANGED
        linker = self._linker if style == KEYED else self._plain
        if linker.format != style:
            return "it is hashed with a key, and the store was opened without one"
        body, salt, body_hash = fields[8:]
        try:
            linked = linker.link(self._hash, seal(seq, step, _hash_of(body_hash), texts))
        except TypeError:  # a field is missing
            return _WAS_CHANGED
        if digest != linked:
            return _WAS_CHANGED
        if body is None and salt is None:
            return self._bare_problem(known=seq in self._removed.contents)
        whole = isinstance(body, bytes) and isinstance(salt, bytes) and body_hash_of(salt, body) == body_hash
        return None if whole else "its content was changed"

    def _old_problem(self, seq: int, step: int, previous: object, digest: object, fields: list[object]) -> str | None:
        scope, session, event_id, at, run, parent, _, kind, body, salt, body_hash = fields
        if scope != _OLD_SCOPE or salt is not None or body_hash is not None:
            return _WAS_CHANGED
        if body is None:
            known = self._removed.contents.get(seq)
            problem = self._bare_problem(known=known is not None)
            same = known == rest_of((seq, event_id, at, run, parent, step, kind, previous, digest))
            return problem if problem is not None or same else _WAS_CHANGED
        old = [_bytes(field) for field in (session, seq, event_id, at, run, parent, step, kind, body)]
        same = isinstance(body, bytes) and digest == link_old(self._hash, seal_old(old))
        return None if same else _WAS_CHANGED

    def _bare_problem(self, *, known: bool) -> str | None:
        if not known:
            return f"its content was removed, and {AUDIT_SESSION} does not tell of it"
        self.redacted += 1
        return None

    def _differs(self, head: Head | None) -> str | None:
        if head is None:
            return None
        if head.hash != self._hash.hex():
            return "it is not the one of which a head was kept elsewhere"
        if head.position != self._position:
            return f"it is at position {self._position!r}, and at {head.position} by a head that was kept elsewhere"
        return None

    def _break(self, seq: int, problem: str) -> None:
        name = self.session.encode(errors="surrogateescape").decode(errors="replace")
        self.broken = ChainBroken(name, seq, problem)
        self.done = True

    def go_on(self) -> None:
        """Take the check up again: the session may have grown."""
        self.done = False

    def end(self, found: End) -> None:
        """Compare with the stored head after the last record; ``done`` is not set if the session grew meanwhile."""
        count, seq, digest, style, at, position = found
        grew = isinstance(seq, int) and count > self.count and seq > self.seq
        if grew and self._grown_to != count:
            self._grown_to = count  # if no record follows even so, it did not
            return
        if not self.count and isinstance(seq, int):
            self._pass_over(seq)
            self._format = style if self.seq == seq and isinstance(style, int) else 0
        self.done = True
        self.exists = bool(count) or seq is not None or bool(self._removed.fronts or self._removed.contents)
        wanted = max(self._heads, default=0)
        if self.exists and seq is None:
            self._break(self.seq or 1, "the head of the chain is missing")
        elif seq is not None and not isinstance(seq, int):
            self._break(self.seq, f"the head of the chain has the number {seq!r}")
        elif isinstance(seq, int) and seq > self.seq:
            self._break(self.seq + 1, f"it is missing, and so is all up to {seq}, the head of the chain")
        elif isinstance(seq, int) and seq < self.seq:
            self._break(seq + 1, f"it was added after {seq}, the head of the chain")
        elif self.exists and digest != self._hash:
            self._break(self.seq, "the head of the chain has another hash")
        elif count != self.count:
            self._break(self.seq, f"the session has {count} records, of which {self.count} are in the chain")
        elif count and (style, at, position) != (self._format, self._at, self._position):
            self._break(self.seq, "the head of the chain has another time, position or format")
        elif wanted > self.seq:
            self._break(self.seq + 1, f"it is missing, and so is all up to {wanted}, a head that was kept elsewhere")
        else:
            self._compare_fronts()

    def _compare_fronts(self) -> None:
        for through, digest in self._removed.fronts.items():
            head = self._heads.get(through)
            if head is not None and head.hash != digest.hex():
                self._break(through, "it is not the one of which a head was kept elsewhere")


def _after(position: object, last: object) -> bool:
    return isinstance(position, int) and isinstance(last, int) and position > last


def _hash_of(field: object) -> bytes:
    if not isinstance(field, bytes) or len(field) != len(GENESIS):
        raise TypeError("no hash")
    return field


def _unhex(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""


def _bytes(field: object) -> bytes | None:
    # numbers are hashed as digits in format 1; text that stands where a number was has the same bytes
    if field is None or isinstance(field, bytes):
        return field
    return str(field).encode()
