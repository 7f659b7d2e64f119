"""Logins of a database that are no superusers: row-level security holds them."""

import os
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit, urlunsplit

_NUMBERS = count(1)


def login(dsn, user):
    """Return the DSN with which a user logs in."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{user}:secret@{parts.hostname}:{parts.port}"))


@contextmanager
def logins(server, dsn, *roles):
    """Make a login for each role and yield their names; the one called ``owner`` may make tables and roles."""
    number = next(_NUMBERS)
    names = {role: f"login_{role}_{os.getpid()}_{number}" for role in roles}
    server.execute(*(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'" for name in names.values()))
    if "owner" in names:
        server.execute(
            f"ALTER ROLE {names['owner']} CREATEROLE",
            f'GRANT CREATE ON DATABASE "{urlsplit(dsn).path[1:]}" TO {names["owner"]}',
        )
    try:
        yield names
    finally:
        everyone = ", ".join(names.values())
        server.execute(f"DROP OWNED BY {everyone} CASCADE", f"DROP ROLE {everyone}", dsn=dsn)
