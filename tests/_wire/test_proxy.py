"""Who is believed about TLS."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile import RequestFacts, Sessions
from sessile._wire.proxy import Trust, is_secure, trust_in
from tests.conftest import SECRET

PROTO = b"x-forwarded-proto"
FOR = b"x-forwarded-for"

PROXY = "10.0.0.1"
INNER = "10.0.0.2"
VISITOR = "203.0.113.7"


def secure(
    proxy: bool | Sequence[str] | None,
    peer: str | None = PROXY,
    proto: str | list[str] = (),  # type: ignore[assignment]
    by: str | list[str] = (),  # type: ignore[assignment]
    scheme: str = "http",
) -> bool:
    """Ask of a request from ``peer``, with lines of X-Forwarded-Proto and X-Forwarded-For."""
    lines = [(PROTO, value) for value in ([proto] if isinstance(proto, str) else proto)]
    lines += [(FOR, value) for value in ([by] if isinstance(by, str) else by)]
    headers = tuple((name, value.encode("latin-1")) for name, value in lines)
    return is_secure(RequestFacts(scheme=scheme, headers=headers, client=peer), trust_in(proxy))


@pytest.mark.parametrize(
    ("scheme", "headers", "proxy", "is_so"),
    [
        ("https", [], None, True),
        ("wss", [], None, True),
        ("http", [], None, False),
        ("ws", [], None, False),
        ("", [], None, False),
        # Without proxy=True nobody's header is believed:
        ("http", [(PROTO, b"https")], None, False),
        ("http", [(PROTO, b"https")], False, False),
        ("http", [(PROTO, b"https")], [], False),
        # with it, the first value of the first line is, which is what the outermost proxy saw.
        ("http", [(PROTO, b"https")], True, True),
        ("http", [(PROTO, b" HTTPS ")], True, True),
        ("ws", [(PROTO, b"wss")], True, True),  # As Traefik says it of a WebSocket.
        ("http", [(PROTO, b"https, http")], True, True),
        ("http", [(PROTO, b"http, https")], True, False),
        ("http", [(PROTO, b"http"), (PROTO, b"https")], True, False),
        ("http", [(PROTO, b"")], True, False),
        ("http", [(PROTO, b"\xff\xfe")], True, False),
        ("http", [(PROTO, b"httpsx")], True, False),
        ("http", [(b"forwarded", b"proto=https")], True, False),
        ("http", [], True, False),
        # The server's own word for TLS is never taken back by a header.
        ("https", [(PROTO, b"http")], True, True),
        ("https", [(PROTO, b"http")], False, True),
        ("https", [(PROTO, b"http")], [PROXY], True),
    ],
)
def test_who_is_believed_about_tls(
    scheme: str, headers: list[tuple[bytes, bytes]], proxy: bool | Sequence[str] | None, is_so: bool
) -> None:
    """A request is secure if the server says so, or if ``proxy=True`` and the outermost proxy says so."""
    assert is_secure(RequestFacts(scheme=scheme, headers=tuple(headers), client=PROXY), trust_in(proxy)) is is_so


@pytest.mark.parametrize(
    ("proxy", "peer", "trusted"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["10.0.0.0/255.0.0.0"], "10.1.2.3", True),
        (("10.0.0.1",), "10.0.0.1", True),
        (("10.0.0.1",), "10.0.0.2", False),
        (["0.0.0.0/0"], VISITOR, True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::", False),
        (["::1"], "0:0:0:0:0:0:0:1", True),
        # One address, however it is written: a socket for both families reports IPv4 as mapped.
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["10.0.0.0/8"], "::ffff:a00:1", True),
        (["::ffff:10.0.0.0/104"], "10.0.0.1", True),
        (["10.0.0.0/8"], "::10.0.0.1", False),
        (["10.0.0.1"], "10.0.0.1:5678", True),
        (["::1"], "[::1]:80", True),
        (["::1"], "[::1]", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        # The names of express.
        (["loopback"], "127.9.9.9", True),
        (["loopback"], "::1", True),
        (["loopback"], "::ffff:127.0.0.1", True),
        (["loopback"], "10.0.0.1", False),
        (["linklocal"], "169.254.1.1", True),
        (["linklocal"], "fe80::1%2", True),
        (["linklocal"], "::1", False),
        (["uniquelocal"], "10.0.0.1", True),
        (["uniquelocal"], "172.31.255.255", True),
        (["uniquelocal"], "172.32.0.0", False),
        (["uniquelocal"], "192.168.1.1", True),
        (["uniquelocal"], "fd00::1", True),
        (["uniquelocal"], "127.0.0.1", False),
        (["loopback", "10.0.0.1"], "10.0.0.1", True),
        # A peer without an address.
        (["unix"], None, True),
        (["unix"], "", True),
        (["unix"], "unix:", True),
        (["unix"], "127.0.0.1", False),
        (["loopback"], None, False),
        (["0.0.0.0/0", "::/0"], None, False),
        # What is no address is nobody.
        (["::/0"], "testclient", False),
        (["::/0"], "[::1", False),
        (["::/0"], "[::1]x", False),
        (["::/0"], "1.2.3", False),
        (["::/0"], "010.0.0.1", False),
        (["::/0"], "10.0.0.1%eth0", False),
    ],
)
def test_a_peer_is_trusted_if_it_is_in_a_network(proxy: Sequence[str], peer: str | None, trusted: bool) -> None:
    """``X-Forwarded-Proto`` is believed if the peer is in one of the networks, however addresses are written."""
    assert secure(proxy, peer, proto="https") is trusted
    assert secure(proxy, peer, proto="http") is False


@pytest.mark.parametrize(
    ("proto", "by", "is_so"),
    [
        # One proxy. It overwrote what came, or joined its own word to it; a forged value stands on the left.
        ("https", VISITOR, True),
        ("https", [], True),
        ("http", VISITOR, False),
        ("https, http", VISITOR, False),
        ("https, http", f"{PROXY}, {VISITOR}", False),
        ("http, https", VISITOR, True),
        (["https", "http"], [PROXY, VISITOR], False),
        (["http", "https"], VISITOR, True),
        # Two: the inner one was reached by http, from the outer one, which was reached by https.
        ("https, http", f"{VISITOR}, {INNER}", True),
        (["https, http"], [VISITOR, INNER], True),
        (["https", "http"], f"{VISITOR},{INNER}", True),
        ("http, https", f"{VISITOR}, {INNER}", False),
        ("https, http, http", f"{VISITOR}, {INNER}", False),
        ("https, http, http", f"{PROXY}, {VISITOR}, {INNER}", False),
        # The outer one overwrites and the inner one hands on: one value, two addresses.
        ("https", f"{VISITOR}, {INNER}", True),
        ("http", f"{VISITOR}, {INNER}", False),
        # Fewer addresses than values: nobody says who wrote the rest.
        ("https, http", [], False),
        ("https, http, http", INNER, False),
        # All are trusted: the visitor sits in the network of the proxies. The leftmost value counts.
        ("https, http", f"{INNER}, {INNER}", True),
        ("http, https", f"{INNER}, {INNER}", False),
        # Addresses with ports, mapped addresses, a step over a unix socket, and empty values.
        ("https, http", f"{VISITOR}, {INNER}:4711", True),
        ("https, http", f"{VISITOR}, [::ffff:{INNER}]:80", True),
        ("https, http", f"{VISITOR}, unix:", True),
        (", https", INNER, True),
        ("https, , http,", f"{VISITOR},, {INNER} ,", True),
        # What is no address ends the walk.
        ("https, http", f"{VISITOR}, unknown", False),
        ("https, http", f"{VISITOR}, {INNER}x", False),
        ("https, http", f"{VISITOR}, \xff\xfe", False),
        # What is no scheme is not secure.
        ("httpsx", VISITOR, False),
        ("https http", VISITOR, False),
        ("HTTPS", VISITOR, True),
        ("wss", VISITOR, True),
        ("", VISITOR, False),
        ([], VISITOR, False),
    ],
)
def test_forged_values_do_not_win(proto: str | list[str], by: str | list[str], is_so: bool) -> None:
    """From the right, one value is believed for each proxy that is trusted, and none that a visitor wrote."""
    assert secure(["10.0.0.0/8", "unix"], PROXY, proto, by) is is_so


def test_an_untrusted_peer_is_not_believed() -> None:
    """Whoever reaches us past the proxy cannot pose as one, whatever the headers say."""
    assert not secure(["10.0.0.0/8"], VISITOR, "https, https", f"{PROXY}, {PROXY}")


def test_other_headers_say_nothing() -> None:
    """Only the two headers are looked at: an underscore or a Forwarded header is another name."""
    headers = ((b"x_forwarded_proto", b"https"), (b"forwarded", b"proto=https"), (b"x-forwarded-protocol", b"https"))
    assert not is_secure(RequestFacts(headers=headers, client=PROXY), trust_in([PROXY]))


LISTED = trust_in(["loopback", "10.0.0.0/8", "fc00::/7", "unix"])
PIECES = st.sampled_from([b"https", b",", b" ", b"10.0.0.1", b"unix:", b"[", b"]", b":", b"::1", b"%", b"/8", b"\xff"])


@given(
    trust=st.sampled_from([False, True, LISTED]),
    headers=st.lists(st.tuples(st.sampled_from([PROTO, FOR]), st.binary() | st.lists(PIECES).map(b"".join))),
    client=st.none() | st.text() | st.sampled_from(["10.0.0.1", "::1"]),
)
def test_no_header_raises(trust: Trust, headers: list[tuple[bytes, bytes]], client: str | None) -> None:
    """Any bytes in the headers, and any peer, are looked at without failing; unasked, none makes a request secure."""
    answer = is_secure(RequestFacts(headers=tuple(headers), client=client), trust)
    assert isinstance(answer, bool)
    assert not (answer and trust is False)


@given(forged=st.lists(st.binary()), addresses=st.lists(st.binary()))
def test_nothing_forged_makes_plain_http_secure(forged: list[bytes], addresses: list[bytes]) -> None:
    """Whatever lines a visitor sends in front of what the proxy adds, the proxy's word counts."""
    lines = [*((PROTO, value) for value in forged), *((FOR, value) for value in addresses)]
    headers = (*lines, (PROTO, b"http"), (FOR, VISITOR.encode()))
    assert not is_secure(RequestFacts(headers=headers, client=PROXY), LISTED)


def test_work_is_bounded() -> None:
    """Of a header without end, the last values are looked at and no more."""
    asked: list[str] = []

    def everybody(peer: str) -> bool:
        asked.append(peer)
        return True

    endless = ((PROTO, b"https," * 100_000), (FOR, b"10.0.0.1," * 100_000))
    facts = RequestFacts(headers=endless, client=PROXY)
    tracemalloc.start()
    try:
        assert is_secure(facts, everybody)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert len(asked) <= 32


def test_the_list_is_read_once() -> None:
    """The option keeps what the user wrote, and what happens to the list later changes nothing."""
    proxies = ["10.0.0.0/8"]
    sessions = Sessions(secret=SECRET, proxy=proxies)
    assert sessions.options.proxy == ["10.0.0.0/8"]
    proxies.append("0.0.0.0/0")
    headers = ((PROTO, b"https"),)
    for client, is_so in ((PROXY, True), (VISITOR, False)):
        facts = RequestFacts(headers=headers, client=client)
        assert sessions.engine.begin_sync(b"", lambda facts=facts: facts).cookie.secure is is_so  # type: ignore[misc]
