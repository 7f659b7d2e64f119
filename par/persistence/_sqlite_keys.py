"""Which key a scope is kept with. The functions run in the thread of the connection that they are given."""

import sqlite3

from par.errors import WrongKey
from par.persistence._chain import KEYED, Linker
from par.persistence._sqlite_write import transaction

__all__ = ["compare_key", "meet_key"]

_FINGERPRINT = "SELECT fingerprint FROM scope_key WHERE scope = ?"


def compare_key(connection: sqlite3.Connection, linker: Linker, scope: str) -> None:
    """Return if the chains of the scope can be verified with the linker.

    Raises:
        WrongKey: if the scope is kept with a key, and this is another one or none.
    """
    row = connection.execute(_FINGERPRINT, (scope,)).fetchone()
    if row is not None and row[0] != linker.fingerprint():
        keyed = linker.format == KEYED
        raise WrongKey(scope, "this is another one" if keyed else "open the store with it to verify them")


def meet_key(connection: sqlite3.Connection, linker: Linker, scope: str) -> None:
    """Note what tells the key of the scope from others, if it has none yet.

    Raises:
        WrongKey: if it has another one.
    """
    with transaction(connection):
        compare_key(connection, linker, scope)
        connection.execute(
            "INSERT OR IGNORE INTO scope_key (scope, fingerprint) VALUES (?, ?)", (scope, linker.fingerprint())
        )
