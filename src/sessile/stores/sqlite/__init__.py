"""Keep sessions in an SQLite file: nothing to install, safe for several processes on one machine."""

from __future__ import annotations

from sessile.stores.sqlite.store import SqliteStore, from_url

__all__ = ["SqliteStore", "from_url"]
