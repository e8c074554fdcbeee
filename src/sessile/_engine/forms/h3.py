# h3, and nuxt-auth-utils with it, seals a whole session by iron, with no number of the password:
#
#   {"id": "...", "createdAt": 1796022196410, "data": {...}}
#
# The id is the session's, here as there. h3 counts a session's life from its beginning, and never moves that: so it
# ends with its seal, and no later than its whole life after `createdAt`.
"""The form of h3 1: the data in a seal of iron, with an id and when the session began."""

from __future__ import annotations

import math
from urllib.parse import unquote_to_bytes

from sessile._engine.forms.foreign import ForeignCookie, Opened, data_of, seconds_of
from sessile._engine.forms.iron_session import check_passwords
from sessile._records.fields import MAC, VERSION, SystemFields
from sessile._records.record import CREATED, JSON, SYSTEM, Contents, encode, stringify
from sessile._wire.iron import IronSeals
from sessile.options import CookieOptions, Options
from sessile.stores.base import Record

__all__ = ["H3Session"]

#: JavaScript's last moment, in seconds.
_LATEST = 8.64e12

#: Longer ids are none of h3's.
_LONGEST = 255


class H3Session(ForeignCookie):
    """Carries a session as h3 does."""

    def __init__(self, options: Options) -> None:
        super().__init__(options.name)
        passwords = options.secrets()
        check_passwords(passwords)
        self._seals = IronSeals([("", password) for password in passwords])
        #: What a handler of the Node side may have put among the data is no log-in of ours.
        self._fields = SystemFields(passwords, str)
        self._life = math.inf
        if isinstance(options.cookie, CookieOptions):
            life = options.cookie.lifetime(options.clock())
            self._life = math.inf if life is None else life

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        unsealed = self._seals.unseal(unquote_to_bytes(value))
        if unsealed is None:
            return None
        whole = data_of(unsealed.plaintext)
        data = None if whole is None else whole.data.get("data")
        if whole is None or not isinstance(data, dict) or "cookie" in data:
            return Opened(None, unsealed.expires_at, unsealed.current)
        sid, created = whole.data.get("id"), seconds_of(whole.data.get("createdAt"))
        system = data.pop(SYSTEM, None)
        contents = Contents(data, None, dict(system) if isinstance(system, dict) else {})
        self._fields.check(contents)
        expires_at = unsealed.expires_at
        if created is not None:
            contents.system = self._fields.sealed_again({**contents.system, CREATED: created})
            expires_at = min(expires_at, created + self._life)
        known = isinstance(sid, str) and 0 < len(sid) <= _LONGEST
        return Opened(contents, expires_at, unsealed.current, sid=sid if known else None)

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        # When the session began has a place of its own there.
        rest = {key: value for key, value in contents.system.items() if key not in (CREATED, MAC, VERSION)}
        system = self._fields.sealed(rest, sid)
        created = contents.system.get(CREATED)
        if isinstance(created, bool) or not isinstance(created, (int, float)) or not abs(created) <= _LATEST:
            created = now
        data = encode(Contents(contents.data, None, system))
        text = b'{"id":%b,"createdAt":%d,"data":%b}' % (stringify(sid).encode(), round(created * 1000), data)
        return self._seals.seal(text, record.expires_at)
