"""The schemas that audit files have had, and the way from each to the next."""

import sqlite3
from pathlib import Path
from typing import Final

from par.errors import NewerSchema, NotAnAuditFile
from par.persistence._schema import dead_letters, events, limiter, memory, sessions

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "migrate"]

APPLICATION_ID: Final = 0x50415231
"""``PAR1``, in the header of every audit file."""

_MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    events.SQLITE_1,
    (*events.SQLITE_2, *sessions.SQLITE, *memory.SQLITE, *dead_letters.SQLITE, *limiter.SQLITE),
    sessions.SQLITE_3,
)
"""Statements that lead from schema n to n + 1. Forward only; a released entry is never edited."""

SCHEMA_VERSION: Final = len(_MIGRATIONS)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest schema, in one transaction; an empty file gets its tables.

    Raises:
        NotAnAuditFile: if the file is something else.
        NewerSchema: if a newer par wrote it.
        sqlite3.OperationalError: if it is locked just now.
    """
    connection.execute("BEGIN")  # or another process could make the file between two of the questions
    try:
        version = _version(connection, path)
    finally:
        connection.execute("ROLLBACK")
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # read again: another process may have done it while this one waited for the lock
        for statements in _MIGRATIONS[_version(connection, path) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            raise NewerSchema(str(path), version, SCHEMA_VERSION)
        if not objects:
            raise NotAnAuditFile(str(path), "its tables are missing")
        return int(version)
    if objects or version or application:
        raise NotAnAuditFile(str(path), "it is the SQLite database of another program")
    return 0
