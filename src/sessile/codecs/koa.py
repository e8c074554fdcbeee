# The record of koa-session in a store is the data, and behind it when the session ends and how long it lives, both in
# milliseconds. It goes by that end, and not by the store's; and by `_session` in their place it says that the session
# ends with the browser. A record of ours that is no session, such as a tombstone, ended long ago for Koa.
#
#   {"user":7,"_expire":1796022196497,"_maxAge":86400000}          {"user":7,"_session":true}
#
# Values are handed on as they are spelled, so that what nobody changed does not change.
"""Read and write the records that koa-session keeps in a store."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec

__all__ = ["KoaSession"]

_END, _LIFE, _BROWSER = "_expire", "_maxAge", "_session"
_OWN = (_END, _LIFE, _BROWSER)
_COOKIE = "cookie"

#: For Koa this is over.
_OVER = b"0"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class KoaSession:
    """Shares records with koa-session 7 and its store, such as koa-redis. Give ``token="koa-session"`` beside it.

    Of the cookie Koa keeps the length of its life, and nothing else: the options say the rest. Keys that begin with an
    underscore are Koa's; it drops those of a handler when it saves.

    >>> KoaSession().decode(b'{"n":1,"_expire":1796022196497,"_maxAge":86400000}', "an id")
    b'{"cookie":{"originalMaxAge":86400000,"expires":"2026-11-30T07:03:16.497Z"},"n":1}'
    """

    def encode(self, payload: bytes, sid: str) -> bytes:
        try:
            members = {name: value for name, value in _split(payload).items() if name not in _OWN}
        except ValueError:
            return payload
        cookie = members.pop(_COOKIE, None)
        if cookie is None:
            return _joined({**members, _END: _OVER})
        attributes = _read(cookie)
        attributes = attributes if isinstance(attributes, dict) else {}
        end, life = _milliseconds(attributes.get("expires")), _number(attributes.get("originalMaxAge"))
        if end is None:
            return _joined({**members, _BROWSER: b"true"})
        own = {_END: b"%d" % end}
        if life is not None:
            own[_LIFE] = b"%d" % round(life)
        return _joined({**members, **own})

    def decode(self, stored: bytes, sid: str) -> bytes | None:
        try:
            members = _split(stored)
        except ValueError:
            return None
        own = {name: members.pop(name, None) for name in _OWN}
        if _COOKIE in members:
            return None  # That name belongs to the cookie here: express-session's record, or not a session that can be.
        if own[_END] == _OVER:
            return _joined(members)
        life = own[_LIFE]
        life = life if life is not None and _number(_read(life)) is not None else b"null"
        cookie = b'{"originalMaxAge":%b,"expires":%b}' % (life, _iso(own[_END]))
        return _joined({_COOKIE: cookie, **members})


def _split(text: bytes) -> dict[str, bytes]:
    """Return the members of a JSON object, each as it is spelled. Raises ValueError if it is not one."""
    try:
        return {name: bytes(value) for name, value in _members.decode(text).items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    # Node escapes lone surrogates, which are legal JSON and which msgspec refuses.
    try:
        whole = json.loads(text)
        if isinstance(whole, dict):
            return {name: json.dumps(value, separators=(",", ":")).encode("ascii") for name, value in whole.items()}
    except RecursionError:
        pass
    raise ValueError("it is not a JSON object")


def _joined(members: dict[str, bytes]) -> bytes:
    return b"{" + b",".join(_name(name) + b":" + value for name, value in members.items()) + b"}"


def _name(name: str) -> bytes:
    try:
        return msgspec.json.encode(name)
    except UnicodeEncodeError:
        return json.dumps(name).encode("ascii")


def _read(text: bytes) -> object:
    """Return what ``text`` is as JSON; None if it is more than can be read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _number(value: object) -> float | None:
    """Return a value of JSON if it is a number that time can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e15:
        return None
    return value


def _milliseconds(expires: object) -> int | None:
    if not isinstance(expires, str):
        return None
    try:
        moment = datetime.fromisoformat(expires)
    except ValueError:
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)


def _iso(milliseconds: bytes | None) -> bytes:
    """Return a number of milliseconds as a moment in JSON; null for what is not one."""
    try:
        value = _number(_read(milliseconds or b"null"))
        if value is None:
            return b"null"
        text = (_EPOCH + timedelta(milliseconds=value)).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return b"null"
    return f'"{text.replace("+00:00", "Z")}"'.encode("ascii")
