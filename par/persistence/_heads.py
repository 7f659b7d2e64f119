"""Heads as text, to be kept where who can write the store cannot: one JSON object a line, and a line that seals them."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, cast

from par._json import Json, JsonObject, JsonSyntaxError, dump_json, load_json
from par._store import Head
from par.codec import time_of, time_text
from par.errors import StoreError
from par.persistence._chain import checked_key

__all__ = ["read_heads", "sign_heads"]

_TAG: Final = b"par heads 1\n"
_FIELDS: Final = {"scope", "session", "seq", "hash", "at", "position"}


def sign_heads(heads: Iterable[Head], *, key: bytes | None = None) -> str:
    """Return the heads as JSON lines, for ``read_heads``.

    The last line seals the others: with an HMAC-SHA-256 under ``key`` (16 bytes or more), which nobody can make who
    has not got the key; without one with a SHA-256, which tells a damaged or shortened file, not a forged one. The
    key need not be the one of the store.

    Raises:
        ValueError: for a key that is too short.
    """
    lines = [dump_json(_written(head)) for head in heads]
    content = "".join(f"{line}\n" for line in lines)
    seal = dump_json({"heads": len(lines), _name(key): _seal(content, checked_key(key))})
    return f"{content}{seal}\n"


def read_heads(text: str, *, key: bytes | None = None) -> tuple[Head, ...]:
    """Read what ``sign_heads`` wrote, if nobody changed it.

    Raises:
        StoreError: if it was changed or cut, was signed with another key, with none though one is given, or with one
            though none is given.
        ValueError: for a key that is too short.
    """
    lines = text.removesuffix("\n").split("\n")  # not splitlines: names may hold what it takes for ends of lines
    last = _object(lines[-1], "the line that seals them is missing")
    content = "".join(f"{line}\n" for line in lines[:-1])
    name, seal = _name(key), _seal(content, checked_key(key))
    if set(last) != {"heads", name}:
        wanted = "with a key" if key is not None else "without a key"
        raise StoreError(f"the heads cannot be trusted: they were not sealed {wanted}")
    found = last[name]
    if not isinstance(found, str) or not found.isascii() or not hmac.compare_digest(found, seal):
        raise StoreError("the heads cannot be trusted: they were changed, or sealed with another key")
    if last["heads"] != len(lines) - 1:
        raise StoreError(f"the heads cannot be trusted: there are {len(lines) - 1}, and {last['heads']} were sealed")
    return tuple(_read(line) for line in lines[:-1])


def _name(key: bytes | None) -> str:
    return "sha256" if key is None else "hmac_sha256"


def _seal(content: str, key: bytes | None) -> str:
    message = _TAG + content.encode()
    return sha256(message).hexdigest() if key is None else hmac.digest(key, message, "sha256").hex()


def _written(head: Head) -> JsonObject:
    return {
        "scope": head.scope,
        "session": head.session,
        "seq": head.seq,
        "hash": head.hash,
        "at": time_text(head.at),
        "position": head.position,
    }


def _object(line: str, problem: str) -> JsonObject:
    try:
        found: Json = load_json(line)
    except JsonSyntaxError:
        found = None
    if not isinstance(found, dict):
        raise StoreError(f"the heads cannot be read: {problem}")
    return found


def _read(line: str) -> Head:
    fields = _object(line, "a line is no JSON object")
    scope, session, digest = fields.get("scope"), fields.get("session"), fields.get("hash")
    seq, position = fields.get("seq"), fields.get("position")
    texts = isinstance(scope, str) and isinstance(session, str) and isinstance(digest, str)
    if set(fields) != _FIELDS or not texts or type(seq) is not int or type(position) is not int:
        raise StoreError("the heads cannot be read: a line is no head")
    try:
        at = time_of(fields["at"])
    except (TypeError, ValueError) as error:
        raise StoreError(f"the heads cannot be read: {error}") from error
    return Head(
        scope=cast("str", scope),
        session=cast("str", session),
        seq=seq,
        hash=cast("str", digest),
        at=at,
        position=position,
    )
