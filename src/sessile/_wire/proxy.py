# The scheme of a request is the server's word. Behind a proxy that ends TLS the server knows of http only, and what the
# browser used stands in X-Forwarded-Proto, a header that anybody can send. Proxies write on the right: each adds the
# scheme it was reached by, and to X-Forwarded-For the address it was reached from. So the rightmost value is the word
# of our peer, and the next one that of whom our peer heard; we go left for as long as the writer is one we trust.
"""Whether the browser came over TLS, and whose word is taken for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_interface
from typing import Final, TypeAlias

from sessile.errors import InvalidOption
from sessile.facts import RequestFacts

__all__ = ["Trust", "host_of", "is_secure", "trust_in"]

#: Who is believed: everybody, nobody, or the peers for which the function returns True.
Trust: TypeAlias = bool | Callable[[str], bool]

_TLS: Final = frozenset({"https", "wss"})

#: More proxies than any request passes. What stands further left is not looked at, so that work is bounded.
_MOST_PROXIES: Final = 32

#: What nginx calls a peer on a unix socket; to servers it is a peer without an address.
_UNIX: Final = "unix:"

#: The names that express knows in "trust proxy", with their networks (proxy-addr 2.0).
_NAMES: Final = {
    "loopback": ("127.0.0.0/8", "::1"),
    "linklocal": ("169.254.0.0/16", "fe80::/10"),
    "uniquelocal": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "unix": (),
}

#: An address with brackets, a port or both. A bare IPv6 address has neither.
_WITH_PORT: Final = re.compile(r"\[([^]]*)\](?::[0-9]+)?|([^:]*):[0-9]+")

#: Where IPv4 is mapped into IPv6 (RFC 4291 2.5.5.2). All is compared there, so that each address has one form.
_MAPPED: Final = 0xFFFF << 32


def is_secure(facts: RequestFacts, trust: Trust) -> bool:
    """Tell whether the browser reached us over TLS.

    TLS of the server itself always counts. Else ``trust`` says whose ``X-Forwarded-Proto`` is believed. True: the first
    value, whoever wrote it, as express-session does; it is for servers that only a proxy can reach. A function: the
    value of the outermost proxy that is trusted, so that what a browser forges never counts. No header raises.
    """
    if facts.scheme in _TLS:
        return True
    if not trust:
        return False
    return _forwarded(facts, trust, "x-forwarded-proto").lower() in _TLS


def host_of(facts: RequestFacts, trust: Trust) -> str:
    """Return the host, with its port, that the browser asked: ``X-Forwarded-Host`` of a trusted proxy, else ``Host``.

    "" where there is none. No header raises.
    """
    return (_forwarded(facts, trust, "x-forwarded-host") if trust else "") or (facts.header("host") or "")


def _forwarded(facts: RequestFacts, trust: Trust, header: str) -> str:
    """Return what a proxy that is trusted has heard from the browser, or "" if none says it."""
    if not callable(trust):
        return (facts.header(header) or "").split(",", 1)[0].strip()
    said = ""
    writers = [facts.client or _UNIX, *_from_the_right(facts, b"x-forwarded-for")]
    for writer, value in zip(writers, _from_the_right(facts, header.encode("ascii")), strict=False):
        if not trust(writer):
            break
        said = value
    return said


def trust_in(proxy: bool | Sequence[str] | None) -> Trust:
    """Return whom the option ``proxy`` trusts. Raises InvalidOption for what is no address, network or name."""
    if proxy is None or isinstance(proxy, bool):
        return proxy is True
    if isinstance(proxy, str):
        listed = [entry.strip() for entry in proxy.split(",")]
        raise InvalidOption("proxy", f"{proxy!r} is no list", f"Put it into one: proxy={listed!r}.")
    if not isinstance(proxy, Sequence) or isinstance(proxy, (bytes, bytearray)):
        raise InvalidOption(
            "proxy", f"{proxy!r} is unknown", 'Use True, False, None, or a list such as ["10.0.0.0/8"].'
        )
    networks = [network for entry in proxy for network in _networks(entry)]
    unix = "unix" in proxy

    def trusts(peer: str) -> bool:
        if peer == _UNIX:
            return unix
        address = _address(peer)
        return address is not None and any(address in network for network in networks)

    return trusts


def _networks(entry: object) -> list[IPv6Network]:
    try:
        if not isinstance(entry, str) or "%" in entry:  # A zone would be lost in the comparison.
            raise ValueError
        interfaces = [ip_interface(text) for text in _NAMES.get(entry, (entry,))]
    except ValueError:
        names = ", ".join(map(repr, _NAMES))
        raise InvalidOption(
            "proxy", f"{entry!r} is no address or network", f'Write such as "10.0.0.5" or "10.0.0.0/8", or {names}.'
        ) from None
    for interface in interfaces:
        if interface.ip != interface.network.network_address:
            # Was the one address meant, or all? To guess could trust millions.
            remedy = f'Write "{interface.network}" for the network, or "{interface.ip}" for the address.'
            raise InvalidOption("proxy", f"{entry!r} is an address within a network", remedy)
    return [
        IPv6Network((_mapped(interface.ip), interface.network.prefixlen + (96 if interface.version == 4 else 0)))
        for interface in interfaces
    ]


def _address(text: str) -> IPv6Address | None:
    """Return the address of a peer, as servers and proxies write it, or None if it is none."""
    match = _WITH_PORT.fullmatch(text)
    try:
        return _mapped(ip_address((match[1] or match[2]) if match else text))
    except ValueError:
        return None


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(_MAPPED | int(address) if address.version == 4 else int(address))


def _from_the_right(facts: RequestFacts, name: bytes) -> list[str]:
    """Return the last values of a header, the last one first.

    Several lines are one list, in their order (RFC 9110 5.3), and empty values are none (RFC 9110 5.6.1).
    """
    lines = b",".join(value for key, value in facts.headers if key == name).decode("latin-1")
    values = (value.strip() for value in reversed(lines.rsplit(",", _MOST_PROXIES)[-_MOST_PROXIES:]))
    return [value for value in values if value]
