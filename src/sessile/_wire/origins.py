# A page elsewhere can make a visitor's browser send us a request, and the browser adds our cookie (cross-site request
# forgery). SameSite=Lax stops most of it; not from a sub-domain or another port, which are the same site, and not the
# log-in form, which does harm without a cookie. Browsers say where a request comes from in headers that no page can
# forge, so no token is needed, and no state. In this order:
#
#   1. A safe method passes: it must change nothing (RFC 9110 9.2.1). The handshake of a WebSocket is a GET and no safe
#      one: rules 2 and 4 decide.
#   2. What the application allows passes, by its path or its Origin.
#   3. Sec-Fetch-Site of "same-origin" or "none" passes, any other value is refused.
#   4. Without it, Origin must name the host that the browser asked; "null" names none.
#   5. Without both it is not a browser, and nobody's cookie is abused.
#
# The rules of net/http's CrossOriginProtection of Go 1.25, and of OWASP's Fetch Metadata policy.
"""Whether a request that changes something was sent by our own pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from sessile._wire.proxy import Trust, host_of
from sessile.errors import InvalidOption
from sessile.facts import RequestFacts

__all__ = ["SAFE", "Origins", "origins_in"]

#: The methods that change nothing.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


class Origins:
    """The rules, with what the application allows: ``origins`` such as ``https://app.example.com``, and ``paths``."""

    __slots__ = ("_origins", "_paths")

    def __init__(self, origins: Sequence[str] = (), paths: Sequence[str] = ()) -> None:
        self._origins = frozenset(origins)
        self._paths = tuple(paths)

    def refusal(self, facts: RequestFacts, trust: Trust, *, websocket: bool = False) -> str:
        """Return why a request is refused, or "" if it passes. No header raises."""
        if facts.method in SAFE and not websocket:
            return ""
        if any(facts.path == path or (path.endswith("/") and facts.path.startswith(path)) for path in self._paths):
            return ""
        origin = facts.header("origin")
        if origin is not None and origin.lower() in self._origins:
            return ""
        site = None if websocket else facts.header("sec-fetch-site")
        if site is not None:
            return "" if site in ("same-origin", "none") else "its page is of another origin (Sec-Fetch-Site)"
        if origin is None or _names(origin, host_of(facts, trust)):
            return ""
        return "its Origin is not the host that was asked. Behind a proxy that changes Host, set proxy=[its address]"


def origins_in(option: bool | Sequence[str]) -> Origins | None:
    """Return the rules that the option ``cross_origin`` asks for, None for none. Raises InvalidOption."""
    if isinstance(option, bool):
        return Origins() if option else None
    if isinstance(option, (str, bytes)) or not isinstance(option, Sequence):
        remedy = 'Use True, False, or a list such as ["https://app.example.com", "/webhooks/"].'
        raise InvalidOption("cross_origin", f"{option!r} is not a list", remedy)
    return Origins(
        [_origin(entry) for entry in option if not _is_path(entry)], [entry for entry in option if _is_path(entry)]
    )


def _is_path(entry: object) -> bool:
    return isinstance(entry, str) and entry.startswith("/")


def _origin(entry: object) -> str:
    try:
        parts = urlsplit(entry) if isinstance(entry, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError
        if parts.path or parts.query or parts.fragment or parts.port == 0:
            raise ValueError
    except ValueError:
        remedy = 'Write an origin as browsers do, such as "https://app.example.com", or a path that begins with "/".'
        raise InvalidOption("cross_origin", f"{entry!r} is neither an origin nor a path", remedy) from None
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])}"


def _names(origin: str, host: str) -> bool:
    """Tell whether ``origin`` names ``host``. The scheme does not count: behind a proxy nobody knows it for sure."""
    scheme, _, rest = origin.lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or not rest or "/" in rest or "@" in rest:
        return False
    return rest.removesuffix(port) == host.lower().removesuffix(port)
