# The layout is that of session-file-store 1.5 (Node): `<sid>.json` holds the session's JSON and one key more.
#
#     {"cookie":{...},"user":7,"__lastAccess":2000000000123}
#
# Node's rule: from then on a session lives for the originalMaxAge of its cookie, or else for the option `ttl`. Our ttl
# is exact and counts from now. So what is written is the moment from which Node's rule arrives at our end: the file
# needs no key of ours, and both sides agree.
#
# express gives the handler whatever was loaded, `__lastAccess` with it. What the handler adds then stands behind it,
# so in a file of Node's the key may be anywhere among the members. It never is part of a payload.
#
# What has no such file, a payload that is not a JSON object or a sid that is no file name, is kept in an envelope
# (envelope.py), which is a JSON object and gets the key too.
#
# With its option `secret`, Node encrypts all of that with kruptein, and what the store can tell is no more than that it
# is such a file. It is a payload for the codec, a JSON string of the text, so that nobody takes it for a session:
#
#     {"hmac":"...","ct":"...","iv":{...},"salt":{...},"aad":"...","at":{...}}
#
# A file system that takes `a` and `A` for one would take such sids for one. It does not matter: sids are 24 random
# bytes, and only those that we signed are looked for.
"""What the files of the file store are called, and what stands in them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sessile.stores._shared.envelope import digest, is_wrapped, parse_leniently, unwrap, wrap
from sessile.stores.base import Record

__all__ = ["compose", "encrypted_by_node", "is_name", "name_of", "parse"]

#: The longest name of a file is 255 bytes, and Node adds up to 16 to that of a sid.
_LONGEST = 235

_DIGEST = re.compile("%[0-9a-f]{64}")

_KEY = b'"__lastAccess"'
_ENCRYPTED = b'{"hmac":"'
_NUMBER = rb"\s*:\s*(-?[0-9]{1,17})\s*"
_LAST_MEMBER = re.compile(_KEY + _NUMBER + b"}")
_TOKEN = re.compile(_KEY + _NUMBER + rb',|"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)

#: JavaScript is exact up to here.
_LARGEST_INTEGER = 2**53


class _Session(msgspec.Struct):
    cookie: Any = None


_sessions = msgspec.json.Decoder(_Session)


def name_of(sid: str) -> str:
    """Return the name of the file of ``sid``, without its ending: no two sids have the same, and none is a path."""
    return sid if _is_plain(sid) and not _DIGEST.fullmatch(sid) else f"%{digest(sid)}"


def is_name(text: str) -> bool:
    """Tell whether a file of this name, without its ending, may hold a record."""
    return _is_plain(text)


def _is_plain(sid: str) -> bool:
    """Tell whether ``sid`` is a file name as it stands: a JWT and an e-mail address are."""
    if not sid or not sid.isprintable() or "/" in sid or sid.startswith(".") or sid != sid.strip():
        return False
    return len(sid.encode()) <= _LONGEST


def compose(sid: str, payload: bytes, end: int, ttl: int) -> bytes:
    """Return the content of the file for a record that ends at ``end``. Both times are in milliseconds."""
    life = None if is_wrapped(payload) or name_of(sid) != sid else _life(payload, ttl)
    if life is None:
        payload, life = wrap(sid, payload), ttl
    comma = b"," if payload[1:-1].strip() else b""
    return b"%b%b%b:%d}" % (payload[:-1], comma, _KEY, end - life)


def parse(name: str, content: bytes, ttl: int) -> tuple[str, Record] | None:
    """Return the sid and the record that a file called ``name`` holds, expired or not. None if it holds none."""
    content = content.strip()  # Whoever looks into it with an editor may leave a line feed.
    life = _life(content, ttl)
    taken_apart = None if life is None else _take_apart(content)
    if life is None or taken_apart is None:
        return None
    content, last_access = taken_apart
    sid, payload = unwrap(content) or (name, content)
    return (sid, Record(payload, (last_access + life) / 1000)) if name_of(sid) == name else None


def encrypted_by_node(name: str, content: bytes) -> bytes | None:
    """Return a payload for a codec to read, if a file called ``name`` may be what Node has encrypted; else None."""
    if not content.startswith(_ENCRYPTED) or name_of(name) != name:
        return None
    try:
        return msgspec.json.encode(content.decode())
    except UnicodeDecodeError:
        return None


def _life(content: bytes, ttl: int) -> int | None:
    """Return how long Node's rule lets a session live, in milliseconds. None for what is not a JSON object."""
    if not (content.startswith(b"{") and content.endswith(b"}")):
        return None
    try:
        cookie = _sessions.decode(content).cookie
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        try:
            whole = parse_leniently(content.decode())
            cookie = whole.get("cookie") if isinstance(whole, dict) else None
        except ValueError:
            return None
    age = cookie.get("originalMaxAge") if isinstance(cookie, dict) else None
    return int(age) if isinstance(age, (int, float)) and 1 <= abs(age) <= _LARGEST_INTEGER else ttl


def _take_apart(content: bytes) -> tuple[bytes, int] | None:
    """Return a JSON object without ``__lastAccess``, and the value of that. None if there is none."""
    position = content.rfind(_KEY)
    if position < 0:
        return None
    last = _LAST_MEMBER.fullmatch(content, position)
    if last:
        head = content[:position]
        members = head.rstrip()
        return (members[:-1] if members.endswith(b",") else head) + b"}", int(last[1])
    depth = 0
    for token in _TOKEN.finditer(content):
        if depth == 1 and token[1]:
            return content[: token.start()] + content[token.end() :], int(token[1])
        depth += (token[0] in b"{[") - (token[0] in b"}]")
    return None
