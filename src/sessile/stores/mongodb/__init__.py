"""Keep sessions in MongoDB, in the layout of Node's connect-mongo."""

from __future__ import annotations

from sessile.stores.mongodb.store import MongoStore, from_url

__all__ = ["MongoStore", "from_url"]
