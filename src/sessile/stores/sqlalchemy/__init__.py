"""Keep sessions through an engine of SQLAlchemy that the application has already."""

from __future__ import annotations

from sessile.stores.sqlalchemy.store import SqlalchemyStore

__all__ = ["SqlalchemyStore"]
