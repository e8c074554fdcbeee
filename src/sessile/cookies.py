# Reading (RFC 6265bis section 5.7 seen from the server, and what attackers do with it):
#   1. Bytes are split at ";", cut at the first "=", and blanks are SP and HTAB, nothing else. Names are exact and
#      never decoded: a decoder that trims Unicode blanks or percent-decodes names lets a page forge `__Host-` names.
#   2. Quotes never span a ";" (a quote-aware parser swallows the cookies in between).
#   3. Several lines of header are one header, joined with "; " (HTTP/2 sends crumbs).
#   4. One name may come several times, in an order that a hostile subdomain can choose. So reading the session
#      takes up to CANDIDATES values and believes none of them for its position.
#   5. Work is linear in the length of the header. Servers let 100 KB through.
#
# Writing: the grammar of RFC 6265bis section 4.1.1, wider for names, checked before a byte leaves; the order of
# attributes is express's. http.cookies of the standard library is not used: up to 3.11.7 it lets CR LF through in
# attributes, and loses every cookie when one of them is odd.
"""Read Cookie headers and write Set-Cookie headers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote, unquote

from sessile._wire.signing import URI_COMPONENT_SAFE, sign, unsign

__all__ = [
    "CookieMiddleware",
    "candidates",
    "encode",
    "header_of",
    "http_date",
    "json_cookie",
    "json_cookies",
    "parse",
    "serialize",
    "sign",
    "signed_cookie",
    "signed_cookies",
    "unsign",
]

#: How many cookies of one name are looked at. RFC 6265bis 4.2.2: "servers SHOULD NOT rely upon the serialization
#: order"; more than a few of one name are an attack, not a visitor.
CANDIDATES = 4

#: Browsers drop a cookie whose name and value together are longer (RFC 6265bis 5.6, step 5; measured in Chromium).
MAX_COOKIE_BYTES = 4096

#: Browsers cap a cookie's life here (RFC 6265bis 5.6.2), so a longer promise would be a false one.
MAX_AGE_LIMIT = 400 * 86_400

#: What browsers take (RFC 6265bis section 5.6 has no grammar for names), in ASCII and without blanks, as the package
#: ``cookie`` 1 of Node has it. The grammar of section 4.1.1 is narrower, and ``express:sess`` is not in it.
_NAME = re.compile(r"[\x21-\x3A\x3C\x3E-\x7E]+")
_VALUE = re.compile(r"(\"?)[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*\1")
_PATH = re.compile(r"[\x20-\x3A\x3D-\x7E]*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"\.?{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_BLANKS = b" \t"


def candidates(header: bytes, name: bytes) -> list[bytes]:
    """Return the values of the cookies called ``name``, in their order, at most CANDIDATES of them.

    ``header`` is the Cookie header as it came. Values are returned raw, without surrounding double quotes.
    """
    found: list[bytes] = []
    position = header.find(name)
    while position >= 0 and len(found) < CANDIDATES:
        end = header.find(b";", position)
        if end < 0:
            end = len(header)
        key, equals, value = header[header.rfind(b";", 0, position) + 1 : end].partition(b"=")
        if equals and key.strip(_BLANKS) == name:
            value = value.strip(_BLANKS)
            found.append(value[1:-1] if value[:1] == b'"' == value[-1:] else value)
        position = header.find(name, end)
    return found


def header_of(scope: Mapping[str, Any], name: bytes) -> bytes:
    """Return a header of an ASGI request, b"" if there is none.

    Several lines of it, as HTTP/2 may send of a Cookie header, are joined (RFC 9113 8.2.3).
    """
    # Joined once: a client may send a hundred thousand lines, and adding each to those before it would be quadratic.
    return b"; ".join([value for key, value in scope["headers"] if key == name and value])


def parse(header: str) -> dict[str, str]:
    """Return the cookies of a Cookie header by name, as the ``cookie`` package 0.7 of Node does.

    The first cookie of a name wins, double quotes around a value are dropped, a value is percent-decoded if that
    gives valid UTF-8 and left as it is otherwise. Nothing in ``header`` raises.

    >>> parse("theme=dark; who=Zo%C3%AB; theme=light")
    {'theme': 'dark', 'who': 'Zoë'}
    """
    found: dict[str, str] = {}
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        key = key.strip(" \t")
        # A JavaScript object cannot hold the last of these: Node never sees such a cookie, and so neither do we.
        if not equals or key in found or key == "__proto__":
            continue
        value = value.strip(" \t")
        found[key] = _decoded(value[1:-1] if value[:1] == '"' == value[-1:] else value)
    return found


def _decoded(value: str) -> str:
    # decodeURIComponent refuses what is not hexadecimal; unquote would leave it and decode the rest.
    if "%" not in value or re.search(r"%(?![0-9A-Fa-f]{2})", value):
        return value
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


# What cookie-parser 1.4 of Node adds to `parse`: values that are JSON ("j:...") or signed ("s:..."). As there, a signed
# value that does not verify becomes False, not None: it tells a forgery from a cookie that never came, and what reads
# Node's cookies today can be taken over word for word.


def json_cookie(value: str) -> object:
    """Return what a JSON cookie, ``j:<json>``, holds; None if ``value`` is not one. Nothing raises.

    >>> json_cookie('j:{"a":1}')
    {'a': 1}
    """
    if not value.startswith("j:"):
        return None
    try:
        held: object = json.loads(value[2:], parse_constant=_refuse)
        return held
    except (ValueError, RecursionError):
        return None


def json_cookies(cookies: dict[str, Any]) -> dict[str, Any]:
    """Replace the JSON cookies in ``cookies`` by what they hold, and return ``cookies``.

    As in cookie-parser, JSON that JavaScript finds false (``null``, ``false``, ``0``, ``""``) is left as text.

    >>> json_cookies({"cart": "j:[1,2]", "none": "j:null", "theme": "dark"})
    {'cart': [1, 2], 'none': 'j:null', 'theme': 'dark'}
    """
    for name, value in cookies.items():
        held = json_cookie(value) if isinstance(value, str) else None
        if held or isinstance(held, (dict, list)):
            cookies[name] = held
    return cookies


def signed_cookie(value: str, secret: str | bytes | Sequence[str | bytes]) -> str | Literal[False]:
    """Return what a signed cookie, ``s:<value>.<mac>``, holds; False if no secret fits it.

    A value that does not begin with ``s:`` is returned as it is: **it was not signed by anybody**. To be sure, look
    a cookie up in what ``signed_cookies`` returns.

    >>> signed_cookie("s:foobarbaz.CP7AWaXDfAKIRfH49dQzKJx7sKzzSoPq7/AcBBRVwlI", "keyboard cat")
    'foobarbaz'
    >>> signed_cookie("s:foobarbaz.forged", "keyboard cat")
    False
    """
    if not value.startswith("s:"):
        return value
    for each in [secret] if isinstance(secret, (str, bytes)) else secret:
        # Whoever forgot the secret would accept what anybody signed with nothing.
        held = unsign(value[2:], each) if each else None
        if held is not None:
            return held
    return False


def signed_cookies(
    cookies: dict[str, str], secret: str | bytes | Sequence[str | bytes]
) -> dict[str, str | Literal[False]]:
    """Take the signed cookies out of ``cookies``, and return what they hold; False where no secret fits.

    >>> cookies = parse("who=s:foobarbaz.CP7AWaXDfAKIRfH49dQzKJx7sKzzSoPq7/AcBBRVwlI; theme=dark")
    >>> signed_cookies(cookies, "keyboard cat"), cookies
    ({'who': 'foobarbaz'}, {'theme': 'dark'})
    """
    names = [name for name, value in cookies.items() if value.startswith("s:")]
    return {name: signed_cookie(cookies.pop(name), secret) for name in names}


class CookieMiddleware:
    """Offers the cookies of each request to ``app``, as cookie-parser of Node does: in Starlette and FastAPI

    - ``request.state.cookies``: the cookies by name, with what JSON cookies hold;
    - ``request.state.signed_cookies``: those that were signed, without the signature; False where no secret fits.

    ``secret`` is one or several: any verifies. Without one nothing is verified, and signed cookies stay where they
    are, as text. A request that has these already, from a middleware outside this one, keeps them.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        secret: str | bytes | Sequence[str | bytes] | None = None,
    ) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            state = scope.setdefault("state", {})
            if "cookies" not in state:
                found: dict[str, Any] = parse(header_of(scope, b"cookie").decode("latin-1"))
                signed = signed_cookies(found, self._secret) if self._secret else {}
                state["cookies"] = json_cookies(found)
                state["signed_cookies"] = json_cookies(dict(signed))
        await self._app(scope, receive, send)


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def encode(value: str) -> str:
    """Percent-encode a cookie value as JavaScript's ``encodeURIComponent`` does."""
    return quote(value, safe=URI_COMPONENT_SAFE)


def serialize(
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    domain: str | None = None,
    path: str | None = None,
    expires: float | None = None,
    http_only: bool = False,
    secure: bool = False,
    partitioned: bool = False,
    priority: str | None = None,
    same_site: str | None = None,
) -> str:
    """Return the value of a Set-Cookie header.

    ``value`` must already be encoded (see ``encode``). ``max_age`` is in seconds, ``expires`` in epoch seconds.
    Attributes come in the order of Node's ``cookie`` package. Raises ValueError, with nothing written, if a part
    does not fit the grammar of RFC 6265bis section 4.1.1; so no value can smuggle an attribute or a header.
    """
    name = _checked_name(name)
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of cookie {name!r} is not encoded: pass it through sessile.cookies.encode")
    where, how = _where(domain, path), _how(http_only, secure, partitioned, priority, same_site)
    if max_age is None and expires is None:
        return f"{name}={value}{where}{how}"
    age = "" if max_age is None else f"; Max-Age={min(int(max_age), MAX_AGE_LIMIT)}"
    end = "" if expires is None else f"; Expires={http_date(expires)}"
    return f"{name}={value}{age}{where}{end}{how}"


# A site sends cookies of a few kinds, so what each says besides its value and its end is remembered: most of the work.


@lru_cache
def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"cookie name {name!r} is empty, or has a blank, a semicolon, an equals sign or no ASCII")
    return name


@lru_cache
def _where(domain: str | None, path: str | None) -> str:
    text = ""
    if domain:
        text += f"; Domain={_matching(_DOMAIN, domain, 'cookie domain', 'is not a host name')}"
    if path:
        text += f"; Path={_matching(_PATH, path, 'cookie path', 'has a character that no path attribute can hold')}"
    return text


@lru_cache
def _how(http_only: bool, secure: bool, partitioned: bool, priority: str | None, same_site: str | None) -> str:
    text = ""
    for attribute, wanted in (("HttpOnly", http_only), ("Secure", secure), ("Partitioned", partitioned)):
        if wanted:
            text += f"; {attribute}"
    if priority:
        text += f"; Priority={_choice('priority', priority, ('Low', 'Medium', 'High'))}"
    if same_site:
        text += f"; SameSite={_choice('same_site', same_site, ('Strict', 'Lax', 'None'))}"
    return text


def _matching(grammar: re.Pattern[str], text: str, what: str, problem: str) -> str:
    if not grammar.fullmatch(text):
        raise ValueError(f"{what} {text!r} {problem}")
    return text


def _choice(attribute: str, value: str, allowed: tuple[str, ...]) -> str:
    chosen = value.capitalize()
    if chosen not in allowed:
        raise ValueError(f"cookie {attribute} {value!r} is none of {', '.join(allowed)}")
    return chosen


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: The last second of year 9999; an HTTP date has four digits for the year.
_LATEST = 253_402_300_799


def http_date(moment: float) -> str:
    """Return epoch seconds as an HTTP date (RFC 9110, IMF-fixdate), the fraction cut off as JavaScript does.

    >>> http_date(1700000000.9)
    'Tue, 14 Nov 2023 22:13:20 GMT'
    """
    return _date_of(int(min(max(moment, 0), _LATEST)))


@lru_cache
def _date_of(second: int) -> str:
    at = time.gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )
