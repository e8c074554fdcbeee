# A store's module is imported when a URL names it, never before: its driver may not be installed.
"""Where records are kept: one module per backend, and the table of URLs."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from sessile._records.arguments import nearest
from sessile.errors import InvalidOption, MissingExtra
from sessile.stores._shared import url as urls
from sessile.stores.base import Store

__all__ = ["SCHEMES", "from_url", "place_of"]

#: URL scheme -> (module, name of the extra that installs its driver).
SCHEMES: dict[str, tuple[str, str]] = {
    "memory": ("sessile.stores.memory", ""),
    "sqlite": ("sessile.stores.sqlite", ""),
    "file": ("sessile.stores.file", ""),
    "cookie": ("sessile.stores.cookie", ""),
    "memcached": ("sessile.stores.memcached", ""),
    "dynamodb": ("sessile.stores.dynamodb", "dynamodb"),
    "redis": ("sessile.stores.redis", "redis"),
    "rediss": ("sessile.stores.redis", "redis"),
    "unix": ("sessile.stores.redis", "redis"),
    "redis+unix": ("sessile.stores.redis", "redis"),
    "redis+sentinel": ("sessile.stores.redis", "redis"),
    "rediss+sentinel": ("sessile.stores.redis", "redis"),
    "redis+cluster": ("sessile.stores.redis", "redis"),
    "rediss+cluster": ("sessile.stores.redis", "redis"),
    "valkey": ("sessile.stores.redis", "redis"),
    "valkeys": ("sessile.stores.redis", "redis"),
    "mongodb": ("sessile.stores.mongodb", "mongodb"),
    "mongodb+srv": ("sessile.stores.mongodb", "mongodb"),
    "postgresql": ("sessile.stores.postgresql", "postgresql"),
    "postgres": ("sessile.stores.postgresql", "postgresql"),
    "mysql": ("sessile.stores.mysql", "mysql"),
    "mariadb": ("sessile.stores.mysql", "mysql"),
}


#: A file or a folder, and nothing that may be secret.
_DATABASE = re.compile(r"\.(?:db|sqlite3?)$", re.IGNORECASE)
_PATH = re.compile(r"(?=.*\w)[\w. /-]*(?:/[\w. /-]*|\.(?:db|sqlite3?))", re.IGNORECASE)


def from_url(url: str, clock: Callable[[], float]) -> Store:
    """Return the store that ``url`` names, such as ``memory://`` or ``sqlite:///sessions.db``.

    Each module of a store has a function ``from_url(url, clock)``. The store has an attribute ``place`` then: what
    ``place_of`` returns. Raises InvalidOption for a URL that names no store, and MissingExtra if its driver is not
    installed.
    """
    scheme = _scheme_of(url)
    urls.check(url)
    try:
        urlsplit(url)
    except ValueError:  # It may hold a password, so it is not shown.
        remedy = "Percent-encode what stands in user, password and options."
        raise InvalidOption("store", "its URL cannot be read", remedy) from None
    module, extra = SCHEMES[scheme]
    try:
        make = import_module(module).from_url
    except ImportError as error:
        raise MissingExtra(f"The store {scheme}://", extra) from error
    store: Any = make(url, clock)
    store.place = place_of(url)
    return cast("Store", store)


def _scheme_of(url: str) -> str:
    """Return the scheme of ``url``. Raises InvalidOption with the right spelling, and quotes nothing before an @."""
    scheme, colon, rest = url.partition(":")
    scheme = scheme.lower()
    known = scheme in SCHEMES
    if known and rest.startswith("//"):
        return scheme
    if known and colon:
        raise InvalidOption("store", f"{scheme}: has to be followed by //", _spelling(scheme, rest))
    if _PATH.fullmatch(url):
        kind = "sqlite" if _DATABASE.search(url) else "file"
        remedy = f'Use "{kind}:///{url.removeprefix("./")}".'
        raise InvalidOption("store", f"{url!r} is a path, not a URL", remedy)
    named = rest.startswith("//") and re.fullmatch("[a-z][a-z0-9+.-]*", scheme)
    problem = f"no store has the scheme {scheme + '://'!r}" if named else "it is no URL of a store"
    base = scheme.partition("+")[0]
    near = base if base in SCHEMES else nearest(scheme, SCHEMES)
    if near and (named or not colon):
        raise InvalidOption("store", problem, f'Did you mean "{near}://"?')
    raise InvalidOption("store", problem, f"Use one of: {', '.join(f'{each}://' for each in SCHEMES)}.")


def _spelling(scheme: str, rest: str) -> str:
    """Return how to write what was written as ``scheme:rest``."""
    if rest.lstrip("/") == ":memory:":
        return 'For sessions in memory use "memory://".'
    path = rest.removeprefix("./")
    if scheme in ("sqlite", "file") and path and "@" not in path:
        return f'Use "{scheme}:///{path}".'
    example = {"sqlite": "sqlite:///sessions.db", "file": "file:///sessions", "memory": "memory://"}
    return f'Use "{example.get(scheme, scheme + "://...")}".'


#: The options of URLs that say how well the way to a server is protected.
_OF_TLS = {"ssl", "ssl_ca", "ssl_ca_certs", "ssl_cert_reqs", "sslmode", "tls", "endpoint"}


def place_of(url: str) -> str:
    """Return ``url`` without what may be secret in it: user and password, and the options but for those of TLS.

    >>> place_of("redis://me:my-password@10.0.0.5:6379/0?timeout=2")
    'redis://10.0.0.5:6379/0'
    """
    scheme, slashes, rest = url.partition("://")
    if not rest.startswith("/"):
        rest = rest.rpartition("@")[2]  # The last one, for a password may hold whatever was not encoded.
    place, _, query = rest.partition("?")
    options = urlencode([(name, value) for name, value in parse_qsl(query) if name in _OF_TLS], safe="/:")
    return f"{scheme}{slashes}{place}?{options}".rstrip("?")
