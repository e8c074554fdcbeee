"""Keep sessions in memcached, as connect-memcached of Node keeps them."""

from __future__ import annotations

from sessile.stores.memcached.store import MemcachedStore, from_url

__all__ = ["MemcachedStore", "from_url"]
