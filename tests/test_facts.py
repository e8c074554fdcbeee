"""What a request says of itself."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import RequestFacts
from holdfast.facts import is_secure

FORWARDED = b"x-forwarded-proto"


@pytest.mark.parametrize(
    ("scheme", "headers", "proxy", "secure"),
    [
        ("https", [], None, True),
        ("wss", [], None, True),
        ("http", [], None, False),
        ("ws", [], None, False),
        ("", [], None, False),
        # Without proxy=True nobody's header is believed:
        ("http", [(FORWARDED, b"https")], None, False),
        ("http", [(FORWARDED, b"https")], False, False),
        # with it, the first value of the first line is, which is what the outermost proxy saw.
        ("http", [(FORWARDED, b"https")], True, True),
        ("http", [(FORWARDED, b" HTTPS ")], True, True),
        ("http", [(FORWARDED, b"https, http")], True, True),
        ("http", [(FORWARDED, b"http, https")], True, False),
        ("http", [(FORWARDED, b"http"), (FORWARDED, b"https")], True, False),
        ("http", [(FORWARDED, b"")], True, False),
        ("http", [(FORWARDED, b"\xff\xfe")], True, False),
        ("http", [(FORWARDED, b"httpsx")], True, False),
        ("http", [(b"forwarded", b"proto=https")], True, False),
        ("http", [], True, False),
        # The server's own word for TLS is never taken back by a header.
        ("https", [(FORWARDED, b"http")], True, True),
        ("https", [(FORWARDED, b"http")], False, True),
    ],
)
def test_who_is_believed_about_tls(
    scheme: str, headers: list[tuple[bytes, bytes]], proxy: bool | None, secure: bool
) -> None:
    """A request is secure if the server says so, or if ``proxy=True`` and the outermost proxy says so."""
    assert is_secure(RequestFacts(scheme=scheme, headers=tuple(headers)), proxy) is secure


@given(value=st.binary())
def test_no_header_raises(value: bytes) -> None:
    """Any bytes in a header are looked at without failing, and none makes a plain request secure unasked."""
    facts = RequestFacts(headers=((FORWARDED, value),))
    assert is_secure(facts, None) is False
    assert isinstance(is_secure(facts, True), bool)


def test_a_header_is_found_by_any_spelling() -> None:
    """The first line of a header is returned, whatever the case it is asked for in."""
    facts = RequestFacts(headers=((b"host", b"one"), (b"host", b"two"), (b"x-raw", b"\xe9")))
    assert facts.header("Host") == facts.header("host") == facts.header("HOST") == "one"
    assert facts.header("X-Raw") == "é"
    assert facts.header("missing") is None


def test_facts_cannot_be_changed() -> None:
    """Facts are handed to the user's functions, and stay what they were."""
    facts = RequestFacts()
    with pytest.raises((AttributeError, dataclasses.FrozenInstanceError)):
        facts.scheme = "https"  # type: ignore[misc]
