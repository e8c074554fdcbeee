"""Challenges: ours are recognised, for one purpose and one subject, for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile._wire import base64url
from sessile._wire.device.challenge import LIFE, Challenges

OLD, NEW = b"the old secret, long enough for us", b"the new secret, long enough for us"
NOW = 1_800_000_000.25


def test_a_challenge_says_its_moment() -> None:
    """In microseconds: a record that keeps the last one takes later ones only."""
    challenges = Challenges([NEW])
    challenge = challenges.make("refresh", "a binding", NOW)
    assert challenges.read("refresh", "a binding", challenge, NOW + 1) == 1_800_000_000_250_000
    assert challenges.make("refresh", "a binding", NOW) != challenge


def test_it_is_for_one_purpose_and_one_subject() -> None:
    """And where one field ends counts: no other split of the same bytes fits."""
    challenges = Challenges([NEW])
    challenge = challenges.make("refresh", "a binding", NOW)
    assert challenges.read("register", "a binding", challenge, NOW) is None
    assert challenges.read("refresh", "b binding", challenge, NOW) is None
    assert challenges.read("refresh", "a bindin", challenge, NOW) is None


def test_it_is_over_after_its_life_and_not_before_it_was_made() -> None:
    """A server whose clock is a few seconds behind takes it all the same."""
    challenges = Challenges([NEW])
    challenge = challenges.make("refresh", "a", NOW)
    assert challenges.read("refresh", "a", challenge, NOW + LIFE - 0.01)
    assert challenges.read("refresh", "a", challenge, NOW + LIFE) is None
    assert challenges.read("refresh", "a", challenge, NOW - 4)
    assert challenges.read("refresh", "a", challenge, NOW - 6) is None


def test_secrets_are_rotated() -> None:
    challenge = Challenges([OLD]).make("refresh", "a", NOW)
    assert Challenges([NEW, OLD]).read("refresh", "a", challenge, NOW)
    assert Challenges([NEW]).read("refresh", "a", challenge, NOW) is None


@given(st.integers(0, 74), st.integers(0, 127))
def test_nothing_that_was_changed_is_ours(position: int, other: int) -> None:
    challenges = Challenges([NEW])
    challenge = challenges.make("refresh", "a", NOW)
    assert len(challenge) == 75
    changed = challenge[:position] + chr(other) + challenge[position + 1 :]
    assert (challenges.read("refresh", "a", changed, NOW) is not None) == (changed == challenge)


@given(st.text(max_size=100) | st.binary(max_size=80).map(lambda raw: base64url.encode(raw).decode()))
def test_no_input_raises(text: str) -> None:
    assert Challenges([NEW]).read("refresh", "a", text, NOW) is None


def test_without_a_secret_there_is_no_mac() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        Challenges([])
