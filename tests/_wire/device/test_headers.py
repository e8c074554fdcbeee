"""The headers of device binding: ours are structured fields, and both forms of the browser's are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._wire.device.headers import offer, read_value, sf_string, told
from sessile._wire.device.proof import MAX_PROOF


def test_the_offer_is_what_chromium_took() -> None:
    assert offer("/dbsc/register", "kpst") == '(ES256 RS256);path="/dbsc/register";challenge="kpst"'
    assert offer("/r", "c", ["ES256"]) == '(ES256);path="/r";challenge="c"'


def test_a_challenge_names_its_binding() -> None:
    """Without the id a browser gives up the session."""
    assert told("tqHr", "s-WM") == '"tqHr";id="s-WM"'


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=50))
def test_what_we_write_is_read_back(text: str) -> None:
    assert read_value(sf_string(text).encode()) == text
    assert read_value(sf_string(text).encode() + b';id="x"') == text


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: b", "é", "\x7f", "\x00"])
def test_what_would_break_the_header_is_not_written(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        sf_string(text)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"eyJh.eyJq.c2ln", "eyJh.eyJq.c2ln"),
        (b'"eyJh.eyJq.c2ln"', "eyJh.eyJq.c2ln"),
        (b' "s-WM" ;a=1', "s-WM"),
        (b"s-WM", "s-WM"),
        (rb'"a\"b\\c"', 'a"b\\c'),
        (b'""', ""),
    ],
)
def test_bare_and_quoted_are_read(raw: bytes, value: str) -> None:
    assert read_value(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'"',
        b'"a',
        b'a"',
        b'"a"b',
        b'"a", "b"',
        b"a, b",
        b"a b",
        b"a;b",
        rb'"\a"',
        b'"\xe9"',
        b"\xff",
        b"a" * (MAX_PROOF + 1),
    ],
)
def test_all_else_is_refused(raw: bytes) -> None:
    assert read_value(raw) is None


@given(st.binary(max_size=200))
def test_no_input_raises(raw: bytes) -> None:
    value = read_value(raw)
    assert value is None or value.isascii()
