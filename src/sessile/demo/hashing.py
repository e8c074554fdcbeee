"""Hash passwords without stopping everybody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

__all__ = ["in_thread"]

T = TypeVar("T")
P = ParamSpec("P")

#: Hashing a password takes 64 MiB and a few hundredths of a second of one core: so many at a time, the others wait.
_hashing = CapacityLimiter(4)


async def in_thread(call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Return what ``call``, which hashes a password, returns."""
    return await to_thread.run_sync(lambda: call(*arguments, **options), limiter=_hashing)
