# @fastify/secure-session puts one key of its own before the data: `__ts`, the second in which the session was last
# changed. How long it lives from then is said by neither the cookie nor the record, but by the option `expiry` there,
# and by the options of the cookie here.
"""The form of @fastify/secure-session: the JSON of the data in a box of libsodium."""

from __future__ import annotations

import math
from base64 import b64decode
from urllib.parse import unquote_to_bytes

from sessile import cookies
from sessile._engine.forms.foreign import ForeignCookie, Opened, data_of
from sessile._records.record import JSON, Contents, encode
from sessile._wire.secretbox import KEY_BYTES, SecretBoxes, derive
from sessile.errors import InvalidOption
from sessile.options import CookieOptions, Options
from sessile.stores.base import Carried, Record

__all__ = ["SecureSession"]

_CHANGED = "__ts"


class SecureSession(ForeignCookie):
    """Carries a session as @fastify/secure-session does. There is no id in it."""

    def __init__(self, options: Options, store: Carried) -> None:
        super().__init__(options.name)
        secrets = options.secrets()
        keys = [derive(secret, store.salt) for secret in secrets] if store.derive else list(map(_key, secrets))
        self._boxes = SecretBoxes(keys)
        life = options.cookie.lifetime(options.clock()) if isinstance(options.cookie, CookieOptions) else None
        self._life = options.ttl if life is None else life

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        unsealed = self._boxes.unseal(unquote_to_bytes(value))
        if unsealed is None:
            return None
        contents = data_of(unsealed.plaintext)
        changed = None if contents is None else contents.data.pop(_CHANGED, None)
        if isinstance(changed, bool) or not isinstance(changed, (int, float)) or not abs(changed) < _LATEST:
            return Opened(contents, math.inf, unsealed.current)
        return Opened(contents, changed + self._life, unsealed.current)

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        data = {key: value for key, value in contents.data.items() if key != _CHANGED}
        contents.data = {_CHANGED: math.floor(now + 0.5), **data}
        return cookies.encode(self._boxes.seal(encode(contents)))


#: In seconds; JavaScript's last moment.
_LATEST = 8.64e12


def _key(secret: bytes) -> bytes:
    if len(secret) == KEY_BYTES:
        return secret
    try:
        key = b64decode(secret, validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidOption(
            "secret",
            f"a key of secure-session has {KEY_BYTES} bytes, or is these in base64",
            "If the Node application gives a secret and no key, add derive=yes to the URL of the store.",
        )
    return key
