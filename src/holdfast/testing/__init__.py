"""For tests: the session of a test client, a clock that stands still, outages at will, and the kit for stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.testing.clock import FrozenClock
from holdfast.testing.faulty import FaultyStore
from holdfast.testing.jar import session_of
from holdfast.testing.link import Link

if TYPE_CHECKING:
    from holdfast.testing.conformance import StoreConformance

__all__ = ["FaultyStore", "FrozenClock", "Link", "StoreConformance", "session_of"]


def __getattr__(name: str) -> Any:
    # The kit needs pytest, which an application that only wants the clock may not have.
    if name == "StoreConformance":
        from holdfast.testing.conformance import StoreConformance

        return StoreConformance
    raise AttributeError(f"module 'holdfast.testing' has no attribute {name!r}")
