"""Pairs keep the invariants under the options that change the protocol."""

from __future__ import annotations

import pytest

from tests.interleavings.bodies import KINDS
from tests.interleavings.checking import differences
from tests.interleavings.scenarios import PAIRED, pairs

#: Kinds that differ from another one in their name, or by what has nothing to do with the options.
ALIKE = {"destroy", "forge", "first write", "index", "log-in elsewhere", "revoke_where"}


@pytest.mark.parametrize("options", PAIRED[1:])
def test_each_pair_keeps_the_invariants(options: str) -> None:
    """In every order. ``python -m tests.interleavings`` runs those left out here too, and crashes and lost answers."""
    assert set(KINDS) > ALIKE
    assert differences((each for each in pairs(options) if not ALIKE & set(each.kinds)), faults=False) == []
