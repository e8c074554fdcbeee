"""A copy of a store in which a few attributes are others: its index, or itself for coroutines."""

from __future__ import annotations

import copy
from typing import TypeVar

__all__ = ["altered"]

S = TypeVar("S")


def altered(store: S, **attributes: object) -> S:
    """Return a copy of ``store`` with these attributes. For a store's own methods, which know what they are called."""
    other = copy.copy(store)
    vars(other).update(attributes)
    return other
