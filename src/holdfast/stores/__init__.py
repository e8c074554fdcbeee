# A store's module is imported when a URL names it, never before: its driver may not be installed.
"""Where records are kept: one module per backend, and the table of URLs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from holdfast.errors import InvalidOption, MissingExtra
from holdfast.stores.base import Store

__all__ = ["SCHEMES", "from_url", "place_of"]

#: URL scheme -> (module, name of the extra that installs its driver).
SCHEMES: dict[str, tuple[str, str]] = {
    "memory": ("holdfast.stores.memory", ""),
    "sqlite": ("holdfast.stores.sqlite", ""),
    "file": ("holdfast.stores.file", ""),
    "cookie": ("holdfast.stores.cookie", ""),
    "memcached": ("holdfast.stores.memcached", ""),
    "dynamodb": ("holdfast.stores.dynamodb", "dynamodb"),
    "redis": ("holdfast.stores.redis", "redis"),
    "rediss": ("holdfast.stores.redis", "redis"),
    "unix": ("holdfast.stores.redis", "redis"),
    "redis+unix": ("holdfast.stores.redis", "redis"),
    "redis+sentinel": ("holdfast.stores.redis", "redis"),
    "rediss+sentinel": ("holdfast.stores.redis", "redis"),
    "redis+cluster": ("holdfast.stores.redis", "redis"),
    "rediss+cluster": ("holdfast.stores.redis", "redis"),
    "valkey": ("holdfast.stores.redis", "redis"),
    "valkeys": ("holdfast.stores.redis", "redis"),
    "mongodb": ("holdfast.stores.mongodb", "mongodb"),
    "mongodb+srv": ("holdfast.stores.mongodb", "mongodb"),
    "postgresql": ("holdfast.stores.postgresql", "postgresql"),
    "postgres": ("holdfast.stores.postgresql", "postgresql"),
    "mysql": ("holdfast.stores.mysql", "mysql"),
    "mariadb": ("holdfast.stores.mysql", "mysql"),
}


def from_url(url: str, clock: Callable[[], float]) -> Store:
    """Return the store that ``url`` names, such as ``memory://`` or ``sqlite:///sessions.db``.

    Each module of a store has a function ``from_url(url, clock)``. The store has an attribute ``place`` then: what
    ``place_of`` returns. Raises InvalidOption for a URL that names no store, and MissingExtra if its driver is not
    installed.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # It may hold a password, so it is not shown.
        remedy = "Percent-encode what stands in user, password and options."
        raise InvalidOption("store", "its URL cannot be read", remedy) from None
    if scheme not in SCHEMES:
        known = ", ".join(f"{known}://" for known in SCHEMES)
        raise InvalidOption("store", f"no store has the scheme {scheme + '://'!r}", f"Use one of: {known}.")
    module, extra = SCHEMES[scheme]
    try:
        make = import_module(module).from_url
    except ImportError as error:
        raise MissingExtra(f"The store {scheme}://", extra) from error
    store: Any = make(url, clock)
    store.place = place_of(url)
    return cast("Store", store)


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
