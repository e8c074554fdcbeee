"""Where a Redis is: from a URL to a connection to one server, by TLS, by a socket, by Sentinel, or to a cluster."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from sessile.errors import InvalidOption
from sessile.stores._shared import options
from sessile.stores._shared import url as urls

__all__ = ["Address", "idle_clock", "parse"]

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

#: Scheme of a URL -> (what is there, over TLS).
KINDS = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "valkey": ("server", False),
    "valkeys": ("server", True),
    "unix": ("socket", False),
    "redis+unix": ("socket", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}

_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is, and how to get in."""

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    #: Of a socket: its path. Of Sentinel: the name of the service.
    path: str = ""
    login: dict[str, Any]
    sentinel_login: dict[str, Any]
    tls: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Address {self.kind}>"

    @property
    def is_cluster(self) -> bool:
        """Whether the keys are shared by several servers."""
        return self.kind == "cluster"

    def share_of(self, timeout: float) -> float:
        """Return how long one of several hosts may be silent, so that there is time to ask the next."""
        return timeout / (len(self.hosts) + 1)

    def tls_context(self) -> ssl.SSLContext | None:
        """Return how to encrypt; None if nothing is. Raises OSError if a file is missing."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.tls.get("ssl_ca_certs"))
        if self.tls["ssl_cert_reqs"] == "none":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if "ssl_certfile" in self.tls:
            context.load_cert_chain(self.tls["ssl_certfile"], self.tls.get("ssl_keyfile"))
        return context

    async def connect_lane(
        self, loop: asyncio.AbstractEventLoop, lane: asyncio.Protocol, host: tuple[str, int] | None, timeout: float
    ) -> None:
        """Connect ``lane`` to ``host``, or to the only server there is."""
        if self.kind == "socket":
            await loop.create_unix_connection(lambda: lane, self.path)
            return
        if host is None:
            host = await self._find_master(timeout) if self.kind == "sentinel" else self.hosts[0]
        context = self.tls_context()
        name = host[0] if context is not None else None
        transport, _ = await loop.create_connection(lambda: lane, *host, ssl=context, server_hostname=name)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def connect(self, host: tuple[str, int] | None, timeout: float) -> socket.socket:
        """Return a connection to ``host``, or to the only server there is; each wait is ``timeout`` seconds at most."""
        if self.kind == "socket":
            plain = socket.socket(socket.AF_UNIX)
            try:
                plain.settimeout(timeout)
                plain.connect(self.path)
            except BaseException:
                plain.close()
                raise
            return plain
        if host is None:
            host = self._find_master_sync(timeout) if self.kind == "sentinel" else self.hosts[0]
        context = self.tls_context()
        plain = socket.create_connection(host, timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return plain if context is None else context.wrap_socket(plain, server_hostname=host[0])
        except BaseException:
            plain.close()
            raise

    # Sentinels are asked by redis-py.

    async def _find_master(self, timeout: float) -> tuple[str, int]:
        import redis.asyncio.sentinel

        sentinel: Any = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # It has no types.
            self.hosts, sentinel_kwargs=self._for_sentinels(timeout, True)
        )
        try:
            host, port = await sentinel.discover_master(self.path)
        except redis.RedisError as error:
            raise ConnectionError("no Sentinel knows a master") from error
        finally:
            for each in sentinel.sentinels:
                await each.aclose()
        return str(host), int(port)

    def _find_master_sync(self, timeout: float) -> tuple[str, int]:
        import redis.sentinel

        sentinel: Any = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]  # Nor has it.
            self.hosts, sentinel_kwargs=self._for_sentinels(timeout, False)
        )
        try:
            host, port = sentinel.discover_master(self.path)
        except redis.RedisError as error:
            raise ConnectionError("no Sentinel knows a master") from error
        finally:
            for each in sentinel.sentinels:
                each.close()
        return str(host), int(port)

    def _for_sentinels(self, timeout: float, asynchronous: bool) -> dict[str, Any]:
        import redis.asyncio.retry
        import redis.backoff
        import redis.retry

        share = self.share_of(timeout)
        retry: Any = redis.asyncio.retry.Retry if asynchronous else redis.retry.Retry
        encryption = {"ssl": True, **self.tls} if self.tls else {}
        return {
            **self.sentinel_login,
            **encryption,
            "socket_timeout": share,
            "socket_connect_timeout": share,
            "retry": retry(redis.backoff.NoBackoff(), 0),
        }


def idle_clock() -> float:
    """Return the time, in seconds, for telling how long a connection was idle.

    A machine that was suspended has been idle, and ``time.monotonic`` does not count that.
    """
    return time.clock_gettime(_CLOCK)


def parse(url: str, **others: urls.Reader) -> tuple[Address, dict[str, Any]]:
    """Return the address that ``url`` names, and which of the ``others`` its options it has.

    Raises InvalidOption for what it does not understand.
    """
    parts = urlsplit(url)
    if parts.scheme not in KINDS:
        raise InvalidOption("url", f"{parts.scheme + '://'!r} is no Redis", f"Use one of: {', '.join(KINDS)}.")
    kind, secure = KINDS[parts.scheme]
    known = others | ({"db": urls.whole_number} if kind in ("sentinel", "socket") else {})
    names = (_TLS_OPTIONS if secure else ()) + (_SENTINEL_OPTIONS if kind == "sentinel" else ())
    found = urls.options(url, **known, **dict.fromkeys(names, str))
    user, _, netloc = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    login: dict[str, Any] = {"username": unquote(name) or None, "password": unquote(password) or None}
    path = unquote(parts.path)
    if kind == "socket":
        if netloc or not path.strip("/"):
            raise InvalidOption("url", "it names no socket", f'Use "{parts.scheme}:///path/to/redis.sock".')
    else:
        path = path.strip("/")
    if kind == "sentinel" and not path:
        raise InvalidOption("url", "it names no service", f'Use "{parts.scheme}://host:26379/mymaster".')
    if kind == "cluster" and path:
        raise InvalidOption("url", "a cluster has no databases", "Leave out what is behind the last slash.")
    if kind != "cluster":
        database = urls.whole_number(path or "0") if kind == "server" else found.get("db", 0)
        login["db"] = options.whole_number("db", database, 0, least=0)
    return Address(
        kind=kind,
        hosts=() if kind == "socket" else _hosts(parts, netloc, 26379 if kind == "sentinel" else 6379),
        path="" if kind == "server" else path,
        login=login,
        sentinel_login={name.removeprefix("sentinel_"): found[name] for name in _SENTINEL_OPTIONS if name in found},
        tls=_tls(found) if secure else {},
    ), {name: found[name] for name in others if name in found}


def _hosts(parts: SplitResult, netloc: str, port: int) -> tuple[tuple[str, int], ...]:
    found = []
    for text in netloc.split(","):
        try:
            host = urlsplit(f"//{text}")
            found.append((host.hostname or "localhost", host.port or port))
        except ValueError:
            raise InvalidOption("url", f"{text!r} is no host and port", "Write host:6379.") from None
    if len(found) > 1 and parts.scheme in ("redis", "rediss", "valkey", "valkeys"):
        raise InvalidOption("url", "it names several servers", 'Use "redis+sentinel://" or "redis+cluster://".')
    return tuple(found)


def _tls(given: dict[str, Any]) -> dict[str, Any]:
    required = given.get("ssl_cert_reqs", "required")
    if required not in ("required", "none"):
        raise InvalidOption("ssl_cert_reqs", f"{required!r} is unknown", 'Use "required", the default, or "none".')
    files = {name: given[name] for name in _TLS_OPTIONS[:3] if name in given}
    return {**files, "ssl_cert_reqs": required, "ssl_check_hostname": required == "required"}
