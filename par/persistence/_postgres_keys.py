"""Which key a scope in Postgres is kept with."""

from par.errors import WrongKey
from par.persistence._chain import KEYED, Linker
from par.persistence._postgres_driver import Connection

__all__ = ["compare_key", "meet_key"]


async def compare_key(connection: Connection, linker: Linker, scope: str) -> None:
    """Return if the chains of the scope can be verified with the linker.

    Raises:
        WrongKey: if the scope is kept with a key, and this is another one or none.
    """
    found = await connection.fetchval("SELECT key_of_scope()")
    if found is not None and found != linker.fingerprint():
        raise _wrong_key(linker, scope)


async def meet_key(connection: Connection, linker: Linker, scope: str) -> None:
    """Note what tells the key of the scope from others, if it has none yet.

    Raises:
        WrongKey: if it has another one.
    """
    if await connection.fetchval("SELECT meet_key($1)", linker.fingerprint()) != linker.fingerprint():
        raise _wrong_key(linker, scope)


def _wrong_key(linker: Linker, scope: str) -> WrongKey:
    return WrongKey(scope, "this is another one" if linker.format == KEYED else "open the store with it to verify them")
