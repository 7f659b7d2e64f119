"""Stores that keep what happened: append-only, durable, and verifiable afterwards."""

from par.persistence._sqlite import SqliteStore, open_sqlite
from par.persistence._sqlite_file import Durability
from par.persistence._sqlite_read import SessionSummary

__all__ = ["Durability", "SessionSummary", "SqliteStore", "open_sqlite"]
