# The algorithms of the specification (W3C, Device Bound Session Credentials), and where Chromium 156 differs, what
# Chromium does: headers bare and not quoted, a bound session ended by any 4xx but a 403 with a challenge, five
# challenges at most, a renewal ahead of time when less than two minutes are left.
"""A browser that binds sessions to its device, for tests of an application."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sessile._wire import base64url

__all__ = ["DeviceBrowser", "Reply"]

#: How many challenges are answered for one renewal.
_MOST_CHALLENGES = 5
#: When less is left of the cookie, in seconds, it is renewed although it is there.
_AHEAD = 120.0

_OFFER = re.compile(r'\((?P<algorithms>[^)]*)\)(?=.*;path="(?P<path>[^"]*)")(?=.*;challenge="(?P<challenge>[^"]*)")')
_TOLD = re.compile(r'"(?P<challenge>[^"]*)";id="(?P<id>[^"]*)"')


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return the values of all headers of this name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()


@dataclass
class _Cookie:
    value: str
    #: The attributes that a bound session is compared by, names in lower case.
    attributes: dict[str, str]
    ends: float


@dataclass
class _Bound:
    """A bound session, as the browser keeps it."""

    identifier: str
    key: Any
    refresh: str
    excluded: list[str]
    #: By name: the attributes of each cookie that has to be there.
    cookies: dict[str, dict[str, str]]
    challenge: str | None = None


@dataclass
class DeviceBrowser:
    """A browser for one application, over https, with the key of its device. Needs the extra ``device``.

    ``send`` sends a request: a function of the method, the path and the headers that returns status, headers and body.
    ``clock`` is that of the application. ``log`` tells what the browser did by itself: ``registered``, ``refreshed``,
    ``challenged``, ``skipped`` or ``ended``, in their order.

    >>> from sessile.testing import DeviceBrowser
    >>> browser = DeviceBrowser(lambda method, path, headers: (200, [], b"hello"))
    >>> browser.request("GET", "/").text
    'hello'
    """

    send: Callable[[str, str, list[tuple[str, str]]], tuple[int, Iterable[tuple[str, str]], bytes]]
    clock: Callable[[], float] = lambda: 0.0
    host: str = "localhost"
    jar: dict[str, _Cookie] = field(default_factory=dict)
    bound: dict[str, _Bound] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def request(self, method: str, path: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
        """Send a request as a page does. What the device has to prove first, it proves."""
        lines = list(headers)
        for session in self._of(path):
            if not self._satisfies(session, self.clock()):
                outcome = self._refresh(session)
                if outcome:
                    lines.append(("Secure-Session-Skipped", f'{outcome};session_identifier="{session.identifier}"'))
        reply = self._sent(method, path, lines)
        for text in reply.all("Secure-Session-Registration"):
            self._register(text)
        for session in self._of(path):
            if not self._satisfies(session, self.clock() + _AHEAD):
                self._refresh(session)
        return reply

    def cookies(self) -> str:
        """Return the header that the browser sends: what a thief copies."""
        now = self.clock()
        return "; ".join(f"{name}={cookie.value}" for name, cookie in self.jar.items() if now < cookie.ends)

    def _of(self, path: str) -> list[_Bound]:
        known = [self.bound[identifier] for identifier in sorted(self.bound)]
        return [each for each in known if path != each.refresh and not any(map(path.startswith, each.excluded))]

    def _satisfies(self, session: _Bound, moment: float) -> bool:
        for name, attributes in session.cookies.items():
            cookie = self.jar.get(name)
            if cookie is None or cookie.ends <= moment or cookie.attributes != attributes:
                return False
        return True

    def _sent(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> Reply:
        lines = [("Host", self.host), *headers]
        if self.cookies():
            lines.append(("Cookie", self.cookies()))
        status, answered, body = self.send(method, path, lines)
        reply = Reply(status, list(answered), body)
        for line in reply.all("Set-Cookie"):
            self._store(line)
        for told in _TOLD.finditer(", ".join(reply.all("Secure-Session-Challenge"))):
            if told["id"] in self.bound:
                self.bound[told["id"]].challenge = told["challenge"]
        return reply

    def _store(self, line: str) -> None:
        pair, *rest = line.strip().split(";")
        name, _, value = pair.partition("=")
        attributes = _attributes(rest)
        life = float(attributes.pop("max-age", "inf"))
        attributes.pop("expires", None)
        if life <= 0:
            self.jar.pop(name, None)
        else:
            self.jar[name] = _Cookie(value, attributes, self.clock() + life)

    def _post(self, path: str, *headers: tuple[str, str]) -> Reply:
        fetch = [("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Dest", "empty")]
        return self._sent("POST", path, [("Origin", f"https://{self.host}"), *fetch, *headers])

    def _register(self, text: str) -> None:
        offer = _OFFER.match(text)
        if offer is None or "ES256" not in offer["algorithms"].split():
            return
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        numbers = key.public_key().public_numbers()
        jwk = {"crv": "P-256", "kty": "EC", "x": _octets(numbers.x), "y": _octets(numbers.y)}
        proof = _proof(key, {"alg": "ES256", "jwk": jwk, "typ": "dbsc+jwt"}, offer["challenge"])
        reply = self._post(offer["path"], ("Secure-Session-Response", proof))
        if reply.status != 200 or not reply.body:
            return
        told = json.loads(reply.body)
        scope, credentials = told["scope"], told["credentials"]
        if scope["include_site"] or scope["origin"] != f"https://{self.host}" or not credentials:
            return
        self.bound[told["session_identifier"]] = _Bound(
            told["session_identifier"],
            key,
            told["refresh_url"],
            [each["path"] for each in scope["scope_specification"] if each["type"] == "exclude"],
            {each["name"]: _attributes(each["attributes"].split(";")) for each in credentials},
        )
        for found in _TOLD.finditer(", ".join(reply.all("Secure-Session-Challenge"))):
            self.bound[told["session_identifier"]].challenge = found["challenge"]
        self.log.append("registered")

    def _refresh(self, session: _Bound) -> str:
        """Renew the proof. Return why the request goes out without one, or "" ."""
        for _ in range(_MOST_CHALLENGES + 1):
            lines = [("Sec-Secure-Session-Id", session.identifier)]
            if session.challenge is not None:
                header = {"alg": "ES256", "typ": "dbsc+jwt"}
                lines.append(("Secure-Session-Response", _proof(session.key, header, session.challenge)))
                session.challenge = None
            reply = self._post(session.refresh, *lines)
            if reply.status == 200 and json.loads(reply.body).get("continue", True):
                self.log.append("refreshed")
                return ""
            if reply.status >= 500:
                self.log.append("skipped")
                return "server_error"
            if reply.status != 403 or session.challenge is None:
                break
            self.log.append("challenged")
        del self.bound[session.identifier]
        self.log.append("ended")
        return ""


def _attributes(parts: Iterable[str]) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in parts if part.strip())
    return {name.lower(): value for name, _, value in pairs}


def _octets(number: int) -> str:
    return base64url.encode(number.to_bytes(32, "big")).decode()


def _proof(key: Any, header: dict[str, Any], challenge: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    message = b".".join(base64url.encode(json.dumps(each).encode()) for each in (header, {"jti": challenge}))
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    signature = base64url.encode(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"{message.decode()}.{signature.decode()}"
