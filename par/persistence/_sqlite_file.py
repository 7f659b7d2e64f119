"""Opening an audit file: telling it from other files before touching it, and its connections.

The functions here block; they run in the thread of the connection that they open.
"""

import sqlite3
from pathlib import Path
from typing import Final, Literal, TypeAlias

from par.errors import NewerSchema, NotAnAuditFile, StoreUnavailable
from par.persistence._sqlite_schema import APPLICATION_ID, SCHEMA_VERSION, migrate

__all__ = ["Durability", "is_busy", "open_reader", "open_writer"]

Durability: TypeAlias = Literal["process", "power"]

_BUSY_S: Final = 2.0
"""How long one statement waits for another process's lock, before the store tries again."""

_LOOKS: Final = 4
"""How often a file that looks damaged is looked at: a commit is between two looks, or it is damaged."""


def is_busy(error: BaseException) -> bool:
    """Tell whether SQLite says that somebody else holds a lock, so that trying again makes sense."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def open_writer(path: Path, durability: Durability, create: bool) -> sqlite3.Connection:
    """Return a connection for writing to the audit file, which is made if it is absent and ``create`` says so.

    A file that is something else is not changed, not even by the traces that SQLite leaves.

    Raises:
        NotAnAuditFile: if the file is something else.
        NewerSchema: if a newer par wrote it.
        StoreUnavailable: if it is absent or cannot be opened.
        sqlite3.OperationalError: if it is locked just now; see ``is_busy``.
    """
    _look(path, create)
    connection = _connect(path, "rwc" if create else "rw")
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        # before the migration: the pages that it frees hold what may have to leave the file one day
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, path)
        _use_wal(connection, path)
        # NORMAL leaves a commit in the operating system's cache, which a killed process cannot take along
        connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
        connection.execute(f"PRAGMA fullfsync = {'ON' if durability == 'power' else 'OFF'}")
    except sqlite3.Error as error:
        connection.close()
        if is_busy(error):
            raise
        raise _translated(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot write; text comes as bytes, so that no stored byte can make reading fail.

    Raises:
        StoreUnavailable: if the file cannot be opened.
        sqlite3.OperationalError: if it is locked just now; see ``is_busy``.
    """
    connection = _connect(path, "rw")  # "ro" could not take part in the WAL's shared memory
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        connection.text_factory = bytes
    except BaseException:
        connection.close()
        raise
    return connection


def _look(path: Path, create: bool) -> None:
    try:
        if path.is_dir():
            raise NotAnAuditFile(str(path), "it is a directory")
        size = path.stat().st_size if path.exists() else None
    except OSError as error:
        raise StoreUnavailable(str(path), error.strerror or str(error)) from error
    if size is None and not create:
        raise StoreUnavailable(str(path), "there is no such file")
    if size is None and not path.parent.is_dir():
        raise StoreUnavailable(str(path), "its folder does not exist")
    if size == 0 and not create:
        raise NotAnAuditFile(str(path), "it is empty")
    if size:
        _read_header(path)


def _read_header(path: Path) -> None:
    application, version = _header(path)
    if application != APPLICATION_ID:
        raise NotAnAuditFile(str(path), "it is the SQLite database of another program")
    if version > SCHEMA_VERSION:
        raise NewerSchema(str(path), version, SCHEMA_VERSION)


def _header(path: Path) -> tuple[int, int]:
    for _ in range(_LOOKS - 1):
        try:
            # "immutable" reads the main file alone: no locks, no journal replayed, no -wal or -shm made beside it
            return _ask(path, "mode=ro&immutable=1")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise _translated(path, error) from error
        # what looks damaged without locks may be a file that somebody is writing just now
        if any(path.with_name(path.name + journal).exists() for journal in ("-wal", "-journal")):
            break
    try:
        return _ask(path, "mode=ro")
    except sqlite3.Error as error:
        if is_busy(error):
            raise
        raise _translated(path, error) from error


def _ask(path: Path, options: str) -> tuple[int, int]:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, timeout=_BUSY_S)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    finally:
        connection.close()
    return int(application), int(version)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # as a URI, because the plain name ":memory:" would be no file at all
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_S)
    except sqlite3.Error as error:
        raise _translated(path, error) from error


def _use_wal(connection: sqlite3.Connection, path: Path) -> None:
    # after the schema was written: so the main file says from its first page on what it is
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnavailable(str(path), "its file system cannot share memory, which SQLite's WAL needs")


def _translated(path: Path, error: sqlite3.Error) -> NotAnAuditFile | StoreUnavailable:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return NotAnAuditFile(str(path), "it is not a SQLite database")
    if code == sqlite3.SQLITE_CORRUPT:
        return NotAnAuditFile(str(path), f"it is damaged ({error})")
    return StoreUnavailable(str(path), str(error))
