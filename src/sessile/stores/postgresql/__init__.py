"""Keep sessions in PostgreSQL, in the table of connect-pg-simple or connect-session-knex."""

from __future__ import annotations

from sessile.stores.postgresql.store import PostgresqlStore, from_url

__all__ = ["PostgresqlStore", "from_url"]
