# Each script is one atomic step. A key that holds something other than a string is not ours: it counts as absent.
"""The scripts of the Redis store, in Lua."""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["HASHES", "OLD_END", "SCRIPTS"]

#: The end of a key, for servers before Redis 7.0, which have no PEXPIRETIME.
OLD_END: Final = b"""\
local left = redis.call('PTTL', KEYS[1])
if left < 0 then return left end
local time = redis.call('TIME')
return left + time[1] * 1000 + math.floor(time[2] / 1000)"""

#: `ends` is the end of the key: -1 for none, -2 for no key, or none of ours. The first argument is our time.
_LIVE = """
local key, now, ends = KEYS[1], tonumber(ARGV[1]), -2
local current = redis.pcall('GET', key)
if type(current) == 'table' then
  if not string.find(current.err, 'WRONGTYPE', 1, true) then return current end
  current = false
end
if current then
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

# How `replace` compares. Sending the expected payload doubles what a write costs on the wire. A plain SHA-1 would not
# do in its place, for somebody may prepare two payloads with one hash. So the hash is of random bytes and the payload:
# they are drawn after both payloads are fixed and nobody else sees them, and to collide under a prefix that is not
# known is not helped by any known attack on SHA-1. (Lua in Redis has no other hash.)
_BODIES = {
    "create": """
if live or redis.call('EXISTS', key) == 1 and not current then return 0 end
redis.call('SET', key, ARGV[2], 'PXAT', ARGV[3])
return 1""",
    "replace": """
if not live then return 0 end
local same = current == ARGV[4]
if ARGV[5] ~= '' then same = redis.sha1hex(ARGV[5] .. current) == ARGV[4] end
if not same then return current end
redis.call('SET', key, ARGV[2], 'PXAT', ARGV[3])
return 1""",
    "touch": """
if not live then return 0 end
redis.call('PEXPIREAT', key, ARGV[2])
return 1""",
}

#: The scripts of the verbs. Each takes a key and our time in milliseconds, and what is written beside it.
SCRIPTS: Final = {name: (_LIVE + body).encode() for name, body in _BODIES.items()}
HASHES: Final = {name: hashlib.sha1(text, usedforsecurity=False).hexdigest() for name, text in SCRIPTS.items()}
