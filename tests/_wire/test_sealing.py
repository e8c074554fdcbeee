"""Sealing: what was sealed opens, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._wire.sealing import SealedTokens, Sealer, xaes
from sessile._wire.signing import Signer

OLD, NEW = b"the old secret, long enough for us", b"the new secret, long enough for us"


@pytest.mark.parametrize(
    ("key", "context", "sealed"),
    [
        (b"\x01", b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (b"\x03", b"c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ],
)
def test_the_cipher_is_that_of_the_specification(key: bytes, context: bytes, sealed: str) -> None:
    """The test vectors of c2sp.org/XAES-256-GCM; the two keys take both branches of the doubling."""
    nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX"
    assert xaes(key * 32, nonce).encrypt(nonce[12:], b"XAES-256-GCM", context).hex() == sealed


@given(st.binary(max_size=300), st.binary(max_size=30))
def test_what_was_sealed_opens(plaintext: bytes, context: bytes) -> None:
    sealer = Sealer([NEW], "a test")
    sealed = sealer.seal(plaintext, context)
    assert sealer.unseal(sealed.encode(), context) == (plaintext, True)


@given(st.integers(0, 74), st.sampled_from(b"ABCabc019-_=+/. \x00\xff"))
def test_nothing_that_was_changed_opens(position: int, other: int) -> None:
    """Every character counts, the unused bits of the last one too."""
    sealer = Sealer([NEW], "a test")
    sealed = sealer.seal(b"a session id", b"name").encode()
    assert len(sealed) == 75
    changed = sealed[:position] + bytes([other]) + sealed[position + 1 :]
    assert changed == sealed or sealer.unseal(changed, b"name") is None
    assert sealer.unseal(sealed[:position], b"name") is None
    assert sealer.unseal(sealed + bytes([other]), b"name") is None


@given(st.binary(max_size=200))
def test_no_input_raises(raw: bytes) -> None:
    assert Sealer([NEW], "a test").unseal(raw, b"name") is None
    assert SealedTokens(Signer([NEW]), Sealer([NEW], "token"), "name").read_token(b"e." + raw) is None


def test_a_seal_is_for_one_purpose_in_one_context() -> None:
    sealed = Sealer([NEW], "one").seal(b"text", b"here").encode()
    assert Sealer([NEW], "one").unseal(sealed, b"here") is not None
    assert Sealer([NEW], "two").unseal(sealed, b"here") is None
    assert Sealer([NEW], "one").unseal(sealed, b"there") is None
    assert Sealer([OLD], "one").unseal(sealed, b"here") is None


def test_a_secret_is_rotated_by_putting_a_new_one_in_front() -> None:
    """What the old one sealed still opens, and says that it should be sealed anew."""
    sealed = Sealer([OLD], "a test").seal(b"text", b"").encode()
    assert Sealer([NEW, OLD], "a test").unseal(sealed, b"") == (b"text", False)
    assert Sealer([OLD, NEW], "a test").unseal(sealed, b"") == (b"text", True)


def test_two_seals_of_one_text_are_different() -> None:
    sealer = Sealer([NEW], "a test")
    assert sealer.seal(b"text", b"") != sealer.seal(b"text", b"")


def test_a_sealed_token_hides_the_id_and_fits_a_bearer_header() -> None:
    """The grammar is token68 of RFC 7235, which has no percent sign."""
    tokens = SealedTokens(Signer([NEW]), Sealer([NEW], "token"), "name")
    token = tokens.token("an-id-that-nobody-should-see-here")
    assert "an-id" not in token
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/")
    assert tokens.read_token(token.encode()) == "an-id-that-nobody-should-see-here"
    assert SealedTokens(Signer([NEW]), Sealer([NEW], "token"), "other").read_token(token.encode()) is None


def test_signed_tokens_are_still_read() -> None:
    """Who changes from signed to encrypted tokens logs nobody out."""
    signed = Signer([NEW]).token("an-id").encode()
    assert SealedTokens(Signer([NEW]), Sealer([NEW], "token"), "name").read_token(signed) == "an-id"
