"""Where a store is, as its URL says: on this machine or another, and how well the way there is protected."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["is_plain", "path_of", "remedy_for"]

#: Schemes of servers whose connections are not encrypted by themselves -> the remedy.
_PLAIN = {
    "redis": "Use the scheme rediss://.",
    "valkey": "Use the scheme valkeys://.",
    "redis+sentinel": "Use the scheme rediss+sentinel://.",
    "redis+cluster": "Use the scheme rediss+cluster://.",
    "memcached": "Put a tunnel (WireGuard, stunnel) between, or use Redis by rediss://.",
    "mongodb": "Add tls=true to the URL.",
    "postgresql": "Add sslmode=verify-full to the URL.",
    "postgres": "Add sslmode=verify-full to the URL.",
    "mysql": "Add ssl=yes to the URL.",
    "mariadb": "Add ssl=yes to the URL.",
}
_PROTECTS = {("tls", "true"), ("ssl", "true"), ("ssl", "yes")} | {
    ("sslmode", mode) for mode in ("require", "verify-ca", "verify-full")
}


def is_plain(place: str) -> bool:
    """Return True if ``place`` is a server on another host, and what goes there is not encrypted."""
    scheme, netloc, _, query, _ = urlsplit(place)
    given = {(name, value) for name, values in parse_qs(query).items() for value in values}
    safe = bool(given & _PROTECTS) or any(name == "ssl_ca" for name, _ in given)
    return scheme in _PLAIN and not safe and not all(map(_is_here, netloc.split(",")))


def _is_here(netloc: str) -> bool:
    """Tell whether ``netloc``, a host and perhaps a port, is this machine."""
    host = urlsplit(f"//{netloc}").hostname or "localhost"
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def path_of(place: str) -> Path | None:
    """Return the file or folder that ``place`` names, or None if it names none."""
    scheme, _, path, *_ = urlsplit(place)
    return Path(unquote(path[1:])) if scheme in ("sqlite", "file") else None


def remedy_for(place: str) -> str:
    """Return how to protect the way to a server for which ``is_plain`` is true."""
    return _PLAIN[urlsplit(place).scheme]
