"""The bound cookie: good for one binding, until its own end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._wire.device.bound import BoundTokens

OLD, NEW = b"the old secret, long enough for us", b"the new secret, long enough for us"
END = 1_800_000_600


def test_it_is_good_until_its_end() -> None:
    """The end is in the token; what the browser does with Max-Age decides nothing."""
    tokens = BoundTokens([NEW])
    token = tokens.make("binding", "key", END).encode()
    assert tokens.proves(token, "binding", "key", END - 0.01)
    assert not tokens.proves(token, "binding", "key", END)


def test_it_is_of_one_binding_and_one_key() -> None:
    tokens = BoundTokens([NEW])
    token = tokens.make("binding", "key", END).encode()
    assert not tokens.proves(token, "bindin", "gkey", END - 1)
    assert not tokens.proves(token, "binding", "another", END - 1)
    assert not tokens.proves(token, "another", "key", END - 1)


def test_its_end_cannot_be_moved() -> None:
    tokens = BoundTokens([NEW])
    token = tokens.make("binding", "key", END)
    for other in (str(END + 1), f"0{END}", f"+{END}", f"{END} ", "1_800_000_600", "-1", "", "9" * 5000):
        changed = token.replace(str(END), other).encode()
        assert not tokens.proves(changed, "binding", "key", END - 1)


def test_secrets_are_rotated() -> None:
    token = BoundTokens([OLD]).make("binding", "key", END).encode()
    assert BoundTokens([NEW, OLD]).proves(token, "binding", "key", END - 1)
    assert not BoundTokens([NEW]).proves(token, "binding", "key", END - 1)


@given(st.data())
def test_nothing_that_was_changed_is_good(data: st.DataObject) -> None:
    tokens = BoundTokens([NEW])
    token = tokens.make("binding", "key", END).encode()
    position, other = data.draw(st.integers(0, len(token) - 1)), data.draw(st.integers(0, 255))
    changed = token[:position] + bytes([other]) + token[position + 1 :]
    assert tokens.proves(changed, "binding", "key", END - 1) == (changed == token)


@given(st.binary(max_size=100))
def test_no_input_raises(token: bytes) -> None:
    assert not BoundTokens([NEW]).proves(token, "binding", "key", END - 1)


def test_a_challenge_is_no_token() -> None:
    """Their keys differ, though the secret is one."""
    from sessile._wire.device.mac import FieldsMac

    fields = (b"binding", b"key", str(END).encode())
    assert FieldsMac([NEW], "device bound").make(*fields) != FieldsMac([NEW], "device challenge").make(*fields)


@pytest.mark.parametrize("token", [b"v1", b"v1..", b"v2.1.a", b"v1.1.\xff"])
def test_pieces_of_tokens_are_not_good(token: bytes) -> None:
    assert not BoundTokens([NEW]).proves(token, "binding", "key", 0)
