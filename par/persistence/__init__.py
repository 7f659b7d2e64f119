"""Stores that keep what happened: append-only, durable, and verifiable afterwards."""

from par._store import AuditStore, Expired, Head, Redaction, SessionSummary
from par.persistence._chain import AUDIT_SESSION
from par.persistence._export import Exported, ExportFormat, Selection, export_events
from par.persistence._group_commit import Queue, WhenFull
from par.persistence._heads import read_heads, sign_heads
from par.persistence._postgres import PostgresStore
from par.persistence._postgres_open import open_postgres, postgres_scopes
from par.persistence._postgres_pool import PgOptions
from par.persistence._postgres_schema import grant_roles
from par.persistence._sqlite import SqliteStore
from par.persistence._sqlite_file import Durability
from par.persistence._sqlite_open import open_sqlite, sqlite_scopes

__all__ = [
    "AUDIT_SESSION",
    "AuditStore",
    "Durability",
    "Expired",
    "ExportFormat",
    "Exported",
    "Head",
    "PgOptions",
    "PostgresStore",
    "Queue",
    "Redaction",
    "Selection",
    "SessionSummary",
    "SqliteStore",
    "WhenFull",
    "export_events",
    "grant_roles",
    "open_postgres",
    "open_sqlite",
    "postgres_scopes",
    "read_heads",
    "sign_heads",
    "sqlite_scopes",
]
