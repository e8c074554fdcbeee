"""Keep sessions in MySQL or MariaDB, in the table of express-mysql-session or connect-session-knex."""

from __future__ import annotations

from sessile.stores.mysql.store import MysqlStore, from_url

__all__ = ["MysqlStore", "from_url"]
