# A synchronous verb does its work wherever it is called; but where an event loop runs in the same thread, it holds up
# every other request for as long as the store takes. Nobody notices that in a test, so the first one says so.
"""Warn of a synchronous verb that waits for the store on a thread whose event loop runs."""

from __future__ import annotations

import warnings

from sessile._engine.setup import Setup
from sessile.dual import loop_is_running

__all__ = ["BlockingWarning", "warn_on_a_loop"]


class BlockingWarning(UserWarning):
    """A synchronous verb has held up the event loop while it waited for the store."""


_warned: set[str] = set()


def warn_on_a_loop(verb: str, setup: Setup) -> None:
    """Warn, once for each ``verb``, if an event loop runs here and no synchronous framework is served."""
    if verb in _warned or setup.serves_synchronously or not loop_is_running():
        return
    _warned.add(verb)
    remedy = (
        f"use `async with {verb}()`"
        if verb.endswith((".transaction", ".lock"))
        else "use `async for`"
        if verb.endswith(".all")
        else "await " + verb.replace(".", ".a", 1) + "()"
    )
    warnings.warn(
        f"{verb}() waits for the store, and an event loop runs in this thread: it holds up all other requests. "
        f"In a coroutine, {remedy}",
        BlockingWarning,
        stacklevel=4,
    )
