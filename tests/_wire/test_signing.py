"""Signing and checking: the format is cookie-signature's, and no input raises."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._records.record import stringify
from sessile._wire.signing import Signer, keygrip_sign, sign, unsign

#: Any text that Python can hold, lone surrogates included.
texts = st.text(st.characters())
#: Any text that can be percent-encoded: JavaScript's encodeURIComponent takes no lone surrogates either.
wellformed = st.text(st.characters(exclude_categories=["Cs"]))
secrets = st.binary(min_size=1) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def secret_of(vector: Any) -> str | bytes:
    return bytes.fromhex(vector["hex"]) if isinstance(vector, dict) else vector


def as_bytes(secret: str | bytes) -> bytes:
    return secret.encode() if isinstance(secret, str) else secret


def test_signs_as_cookie_signature_does(vectors: Any) -> None:
    """Every vector of cookie-signature signs to its text, and that text gives the value back."""
    for vector in vectors["cookie_signature"]:
        secret = secret_of(vector["secret"])
        assert sign(vector["value"], secret) == vector["signed"]
        assert unsign(vector["signed"], secret) == vector["value"]


def test_tokens_are_those_of_express_session(vectors: Any) -> None:
    """Every vector of express-session has our signature, our signed text and our cookie value."""
    for vector in vectors["session_cookie"]:
        signer = Signer([as_bytes(secret_of(vector["secret"]))])
        signed = signer.sign(vector["sid"])
        assert signed.removeprefix(vector["sid"] + ".") == vector["signature_base64_nopad"]
        assert "s:" + signed == vector["signed_value"]
        assert signer.token(vector["sid"]) == vector["cookie_value"]
        assert signer.read_token(vector["cookie_value"].encode()) == vector["sid"]
        assert signer.read_token(vector["signed_value"].encode()) == vector["sid"]


def test_ids_are_those_of_uid_safe(vectors: Any) -> None:
    """Twenty-four bytes as unpadded base64url are what uid-safe returns for them."""
    for vector in vectors["uid_safe"]:
        assert urlsafe_b64encode(bytes.fromhex(vector["bytes_hex"])).decode() == vector["sid"]


def test_keygrip_signs_as_cookie_session_does(vectors: Any) -> None:
    """Every vector of cookie-session has our signature over ``name=value``, by the first key."""
    for vector in vectors["cookie_session"]:
        text = f"{vector['name']}={b64encode(stringify(vector['session']).encode()).decode()}"
        assert text == vector["cookie"] == vector["signed_text"]
        assert f"{vector['name']}.sig={keygrip_sign(text, vector['keys'][0])}" == vector["sig_cookie"]


@given(value=texts, secret=secrets)
def test_what_was_signed_is_returned(value: str, secret: str | bytes) -> None:
    """Unsigning what was signed with the same secret gives the value, whatever both are."""
    assert unsign(sign(value, secret), secret) == value


@given(sid=wellformed, secret=secrets)
def test_a_token_gives_its_sid_back(sid: str, secret: str | bytes) -> None:
    """A token reads back as its sid, percent-encoded or not, and is a cookie value without need of quotes."""
    signer = Signer([as_bytes(secret)])
    token = signer.token(sid)
    assert signer.read_token(token.encode("ascii")) == sid
    assert signer.read_token(b"s:" + signer.sign(sid).encode()) == sid
    assert not set(token) & set(' ",;\\\r\n')


@given(value=wellformed, secret=st.binary(min_size=1), other=st.binary(min_size=1))
def test_another_secret_does_not_fit(value: str, secret: bytes, other: bytes) -> None:
    """What one secret signed, a different one refuses."""
    # HMAC pads a key with zeros to the block's 64 bytes, and hashes a longer one: such keys are one and the same.
    if secret.rstrip(b"\0") == other.rstrip(b"\0"):
        return
    assert unsign(sign(value, secret), other) is None
    assert Signer([other]).read_token(Signer([secret]).token(value).encode()) is None


@given(sid=wellformed, position=st.integers(min_value=0), change=st.integers(1, 255))
def test_one_changed_byte_breaks_a_token(sid: str, position: int, change: int) -> None:
    """A signed text in which any one byte differs is refused, or says the same when decoded."""
    signer = Signer([b"secret"])
    whole = bytearray(b"s:" + signer.sign(sid).encode())
    whole[position % len(whole)] ^= change
    assert signer.read_token(bytes(whole)) in (None, sid)


@given(st.binary())
def test_no_bytes_raise(raw: bytes) -> None:
    """Any bytes at all in place of a token give None; so do they behind the prefix, and in place of the mac."""
    signer = Signer([b"secret"])
    for hostile in (raw, b"s:" + raw, b"s%3A" + raw, b"s:sid." + raw, b"s%3Asid." + raw, b"s%3A%" + raw):
        assert signer.read_token(hostile) is None


@given(texts)
def test_no_text_raises(text: str) -> None:
    """Any text in place of a signed one gives None: with characters outside ASCII in the mac too."""
    assert unsign(text, "secret") is None
    assert unsign("hello." + text, "secret") is None


def test_a_megabyte_is_read_and_refused() -> None:
    """A value as long as a server lets through is refused like a short one."""
    signer = Signer([b"secret"] * 3)
    for raw in (b"s%3A" + b"." * 1_000_000, b"s%3A" + b"%41" * 300_000 + b".x", b"s:" + b"%" * 1_000_000):
        assert signer.read_token(raw) is None


def test_what_was_refused_is_refused_again() -> None:
    """Asking twice for one value gives the same answer, for good tokens and for forged ones."""
    signer = Signer([b"secret"])
    good, forged = signer.token("sid").encode(), b"s%3Asid." + b"A" * 43
    assert [signer.read_token(raw) for raw in (good, forged, good, forged)] == ["sid", None, "sid", None]


def test_many_other_values_do_not_change_an_answer() -> None:
    """More values than are remembered in between make no difference to what a token gives."""
    signer = Signer([b"secret"])
    token = signer.token("sid").encode()
    assert signer.read_token(token) == "sid"
    for number in range(5000):
        assert signer.read_token(b"s%%3Asid.%d" % number) is None
    assert signer.read_token(token) == "sid"


def test_the_first_secret_signs_and_all_verify() -> None:
    """A secret put in front signs from then on, and what the older ones signed is accepted until they are gone."""
    old, both, new = Signer([b"old"]), Signer([b"new", b"old"]), Signer([b"new"])
    assert both.token("sid") == new.token("sid") != old.token("sid")
    assert both.read_token(old.token("sid").encode()) == "sid"
    assert both.unsign(old.sign("value")) == "value"
    assert new.read_token(old.token("sid").encode()) is None


def test_the_value_ends_at_the_last_dot() -> None:
    """A value may have dots in it: the mac is what stands behind the last one."""
    assert unsign(sign("a.b.c", "k"), "k") == "a.b.c"
    assert unsign("no dot", "k") is None
    assert unsign("", "k") is None


@pytest.mark.parametrize("ending", ["=", "A", " ", "é", "\0", "."])
def test_something_behind_the_mac_breaks_it(ending: str) -> None:
    """A mac with anything behind it is refused, its own base64 padding too: one value has one signature."""
    signed = sign("hello", "k")
    assert unsign(signed + ending, "k") is None
    assert Signer([b"k"]).read_token(b"s:" + (signed + ending).encode()) is None


def test_the_prefix_is_exact() -> None:
    """Only ``s:`` marks a token: not ``S:``, not nothing, not ``j:``."""
    signer = Signer([b"k"])
    signed = signer.sign("sid").encode()
    assert signer.read_token(b"s:" + signed) == "sid"
    for prefix in (b"S:", b"", b"j:", b" s:", b"s::"):
        assert signer.read_token(prefix + signed) is None


def test_a_signer_needs_a_secret() -> None:
    """A Signer without secrets cannot be made: it would refuse everybody, or accept them."""
    with pytest.raises(ValueError, match="at least one secret"):
        Signer([])


def test_the_repr_has_no_secret() -> None:
    """A Signer that ends in a log shows nothing of its secrets."""
    assert "hunter2" not in repr(Signer([b"hunter2"]))
