"""For tests: the session of a test client, a browser with a device, a clock that stands still, outages, and the kit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessile.testing.clock import FrozenClock
from sessile.testing.device import DeviceBrowser
from sessile.testing.faulty import FaultyStore
from sessile.testing.jar import session_of
from sessile.testing.link import Link

if TYPE_CHECKING:
    from sessile.testing.conformance import StoreConformance

__all__ = ["DeviceBrowser", "FaultyStore", "FrozenClock", "Link", "StoreConformance", "session_of"]


def __getattr__(name: str) -> type:
    # The kit needs pytest, which an application that only wants the clock may not have.
    if name == "StoreConformance":
        from sessile.testing.conformance import StoreConformance

        return StoreConformance
    raise AttributeError(f"module 'sessile.testing' has no attribute {name!r}")
