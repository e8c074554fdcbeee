# The format is cookie-signature's: `value.mac`, where mac is base64(HMAC-SHA256(secret, value)) without padding.
# The text is split at the last dot, so a value may contain dots.
#
# Comparison is always of bytes and in constant time (a str with non-ASCII in it would make compare_digest raise,
# and so turn a hostile cookie into a 500). The keyed hash is prepared once per secret and copied for each message:
# that halves the cost of the one cryptographic step on the hot path.
"""Sign an id so that nobody else can make one up, and check what comes back."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from hmac import compare_digest
from urllib.parse import quote, unquote_to_bytes

__all__ = ["BareSigner", "Signer", "keygrip_sign", "sign", "unsign"]

# encodeURIComponent leaves exactly these (ECMA-262, 19.2.6.4).
URI_COMPONENT_SAFE = "-_.!~*'()"
#: How many tokens are remembered, and how long the ids in them may be: a megabyte or two at most.
RECENT_TOKENS, LONGEST_REMEMBERED = 4096, 128
#: Tells whether it leaves all of a text, as of every id that we make: then nothing has to be encoded, which is slow.
_NEEDS_NO_ENCODING = re.compile(r"[A-Za-z0-9_.!~*'()-]*").fullmatch


class Signer:
    """Signs with the first secret and accepts any: so a secret is rotated by putting a new one in front.

    ``secrets`` are bytes, never empty. Format: cookie-signature 1.x, which express-session and cookie-parser use.
    """

    __slots__ = ("_macs", "_remembered")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets:
            raise ValueError("a Signer needs at least one secret")
        self._macs = [hmac.new(secret, digestmod="sha256") for secret in secrets]
        #: A session whose cookie is renewed at each request gets the same token each time.
        self._remembered = lru_cache(RECENT_TOKENS)(self._token)

    def sign(self, value: str) -> str:
        """Return ``value.mac``."""
        data = value.encode("utf-8", "surrogatepass")
        return f"{value}.{_mac(self._macs[0], data).decode('ascii')}"

    def unsign(self, signed: str) -> str | None:
        """Return the value that was signed, or None if no secret fits."""
        value, dot, mac = signed.rpartition(".")
        if not dot:
            return None
        data = value.encode("utf-8", "surrogatepass")
        claimed = mac.encode("utf-8", "surrogatepass")
        return value if self._verify(data, claimed) else None

    def token(self, sid: str) -> str:
        """Return the cookie value for ``sid``: ``s:<sid>.<mac>``, percent-encoded as express-session does."""
        return self._remembered(sid) if len(sid) <= LONGEST_REMEMBERED else self._token(sid)

    def _token(self, sid: str) -> str:
        if _NEEDS_NO_ENCODING(sid):
            mac = _mac(self._macs[0], sid.encode("ascii")).decode("ascii")
            return f"s%3A{sid}.{mac.replace('+', '%2B').replace('/', '%2F')}"
        return quote("s:" + self.sign(sid), safe=URI_COMPONENT_SAFE)

    def read_token(self, raw: bytes) -> str | None:
        """Return the sid that a cookie value carries, or None if it is not one that we signed.

        ``raw`` is the cookie's value as it came, percent-encoded or not. Work is linear in its length, and no
        input raises.
        """
        # A browser returns what it was given, so the first branch is the one that is taken: compare in the
        # encoded form, and decode nothing.
        if raw.startswith(b"s%3A"):
            sid, _, claimed = raw[4:].rpartition(b".")
            if b"%" not in sid:
                for prepared in self._macs:
                    mac = _mac(prepared, sid).replace(b"+", b"%2B").replace(b"/", b"%2F")
                    if compare_digest(mac, claimed):
                        return sid.decode("utf-8", "replace")
        decoded = unquote_to_bytes(raw)
        if not decoded.startswith(b"s:"):
            return None
        sid, _, claimed = decoded[2:].rpartition(b".")
        if not self._verify(sid, claimed):
            return None
        return sid.decode("utf-8", "replace")

    def _verify(self, data: bytes, claimed: bytes) -> bool:
        return any(compare_digest(_mac(prepared, data), claimed) for prepared in self._macs)


class BareSigner(Signer):
    """Makes tokens as @fastify/session does by default: ``<sid>.<mac>``, as it is. Reads those with ``s:`` as well.

    Its option ``cookiePrefix: 's:'`` makes it write what ``Signer`` writes.
    """

    __slots__ = ()

    def _token(self, sid: str) -> str:
        """Return the cookie value for ``sid``: ``<sid>.<mac>``, encoded only if a cookie cannot hold the id."""
        return quote(self.sign(sid), safe=URI_COMPONENT_SAFE + "/+:@&$,=?")

    def read_token(self, raw: bytes) -> str | None:
        """Return the sid that a cookie value carries, or None if it is not one that we signed."""
        decoded = unquote_to_bytes(raw)
        sid, dot, claimed = decoded.rpartition(b".")
        if dot and self._verify(sid, claimed):
            return sid.decode("utf-8", "replace")
        return super().read_token(raw)


def _mac(prepared: hmac.HMAC, data: bytes) -> bytes:
    mac = prepared.copy()
    mac.update(data)
    return b2a_base64(mac.digest(), newline=False).rstrip(b"=")


def sign(value: str, secret: str | bytes) -> str:
    """Sign ``value`` as cookie-signature's ``sign`` does.

    >>> sign("hello", "tobiiscool")
    'hello.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI'
    """
    return Signer([_bytes(secret)]).sign(value)


def unsign(signed: str, secret: str | bytes) -> str | None:
    """Return what ``sign`` was given, or None if ``signed`` was not made with ``secret``.

    >>> unsign("hello.DGDUkGlIkCzPz+C0B064FNgHdEjox7ch8tOBGslZ5QI", "tobiiscool")
    'hello'
    """
    return Signer([_bytes(secret)]).unsign(signed)


def keygrip_sign(data: str | bytes, key: str | bytes) -> str:
    """Sign ``data`` as keygrip does, which cookie-session of Node uses: unpadded base64url of an HMAC-SHA1.

    What cookie-session signs is ``name=value``; the result goes into the cookie ``name.sig``. SHA-1 is its format,
    not our choice: HMAC-SHA1 is unbroken, but make nothing new with it.

    >>> keygrip_sign("session=eyJtZXNzYWdlIjoiaGkifQ==", "a")
    'vdp2-kj-91tgzbWcV1QzofT3hu0'
    """
    mac = hmac.digest(_bytes(key), _bytes(data), "sha1")
    return urlsafe_b64encode(mac).rstrip(b"=").decode("ascii")


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8") if isinstance(text, str) else bytes(text)
