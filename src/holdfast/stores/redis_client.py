# A pool of ours waits for a free connection, where the driver's default opens another or fails; and nothing is tried
# again in the driver, which waits in between: the one second try is ServerStore's.
"""From a URL to a client of redis-py: one server, TLS, a socket, Sentinel, or a cluster."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import redis.asyncio.cluster
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.backoff
import redis.cluster
import redis.retry
import redis.sentinel

from holdfast.dual import Steps
from holdfast.errors import InvalidOption
from holdfast.stores import options
from holdfast.stores import url as urls

__all__ = ["Address", "disconnect", "parse"]

_NEVER_AGAIN = redis.backoff.NoBackoff(), 0

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


class _Pool(redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """Asks a Sentinel where to connect, and waits for a free connection."""


class _Cluster(redis.asyncio.RedisCluster):
    """Learns anew who serves what, and leaves alone the connections on which other tasks wait for their replies."""

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().execute_command(*args, **kwargs)
        except (AttributeError, TypeError) as error:
            # From Python 3.12 on asyncio says so where a connection is written to that is closed (python/cpython
            # #136234, redis-py #4287). The next one that is free may be closed as well: all are let go of, as the
            # driver does where it knows that one broke. Not every version of the driver can.
            for node in self.get_nodes():
                if hasattr(node, "disconnect_free_connections"):
                    await node.disconnect_free_connections()
            raise redis.ConnectionError("the connection was closed") from error

    async def aclose(self) -> None:
        # The driver itself calls this, at every fifth MOVED and at each CLUSTERDOWN, and loses what is under way. It
        # asks the servers again all the same, and replaces a connection when nobody uses it.
        self._initialize = True

    async def disconnect(self) -> None:
        """Close all connections."""
        # It thinks that there is nothing to close while it is to ask again.
        self._initialize = False
        await super().aclose()


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

    def client(self, *, asynchronous: bool, timeout: float, max_connections: int) -> Any:
        """Return a client. The asynchronous one has not connected yet; nor the other, but for that of a cluster.

        Each wait within it is at most ``timeout`` seconds; where several hosts may have to be asked in turn, a part
        of that, so that one that is silent leaves time for the next.
        """
        driver: Any = redis.asyncio if asynchronous else redis
        share = timeout / (len(self.hosts) + 1) if self.kind in ("sentinel", "cluster") else timeout
        patience = {"socket_timeout": share, "socket_connect_timeout": share, "socket_keepalive": True}
        if self.kind == "cluster":
            nodes = [driver.cluster.ClusterNode(*host) for host in self.hosts]
            # A part of the slots that nobody serves is no reason to give up the others. The connections to each node
            # are not waited for, so they are not limited.
            more = {
                "require_full_coverage": False,
                "max_connections": 2**31,
                "retry": driver.retry.Retry(*_NEVER_AGAIN),
            }
            cluster: Any = _Cluster if asynchronous else redis.RedisCluster
            return cluster(startup_nodes=nodes, **more, **patience, **self.login, **self._ssl())
        pool = {"max_connections": max_connections, "timeout": timeout}
        connection = {
            **self.login,
            **patience,
            "retry": driver.retry.Retry(*_NEVER_AGAIN, supported_errors=(redis.ConnectionError, redis.ReadOnlyError)),
        }
        if self.kind == "sentinel":
            sentinel = driver.sentinel.Sentinel(
                self.hosts,
                sentinel_kwargs={**self.sentinel_login, **patience, **self._ssl(), "retry": connection["retry"]},
                **connection,
                **self._ssl(),
            )
            if asynchronous:
                return sentinel.master_for(self.path, connection_pool_class=_Pool, **pool)
            # Not before redis-py 7 does such a pool work for threads. They are not many.
            return sentinel.master_for(self.path, max_connections=2**31)
        if self.kind == "socket":
            del connection["socket_keepalive"]
            connection |= {"connection_class": driver.UnixDomainSocketConnection, "path": self.path}
        else:
            connection |= {"host": self.hosts[0][0], "port": self.hosts[0][1]}
            if self.tls:
                connection |= {"connection_class": driver.SSLConnection, **self.tls}
        return driver.Redis.from_pool(driver.BlockingConnectionPool(**pool, **connection))

    def _ssl(self) -> dict[str, Any]:
        return {"ssl": True, **self.tls} if self.tls else {}


def disconnect(client: Any, *, asynchronous: bool) -> Steps[None]:
    """Close ``client``, and what it has asked for its server."""
    if isinstance(client, _Cluster):
        yield client.disconnect()
    else:
        yield client.aclose() if asynchronous else client.close()
    manager = getattr(getattr(client, "connection_pool", None), "sentinel_manager", None)
    for sentinel in manager.sentinels if manager else ():
        yield sentinel.aclose() if asynchronous else sentinel.close()


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
