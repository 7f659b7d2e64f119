"""Which audit a command is about, and opening it."""

import argparse
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

import anyio
import attrs

from par.cli._settings import audit_file
from par.errors import StoreError, UsageError
from par.persistence import SqliteStore, open_sqlite
from par.persistence._chain import checked_key, checked_scope
from par.persistence._postgres import PostgresStore
from par.persistence._postgres_driver import place_of
from par.persistence._postgres_open import open_postgres
from par.persistence._postgres_pool import PgOptions

__all__ = ["OpenStore", "Target", "no_session", "open_store", "read_key", "target_of"]

OpenStore: TypeAlias = SqliteStore | PostgresStore

_GIVE_UP_S: Final = 5.0
"""How long a command waits for a server that is away: a person waits with it."""


@attrs.frozen(kw_only=True)
class Target:
    """An audit: the file or the DSN, the scope, and what of it may be shown."""

    where: str
    scope: str
    shown: str
    postgres: bool


def target_of(arguments: argparse.Namespace, env: Mapping[str, str]) -> Target:
    """Return the audit that the command line names, by default the file in the user's folder for state.

    Raises:
        UsageError: if it names two, a database that is none of Postgres, or an impossible scope.
    """
    named: str | None = getattr(arguments, "target", None)
    store: str | None = arguments.store
    if named is not None and store is not None:
        raise UsageError("the store is named twice: give it once, by itself or with --store")
    where = named if named is not None else store
    try:
        scope = checked_scope(arguments.scope)
        if where is None:
            file = str(audit_file(env))
            return Target(where=file, scope=scope, shown=file, postgres=False)
        if where.startswith(("postgresql:", "postgres:")):
            return Target(where=where, scope=scope, shown=place_of(where), postgres=True)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if "://" in where:  # whatever it is, it may have a password in it
        raise UsageError("a store is a file, or a database of Postgres: postgresql://user@host:port/database")
    if not where or where == ":memory:" or "\x00" in where:
        raise UsageError(f"a store is a file or a DSN, got {where!r}")
    return Target(where=where, scope=scope, shown=where, postgres=False)


@asynccontextmanager
async def open_store(
    target: Target, *, key: bytes | None = None, give_up_s: float | None = None
) -> AsyncGenerator[OpenStore, None]:
    """Open the audit; a file is not made. A server that is away is waited for, ``give_up_s`` seconds or a few.

    Raises:
        MissingExtra: if the driver of Postgres is not installed.
        StoreError: if it cannot be opened, is something else, or is of a newer par.
    """
    if target.postgres:
        wait_s = _GIVE_UP_S if give_up_s is None else give_up_s
        options = PgOptions(connections=2, connect_s=wait_s, give_up_s=wait_s)
        async with open_postgres(target.where, scope=target.scope, key=key, options=options) as postgres:
            yield postgres
    else:
        async with open_sqlite(target.where, scope=target.scope, key=key, create=False) as sqlite:
            yield sqlite


async def read_key(path: Path | None) -> bytes | None:
    """Return the bytes of the file as they are, which are the key; ``None`` without a file.

    Raises:
        UsageError: if it cannot be read, or is too short for a key.
    """
    if path is None:
        return None
    try:
        return checked_key(await anyio.Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"the key file {str(path)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"the key file {str(path)!r} holds no key: {error}") from None


def no_session(session: str, target: Target) -> StoreError:
    """Return the error of a session that is not there."""
    return StoreError(f"there is no session {session!r} in the scope {target.scope!r} of {target.shown!r}")
