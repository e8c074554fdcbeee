# koa-session with a store puts the id into the cookie `name`, as it is, and keygrip's signature of `name=id` into the
# cookie `name.sig`. A browser sends both, in any order, and a hostile neighbour may send more of either.
"""How an id travels between the browser, Koa and us: in a cookie and its signature in another."""

from __future__ import annotations

from collections.abc import Sequence

from sessile import cookies
from sessile._engine.transport import Claims, Tokens, checked, set_cookie
from sessile._records.record import JSON
from sessile._wire.keygrip import Keygrip

__all__ = ["KeygripTransport"]


class KeygripTransport:
    """Carries the id in a cookie called ``name``, and its signature in ``name.sig``."""

    reads = b"cookie"
    writes = b"set-cookie"

    def __init__(self, name: str, secrets: Sequence[bytes]) -> None:
        self._name = name
        self._keygrip = Keygrip(name, secrets)
        self.tokens: Tokens = self._keygrip

    def read(self, header: bytes) -> Claims:
        values = list(dict.fromkeys(cookies.candidates(header, self._name.encode("ascii"))))
        signatures = cookies.candidates(header, self._keygrip.beside.encode("ascii"))
        signed = [value for value in values if value and self._keygrip.verify(value, signatures) is not None]
        return Claims(tuple(value.decode("utf-8", "replace") for value in signed), len(values) - len(signed))

    def check(self, sid: str) -> str:
        return checked(sid, len(self._keygrip.beside) + len(sid), "cookie")

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        return self._lines(sid, stored, now)

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        return self._lines("", stored, None)

    def _lines(self, value: str, stored: dict[str, JSON], now: float | None) -> tuple[str, ...]:
        return (
            set_cookie(self._name, value, stored, now),
            set_cookie(self._keygrip.beside, self._keygrip.sign(value.encode("utf-8", "surrogatepass")), stored, now),
        )
