# What the rules may know of a request, whatever the framework. Hooks of the user (genid, cookie) get this object,
# so that one hook serves every framework.
"""What a request says of itself: the facts that options and rules may depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

__all__ = ["Facts", "RequestFacts"]


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a request that ``genid``, ``cookie`` and the rules of the library can look at."""

    #: The method in upper case; ``"GET"`` for a WebSocket.
    method: str = "GET"
    #: The path as the server gave it, percent-decoded, without the query.
    path: str = "/"
    #: The scheme by which the server was reached: ``http``, ``https``, ``ws`` or ``wss``.
    scheme: str = "http"
    #: The header lines, names in lower case, in their order.
    headers: tuple[tuple[bytes, bytes], ...] = ()
    #: The address of the peer, where the server knows it.
    client: str | None = None
    #: The ASGI scope or the WSGI environ, for what is not listed here.
    raw: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        # Headers hold tokens and cookies, paths and the client personal data, and a repr ends in logs.
        return f"<RequestFacts {self.method} by {self.scheme}>"

    def header(self, name: str) -> str | None:
        """Return the value of the first header line of this name, or None.

        ``name`` is matched without regard to case.
        """
        wanted = name.lower().encode("latin-1")
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return None


#: Gives the facts of a request when they are asked for, which on the hot path they are not.
Facts: TypeAlias = Callable[[], RequestFacts]
