"""The hash chain of a session, and the record that it is made of. The same for every database.

The hash of a record is SHA-256 over ten fields, in this order::

    previous    the hash of the session's record before it; 32 zero bytes for the first
    session, seq, id, at, run, parent, step, kind, body

``seq`` and ``step`` are decimal digits, ``at`` is ``2025-01-31T23:59:59.000000Z``, ``body`` is the JSON text of the
event exactly as it is stored; text is UTF-8. Before each field stands its length in bytes as a signed 8-byte
big-endian number; a ``parent`` that is none has the length -1 and no bytes. Lengths make the fields unambiguous:
nothing can be moved from one to its neighbour.

A chain proves that records were not changed, removed, added or moved by somebody who cannot rewrite all hashes
after that place and the stored head with them.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import Struct
from typing import Final

import attrs

from par import codec
from par.errors import StoreError
from par.events import Envelope

__all__ = ["GENESIS", "Head", "Record", "link", "record_of", "sealed"]

GENESIS: Final = bytes(32)
"""What stands in the place of the hash before the first record."""

_MAX_NUMBER: Final = 2**63 - 1
_length = Struct(">q").pack
_NONE: Final = _length(-1)


@attrs.frozen
class Head:
    """The end of a session's chain: how many records it has, and the hash of the last one."""

    seq: int = 0
    hash: bytes = GENESIS


@attrs.frozen
class Record:
    """An envelope as it is stored; ``sealed`` are the bytes that are hashed, without the previous hash."""

    session: str
    seq: int
    id: str
    at: str
    run: str
    parent: str | None
    step: int
    kind: str
    body: str
    sealed: bytes = attrs.field(repr=False)


def sealed(fields: Iterable[bytes | None]) -> bytes:
    """Return the fields, each after its length."""
    parts: list[bytes] = []
    for field in fields:
        if field is None:
            parts.append(_NONE)
        else:
            parts.append(_length(len(field)))
            parts.append(field)
    return b"".join(parts)


def link(previous: bytes, content: bytes) -> bytes:
    """Return the hash of a record from the hash before it and its sealed fields."""
    return sha256(_length(len(previous)) + previous + content).digest()


def record_of(envelope: Envelope) -> Record:
    """Turn an envelope into what is stored.

    Raises:
        StoreError: if it holds something that cannot be stored: what JSON cannot express, or a name with half a
            surrogate pair.
    """
    if not 1 <= envelope.seq <= _MAX_NUMBER or not 0 <= envelope.step <= _MAX_NUMBER:
        raise StoreError(
            f"event {envelope.id!r} cannot be stored: seq counts from 1 and step from 0, "
            f"got {envelope.seq} and {envelope.step}"
        )
    try:
        at, kind, body = codec.time_text(envelope.at), codec.tag_of(envelope.event), codec.dumps(envelope.event)
        content = sealed((
            envelope.session.encode(),
            b"%d" % envelope.seq,
            envelope.id.encode(),
            at.encode(),
            envelope.run.encode(),
            None if envelope.parent is None else envelope.parent.encode(),
            b"%d" % envelope.step,
            kind.encode(),
            body.encode(),
        ))
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"event {envelope.seq} of session {envelope.session!r} cannot be stored: {error}") from error
    return Record(
        envelope.session,
        envelope.seq,
        envelope.id,
        at,
        envelope.run,
        envelope.parent,
        envelope.step,
        kind,
        body,
        content,
    )
