"""Keep sessions in Redis or Valkey, in the layout of Node's connect-redis."""

from __future__ import annotations

from sessile.stores.redis.store import RedisStore, from_url

__all__ = ["RedisStore", "from_url"]
