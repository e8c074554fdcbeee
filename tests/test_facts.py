"""What a request says of itself."""

from __future__ import annotations

import dataclasses

import pytest

from holdfast import RequestFacts


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
