# Each verb is one script, hence one atomic step and one round trip. It is sent by its hash; a server that does not know
# it, after a restart or a failover, gets its text once. A key that holds something else than a string is none of ours,
# and counts as absent.
"""The scripts of the Redis store, in Lua."""

from __future__ import annotations

import hashlib
from typing import Any

import redis
from redis.client import NEVER_DECODE

from holdfast.dual import Steps

__all__ = ["SCRIPTS", "run"]

#: A script's first argument is our time. `ends` is -1 for a key without an end.
_LIVE = """
local key, now, ends = KEYS[1], tonumber(ARGV[1]), -2
if redis.call('TYPE', key).ok == 'string' then
  ends = redis.pcall('PEXPIRETIME', key)
  if type(ends) ~= 'number' then -- Redis before 7.0 has no such command.
    ends = redis.call('PTTL', key)
    if ends >= 0 then
      local time = redis.call('TIME')
      ends = ends + time[1] * 1000 + math.floor(time[2] / 1000)
    end
  end
end
local live = ends == -1 or ends > now
"""

_BODIES = {
    "load": """
if live then return {redis.call('GET', key), ends} end
return false""",
    "create": """
if live then return 0 end
redis.call('SET', key, ARGV[2], 'PXAT', ARGV[3])
return 1""",
    "replace": """
if not live then return 0 end
local current = redis.call('GET', key)
if current ~= ARGV[4] then return current end
redis.call('SET', key, ARGV[2], 'PXAT', ARGV[3])
return 1""",
    "touch": """
if not live then return 0 end
redis.call('PEXPIREAT', key, ARGV[2])
return 1""",
    "delete": """
if ends ~= -2 then redis.call('UNLINK', key) end
return live and 1 or 0""",
    "count": """
return live and 1 or 0""",
}

#: The scripts of the verbs, and `count`. Each takes a key and our time in milliseconds, and what is written beside it.
SCRIPTS = {name: (_LIVE + body).encode() for name, body in _BODIES.items()}
_HASHES = {name: hashlib.sha1(script, usedforsecurity=False).hexdigest() for name, script in SCRIPTS.items()}


def run(client: Any, script: str, key: bytes, now: int, *arguments: Any) -> Steps[Any]:
    """Run a script for ``key``, and return its answer."""
    rest = (1, key, now, *arguments)
    try:
        return (yield client.execute_command("EVALSHA", _HASHES[script], *rest, **{NEVER_DECODE: True}))
    except redis.exceptions.NoScriptError:
        return (yield client.execute_command("EVAL", SCRIPTS[script], *rest, **{NEVER_DECODE: True}))
