"""Files as the first schema made them: the statements of then, and the records of then."""

import contextlib
import sqlite3

from par import codec
from par.persistence._chain import GENESIS, link_old, seal_old
from par.persistence._schema.events import SQLITE_1
from par.persistence._sqlite_schema import APPLICATION_ID

INSERT = """
    INSERT INTO event (session, seq, id, at, run, parent, step, kind, body, previous, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


def make_old_file(path, envelopes):
    """Make a file of schema 1 that holds the envelopes, in their order."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in SQLITE_1:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        heads = {}
        for one in envelopes:
            previous = heads.get(one.session, GENESIS)
            fields = (one.session, one.seq, one.id, codec.time_text(one.at), one.run, one.parent, one.step)
            fields = (*fields, codec.tag_of(one.event), codec.dumps(one.event))
            sealed = seal_old([None if field is None else str(field).encode() for field in fields])
            heads[one.session] = link_old(previous, sealed)
            connection.execute(INSERT, (*fields, previous, heads[one.session]))
            connection.execute(
                "INSERT INTO head VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                (one.session, one.seq, heads[one.session]),
            )
