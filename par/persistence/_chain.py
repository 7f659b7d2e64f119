r"""The hash chain of a session, and the record that it is made of. The same for every database.

A record has the columns ``scope session seq id at run parent step kind body salt body_hash previous hash format``.
``at`` is ``2025-01-31T23:59:59.000000Z``; ``body`` is the JSON text of the event exactly as it is stored (a column
that rewrites JSON, such as ``jsonb``, does not keep it); ``salt`` is 16 random bytes, and::

    body_hash = SHA-256(salt, body)

so that body and salt of a record can be removed later and its hash can still be computed. ``hash`` is, without a key
(format 2), SHA-256, and with a key (format 3), HMAC-SHA-256 of these bytes, one after the other::

    tag         "par record 2\n" or "par record 3\n": 13 bytes
    previous    32 bytes: the hash of the session's record before it, 32 zero bytes for the first
    seq         8 bytes, signed, big-endian
    step        8 bytes, signed, big-endian
    body_hash   32 bytes
    lengths     7 times 4 bytes, signed, big-endian: the number of bytes of each of the fields that follow
    fields      scope session id at run parent kind, each in UTF-8

A ``parent`` that is none has the length -1 and no bytes. The lengths make the fields unambiguous: nothing can be
moved from one to its neighbour. In the SQL of Postgres these are ``int8send``, ``int4send``,
``octet_length(convert_to(text, 'UTF8'))`` and ``sha256``.

Format 1 is what files of schema 1 hold: no scope, salt or body_hash, and the hash is SHA-256 of ``previous``, nine
lengths of 8 bytes and the fields ``session seq id at run parent step kind body``, numbers as decimal digits.

A chain proves that records were not changed, removed, added or moved by somebody who cannot rewrite all hashes after
that place and the stored tip with them: with a key nobody can who has not got it; without one, heads that are kept
elsewhere prove what was there when they were taken.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from os import urandom
from struct import Struct
from typing import Final, NamedTuple, final

from par import codec
from par.errors import StoreError
from par.events import Envelope, Redacted

__all__ = [
    "AUDIT_SESSION",
    "GENESIS",
    "KEYED",
    "OLD",
    "PLAIN",
    "Linker",
    "Record",
    "Tip",
    "body_hash_of",
    "checked_key",
    "checked_scope",
    "link_old",
    "numbered",
    "record_of",
    "records_of",
    "seal",
    "seal_old",
]

GENESIS: Final = bytes(32)
"""What stands in the place of the hash before the first record."""

AUDIT_SESSION: Final = "par.audit"
"""The session of each scope in which the store tells what it removed. Only the store writes to it."""

OLD: Final = 1
"""The format of records that schema 1 held."""
PLAIN: Final = 2
"""The format of records that are hashed without a key."""
KEYED: Final = 3
"""The format of records that are hashed with the store's key."""

_TAGS: Final = {PLAIN: b"par record 2\n", KEYED: b"par record 3\n"}
_MAX_NUMBER: Final = 2**63 - 1
_SALT_BYTES: Final = 16
_MIN_KEY_BYTES: Final = 16
_MAX_SCOPE_CHARS: Final = 200
_fixed = Struct(">qq32s7i").pack
_lengths_old = Struct(">9q").pack


class Tip(NamedTuple):
    """The end of a session's chain: the number and the hash of its last record, and how that is hashed."""

    seq: int = 0
    hash: bytes = GENESIS
    format: int = 0


class Record(NamedTuple):
    """An envelope as it is stored, without its place in the chain; ``sealed`` is what is hashed after ``previous``.

    ``seq`` is 0 for a record that gets its number when it is written; see ``numbered``. A named tuple, because it is
    made for each event and its fields but the last are the parameters of an INSERT.
    """

    scope: str
    session: str
    seq: int
    id: str
    at: str
    run: str
    parent: str | None
    step: int
    kind: str
    body: str
    salt: bytes
    body_hash: bytes
    sealed: bytes


@final
class Linker:
    """Makes the hash of each record out of the hash before it: with a key, or without."""

    __slots__ = ("_key", "_tag", "format")

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self.format: int = PLAIN if key is None else KEYED
        """The format of the records that are linked."""
        self._tag = _TAGS[self.format]

    def link(self, previous: bytes, sealed: bytes) -> bytes:
        """Return the hash of a record."""
        if self._key is None:
            return sha256(self._tag + previous + sealed).digest()
        return hmac.digest(self._key, self._tag + previous + sealed, "sha256")

    def fingerprint(self) -> bytes | None:
        """Return what tells the key from others without giving it away; none without a key."""
        return None if self._key is None else hmac.digest(self._key, b"par key\n", "sha256")


def checked_key(key: bytes | None) -> bytes | None:
    """Return the key.

    Raises:
        ValueError: if it is shorter than 16 bytes.
        TypeError: if it is no bytes.
    """
    if key is not None and not isinstance(key, bytes):  # pyright: ignore[reportUnnecessaryIsInstance] # text is what people try
        raise TypeError(f"key must be bytes, got {type(key).__name__}")
    if key is not None and len(key) < _MIN_KEY_BYTES:
        raise ValueError(f"key must have at least {_MIN_KEY_BYTES} bytes, got {len(key)}")
    return key


def checked_scope(scope: str) -> str:
    """Return the name of a scope.

    Raises:
        ValueError: if it is empty, longer than 200 characters, or holds what a database cannot keep.
    """
    if not 0 < len(scope) <= _MAX_SCOPE_CHARS:
        raise ValueError(f"scope must have 1 to {_MAX_SCOPE_CHARS} characters, got {len(scope)}")
    if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in scope):
        raise ValueError(f"scope must be plain text, got {scope!r}")
    return scope


def body_hash_of(salt: bytes, body: bytes) -> bytes:
    """Return the hash that stands for the body in the hash of the record."""
    return sha256(salt + body).digest()


def seal(seq: int, step: int, body_hash: bytes, texts: Sequence[bytes | None]) -> bytes:
    """Return what is hashed after ``previous``; ``texts`` are scope, session, id, at, run, parent, kind.

    Raises:
        TypeError: if one of them but parent is missing.
    """
    scope, session, event_id, at, run, parent, kind = texts
    if scope is None or session is None or event_id is None or at is None or run is None or kind is None:
        raise TypeError("no field but parent may be missing")
    if parent is None:
        parent_len, parent = -1, b""
    else:
        parent_len = len(parent)
    fixed = _fixed(
        seq, step, body_hash, len(scope), len(session), len(event_id), len(at), len(run), parent_len, len(kind)
    )
    return b"".join((fixed, scope, session, event_id, at, run, parent, kind))


def seal_old(fields: Sequence[bytes | None]) -> bytes:
    """Return the lengths of the nine fields of a record of format 1, then the fields."""
    lengths = _lengths_old(*[-1 if field is None else len(field) for field in fields])
    return lengths + b"".join([field for field in fields if field is not None])


def link_old(previous: bytes, sealed: bytes) -> bytes:
    """Return the hash of a record of format 1."""
    return sha256(previous + sealed).digest()


def numbered(record: Record, seq: int) -> Record:
    """Return the record with its number."""
    return record._replace(seq=seq, sealed=seq.to_bytes(8, "big") + record.sealed[8:])


def records_of(envelopes: Sequence[Envelope], scope: str) -> tuple[Record, ...]:
    """Turn envelopes into what is stored.

    Raises:
        StoreError: if one holds something that cannot be stored: what JSON cannot express, a number out of range, or
            a name with half a surrogate pair.
    """
    salts = urandom(_SALT_BYTES * len(envelopes))  # one call for all: it costs as much as a hash
    return tuple([
        _record(envelope, _checked_seq(envelope), scope, salts[index * _SALT_BYTES : (index + 1) * _SALT_BYTES])
        for index, envelope in enumerate(envelopes)
    ])


def record_of(envelope: Envelope, scope: str, *, unnumbered: bool = False) -> Record:
    """Turn an envelope into what is stored; ``unnumbered`` leaves its number to whoever writes it.

    Raises:
        StoreError: as ``records_of`` does.
    """
    seq = 0 if unnumbered else _checked_seq(envelope)
    return _record(envelope, seq, scope, urandom(_SALT_BYTES))


def _checked_seq(envelope: Envelope) -> int:
    if 1 <= envelope.seq <= _MAX_NUMBER and 0 <= envelope.step <= _MAX_NUMBER:
        return envelope.seq
    raise StoreError(
        f"event {envelope.id!r} cannot be stored: seq counts from 1 and step from 0, "
        f"got {envelope.seq} and {envelope.step}"
    )


def _record(envelope: Envelope, seq: int, scope: str, salt: bytes) -> Record:
    event, session, run, parent = envelope.event, envelope.session, envelope.run, envelope.parent
    if isinstance(event, Redacted):
        raise StoreError(f"event {envelope.id!r} cannot be stored: it stands for one that was removed")
    try:
        at, kind, body = codec.time_text(envelope.at), codec.tag_of(event), codec.dumps(event)
        body_hash = sha256(salt + body.encode()).digest()
        together = f"{scope}{session}{envelope.id}{at}{run}{parent or ''}{kind}"
        if together.isascii():  # then characters are bytes: eight encodings less
            fixed = _fixed(
                seq,
                envelope.step,
                body_hash,
                len(scope),
                len(session),
                len(envelope.id),
                len(at),
                len(run),
                -1 if parent is None else len(parent),
                len(kind),
            )
            sealed = fixed + together.encode()
        else:
            texts = (scope, session, envelope.id, at, run, parent, kind)
            sealed = seal(seq, envelope.step, body_hash, [None if text is None else text.encode() for text in texts])
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"event {envelope.seq} of session {session!r} cannot be stored: {error}") from error
    return Record(scope, session, seq, envelope.id, at, run, parent, envelope.step, kind, body, salt, body_hash, sealed)
