"""The hash chain of a session, and the record that it is made of. The same for every database.

The hash of a record is SHA-256 over::

    previous                  the 32 bytes of the hash of the session's record before it; zero bytes for the first
    nine lengths              of the fields below, each a signed 8-byte big-endian number of bytes
    session seq id at run parent step kind body

``seq`` and ``step`` are decimal digits, ``at`` is ``2025-01-31T23:59:59.000000Z``, ``body`` is the JSON text of the
event exactly as it is stored; text is UTF-8. A ``parent`` that is none has the length -1 and no bytes. The lengths
make the fields unambiguous: nothing can be moved from one to its neighbour.

A chain proves that records were not changed, removed, added or moved by somebody who cannot rewrite all hashes
after that place and the stored head with them.
"""

from collections.abc import Sequence
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

import attrs

from par import codec
from par.errors import StoreError
from par.events import Envelope

__all__ = ["GENESIS", "Head", "Record", "link", "record_of", "seal"]

GENESIS: Final = bytes(32)
"""What stands in the place of the hash before the first record."""

_MAX_NUMBER: Final = 2**63 - 1
_lengths = Struct(">9q").pack


@attrs.frozen
class Head:
    """The end of a session's chain: how many records it has, and the hash of the last one."""

    seq: int = 0
    hash: bytes = GENESIS


class Record(NamedTuple):
    """An envelope as it is stored; ``sealed`` is what is hashed after the previous hash.

    A named tuple, because it is made for each event and its first nine fields are the parameters of an INSERT.
    """

    session: str
    seq: int
    id: str
    at: str
    run: str
    parent: str | None
    step: int
    kind: str
    body: str
    sealed: bytes


def seal(fields: Sequence[bytes | None]) -> bytes:
    """Return the lengths of the nine fields, then the fields."""
    lengths = _lengths(*[-1 if field is None else len(field) for field in fields])
    return lengths + b"".join([field for field in fields if field is not None])


def link(previous: bytes, sealed: bytes) -> bytes:
    """Return the hash of a record from the hash before it and its sealed fields."""
    return sha256(previous + sealed).digest()


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
        content = seal((
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
